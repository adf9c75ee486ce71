#!/bin/sh
# Print the SQL function registry_source(): what registry_create() and
# registry_upgrade() run, as text, one row for each file of this folder, and one
# for the part that rights.awk makes of them.
#
#   sql/registry/source.sh [or replace]    (the Makefile adds it to the install
#                                           script, and so to each upgrade script)
#
# SPDX-License-Identifier: PostgreSQL
set -eu
cd "$(dirname "$0")"

# What the installing server would take for its own, or for the end of the quotes.
if grep -nE '\$registry_(text|source)\$|^\\|MODULE_PATHNAME|@extschema' steps/*.sql ./*.sql >&2; then
	exit 1
fi

create="create${*:+ $*}"
cat <<SQL

$create function registry_source(out kind text, out name text, out source text) returns setof record
	language sql immutable parallel safe set search_path = pg_catalog, pg_temp as \$registry_source\$ values
SQL
comma=
for file in steps/*.sql ./*.sql; do
	case $file in steps/*) kind=step ;; *) kind=part ;; esac
	printf "%s('%s', '%s', \$registry_text\$" "$comma" "$kind" "$(basename "$file" .sql)"
	cat "$file"
	printf '$registry_text$)'
	comma=','
done
# for whom each function is, of the lines before them
printf ",('part', '58-rights', \$registry_text\$"
awk -f rights.awk ./*.sql
printf '$registry_text$)'
cat <<'SQL'
 $registry_source$;
comment on function registry_source() is
	'What registry_create() and registry_upgrade() run: the steps (kind step) and parts (kind part) of '
	'sql/registry, with @registry@ for the schema of the registry and @peft@ for that of the extension.';
SQL
