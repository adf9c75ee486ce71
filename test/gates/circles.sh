#!/bin/bash
# No two C files need each other, directly or by way of others: each can be read
# after those that it calls.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

objects=()
for file in src/*/*.c; do
	[ -e "${file%.c}.o" ] || skip "$file is not built"
	objects+=("${file%.c}.o")
done
circles "${objects[@]}" | fail_lines "files that need each other"
finish
