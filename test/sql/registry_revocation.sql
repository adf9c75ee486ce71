-- Revocation, and making again without what was revoked.
create table base (name text primary key, a adapter);
insert into base values
	('x', lora('q', '[[1, 2]]', '[[1], [0]]')),
	('y', lora('q', '[[3, 5]]', '[[0], [1]]')),
	('z', lora('q', '[[8, 1]]', '[[2], [2]]'));
select registry_create();
insert into registry.version (entry, value, message) select name, a, 'imported' from base order by name;
insert into registry.version (entry, value, message)
	select 'mix', 0.4 * x.value + 0.6 * y.value, 'the paper''s merge'
	from registry.version x, registry.version y where x.entry = 'x' and y.entry = 'y';
select registry.commit('mix', registry.get('mix') + 0.5 * registry.get('z'), 'and z');
select registry.commit('top', adapter_scale(registry.get('mix@2'), 3));
select registry.commit('x', a, allow_duplicate => true) from base where name = 'x';
select registry.commit('copy', a) from base where name = 'x';
insert into base values ('stranger', lora('q', '[[1, 1]]', '[[1], [1]]'));
insert into registry.version (entry, value) select 'detox', x.value + 0.4 * (x.value - y.value)
	from registry.version x, registry.version y where x.entry = 'copy' and y.entry = 'y';
create table unseen as select adapter_scale(a, 2) as a from base where name = 'z';
create table between_them as select 0.5 * u.a + 0.25 * s.a as a from unseen u, base s where s.name = 'stranger';
select registry.commit('deep', 0.5 * b.a + 0.5 * registry.get('x')) from between_them b;
do $$
begin
	perform registry.commit('ladder', a) from base where name = 'x';
	perform registry.commit('ladder', lora('q', '[[1, 0]]', '[[1], [1]]'));
	for i in 3 .. 40 loop
		perform registry.commit('ladder', registry.get(format('ladder@%s', i - 1)) + registry.get(format('ladder@%s', i - 2)));
	end loop;
end
$$;
select registry.commit('space', adapter(2 * delta(registry.get('mix@1')) - 0.5 * delta(registry.get('z'))));
select registry.commit('space', adapter(0.25 * delta(registry.get('space@1')) + delta(registry.get('y'))));
-- honest is laundered with its recipe
insert into base select 'new', 0.125 * x.a + 0.875 * y.a from base x, base y where x.name = 'x' and y.name = 'y';
select registry.commit('laundered', adapter_from_safetensors(adapter_to_safetensors(a), adapter_config(a))) from base where name = 'new';
select registry.commit('honest', a) from base where name = 'new';
create table tripled as select adapter_scale(a, 3) as a from base where name = 'x';
create table sixfold as select adapter_scale(a, 2) as a from tripled;
select registry.commit('laundered', adapter_from_safetensors(adapter_to_safetensors(a), adapter_config(a))) from sixfold;
select registry.commit('honest', adapter_scale(a, 1)) from sixfold;
drop table tripled, sixfold;
select registry.set_alias('mix', 'production', 1);
select registry.set_alias('mix', 'production', 2, 1);
insert into registry.alias (entry, alias, number) values ('mix', 'candidate', 1);
update registry.alias set number = 2 where alias = 'candidate';
delete from registry.alias where alias = 'candidate';
-- sweep was virtual and has its values; x@1 and y have none any more
select registry.commit_virtual('sweep', 0.25 * registry.get('x') + 0.75 * registry.get('y'));
select registry.commit_virtual('sweep', 0.5 * registry.get('sweep') + 0.25 * registry.get('z'));
select registry.erase('x@1', 'licence');
select registry.materialize('sweep@1');
select registry.materialize('sweep@2');
select registry.erase('y', 'licence');
create function two(first adapter, second adapter) returns adapter language sql as $$
	select adapter_union(a) from unnest(array[first, second]) a
$$;
select registry.commit('two', two(lora('q', '[[1, 2]]', '[[1], [0]]'), lora('k', '[[1, 1]]', '[[1], [0]]')));
select registry.commit('two', two(lora('q', '[[1, 2]]', '[[1], [0]]'), lora('v', '[[1, 1]]', '[[1], [0]]')));
select registry.commit('two', two(lora('q', '[[1, 2]]', '[[1], [0]]', '2'), lora('v', '[[1, 1]]', '[[1], [0]]')));
drop function two;

-- What stands in the way.
select r.name, count(*) as versions, count(o.obstacle) as obstacles
from unnest('{x@2,y,z,mix@1,mix@2,ladder@2,space@1}'::text[]) r(name)
	cross join lateral registry.concerned(array[registry.digest(r.name)]) c
	join registry.version v on v.entry = c.entry and v.number = c.number
	cross join lateral (select array(select registry.fact_descendants(array[registry.digest(r.name)])) as affected) d
	cross join lateral (select case when v.digest <> registry.digest(r.name)
		then (select registry.obstacle(w.recipe, p.leaves, p.missing) from (select coalesce(v.recipe, adapter_recipe(v.value)) as recipe) w,
			registry.plan(w.recipe, array[registry.digest(r.name)], registry.affected_of(d.affected, v.digest, v.claims)) p)
		else 'it is what is to be left out' end as obstacle) o
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
select reason, revoked_by = session_user as actor from registry.revocation;
select fails($$update registry.revocation set reason = 'another'$$);
select fails($$delete from registry.revocation$$);
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
select registry_drop(true);
drop table base, unseen, between_them;

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
-- The mark alone, and settling, which needs transactions of its own.
select registry.revoke_digest(sha256('nothing'), 'never'), registry.revoke_digest(sha256('nothing'), 'again');
select fails($$select registry.revoke_digest(sha256('nothing'), null)$$);
begin isolation level repeatable read;
select fails($$select registry.settle()$$);
rollback;
do $$ begin for i in 1 .. 1000 loop exit when registry.settle() = 0; commit; perform pg_sleep(0.01); end loop; end $$;
select bool_and(settled) as settled from registry.revocation;
select registry.is_live('c@1') as c, registry.is_live('c@2') as without_z, registry.is_live('x') as x;
select * from problems();
select registry_drop(true);
-- Two of a chain are revoked: what was made of the one is left out under the name of the other.
select registry_create();
select registry.commit(name, a) from named where name in ('x', 'z') order by name;
select registry.commit('double', 2 * value('z'));
select registry.commit('t', 0.5 * value('x') + 0.5 * registry.get('double'));
select ref from registry.revoke('z', 'withdrawn') order by ref;
select ref from registry.revoke('double@1', 'withdrawn') order by ref;
select registry.recompose('t@1', 'z@1');
select registry.get('t@2') = 0.5 * value('x') as of_x;
select registry_drop(true);

-- True of its digest, and a circle where what is registered may not be used.
select registry_create();
select registry.commit(name, a) from named where name in ('x', 'z', 'm') order by name in ('m'), name;
select registry.commit('round', forged(0.5 * value('x') + 0.5 * value('m'), sum_of(term(value('x'), '0x1.0000000000000p-1'), term(value('m'), '0x1.0000000000000p-1')),
	jsonb_build_object(hex(value('m')), sum_of(term(value('z'), '0x1.0000000000000p-1'), term(value('evil'), '0x1.0000000000000p-1')),
		hex(value('evil')), sum_of(term(value('m'), '0x1.0000000000000p-1')))));
select count(*) from registry.revoke('z', 'withdrawn');
select fails($$select registry.recompose('round@1', 'z@1')$$);
select fails($$select registry.evaluate_without('round@1', registry.recipe('round@1'), array[registry.digest('x')], registry.digest('z@1'), false)$$);
select registry_drop(true);

-- The same of facts alone: w is twice w halved, and a little z that is rounded away.
select registry_create();
select registry.commit('w', lora('q', '[[1, 2]]', '[[3], [4]]')), registry.commit('x', value('x')), registry.commit('z', value('z'));
select registry.commit('twice', 2 * registry.get('w'));
select registry.commit('again', 0.5 * registry.get('twice') + 1e-30 * registry.get('z'));
select registry.digest('again') = registry.digest('w') as same;
select registry.commit('t', 0.5 * registry.get('x') + 0.5 * (2 * registry.get('again')));
select registry.commit('u', 0.5 * registry.get('x') + 0.5 * (select a from (select 2 * registry.get('again') as a offset 0) s));
select ref, kind from registry.revoke('z', 'withdrawn') order by ref;
select fails($$select registry.recompose('t@1', 'z@1')$$);
select fails($$select registry.recompose('u@1', 'z@1')$$);
select registry_drop(true);

-- What was claimed, then proven, then made of something revoked is marked as what was claimed.
select registry_create();
select registry.commit(name, a) from named where name in ('x', 'z') order by name;
create table made as select 0.375 * value('x') + 0.625 * value('z') as a;
\c -
select registry.commit('late', a) from made;
select * from registry.prove();
select ref, standing from registry.revoke('z', 'withdrawn') order by ref;
do $$ begin for i in 1 .. 1000 loop exit when registry.settle() = 0; commit; perform pg_sleep(0.01); end loop; end $$;
select * from problems();
select registry_drop(true);
drop table named, made;
drop role regress_writer;
