#!/bin/bash
# Every SQL object of the extension and of the registry has a comment, and every
# function of the registry a fixed search_path or a body that is bound when it is
# made; what the registry makes anew is in its table made, and nothing else.
# Needs the private cluster.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

dev/cluster env >/dev/null 2>&1 || skip "no private cluster is running (dev/cluster start)"
database=gate_comments_$$
psql="dev/cluster psql -XAtq -v ON_ERROR_STOP=1"
$psql -d postgres -c "create database $database"
trap '$psql -d postgres -c "drop database $database"' EXIT
$psql -d $database -c "create extension peftarith"
# Members by dependency; a type's array type, a member since 17, has no comment of its own.
count=$($psql -d $database -c "select count(*) from pg_depend
	where refclassid = 'pg_extension'::regclass and deptype = 'e'
	and refobjid = (select oid from pg_extension where extname = 'peftarith')")
[ "$count" -ge 40 ] || fail "the extension has only $count members"
$psql -d $database -c "select pg_describe_object(classid, objid, 0) from pg_depend d
	where refclassid = 'pg_extension'::regclass and deptype = 'e'
	and refobjid = (select oid from pg_extension where extname = 'peftarith')
	and not (classid = 'pg_type'::regclass and exists (select from pg_type t where t.typarray = objid))
	and coalesce(trim(obj_description(objid, classid::regclass::name)), '') = ''
	order by 1" | fail_lines "no comment" || true

# The registry's: tables with their columns, functions, triggers, policies.
$psql -d $database -c "select registry_create(row_security => true)" >/dev/null
tables="select oid from pg_class where relnamespace = 'registry'::regnamespace and relkind = 'r'"
objects="select 'pg_namespace'::regclass as class, 'registry'::regnamespace::oid as id, 0 as sub
	union all select 'pg_class', oid, 0 from ($tables) t
	union all select 'pg_class', attrelid, attnum from pg_attribute where attrelid in ($tables) and attnum > 0 and not attisdropped
	union all select 'pg_proc', oid, 0 from pg_proc where pronamespace = 'registry'::regnamespace
	union all select 'pg_trigger', oid, 0 from pg_trigger where tgrelid in ($tables) and not tgisinternal
	union all select 'pg_policy', oid, 0 from pg_policy where polrelid in ($tables)"
count=$($psql -d $database -c "select count(*) from ($objects) o")
[ "$count" -ge 120 ] || fail "the registry has only $count objects"
$psql -d $database -c "select pg_describe_object(class, id, sub) from ($objects) o
	left join pg_description d on d.classoid = class and d.objoid = id and d.objsubid = sub
	where coalesce(trim(d.description), '') = '' order by 1" | fail_lines "no comment" || true
$psql -d $database -c "select oid::regprocedure from pg_proc where pronamespace = 'registry'::regnamespace
	and prosqlbody is null and not coalesce(proconfig, '{}') @> '{\"search_path=pg_catalog, pg_temp\"}' order by 1" | fail_lines "no fixed search_path" || true
$psql -d $database -c "select oid::regprocedure from pg_proc where pronamespace = 'registry'::regnamespace
	and has_function_privilege('public', oid, 'execute') order by 1" | fail_lines "granted to public" || true
$psql -d $database -c "with there as (
		select 'schema' as kind, 'registry'::name as name, '' as of
		union all select 'function', f.name, f.of from registry_functions('registry') f
		union all select 'trigger', t.tgname, c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
			where c.oid in ($tables) and not t.tgisinternal
		union all select 'policy', p.polname, c.relname from pg_policy p join pg_class c on c.oid = p.polrelid
			where c.oid in ($tables))
	(table there except select m.kind, m.name, m.of from registry.made m)
	union all (select m.kind, m.name, m.of from registry.made m except table there) order by 1, 2" |
	fail_lines "not made, or not recorded" || true
finish
