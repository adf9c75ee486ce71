-- Recipes that lie: what a writer claims about a digest decides nothing about
-- other people's versions; and history that the owner invents.
-- The functions come before the tables that they read.
set check_function_bodies = off;
create function forged(a adapter, root jsonb, nodes jsonb default '{}') returns adapter language plpgsql as $$
declare
	file bytea := adapter_send(a);
	n int := get_byte(file, 0) + 256 * get_byte(file, 1) + 65536 * get_byte(file, 2);
	header jsonb := convert_from(substr(file, 9, n), 'UTF8')::jsonb #- '{__metadata__,peftarith.envelope_digest}';
	text bytea;
begin
	header := jsonb_set(header, '{__metadata__,peftarith.recipe}', to_jsonb(jsonb_build_object('version', 1, 'root', root, 'nodes', nodes)::text));
	text := convert_to(header::text, 'UTF8');
	n := octet_length(text);
	return adapter_from_safetensors(set_byte(set_byte(set_byte('\x0000000000000000'::bytea, 0, n % 256), 1, n / 256 % 256), 2, n / 65536)
		|| text || substr(file, 9 + get_byte(file, 0) + 256 * get_byte(file, 1) + 65536 * get_byte(file, 2)));
end
$$;
create function hex(a adapter) returns text language sql as $$ select encode(adapter_digest(a), 'hex') $$;
create function term(a adapter, weight text) returns jsonb language sql as $$ select jsonb_build_object('u', weight, 'v', weight, 'of', hex(a)) $$;
create function sum_of(variadic terms jsonb[]) returns jsonb language sql as $$
	select jsonb_build_object('op', 'combine', 'terms', (select jsonb_agg(t order by t ->> 'of') from unnest(terms) t))
$$;
create function value(wanted text) returns adapter language sql as $$ select a from named where name = wanted $$;
create function problems(checkpoint text default null) returns table (class text, what text, detail text) language sql as $$
	select class, what, regexp_replace(detail, '[0-9a-f]{64}', 'DIGEST') from registry.verify(checkpoint, true)
$$;

reset check_function_bodies;

create table named (name text primary key, a adapter);
insert into named values ('x', lora('q', '[[1, 2]]', '[[1], [0]]')), ('y', lora('q', '[[3, 5]]', '[[0], [1]]')),
	('z', lora('q', '[[8, 1]]', '[[2], [2]]')), ('evil', lora('q', '[[6, 6]]', '[[6], [6]]'));
insert into named select 'm', 0.5 * value('x') + 0.5 * value('z');
insert into named select 'c', 0.25 * value('m');
create role regress_writer;
grant select on named to regress_writer;

-- Somebody commits m's value with another story of it, under a name that comes first.
select registry_create(null, 'regress_writer');
select registry.commit(name, a) from named where name in ('x', 'y', 'z', 'm', 'c') order by name in ('c'), name in ('m'), name;
set role regress_writer;
select registry.commit('evil', value('evil'));
select registry.commit('aaa', forged(value('m'), sum_of(term(value('evil'), '0x1.0000000000000p-1'), term(value('z'), '0x1.0000000000000p-1'))));
reset role;
select ref, recomposable, obstacle from registry.revoke('z', 'withdrawn') order by ref;
-- c without z is made of x alone, as its own recipe says.
select registry.recompose('c@1', 'z@1');
select registry.get('c@2') = 0.25 * (select a from (select 0.5 * value('x') as a offset 0) s) as of_x;
select * from problems();
select registry_drop(true);

-- A story that leads to nothing known does not stand in the way.
select registry_create(null, 'regress_writer');
select registry.commit(name, a) from named where name in ('x', 'z', 'm', 'c') order by name in ('c'), name in ('m'), name;
set role regress_writer;
select registry.commit('aaa', forged(value('m'), sum_of(term(value('evil'), '0x1.0000000000000p-1'), term(value('z'), '0x1.0000000000000p-1'))));
reset role;
select ref, recomposable from registry.revoke('z', 'withdrawn') order by ref;
select registry.recompose('c@1', 'z@1');
select registry_drop(true);

-- A file that calls a value an import does not make its history forgotten: h is made of x, and is no version.
select registry_create();
insert into named select 'h', 0.5 * value('x') + 0.5 * value('z');
insert into named select 'file', forged(value('y'), sum_of(term(value('h'), '0x1.0000000000000p-1'), term(value('evil'), '0x1.0000000000000p-1')),
	jsonb_build_object(hex(value('h')), jsonb_build_object('op', 'import', 'sha256', repeat('ab', 32))));
select registry.commit(name, a) from named where name in ('x', 'z') order by name;
select registry.commit('of the file', 0.5 * value('h') + 0.5 * value('file'));
select names, kind from registry.lineage('of the file') where names <> '{}' order by names;
select ref, depth from registry.revoke('x', 'withdrawn') order by depth;
select registry_drop(true);
delete from named where name in ('h', 'file');

-- Virtual versions: a recipe that does not lead to the value is not all that is kept of it.
select registry_create(null, 'regress_writer');
select registry.commit(name, a) from named where name in ('x', 'y', 'z', 'evil') order by name;
insert into named select 'v', 0.5 * value('x') + 0.5 * value('y');
insert into named select 'w', 0.25 * value('v');
select registry.commit_virtual('v', value('v'));
select registry.commit_virtual('w', value('w'));
set role regress_writer;
-- 22000
select fails($$select registry.commit_virtual('aaa', forged(value('v'), sum_of(term(value('evil'), '0x1.0000000000000p-1'))))$$);
-- The value itself may be committed with whatever story; others go by their own.
select registry.commit('aaa', forged(value('v'), sum_of(term(value('evil'), '0x1.0000000000000p-1'))));
reset role;
-- 55000: from now on w is evaluated from it
select fails($$select registry.erase('aaa', 'tidy')$$);
select registry.get('v') = value('v') as v, registry.get('w') = value('w') as w;
-- 55000: y is needed by both
select fails($$select registry.erase('y', 'licence')$$);
select * from problems();

-- A virtual version is not given an envelope that tells another story (22000), nor any while it is revoked (55000).
set role regress_writer;
select fails($$update registry.version set value = forged(value('w'), '{"op": "import", "sha256": "abababababababababababababababababababababababababababababababab"}') where entry = 'w'$$);
reset role;
select count(*) from registry.revoke('x', 'withdrawn');
set role regress_writer;
select fails($$update registry.version set value = value('w') where entry = 'w'$$);
reset role;
select registry_drop(true);

-- Two stories of one digest with other weights: y is zero.  Both are kept, and no weight is told.
select registry_create();
update named set a = lora('q', '[[0, 0]]', '[[0], [0]]') where name = 'y';
select registry.commit(name, a) from named where name in ('x', 'y') order by name;
select registry.commit('one', 0.5 * value('x') + 0.25 * value('y'));
select names, p from registry.lineage('one') where depth > 0 order by names;
select registry.commit('two', 0.5 * value('x') + 0.75 * value('y'));
select names, p from registry.lineage('one') where depth > 0 order by names;
select * from problems();
select registry_drop(true);

-- The owner invents no history: moves of aliases, versions of others and of another time.
select registry_create();
select registry.commit(name, a) from named where name in ('x', 'z') order by name;
select registry.commit('x', 2 * value('x'));
select registry.set_alias('x', 'production', 1);
select registry.set_alias('x', 'production', 2);
create temporary table kept as select registry.checkpoint() as checkpoint;
-- 55000
select fails($$insert into registry.alias_history values ('x', 'production', 3, 1, 2, 'alice', '2001-01-01')$$);
-- 428C9
select fails($$insert into registry.version (entry, number, value, digest, envelope_digest, recipe, actor, created_at)
	select 'x', 3, a, adapter_digest(a), adapter_envelope_digest(a), adapter_recipe(a), 'alice', '2001-01-01' from named where name = 'm'$$);
select * from problems((select checkpoint from kept));
-- With the trigger out of the way it is seen: back in time, from where the alias did not stand, after moves that never were.
alter table registry.alias_history disable trigger alias_history_insert;
insert into registry.alias_history values ('x', 'production', 3, 1, 2, 'alice', '2001-01-01'),
	('x', 'production', 4, 2, 2, 'alice', clock_timestamp()), ('x', 'production', 9, 2, 2, 'alice', clock_timestamp());
select * from problems((select checkpoint from kept));
alter table registry.alias_history enable trigger alias_history_insert;

-- What constraints would not let in.
alter table registry.alias drop constraint alias_pkey, alter number drop not null;
insert into registry.alias (entry, alias, number) select entry, alias, number from registry.alias where alias = 'production';
insert into registry.alias (entry, alias) values ('x', 'nothing');
alter table registry.log_head drop constraint log_head_one;
update registry.log_head set one = false;
select * from problems((select checkpoint from kept)) where what !~ '^move';
select registry_drop(true);

-- Long messages are refused (23514): the log could not be exported.
select registry_create();
select left(fails($$select registry.commit('x', value('x'), repeat('m', 1048577))$$), 81) as fails;
select registry.commit('x', value('x'), repeat('m', 1048576));
-- White space of Unicode is no matter of the locale.
select registry.commit(U&'\2003wide', value('z'));
select registry_drop(true);
-- 0A000
create schema "50% off";
alter extension peftarith set schema "50% off";
select "50% off".registry_create();
alter extension peftarith set schema public;
drop schema "50% off";

drop table named, kept;
drop function forged, hex, term, sum_of, value, problems;
drop role regress_writer;
