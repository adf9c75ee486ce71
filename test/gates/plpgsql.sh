#!/bin/bash
# What plpgsql_check finds in the registry's plpgsql functions, whose bodies the
# server reads only when they run.  Trigger functions are checked with each of
# their tables.  Needs the private cluster, and the extension plpgsql_check.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

dev/cluster env >/dev/null 2>&1 || skip "no private cluster is running (dev/cluster start)"
psql="dev/cluster psql -XAtq -v ON_ERROR_STOP=1"
[ "$($psql -d postgres -c "select count(*) from pg_available_extensions where name = 'plpgsql_check'")" = 1 ] ||
	skip "the server has no extension plpgsql_check (Debian: postgresql-15-plpgsql-check, of the server's version)"
database=gate_plpgsql_$$
$psql -d postgres -c "create database $database"
trap '$psql -d postgres -c "drop database $database"' EXIT
$psql -d $database -c "create extension peftarith" -c "create extension plpgsql_check" \
	-c "select registry_create(row_security => true)" >/dev/null

# Findings that are meant so: function, message, why.
meant="values
	('owns_entry', 'routine is marked as VOLATILE, should be STABLE',
		'a policy must see an entry that the same command has made, which a stable function does not')"

checked="select p.oid, p.proname, coalesce(t.tgrelid, 0) as relid
	from pg_proc p join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
		left join (select distinct tgfoid, tgrelid from pg_trigger where not tgisinternal) t on t.tgfoid = p.oid
	where p.pronamespace = 'registry'::regnamespace"
count=$($psql -d $database -c "select count(*) from ($checked) c")
[ "$count" -ge 70 ] || fail "only $count functions were checked"
findings="select c.proname, c.oid::regprocedure as function, f.*
	from ($checked) c cross join lateral plpgsql_check_function_tb(c.oid, c.relid, fatal_errors => false, all_warnings => true) f"
# Kept first: a query that fails must not look like one that finds nothing.
found=$($psql -d $database -c "select regexp_replace(
		concat_ws(': ', function, 'line ' || lineno, level, message, detail, query), '\s+', ' ', 'g')
	from ($findings) f where (proname, message) not in (select name, message from ($meant) m(name, message, why))
	order by function::text, lineno")
[ -z "$found" ] || fail_lines "plpgsql_check" <<<"$found"
found=$($psql -d $database -c "select name || ': ' || message from ($meant) m(name, message, why)
	where (name, message) not in (select proname, message from ($findings) f)")
[ -z "$found" ] || fail_lines "meant and not found" <<<"$found"
finish
