#!/bin/bash
# A kind of adapter is named in its own files and in the tables of kinds, and
# everybody else asks the table: what holds for one kind stands in one place.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

while IFS= read -r place; do
	fail "kind named outside its own files: $place"
done < <(kind_places | grep .)
finish
