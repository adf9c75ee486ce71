create function registry_entry_hash("position" bigint, previous bytea, kind text, fields text[]) returns bytea
	as 'MODULE_PATHNAME' language c immutable strict parallel safe cost 100;
comment on function registry_entry_hash(bigint, bytea, text, text[]) is
	'SHA-256, 32 bytes, of an entry of a registry''s log: its position, the hash of the entry before (32 '
	'bytes; zeros at position 1), its kind and its fields, which may be null, as UTF-8 (doc/registry.md, '
	'"Log"). Error 22023: position below 1, a hash of another length, fields that are not an array of one '
	'dimension from 1.';

create function registry_chain_next(state bytea, "position" bigint, start bytea, kind text, fields text[])
	returns bytea
	as 'MODULE_PATHNAME' language c immutable parallel safe;
comment on function registry_chain_next(bytea, bigint, bytea, text, text[]) is
	'Transition function of registry_chain. Errors: those of registry_entry_hash, 22004 a null.';

create aggregate registry_chain("position" bigint, start bytea, kind text, fields text[]) (
	sfunc = registry_chain_next, stype = bytea
);
comment on aggregate registry_chain(bigint, bytea, text, text[]) is
	'Hash of the last of some entries in order, the first of which follows the one with the hash start; over '
	'a window the hash of each. Errors: those of registry_entry_hash, 22004 a null.';

create function registry_latest_exists(query text, digest bytea, sha256 bytea, role name) returns boolean
	as 'MODULE_PATHNAME' language c volatile strict parallel unsafe;
comment on function registry_latest_exists(text, bytea, bytea, name) is
	'True if the query, whose $1, $2 and $3 are the others, gives a row by what is committed now, also in a '
	'transaction whose snapshot is older. Read only, with the rights of the caller. Error 22023: not a query '
	'that returns rows.';

create function registry_next_transaction() returns xid8
	as 'MODULE_PATHNAME' language c volatile parallel restricted;
comment on function registry_next_transaction() is
	'A number that is higher than those of all transactions that have one.';

create function registry_all_after(bound xid8) returns boolean
	as 'MODULE_PATHNAME' language c volatile strict parallel restricted;
comment on function registry_all_after(xid8) is
	'True if no transaction of the cluster is left, prepared ones among them, that is older than the bound, '
	'and no snapshot to which one is running: what was committed before the bound is seen by all.';


-- The registry: made by these functions, not part of the extension.
-- registry_source(), the text of sql/registry, stands after them
-- (sql/registry/source.sh).  peft is the extension's schema, by which they have
-- to call each other, as it can change.

create function registry_check_names(schema text, peft name) returns void
	language plpgsql volatile parallel unsafe
	set search_path = pg_catalog, pg_temp set quote_all_identifiers = off as $$
begin
	-- Both stand inside the functions' texts, some of which are formats.
	if peft ~ '[$%]' then
		raise exception 'the extension''s schema has a name that the registry cannot use'
			using errcode = '0A000', detail = format('It is %I, with a dollar or a per cent sign.', peft),
			hint = 'ALTER EXTENSION peftarith SET SCHEMA moves it.';
	end if;
	-- A NOTIFY channel, which has at most 63 bytes, is named after the schema.
	-- With some words of PL/pgSQL no statement can begin.
	if schema is null or quote_ident(schema) <> schema or octet_length(schema) > 57
		or schema in ('for', 'foreach', 'loop', 'while') then
		raise exception 'a registry cannot be in a schema of this name' using errcode = '42602',
			detail = format('The name is %s.', coalesce(quote_ident(schema), 'null')),
			hint = 'At most 57 bytes that need no quotes: a to z, 0 to 9, underscores, no reserved word.';
	end if;
end
$$;
comment on function registry_check_names(text, name) is
	'Serves registry_create() and registry_upgrade(): whether the functions of a registry can carry the '
	'names of its schema and of the extension''s. Errors: 42602, 0A000 they cannot.';

create function registry_text(schema text, peft name) returns table (kind text, name text, source text)
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query execute format('
		select s.kind, s.name, replace(replace(s.source, ''@registry@'', $2), ''@peft@'', $1)
		from %I.registry_source() s order by s.kind, s.name', peft) using quote_ident(peft), schema;
end
$$;
comment on function registry_text(text, name) is
	'Serves registry_create() and registry_upgrade(): registry_source() with the names of the two schemas.';

create function registry_functions(schema text) returns table (oid oid, name text, of text)
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select p.oid, p.proname, (
		select coalesce(string_agg(t.typname, ',' order by u.n), '')
		from unnest(p.proargtypes) with ordinality u(type, n) join pg_type t on t.oid = u.type)
	from pg_proc p join pg_namespace n on n.oid = p.pronamespace
	where n.nspname = $1
$$;
comment on function registry_functions(text) is
	'Serves registry_create() and registry_upgrade(): the functions of a schema as the table made of a '
	'registry has them, with the types of their arguments without schemas, which can be renamed.';

create function registry_unhook(schema text) returns void
	language plpgsql volatile parallel unsafe
	set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
	made record;
begin
	if to_regclass(format('%I.made', schema)) is null then
		return;
	end if;
	for made in execute format('
		select m.* from %I.made m where m.kind in (''trigger'', ''policy'')', schema)
	loop
		execute format('drop %s if exists %I on %I.%I', made.kind, made.name, schema, made.of);
	end loop;
end
$$;
comment on function registry_unhook(text) is
	'Serves registry_create() and registry_upgrade(): drops the triggers and policies that a registry made, '
	'which use its functions and are made again after them.';

create function registry_run_steps(schema text, peft name) returns void
	language plpgsql volatile parallel unsafe
	set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
declare
	version constant text := (select e.extversion from pg_extension e where e.extname = 'peftarith');
	run text[] := '{}';
	later text;
	step record;
begin
	if to_regclass(format('%I.step', schema)) is not null then
		execute format('
			select array_agg(to_char(s.number, ''FM0000'') || ''-'' || s.name) from %I.step s', schema)
			into run;
		-- Its dump was restored without them: what would be run was run there.
		if run is null then
			raise exception 'the registry in schema "%" does not know which steps made it', schema
				using errcode = '55000', detail = format('%I.step has no row.', schema),
				hint = format('Restore the rows of %1$I.step and %1$I.made: a dump of its data has them.',
					schema);
		end if;
	elsif to_regclass(format('%I.log_head', schema)) is not null then
		-- made before there was a table of steps
		run := '{0001-tables}';
	end if;
	execute format('
		select max(r) from unnest($1) r
		where r <> all(array(select t.name from %I.registry_text($2, $3) t where t.kind = ''step''))', peft)
		into later using run, schema, peft;
	if later is not null then
		raise exception 'the registry in schema "%" was made by a later version of the extension', schema
			using errcode = '0A000',
				detail = format('Its step %s is not known to version %s.', later, version),
				hint = 'Install that version and call ALTER EXTENSION peftarith UPDATE.';
	end if;
	for step in execute format('
		select t.* from %I.registry_text($1, $2) t
		where t.kind = ''step'' and t.name <> all($3) order by t.name', peft) using schema, peft, run
	loop
		-- It changes tables, which triggers would refuse, and columns, which policies use.
		execute format('select %I.registry_unhook($1)', peft) using schema;
		execute step.source;
	end loop;
	execute format('
		insert into %I.step (number, name, run_at, extension_version)
		select left(t.name, 4)::integer, substr(t.name, 6),
			case when t.name <> all($3) then clock_timestamp() end,
			case when t.name <> all($3) then $4 end
		from %I.registry_text($1, $2) t where t.kind = ''step'' order by t.name
		on conflict (number) do nothing', schema, peft) using schema, peft, run, version;
end
$$;
comment on function registry_run_steps(text, name) is
	'Serves registry_create() and registry_upgrade(): runs the steps that were not run, in order, and writes '
	'them down. Errors: 0A000 the registry has a step that this version does not know, 55000 it has none.';

create function registry_drop_function(signature text) returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	dependent text;
begin
	execute 'drop routine ' || signature;
exception when dependent_objects_still_exist then
	get stacked diagnostics dependent = pg_exception_detail;
	raise exception 'other objects depend on %, which this version lacks or defines differently', signature
		using errcode = '2BP01', detail = dependent,
			hint = 'Drop them, upgrade the registry, and make them again.';
end
$$;
comment on function registry_drop_function(text) is
	'Serves registry_upgrade(): drops a function of a registry. Error 2BP01: something depends on it.';

create function registry_make_function(statements text, signature text, peft name) returns void
	language plpgsql volatile parallel unsafe
	set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
declare
	grants text[];
	again text;
begin
	execute statements;
exception when invalid_function_definition or wrong_object_type then
	-- Another result, other names of arguments: it cannot be replaced.
	if to_regprocedure(signature) is null then
		raise;
	end if;
	grants := array(select format('grant execute on function %s to %I%s', signature, r.rolname,
			case when a.is_grantable then ' with grant option' else '' end)
		from pg_proc p cross join aclexplode(p.proacl) a join pg_roles r on r.oid = a.grantee
		where p.oid = to_regprocedure(signature) and a.grantee <> p.proowner);
	execute format('select %I.registry_drop_function($1)', peft) using signature;
	execute statements;
	foreach again in array grants loop
		execute again;
	end loop;
end
$$;
comment on function registry_make_function(text, text, name) is
	'Serves registry_create() and registry_upgrade(): makes a function of a registry; one that cannot be '
	'replaced is dropped and gets its grants again. Error 2BP01: something depends on it.';

create function registry_make_parts(schema text, peft name, row_security boolean) returns void
	language plpgsql volatile parallel unsafe
	set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
declare
	parts text[];
	signatures text[];
	part text;
	f text;
begin
	execute format('
		select array_agg(t.source order by t.name) from %I.registry_text($1, $2) t
		where t.kind = ''part'' and ($3 or t.name <> ''80-row-security'')', peft)
		into parts using schema, peft, row_security;
	-- Each function has a comment, which says which one it is.
	signatures := array(select m[1] from unnest(parts) p,
		regexp_matches(p, '^comment on function (.*?\)) is', 'gw') m);
	execute format('select %I.registry_unhook($1)', peft) using schema;
	for f in execute format('
		select f.oid::regprocedure from %I.registry_functions($1) f
			join %I.made m on m.kind = ''function'' and m.name = f.name and m.of = f.of
		where f.oid <> all(array(select coalesce(to_regprocedure(s), 0) from unnest($2) s))', peft, schema)
		using schema, signatures
	loop
		execute format('select %I.registry_drop_function($1)', peft) using f;
	end loop;
	foreach part in array parts loop
		for f in select regexp_split_to_table(part, '\n(?=create or replace function )') loop
			execute format('select %I.registry_make_function($1, $2, $3)', peft)
				using f, substring(f from 'comment on function (.*?\)) is'), peft;
		end loop;
	end loop;
	foreach f in array signatures loop
		execute format('revoke all on function %s from public', f);
	end loop;
	execute format('delete from %I.made', schema);
	execute format('
		insert into %I.made (kind, name, of)
		select ''schema'', $1, ''''
		union all
		select ''function'', f.name, f.of from %I.registry_functions($1) f
			where f.oid = any(array(select to_regprocedure(s) from unnest($2) s))
		union all
		select m[1], m[2], m[3] from unnest($3) p,
			regexp_matches(p, ''^comment on (trigger|policy) (\S+) on [^.\s]+\.(\S+) is'', ''gn'') m',
		schema, peft)
		using schema, signatures, parts;
	execute format('select %I.protect()', schema);
end
$$;
comment on function registry_make_parts(text, name, boolean) is
	'Serves registry_create() and registry_upgrade(): makes the functions, triggers and policies of a '
	'registry anew, drops those that it made and this version lacks, and writes down which these are. Error '
	'2BP01: something depends on a function that cannot stay.';

create function registry_privileges(schema text, functions oid[]) returns text[]
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select array_agg(format('%s %s %s %s', o.class, o.id, o.sub, o.acl) order by o.class, o.id, o.sub)
	from (select n.oid as home from pg_namespace n where n.nspname = schema) n
		cross join lateral (
			select 'schema' as class, s.oid as id, 0 as sub, s.nspacl::text as acl
				from pg_namespace s where s.oid = n.home
			union all
			select 'table', c.oid, 0, c.relacl::text from pg_class c where c.relnamespace = n.home
			union all
			select 'column', c.oid, a.attnum, a.attacl::text
				from pg_class c join pg_attribute a on a.attrelid = c.oid where c.relnamespace = n.home
			union all
			select 'function', p.oid, 0, p.proacl::text from pg_proc p where p.oid = any(functions)
			union all
			select 'policy', p.oid, 0, p.polname from pg_policy p join pg_class c on c.oid = p.polrelid
				where c.relnamespace = n.home) o
$$;
comment on function registry_privileges(text, oid[]) is
	'Serves registry_upgrade(): everything that registry.allow() changes, of these functions.';

create function registry_roles(schema text, peft name) returns text[]
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	own_name text := 'registry';
	functions oid[];
	before text[];
	afterwards text[];
	role name;
	may text;
	calls text[] := '{}';
begin
	if to_regclass(format('%I.made', schema)) is null then
		execute format('select array_agg(f.oid) from %I.registry_functions($1) f', peft)
			into functions using schema;
	else
		execute format('select m.name from %I.made m where m.kind = ''schema''', schema) into own_name;
		-- others' functions of the same name do not count
		execute format('
			select array_agg(f.oid) from %I.registry_functions($1) f
				join %I.made m on m.kind = ''function'' and m.name = f.name and m.of = f.of', peft, schema)
			into functions using schema;
	end if;
	-- Under another name its functions speak of the old one, which may be another registry's.
	if own_name is distinct from schema then
		return calls;
	end if;
	execute format('select %I.registry_privileges($1, $2)', peft) into before using schema, functions;
	for role in
		select distinct r.rolname
		from pg_class c cross join aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
		where c.oid = to_regclass(format('%I.version', schema)) and a.grantee <> c.relowner
	loop
		foreach may in array '{admin,writer,reader}'::text[] loop
			begin
				-- with all arguments and their types: no function of another can be a better match
				execute format('select %I.allow($1, $2, $3)', schema)
					using case may when 'reader' then role::text end,
						case may when 'writer' then role::text end,
						case may when 'admin' then role::text end;
				execute format('select %I.registry_privileges($1, $2)', peft)
					into afterwards using schema, functions;
				raise sqlstate 'PA000';
			exception when sqlstate 'PA000' then
				null;
			end;
			if afterwards = before then
				calls := calls || format('select %I.allow(%L::text, %L::text, %L::text)', schema,
					case may when 'reader' then role end, case may when 'writer' then role end,
					case may when 'admin' then role end);
				exit;
			end if;
		end loop;
	end loop;
	return calls;
end
$$;
comment on function registry_roles(text, name) is
	'Serves registry_upgrade(): calls of registry.allow() for the roles that are readers, writers or admins, '
	'that is to whom such a call gives nothing that they do not have; none if the schema was renamed. '
	'Nothing is changed.';

create function registry_create(reader text default null, writer text default null, admin text default null,
	row_security boolean default false, schema text default 'registry') returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	peft name;
begin
	select n.nspname into strict peft
		from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'peftarith';
	execute format('select %I.registry_check_names($1, $2)', peft) using schema, peft;
	if exists (select from pg_namespace n where n.nspname = schema) then
		raise exception 'schema "%" already exists', schema using errcode = '42P06',
			hint = 'registry_upgrade() brings a registry up to date, registry_drop() removes one.';
	end if;
	execute format('create schema %I', schema);
	execute format('comment on schema %I is %L', schema,
		'Versioned adapters with lineage, revocation and a log: doc/registry.md of the extension peftarith.');
	execute format('select %I.registry_run_steps($1, $2)', peft) using schema, peft;
	execute format('select %I.registry_make_parts($1, $2, $3)', peft)
		using schema, peft, coalesce(row_security, false);
	execute format('select %1$I.log_append(''create'', ''{1}''), %1$I.log_seal(null, true)', schema);
	execute format('select %I.allow($1, $2, $3)', schema) using reader, writer, admin;
end
$$;
comment on function registry_create(text, text, text, boolean, text) is
	'Makes a registry in a new schema: ordinary tables, functions and triggers that belong to the caller. '
	'reader, writer and admin are existing roles that get the rights to read, to commit and to administer '
	'(null: none); row_security adds policies: an entry is seen and changed by members of its owner and by '
	'admins. The name of the schema needs no quotes and has at most 57 bytes. Errors: 42P06 the schema '
	'exists, 42602 its name cannot be used, 42704 no such role, 42501 the caller may not create a schema, '
	'0A000 the extension is in a schema whose name has a dollar or a per cent sign.';

create function registry_upgrade(schema text default 'registry') returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	peft name;
	roles text[];
	call text;
begin
	select n.nspname into strict peft
		from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'peftarith';
	if to_regclass(format('%I.log_head', schema)) is null then
		raise exception 'there is no registry in schema "%"', schema
			using errcode = '3F000', hint = 'registry_create() makes one.';
	end if;
	-- Its functions must not become another's, who may have more rights.
	if not exists (select from pg_namespace n
			where n.nspname = schema and pg_get_userbyid(n.nspowner) = current_user) then
		raise exception 'the registry in schema "%" belongs to another role', schema using errcode = '42501',
			hint = 'SET ROLE to its owner.';
	end if;
	execute format('select %I.registry_check_names($1, $2)', peft) using schema, peft;
	-- What was committed before the locks were had must be seen: a step may change rows.
	if current_setting('transaction_isolation') <> 'read committed' then
		raise exception 'upgrading a registry needs isolation level READ COMMITTED' using errcode = '25001';
	end if;
	-- In the order in which moves and commits take them, so that the one that comes
	-- second waits; also for another upgrade.
	execute (select format('lock table %s in access exclusive mode',
			string_agg(c.oid::text, ', ' order by t.n))
		from unnest('{alias,version,state,entry,lineage,story,edge,claim_set,claim,revocation,dead,'
			'share,quota,alias_history,log_head,log,event,tree}'::text[]) with ordinality t(name, n)
			cross join lateral to_regclass(format('%I.%I', schema, t.name)) c(oid)
		where c.oid is not null);
	execute format('select %I.registry_roles($1, $2)', peft) into roles using schema, peft;
	execute format('select %I.registry_run_steps($1, $2)', peft) using schema, peft;
	execute format('
		select %I.registry_make_parts($1, $2, c.relrowsecurity) from pg_class c where c.oid = $3', peft)
		using schema, peft, to_regclass(format('%I.version', schema));
	execute format('select %I.tree_begin()', schema);
	foreach call in array roles loop
		execute call;
	end loop;
end
$$;
comment on function registry_upgrade(text) is
	'Brings a registry to the installed version of the extension: runs the steps that it lacks and makes '
	'its functions, triggers and policies anew, after ALTER EXTENSION peftarith UPDATE, or if one of the '
	'two schemas was renamed. Roles keep what they were granted (but not PUBLIC, nor other settings of '
	'its functions); readers, writers and admins get what is new (not where the registry''s schema was '
	'renamed: see its allow()). Locks the tables. Errors: 3F000 there is no registry, 25001 another '
	'isolation level than READ COMMITTED, 42501 it belongs to another role (for a superuser too), 55000 '
	'it has lost the rows of its tables step and made, 0A000 it was made by a later version, or a schema '
	'name as for registry_create(), 42602 as there, 2BP01 something depends on a function that cannot '
	'stay, 55006 in a transaction that has committed a version, 40P01 (repeat it).';

create function registry_drop(force boolean default false, schema text default 'registry') returns void
	language plpgsql volatile parallel unsafe
	set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
	used boolean;
begin
	if to_regclass(format('%I.log_head', schema)) is null then
		raise exception 'there is no registry in schema "%"', schema using errcode = '3F000';
	end if;
	-- What is called version may be somebody's view: nothing of it runs with a superuser's rights.
	if not exists (select from pg_namespace n
			where n.nspname = schema and pg_get_userbyid(n.nspowner) = current_user) then
		raise exception 'the registry in schema "%" belongs to another role', schema using errcode = '42501',
			hint = 'SET ROLE to its owner.';
	end if;
	execute format('select exists (select from %I.version)', schema) into used;
	if used and not coalesce(force, false) then
		raise exception 'the registry in schema "%" has versions', schema
			using errcode = '2BP01', hint = format('registry_drop(true, %L) removes them too.', schema);
	end if;
	execute format('drop schema %I cascade', schema);
end
$$;
comment on function registry_drop(boolean, text) is
	'Removes a registry with everything in its schema. Errors: 2BP01 it has versions and force is not true, '
	'3F000 there is no registry, 42501 it belongs to another role (for a superuser too).';
