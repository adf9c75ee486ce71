#!/bin/bash
# A file has at most 600 lines, a C function at most 80, an SQL function at most 60.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

files '*.c' '*.h' '*.sql' '*.pl' '*.py' '*.sh' '*.mk' Makefile 'dev/*' '.ci/*' | while IFS= read -r file; do
	lines=$(wc -l <"$file")
	[ "$lines" -le 600 ] || echo "$file has $lines lines"
	case $file in *.c | *.h) long_functions 80 "$file" ;; sql/*.sql) long_sql 60 "$file" ;; esac
done | fail_lines "too long" || true
finish
