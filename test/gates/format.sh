#!/bin/bash
# The C files are as dev/format leaves them; no line of an SQL fragment is wider
# than 110 columns, a tab being four.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

for file in $(files 'sql/*.sql'); do
	expand -t 4 "$file" | awk -v file="$file" 'length > 110 { printf "%s:%d has %d columns\n", file, NR, length }'
done | fail_lines "too wide" || true

if command -v clang-format-14 >/dev/null; then
	changes=$(dev/format --check 2>&1) || fail "dev/format would change:
$(grep '^--- ' <<<"$changes" || tail -n 5 <<<"$changes")"
elif [ ! -s "$breaches" ]; then
	skip "clang-format-14 is not installed (dev/dependencies)"
fi
finish
