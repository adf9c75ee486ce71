-- Versions: plain INSERT, what is refused, what never changes, virtual versions, erasing.
select registry_create();
create table base (name text primary key, a adapter);
insert into base values
	('x', lora('q', '[[1, 2]]', '[[1], [0]]')),
	('y', lora('q', '[[3, 5]]', '[[0], [1]]')),
	('z', lora('q', '[[8, 1]]', '[[2], [2]]'));

-- Plain INSERT: number, digests, recipe, who and when.
insert into registry.version (entry, value, message)
	select name, a, 'imported' from base order by name;
select entry, number, digest = adapter_digest(value) as digest, envelope_digest = adapter_envelope_digest(value) as envelope,
	recipe is null and adapter_recipe(value) is not null as recipe, virtual, message, actor = session_user as actor, acting_as = current_user as acting,
	created_at <= clock_timestamp() as time
from registry.version order by entry;
select name, base_model, owner = current_user as owner, tags, next_number from registry.entry order by name;
insert into registry.version (entry, value, message)
	select 'mix', 0.4 * x.value + 0.6 * y.value, 'the paper''s merge'
	from registry.version x, registry.version y where x.entry = 'x' and y.entry = 'y';
select registry.commit('mix', registry.get('mix') + 0.5 * registry.get('z'), 'and z');

-- What a commit refuses: the same digest again under the entry,
select fails($$insert into registry.version (entry, value) select 'x', a from base where name = 'x'$$);
-- (elsewhere, or on request, it may be)
select registry.commit('x', a, allow_duplicate => true) from base where name = 'x';
select registry.commit('copy', a) from base where name = 'x';
-- columns that are not the caller's,
select fails($$insert into registry.version (entry, value, number) select 'x', 2 * a, 9 from base where name = 'x'$$);
select fails($$insert into registry.version (entry, value, erased_at) select 'x', 2 * a, now() from base where name = 'x'$$);
-- no value, and names that a reference could not hold.
select fails($$insert into registry.version (entry) values ('x')$$);
select fails($$insert into registry.version (entry, value) select 'a@b', a from base where name = 'x'$$);

-- Nothing changes, not in a replica's session either.
select fails($$update registry.version set message = 'other'$$);
select fails($$update registry.version set value = (select value from registry.version where entry = 'y') where entry = 'x'$$);
select fails($$delete from registry.version$$);
select fails($$truncate registry.version, registry.alias$$);
set session_replication_role = replica;
select fails($$update registry.version set digest = digest, actor = 'other'$$);
select fails($$update registry.edge set p = 1$$);
select fails($$delete from registry.edge$$);
select fails($$update registry.story set node = '{}'$$);
select fails($$delete from registry.claim$$);
select fails($$truncate registry.dead$$);
select fails($$delete from registry.revocation$$);
reset session_replication_role;

insert into base values ('stranger', lora('q', '[[1, 1]]', '[[1], [1]]'));
-- Virtual versions: only the recipe is kept.
select registry.commit_virtual('sweep', 0.25 * registry.get('x') + 0.75 * registry.get('y'));
select value is null as none, virtual from registry.version where entry = 'sweep';
select s.* from registry.get('sweep') g, show(g) s;
select adapter_digest(registry.get('sweep')) = digest as same from registry.version where entry = 'sweep';
-- Over another virtual version,
select registry.commit_virtual('sweep', 0.5 * registry.get('sweep') + 0.25 * registry.get('z'));
select adapter_digest(registry.get('sweep@2')) = digest as same from registry.version where entry = 'sweep' and number = 2;
-- never over values that are not registered, nor an import.
select fails($$select registry.commit_virtual('sweep', 0.5 * a + 0.5 * registry.get('x')) from base where name = 'stranger'$$);
select fails($$select registry.commit_virtual('sweep', a) from base where name = 'stranger'$$);
-- but for what lies behind a version whose value was erased, and which was imported without its recipe.
begin;
create table fresh as select adapter_scale(a, 5) as a from base where name = 'z';
select registry.commit('behind', adapter_from_safetensors(adapter_to_safetensors(a), adapter_config(a))) from fresh;
select registry.erase('behind', 'licence');
select fails($$select registry.commit_virtual('sweep', 0.5 * a) from fresh$$);
rollback;
-- The leaves stay: y is needed. x is there twice more.
select fails($$select registry.erase('y', 'licence')$$);
select registry.erase('x@1', 'licence');
select adapter_digest(registry.get('sweep')) = registry.digest('sweep') as still;
select fails($$select registry.get('x@1')$$);
select value is null as none, erased_at > created_at as later, erase_reason from registry.version where entry = 'x' and number = 1;
select fails($$select registry.erase('x@2', null)$$);
-- With its value a virtual version needs nothing.
select registry.materialize('sweep@1');
select registry.materialize('sweep@2');
select number, value is null as none, virtual, adapter_digest(value) = digest as same from registry.version where entry = 'sweep' order by number;
select registry.erase('y', 'licence');
select fails($$update registry.version set value = (select a from base where name = 'y') where entry = 'y'$$);
begin isolation level repeatable read;
select fails($$select registry.erase('z', 'licence')$$);
rollback;
select * from registry.verify(recompute => true);
select registry_drop(true);
drop table base;

create table named (name text primary key, a adapter);
insert into named values ('x', lora('q', '[[1, 2]]', '[[1], [0]]')), ('y', lora('q', '[[3, 5]]', '[[0], [1]]')),
	('z', lora('q', '[[8, 1]]', '[[2], [2]]')), ('evil', lora('q', '[[6, 6]]', '[[6], [6]]'));
insert into named select 'm', 0.5 * value('x') + 0.5 * value('z');
insert into named select 'c', 0.25 * value('m');
create role regress_writer;
grant select on named to regress_writer;

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

-- Long messages are refused (23514): the log could not be exported.
select registry_create();
select left(fails($$select registry.commit('x', value('x'), repeat('m', 1048577))$$), 81) as fails;
select registry.commit('x', value('x'), repeat('m', 1048576));
-- White space of Unicode is no matter of the locale.
select registry.commit(U&'\2003wide', value('z'));
select registry_drop(true);
drop table named;
drop role regress_writer;
