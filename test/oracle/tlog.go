// Reads proofs of test_registry_proofs.py, a line each, and prints those of which
// tlog says otherwise than the line.
//
// SPDX-License-Identifier: PostgreSQL
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"check/tlog"
)

func hashes(text string) []tlog.Hash {
	var found []tlog.Hash
	for _, part := range strings.Split(text, ",") {
		if part == "" {
			continue
		}
		bytes, err := base64.StdEncoding.DecodeString(part)
		if err != nil {
			log.Fatal(err)
		}
		var hash tlog.Hash
		copy(hash[:], bytes)
		found = append(found, hash)
	}
	return found
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		field := strings.Split(in.Text(), " ")
		a, _ := strconv.ParseInt(field[1], 10, 64)
		size, _ := strconv.ParseInt(field[2], 10, 64)
		one, root, path := hashes(field[3])[0], hashes(field[4])[0], hashes(field[5])
		var err error
		if field[0] == "inclusion" {
			err = tlog.CheckRecord(path, size, root, a, one)
		} else {
			err = tlog.CheckTree(path, size, root, a, one)
		}
		if strconv.FormatBool(err == nil) != field[6] {
			fmt.Println(in.Text(), err)
		}
	}
}
