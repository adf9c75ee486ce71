-- The registry: commits, lineage, virtual versions, aliases, revocation, erasing.
select fails($$select registry_drop()$$);
select fails($$select registry_upgrade()$$);
select registry_create();
select fails($$select registry_create()$$);

-- Every object has a comment, every function a fixed search_path, and public has no rights.
select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
	where c.relnamespace = 'registry'::regnamespace and c.relkind = 'r'
	and (obj_description(c.oid, 'pg_class') is null or col_description(c.oid, a.attnum) is null);
select p.oid::regprocedure from pg_proc p where p.pronamespace = 'registry'::regnamespace
	and (obj_description(p.oid, 'pg_proc') is null or not p.proconfig @> '{"search_path=pg_catalog, pg_temp"}'
		or has_function_privilege('public', p.oid, 'execute'));
select t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
	where c.relnamespace = 'registry'::regnamespace and not t.tgisinternal and obj_description(t.oid, 'pg_trigger') is null;
-- The registry is not part of the extension, and the extension cannot be dropped under it.
select count(*) as members from pg_depend d join pg_class c on c.oid = d.objid
	where c.relnamespace = 'registry'::regnamespace and d.deptype = 'e';

create table base (name text primary key, a adapter);
insert into base values
	('x', lora('q', '[[1, 2]]', '[[1], [0]]')),
	('y', lora('q', '[[3, 5]]', '[[0], [1]]')),
	('z', lora('q', '[[8, 1]]', '[[2], [2]]'));

-- Plain INSERT: number, digests, recipe, who and when.
insert into registry.version (entry, value, message)
	select name, a, 'imported' from base order by name;
select entry, number, digest = adapter_digest(value) as digest, envelope_digest = adapter_envelope_digest(value) as envelope,
	recipe = adapter_recipe(value) as recipe, virtual, message, actor = session_user as actor, acting_as = current_user as acting,
	created_at <= clock_timestamp() as time
from registry.version order by entry;
select name, base_model, owner = current_user as owner, tags, next_number from registry.entry order by name;
insert into registry.version (entry, value, message)
	select 'mix', 0.4 * x.value + 0.6 * y.value, 'the paper''s merge'
	from registry.version x, registry.version y where x.entry = 'x' and y.entry = 'y';
select registry.commit('mix', registry.get('mix') + 0.5 * registry.get('z'), 'and z');
select registry.commit('top', adapter_scale(registry.get('mix@2'), 3));

-- References.
select r.* from registry.resolve('mix') r;
select r.* from registry.resolve('mix@1') r;
select adapter_digest(registry.get('mix@1')) = adapter_digest(0.4 * x.a + 0.6 * y.a) as same from base x, base y where x.name = 'x' and y.name = 'y';
select fails($$select registry.get('mix@7')$$);
select fails($$select registry.get('mix@')$$);
select fails($$select registry.get('nothing')$$);

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
select split_part(fails($$insert into registry.version (entry, value) select 'a@b', a from base where name = 'x'$$), E'\n', 1);

-- Nothing changes, not in a replica's session either.
select fails($$update registry.version set message = 'other'$$);
select fails($$update registry.version set value = (select value from registry.version where entry = 'y') where entry = 'x'$$);
select fails($$delete from registry.version$$);
select fails($$truncate registry.version, registry.alias$$);
set session_replication_role = replica;
select fails($$update registry.version set digest = digest, actor = 'other'$$);
select fails($$update registry.lineage set p = 1$$);
select fails($$delete from registry.lineage$$);
select fails($$delete from registry.state$$);
reset session_replication_role;

-- Lineage: mix@2 is mix@1 + 0.5 z, and mix@1 is 0.4 x + 0.6 y.
select l.names, l.kind, l.depth, l.p, l.q, l.w, cardinality(l.path) as path, l.revoked from registry.lineage('mix@2') l order by l.depth, l.names;
-- A scaling is not a sum: no weights through it.
select l.names, l.kind, l.depth, l.p, l.q from registry.lineage('top') l order by l.depth, l.names;
select d.names, d.kind, d.depth, d.p, d.q from registry.descendants('x@1') d order by d.depth, d.names;
-- path: from the version to the ancestor.
select array(select registry.names(u) from unnest(l.path) with ordinality p(u, i) order by i) as path from registry.lineage('top') l where l.names[1] = 'z@1';
-- An expression of the paper: (p, q) = (1.4, 1.4) for x, (0.4, -0.4) for y.
insert into registry.version (entry, value) select 'detox', x.value + 0.4 * (x.value - y.value)
	from registry.version x, registry.version y where x.entry = 'copy' and y.entry = 'y';
select l.names, l.p, l.q from registry.lineage('detox') l order by l.names;
-- Intermediates that were not registered, and an external leaf.
create table unseen as select adapter_scale(a, 2) as a from base where name = 'z';
insert into base values ('stranger', lora('q', '[[1, 1]]', '[[1], [1]]'));
create table between_them as select 0.5 * u.a + 0.25 * s.a as a from unseen u, base s where s.name = 'stranger';
select registry.commit('deep', 0.5 * b.a + 0.5 * registry.get('x')) from between_them b;
select l.names, l.kind, l.depth, l.p, l.q from registry.lineage('deep') l order by l.depth, l.p, l.names;
select replace(replace(replace(registry.lineage_dot('mix@1'), encode(registry.digest('x'), 'hex'), 'X'), encode(registry.digest('y'), 'hex'), 'Y'),
	encode(registry.digest('mix@1'), 'hex'), 'MIX') ~ '"X" -> "MIX" \[label="0.4"\]' as dot;
-- A ladder of diamonds, each step the sum of the two before: a weight is the sum
-- over all paths, here Fibonacci's numbers, and the paths are not counted out.
do $$
begin
	perform registry.commit('ladder', a) from base where name = 'x';
	perform registry.commit('ladder', lora('q', '[[1, 0]]', '[[1], [1]]'));
	for i in 3 .. 40 loop
		perform registry.commit('ladder', registry.get(format('ladder@%s', i - 1)) + registry.get(format('ladder@%s', i - 2)));
	end loop;
end
$$;
select count(*) as ancestors, max(depth) as depth from registry.lineage('ladder');
select l.names, l.depth, l.p, l.q from registry.lineage('ladder') l where l.p > 3e7 or l.depth = 1 order by 1;
select l.p = d.p as same from registry.lineage('ladder') l, registry.descendants('ladder@2') d
	where 'ladder@2' = any(l.names) and 'ladder@40' = any(d.names);

-- Delta space: w, and no weights where a path mixes the spaces.
select registry.commit('space', adapter(2 * delta(registry.get('mix@1')) - 0.5 * delta(registry.get('z'))));
select registry.commit('space', adapter(0.25 * delta(registry.get('space@1')) + delta(registry.get('y'))));
select l.names[1] as name, l.depth, l.p, l.q, l.w from registry.lineage('space@2') l order by l.depth, name;

-- Claims that lead in a circle (d1 to d2 to d3 to d1) end, and what hangs on the
-- circle has no weights: x from mix@1 through d1.
begin;
insert into registry.state (digest) select sha256(d::bytea) from unnest('{d1,d2,d3}'::text[]) d;
insert into registry.lineage (child, of, parent, p, q, external)
	select registry.digest('mix@1'), coalesce(sha256(of::bytea), registry.digest('mix@1')), coalesce(sha256(parent::bytea), registry.digest('x')), 1, 1, false
	from (values (null, 'd1'), ('d1', 'd2'), ('d2', 'd3'), ('d3', 'd1'), ('d3', null)) v(of, parent)
	on conflict do nothing;
select l.names, l.kind, l.depth, l.p from registry.lineage('mix@1') l order by l.depth, l.names;
select d.kind, d.depth, d.p from registry.descendants(sha256('d2')) d where d.kind = 'intermediate' order by d.depth;
rollback;

-- A file that was exported and imported again has lost its recipe.  Its digest
-- gives it away where that is registered, and a later commit with the recipe
-- adds what it knows.
insert into base select 'new', 0.125 * x.a + 0.875 * y.a from base x, base y where x.name = 'x' and y.name = 'y';
select registry.commit('laundered', adapter_from_safetensors(adapter_to_safetensors(a), adapter_config(a))) from base where name = 'new';
select count(*) from registry.lineage('laundered');
select registry.commit('honest', a) from base where name = 'new';
select l.names, l.p from registry.lineage('laundered') l order by 1;
-- Also where its recipe comes to the same digest again: two steps down to x.
create table tripled as select adapter_scale(a, 3) as a from base where name = 'x';
create table sixfold as select adapter_scale(a, 2) as a from tripled;
select registry.commit('laundered', adapter_from_safetensors(adapter_to_safetensors(a), adapter_config(a))) from sixfold;
select registry.commit('honest', adapter_scale(a, 1)) from sixfold;
select l.names, l.kind, l.depth from registry.lineage('laundered@2') l order by l.depth;
drop table tripled, sixfold;

-- Aliases.
select registry.set_alias('mix', 'production', 1);
select registry.set_alias('mix', 'production', 2, 1);
select fails($$select registry.set_alias('mix', 'production', 1, 1)$$);
select fails($$select registry.set_alias('mix', 'production', 1, null)$$);
select fails($$select registry.set_alias('mix', 'production', 9)$$);
select split_part(fails($$select registry.set_alias('mix', '3', 1)$$), E'\n', 1);
select fails($$update registry.alias set alias = 'other'$$);
insert into registry.alias (entry, alias, number) values ('mix', 'candidate', 1);
update registry.alias set number = 2 where alias = 'candidate';
delete from registry.alias where alias = 'candidate';
select entry, alias, move, number, previous, actor = session_user as actor from registry.alias_history order by alias, move;
select r.* from registry.resolve('mix@production') r;
select fails($$select registry.resolve('mix@candidate')$$);
select registry.alias_at('mix', 'production', moved_at) as then, registry.alias_at('mix', 'production', moved_at - interval '1 microsecond') as before
	from registry.alias_history where alias = 'production' and move = 2;
select registry.alias_at('mix', 'production', '-infinity') is null as never;
select fails($$delete from registry.alias_history$$);
select fails($$truncate registry.alias$$);

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
-- nor over what lies behind a version whose story is an import, which lineage does not tell.
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

-- What differs.
create function two(first adapter, second adapter) returns adapter language sql as $$
	select adapter_union(a) from unnest(array[first, second]) a
$$;
select registry.commit('two', two(lora('q', '[[1, 2]]', '[[1], [0]]'), lora('k', '[[1, 1]]', '[[1], [0]]')));
select registry.commit('two', two(lora('q', '[[1, 2]]', '[[1], [0]]'), lora('v', '[[1, 1]]', '[[1], [0]]')));
select registry.commit('two', two(lora('q', '[[1, 2]]', '[[1], [0]]', '2'), lora('v', '[[1, 1]]', '[[1], [0]]')));
drop function two;
-- (k and v: the norm of B A, sqrt(2))
select module, status, round(distance::numeric, 12) as distance from registry.diff('two@1', 'two@2');
-- (twice the alpha: B A once more, sqrt(1 + 4))
select module, status, round(distance::numeric, 12) as distance from registry.diff('two@2', 'two@3');

-- What stands in the way, of all versions at once and of each by itself.
select r.name, count(*) as versions, count(o.obstacle) as obstacles,
	bool_and(o.obstacle is not distinct from case when v.digest <> registry.digest(r.name) or v.recipe #>> '{root,op}' = 'import'
		then registry.obstacle(v.recipe, array[registry.digest(r.name)], d.affected) else 'it is what is to be left out' end) as same
from unnest('{x@2,y,z,mix@1,mix@2,ladder@2,space@1}'::text[]) r(name)
	cross join lateral (select array(select registry.successors(registry.digest(r.name))) as affected) d
	cross join lateral registry.obstacles(array[registry.digest(r.name)], d.affected) o
	join registry.version v on v.entry = o.entry and v.number = o.number
group by r.name order by r.name;

-- Revocation of z: mix@2 (which has an alias), top, sweep@2 and, through an intermediate, deep.
select registry.is_live(registry.digest('top@1'));
select r.ref, r.kind, r.depth, r.aliases, r.recomposable,
	regexp_replace(r.obstacle, '[0-9a-f]{64}', 'DIGEST', 'g') as obstacle from registry.revoke('z@1', 'trained on private data') r;
select registry.is_live(registry.digest('top@1')), registry.is_live(registry.digest('mix@1'));
select count(*) from registry.alias;
select entry, alias, move, number, previous from registry.alias_history where move = 3;
select fails($$select registry.get('mix@2')$$);
select fails($$select registry.get('z@1')$$);
select s.* from registry.get('mix@2', true) g, show(g) s;
-- The newest that is not revoked:
select r.* from registry.resolve('mix') r;
-- Nothing new of it, whatever its way, and no alias.
select fails($$insert into registry.version (entry, value) select 'new', 0.5 * a from base where name = 'z'$$);
select regexp_replace(fails($$insert into registry.version (entry, value) select 'new', 0.5 * a from unseen$$), '[0-9a-f]{64}', 'DIGEST');
select regexp_replace(fails($$select registry.set_alias('mix', 'production', 2)$$), '[0-9a-f]{64}', 'DIGEST');
select l.names, l.revoked from registry.lineage('top@1') l order by 1;
-- Again: stays as it is.
select count(*) from registry.revoke('z@1', 'again');
select reason, revoked_by = session_user as actor from registry.state where revoked_at is not null;
select fails($$update registry.state set revoked_at = null, revoked_by = null, reason = null where revoked_at is not null$$);
select fails($$select registry.revoke('mix', null)$$);
select fails($$select registry.revoke('\x00'::bytea, 'short')$$);
begin isolation level serializable;
select fails($$select registry.revoke('x', 'late')$$);
rollback;

-- Made again without z: mix@2 is mix@1 then, which the entry has.
select fails($$select registry.recompose('mix@2', 'z@1')$$);
-- top: scale(mix@1 + 0.5 z, 3) without z is scale(mix@1, 3).
select registry.recompose('top@1', 'z@1');
select message, adapter_digest(value) = adapter_digest(adapter_scale(registry.get('mix@1'), 3)) as same, registry.is_live(digest) from registry.version where entry = 'top' and number = 2;
-- sweep@2 is 0.5 sweep@1 + 0.25 z; renormalized, what is left weighs 0.75.
select registry.recompose('sweep@2', 'z@1');
select registry.recompose('sweep@2', 'z@1', true, 'only the rest');
select number, virtual, message, adapter_digest(value) = adapter_digest(0.5 * registry.get('sweep@1')) as half,
	adapter_digest(value) = adapter_digest(0.75 * registry.get('sweep@1')) as three_quarters
from registry.version where entry = 'sweep' and number > 2 order by number;
select fails($$select registry.recompose('z@1', 'z@1')$$);
select fails($$select registry.recompose('mix@1', 'z@1')$$);
select regexp_replace(fails($$select registry.recompose('deep@1', 'z@1')$$), '[0-9a-f]{64}', 'DIGEST');
-- A digest that nobody has committed can be revoked too: it never will be.
select count(*) from registry.revoke(adapter_digest(lora('q', '[[6, 6]]', '[[6], [6]]')), 'known to be bad');
select regexp_replace(fails($$select registry.commit('bad', lora('q', '[[6, 6]]', '[[6], [6]]'))$$), '[0-9a-f]{64}', 'DIGEST');

-- Two revocations: what was made from both is made again without both.
-- blend is 0.5 first + 0.5 second, top of it 0.5 blend + 0.25 third; without
-- second and third: 0.5 (0.5 first), with blend's place taken by a rounded value.
select registry.commit('first', lora('q', '[[11, 5]]', '[[1], [1]]')), registry.commit('second', lora('q', '[[12, 5]]', '[[1], [1]]')),
	registry.commit('third', lora('q', '[[13, 5]]', '[[1], [1]]'));
select registry.commit('blend', 0.5 * registry.get('first') + 0.5 * registry.get('second'));
select registry.commit('blend_top', 0.5 * registry.get('blend') + 0.25 * registry.get('third'));
select ref, recomposable, obstacle from registry.revoke('second', 'one reason') order by depth, ref;
select ref, recomposable, obstacle from registry.revoke('third', 'another') order by depth, ref;
select registry.recompose('blend_top@1', 'third@1');
create table half as select 0.5 * registry.get('first') as a;
select adapter_digest(v.value) = adapter_digest(0.5 * h.a) as same, registry.is_live(v.digest) as live
from registry.version v, half h where v.entry = 'blend_top' and v.number = 2;
drop table half;

-- The log agrees with everything, and what can be recomputed was.
select * from registry.verify(recompute => true);

-- The functions are made anew; tables and data stay.
select registry_upgrade();
select count(*) > 50 as versions from registry.version;
select fails($$select registry_drop()$$);
select fails($$drop extension peftarith$$) ~ '^2BP01' as kept;
select registry_drop(force => true);

-- Roles: a reader, two writers, an admin, and policies.
create role regress_reader;
create role regress_alice;
create role regress_bob;
create role regress_writer;
create role regress_admin;
grant regress_writer to regress_alice, regress_bob;
select fails($$select registry_create('regress_reader', 'nobody_of_this_name')$$);
select to_regnamespace('registry') is null as nothing_left;
select registry_create('regress_reader', 'regress_writer', 'regress_admin', row_security => true);
select c.relname, p.polname from pg_policy p join pg_class c on c.oid = p.polrelid where obj_description(p.oid, 'pg_policy') is null;
grant select on base to regress_writer;
set role regress_alice;
select registry.commit('alice', a, 'hers') from base where name = 'x';
select registry.commit('alice', 2 * registry.get('alice'));
select registry.set_alias('alice', 'production', 1);
select actor = session_user as actor, acting_as from registry.version;
select owner from registry.entry;
select names, p from registry.lineage('alice@2');
-- A writer sets what a writer may.
select fails($$insert into registry.version (entry, value, number) select 'alice', a, 7 from base$$);
select fails($$update registry.version set message = 'other'$$);
select fails($$update registry.entry set next_number = 1$$);
select fails($$delete from registry.lineage$$);
select fails($$insert into registry.state (digest) values (sha256('x'))$$);
select fails($$select registry.erase('alice@1', 'gone')$$);
select fails($$select registry.revoke('alice@1', 'gone')$$);
select fails($$select registry.lock_live(sha256('x'))$$);
set role regress_bob;
-- Bob sees nothing of Alice's, may not commit to her entry,
select count(*) from registry.version;
select count(*) from registry.entry;
select fails($$select registry.get('alice@production')$$);
select fails($$select registry.commit('alice', a) from base where name = 'x'$$);
select fails($$select registry.set_alias('alice', 'production', 2)$$);
select fails($$select registry.set_alias('alice', 'mine', 2)$$);
select fails($$insert into registry.entry (name, owner) values ('gift', 'regress_alice')$$);
-- and sees that his adapter was made from something registered, not its name.
select registry.commit('bob', 0.5 * a) from base where name = 'x';
select names, kind, p from registry.lineage('bob');
-- A superuser's rights are no part of the registry.
set role regress_bob;
select fails($$select registry_upgrade()$$);
reset role;
alter schema registry owner to regress_admin;
select fails($$select registry_upgrade()$$);
select fails($$select registry_drop(true)$$);
do $$ begin execute format('alter schema registry owner to %I', current_user); end $$;
-- Rights are given again after an upgrade.
select registry_upgrade();
select registry.allow('regress_reader', 'regress_writer', 'regress_admin');
select count(*) from pg_policy where polname = 'admin regress_admin';
set role regress_reader;
select count(*) from registry.version;
select fails($$select registry.commit('reader', a) from base$$);
select fails($$select count(*) from registry.log$$);
set role regress_admin;
select names, kind from registry.lineage('bob');
select ref, kind, aliases, recomposable, obstacle from registry.revoke('alice@1', 'hers no more') order by depth, ref;
select registry.erase('alice@1', 'hers no more');
set role regress_bob;
-- An error tells nobody's names.
select fails($$select registry.get('bob@1')$$);
select regexp_replace(fails($$select registry.commit('bob', 0.25 * a) from base where name = 'x'$$), '[0-9a-f]{64}', 'DIGEST');
reset role;
select registry_drop(true);
drop owned by regress_reader, regress_writer, regress_admin;
drop role regress_reader, regress_alice, regress_bob, regress_writer, regress_admin;
drop table base, unseen, between_them;
