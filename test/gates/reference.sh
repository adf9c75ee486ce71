#!/bin/bash
# doc/reference.md is what dev/reference makes of the catalog.  Needs the
# private cluster.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

dev/cluster env >/dev/null 2>&1 || skip "no private cluster is running (dev/cluster start)"
mkdir -p build
dev/reference build/reference.md
diff -u doc/reference.md build/reference.md | head -n 40 |
	fail_lines "run dev/reference" || true
finish
