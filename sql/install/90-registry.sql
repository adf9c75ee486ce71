create function registry_entry_hash("position" bigint, previous bytea, kind text, fields text[]) returns bytea
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function registry_entry_hash(bigint, bytea, text, text[]) is
	'SHA-256, 32 bytes, of an entry of a registry''s log: its position, the hash of the entry before (32 bytes; zeros at position 1), its kind and its fields, which may be null, as UTF-8 (doc/registry.md, "Log"). Error 22023: position below 1, a hash of another length, fields that are not an array of one dimension from 1.';


-- The registry: made by these functions, not part of the extension.  The
-- Makefile adds registry_source(), the text of sql/registry, to the script.

create function registry_create(reader text default null, writer text default null, admin text default null,
	row_security boolean default false) returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
declare
	peft name;
	piece record;
begin
	if exists (select from pg_catalog.pg_namespace n where n.nspname = 'registry') then
		raise exception 'schema "registry" already exists'
			using errcode = '42P06', hint = 'registry_upgrade() makes the functions of a registry anew, registry_drop() removes one.';
	end if;
	select n.nspname into strict peft
		from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
		where e.extname = 'peftarith';
	-- The name stands inside the functions' texts, some of which are formats.
	if peft ~ '[$%]' then
		raise exception 'the extension''s schema has a name that the registry cannot use' using errcode = '0A000',
			detail = pg_catalog.format('It is %I, with a dollar or a per cent sign.', peft),
			hint = 'ALTER EXTENSION peftarith SET SCHEMA moves it.';
	end if;
	create schema registry;
	comment on schema registry is 'Versioned adapters with lineage, revocation and a log: doc/registry.md of the extension peftarith.';
	for piece in execute pg_catalog.format('select s.part, s.source from %I.registry_source() s order by s.part', peft) loop
		execute pg_catalog.replace(pg_catalog.replace(piece.source, '@peft@', pg_catalog.quote_ident(peft)), '@registry@', 'registry');
	end loop;
	perform registry.protect();
	if row_security then
		perform registry.secure_rows();
	end if;
	perform registry.allow(reader, writer, admin);
end
$$;
comment on function registry_create(text, text, text, boolean) is
	'Makes the registry in schema registry: ordinary tables, functions and triggers that belong to the caller. Arguments are existing roles that get the rights to read, to commit and to administer (null: none); row_security adds policies: an entry is seen and changed by members of its owner and by admins. Errors: 42P06 the schema exists, 42704 no such role, 42501 the caller may not create a schema, 0A000 the extension is in a schema whose name has a dollar or a per cent sign.';

-- A fragment is two halves: what can be made again (create or replace function,
-- comments, revoke), then a line that begins with "-- Once:" and after it what
-- is made by registry_create() alone (tables, triggers).
create function registry_upgrade() returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
declare
	peft name;
	piece record;
begin
	if pg_catalog.to_regclass('registry.log_head') is null then
		raise exception 'there is no registry' using errcode = '3F000', hint = 'registry_create() makes one.';
	end if;
	select n.nspname into strict peft
		from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
		where e.extname = 'peftarith';
	-- Its functions must not become another's, who may have more rights.
	if not exists (select from pg_namespace n where n.nspname = 'registry' and pg_get_userbyid(n.nspowner) = current_user) then
		raise exception 'the registry belongs to another role' using errcode = '42501',
			hint = 'SET ROLE to its owner.';
	end if;
	if peft ~ '[$%]' then
		raise exception 'the extension''s schema has a name that the registry cannot use' using errcode = '0A000',
			detail = pg_catalog.format('It is %I, with a dollar or a per cent sign.', peft),
			hint = 'ALTER EXTENSION peftarith SET SCHEMA moves it.';
	end if;
	for piece in execute pg_catalog.format('select s.part, s.source from %I.registry_source() s order by s.part', peft) loop
		execute pg_catalog.replace(pg_catalog.replace(pg_catalog.split_part(piece.source, E'\n-- Once:', 1),
			'@peft@', pg_catalog.quote_ident(peft)), '@registry@', 'registry');
	end loop;
	perform registry.protect();
end
$$;
comment on function registry_upgrade() is
	'Makes the functions of the registry anew from the installed version of the extension, and leaves tables, triggers, policies and grants alone; after ALTER EXTENSION peftarith UPDATE, or if the extension moved to another schema. Functions that are new are granted to nobody: registry.allow() gives rights again. Errors: 3F000 there is no registry, 42501 it belongs to another role (for a superuser too), 0A000 a schema name as for registry_create().';

create function registry_drop(force boolean default false) returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp
	set client_min_messages = warning as $$
begin
	if pg_catalog.to_regclass('registry.log_head') is null then
		raise exception 'there is no registry' using errcode = '3F000';
	end if;
	-- What is called version may be somebody's view: nothing of it runs with a superuser's rights.
	if not exists (select from pg_namespace n where n.nspname = 'registry' and pg_get_userbyid(n.nspowner) = current_user) then
		raise exception 'the registry belongs to another role' using errcode = '42501',
			hint = 'SET ROLE to its owner.';
	end if;
	if not coalesce(force, false) and exists (select from registry.version) then
		raise exception 'the registry has versions'
			using errcode = '2BP01', hint = 'registry_drop(force => true) removes them too.';
	end if;
	drop schema registry cascade;
end
$$;
comment on function registry_drop(boolean) is
	'Removes the registry with everything in schema registry. Errors: 2BP01 it has versions and force is not true, 3F000 there is no registry, 42501 it belongs to another role (for a superuser too).';
