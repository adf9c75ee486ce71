#!/bin/bash
# dev/dependencies serves the server that PG_CONFIG names, and no other: it says
# the name of the package that a distribution lacks, and installs nothing then.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

command -v apt-get >/dev/null || skip "there is no apt-get"
[ "$(id -u)" = 0 ] || skip "this needs root"
before=$(dpkg-query -W | sha256sum)
while IFS='|' read -r config wanted; do
	status=0
	said=$(PG_CONFIG=$config dev/dependencies 2>&1) || status=$?
	[ $status != 0 ] || fail "$config: it succeeds"
	grep -qF "$wanted" <<<"$said" || fail "$config: it says: $said"
done <<-'LINES'
	/usr/lib/postgresql/99/bin/pg_config|this distribution has no package postgresql-server-dev-99
	/opt/none/bin/pg_config|there is no server with headers at /opt/none/bin/pg_config
LINES
[ "$(dpkg-query -W | sha256sum)" = "$before" ] || fail "packages were installed"
finish
