#!/bin/bash
# Every SQL object of the extension has a comment.  Needs the private cluster.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

dev/cluster env >/dev/null 2>&1 || skip "no private cluster is running (dev/cluster start)"
database=gate_comments_$$
psql="dev/cluster psql -XAtq -v ON_ERROR_STOP=1"
$psql -d postgres -c "create database $database"
trap '$psql -d postgres -c "drop database $database"' EXIT
$psql -d $database -c "create extension peftarith"
# Members by dependency; the type's array type cannot be a member.
count=$($psql -d $database -c "select count(*) from pg_depend
	where refclassid = 'pg_extension'::regclass and deptype = 'e'
	and refobjid = (select oid from pg_extension where extname = 'peftarith')")
[ "$count" -ge 40 ] || fail "the extension has only $count members"
$psql -d $database -c "select pg_describe_object(classid, objid, 0) from pg_depend d
	where refclassid = 'pg_extension'::regclass and deptype = 'e'
	and refobjid = (select oid from pg_extension where extname = 'peftarith')
	and coalesce(trim(obj_description(objid, classid::regclass::name)), '') = ''
	order by 1" | fail_lines "no comment" || true
finish
