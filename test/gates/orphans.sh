#!/bin/bash
# Nothing lies about unused: tests that are in no list, expected output without
# a test, sources that are not built, programs of the tests that nothing runs.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

list=$(sed -e ':a' -e '/\\$/N; s/\\\n//; ta' Makefile | sed -n 's/^REGRESS *= *//p' | tr -s '[:blank:]' ' ')
for test in $list; do
	[ -e "test/sql/$test.sql" ] || fail "REGRESS names $test, and there is no test/sql/$test.sql"
	[ -e "expected/$test.out" ] || fail "REGRESS names $test, and there is no expected/$test.out"
done
for file in test/sql/*.sql; do
	case " $list " in *" $(basename "$file" .sql) "*) ;; *) fail "$file is not in REGRESS" ;; esac
done
for file in $(files 'expected/*.out'); do
	[ -e "test/sql/$(basename "$file" .out).sql" ] || fail "$file has no test"
done
for file in test/isolation/specs/*.spec; do
	[ -s "test/isolation/expected/$(basename "$file" .spec).out" ] || fail "$file has no expected output"
done
for file in $(files 'test/isolation/expected/*.out'); do
	# (name_1.out: what another minor version prints)
	stem=$(basename "$file" .out)
	[ -e "test/isolation/specs/${stem%_[0-9]}.spec" ] || fail "$file has no test"
done
for file in $(files 'src/*.c' 'src/*/*.c'); do
	room=$(dirname "$file")
	grep -qx "${room#src/}" <<<"$rooms" || fail "$file is in no room that the Makefile builds"
done
# A suite that the list lacks would be compiled and never run.
for suite in $(sed -n 's/^UNIT_SUITE(\([a-z_0-9]*\),.*/\1/p' test/unit/*.c); do
	grep -q "SUITE($suite)" test/unit/unit_main.c || fail "suite $suite is not in test/unit/unit_main.c"
done
for file in $(files 'test/fuzz/corpus/*'); do
	target=${file#test/fuzz/corpus/}
	target=${target%%/*}
	[ -e "test/fuzz/fuzz_$target.c" ] || { fail "corpus $target has no test/fuzz/fuzz_$target.c"; break; }
done
for file in $(files 'test/majors/*'); do
	stem=$(basename "$file" .py)
	grep -lE "(from|import) $stem\b|[\"/]$stem\b" dev/* test/majors/*.py 2>/dev/null | grep -qvx "$file" || fail "$file is read by nothing"
done
for file in $(files 'dev/*'); do
	case $file in *.sh | *.mk) continue ;; esac
	[ -x "$file" ] || fail "$file is not executable"
	grep -q "dev/$(basename "$file")" README.md CONTRIBUTING.md || fail "$file is in neither README.md nor CONTRIBUTING.md"
done
finish
