#!/bin/bash
# A file has at most 600 lines, a C function at most 80, an SQL function at most 60.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

files '*.c' '*.h' '*.sql' '*.pl' '*.py' '*.sh' '*.mk' Makefile 'dev/*' '.ci/*' | while IFS= read -r file; do
	lines=$(wc -l <"$file")
	[ "$lines" -le 600 ] || echo "$file has $lines lines"
	case $file in
		*.c | *.h)
			# A body begins and ends with a brace in the first column.
			awk -v file="$file" '
				/^[A-Za-z_].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
				/^\{/ { start = NR }
				/^\}[ \t]*$/ && start { if (NR - start + 1 > 80) printf "%s: %s has %d lines\n", file, name, NR - start + 1; start = 0 }
			' "$file" ;;
		sql/*.sql)
			# A body ends where its quotes do, at the end of a line.
			awk -v file="$file" '
				/^create (or replace )?function / { name = $0; sub(/^create (or replace )?function /, "", name); sub(/\(.*/, "", name); start = NR }
				/\$\$;$/ && start { if (NR - start + 1 > 60) printf "%s: %s has %d lines\n", file, name, NR - start + 1; start = 0 }
			' "$file" ;;
	esac
done | fail_lines "too long" || true
finish
