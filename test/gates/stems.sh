#!/bin/bash
# The stem is the address: sql/install/NN-STEM.sql, src/pg/STEM.c,
# test/sql/STEM.sql and expected/STEM.out.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

for fragment in sql/install/*.sql; do
	file=$(basename "$fragment" .sql)
	[[ $file =~ ^[0-9][0-9]-[a-z]+$ ]] || { fail "$fragment is not NN-stem.sql"; continue; }
	stem=${file#*-}
	for partner in "src/pg/$stem.c" "test/sql/$stem.sql" "expected/$stem.out"; do
		[ -e "$partner" ] || fail "$fragment has no $partner"
	done
	# Its functions are the ones that the C file defines, and some that others define.
	[ -e "src/pg/$stem.c" ] || continue
	diff <(c_functions "$fragment" | grep -vxFf <(sed -n 's/^PG_FUNCTION_INFO_V1(\(.*\));/\1/p' $(ls src/pg/*.c | grep -v "/$stem.c$"))) \
		<(sed -n 's/^PG_FUNCTION_INFO_V1(\(.*\));/\1/p' "src/pg/$stem.c" | sort -u) |
		grep '^[<>]' | fail_lines "$fragment (<) and src/pg/$stem.c (>) differ" || true
done
finish
