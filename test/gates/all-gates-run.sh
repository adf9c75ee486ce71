#!/bin/bash
# Run every gate; one line each.  Exit status 1 if one is broken.
#
# SPDX-License-Identifier: PostgreSQL
cd "$(dirname "$0")/../.." || exit 1
status=0
for gate in test/gates/*.sh; do
	case $gate in */all-gates-run.sh | */lib.sh) continue ;; esac
	output=$("$gate" 2>&1)
	case $? in
		0) printf 'kept     %s\n' "$(basename "$gate" .sh)" ;;
		77) printf 'skipped  %s: %s\n' "$(basename "$gate" .sh)" "$output" ;;
		*) printf 'BROKEN   %s\n%s\n' "$(basename "$gate" .sh)" "$output"; status=1 ;;
	esac
done
exit $status
