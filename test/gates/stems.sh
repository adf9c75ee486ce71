#!/bin/bash
# The stem is the address: sql/install/NN-STEM.sql, src/pg/STEM.c,
# test/sql/STEM.sql and expected/STEM.out.  Of the registry's parts with functions
# the first word of the stem is: sql/registry/NN-WORD-rest.sql, test/sql/registry_WORD.sql.
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

for part in sql/registry/*.sql; do
	file=$(basename "$part" .sql)
	[[ $file =~ ^[0-9][0-9]-([a-z]+)(-[a-z]+)*$ ]] || { fail "$part is not NN-stem.sql"; continue; }
	stem=registry_${BASH_REMATCH[1]}
	grep -q '^create or replace function' "$part" || continue
	[ -e "test/sql/$stem.sql" ] && [ -e "expected/$stem.out" ] ||
		fail "$part has no test/sql/$stem.sql with its expected output"
done
for test in test/sql/registry_*.sql; do
	stem=$(basename "$test" .sql)
	[ "$stem" = registry_setup ] || compgen -G "sql/registry/[0-9][0-9]-${stem#registry_}*.sql" >/dev/null ||
		fail "$test is of no part of sql/registry"
done
finish
