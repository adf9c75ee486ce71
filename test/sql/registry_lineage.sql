-- Lineage: ancestors and descendants, weights, claims about them.
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

-- Lineage: mix@2 is mix@1 + 0.5 z, and mix@1 is 0.4 x + 0.6 y.
select l.names, l.kind, l.depth, l.p, l.q, l.w, cardinality(registry.lineage_path('mix@2', l.digest)) as path, l.revoked from registry.lineage('mix@2') l order by l.depth, l.names;
-- A scaling is not a sum: no weights through it.
select l.names, l.kind, l.depth, l.p, l.q from registry.lineage('top') l order by l.depth, l.names;
select d.names, d.kind, d.depth, d.p, d.q from registry.descendants('x@1') d order by d.depth, d.names;
-- path: from the version to the ancestor.
select array(select n.names from unnest(registry.lineage_path('top', l.digest)) with ordinality p(u, i), registry.names_of(array[u]) n order by i) as path from registry.lineage('top') l where l.names[1] = 'z@1';
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
with row as (
	select n, coalesce(sha256(of::bytea), registry.digest('mix@1')) as of, coalesce(sha256(parent::bytea), registry.digest('x')) as parent
	from (values (1, null, 'd1'), (2, 'd1', 'd2'), (3, 'd2', 'd3'), (4, 'd3', 'd1'), (5, 'd3', null)) v(n, of, parent)),
story as (
	insert into registry.story (id, digest, sha256, node, proven) overriding system value
		select 1000 + n, of, sha256(''), '{}', true from row)
insert into registry.edge (story, of, parent, p, q) select 1000 + n, of, parent, 1, 1 from row;
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
select * from registry.verify(recompute => true);
select registry_drop(true);
drop table base, unseen, between_them;

create table named (name text primary key, a adapter);
insert into named values ('x', lora('q', '[[1, 2]]', '[[1], [0]]')), ('y', lora('q', '[[3, 5]]', '[[0], [1]]')),
	('z', lora('q', '[[8, 1]]', '[[2], [2]]')), ('evil', lora('q', '[[6, 6]]', '[[6], [6]]'));
insert into named select 'm', 0.5 * value('x') + 0.5 * value('z');
insert into named select 'c', 0.25 * value('m');

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

-- What the backend has evaluated is a fact, also on the way; what a recipe says is a claim of the version.
select registry_create();
update named set a = lora('q', '[[3, 5]]', '[[0], [1]]') where name = 'y';
select registry.commit(name, a) from named where name in ('x', 'y') order by name;
select registry.commit('fact', 0.5 * adapter_scale(value('x'), 3) + 0.25 * value('y'));
select names, kind, standing, incomplete from registry.lineage('fact') order by names, kind;
select registry.commit('claim', forged(value('z'), sum_of(term(value('m'), '0x1.0p-1'), term(value('evil'), '0x1.0p-1')),
	jsonb_build_object(hex(value('m')), jsonb_build_array(sum_of(term(value('x'), '0x1.0p-1')), sum_of(term(value('y'), '0x1.0p-1'))))));
select names, kind, standing, incomplete from registry.lineage('claim') order by names, kind, incomplete;
select registry.commit('plain', value('z'));
select count(*) from registry.lineage('plain@1');
select names, standing from registry.lineage(adapter_digest(value('z'))) where names <> '{}' order by names;
-- Of the digest's versions one claims that it was made of x.
select ref, depth, standing, recomposable from registry.revoke('x', 'withdrawn') order by ref;
select registry.is_live('claim@1') as claim, registry.is_live('plain@1') as plain, registry.is_live(adapter_digest(value('z'))) as digest,
	registry.is_live('fact@1') as fact;
-- What is made of the one value, and of the other.
select regexp_replace(fails($$select registry.commit('of claim', 0.5 * registry.get('claim@1', true))$$), '[0-9a-f]{64}', 'DIGEST');
select registry.commit('of plain', 0.5 * registry.get('plain@1'));
select * from problems();
-- A claim that is recomputed is a fact.
select registry.commit('later', forged(0.125 * value('y'), sum_of(term(value('y'), '0x1.0p-3'))));
select registry.commit('wrong', forged(0.375 * value('y'), sum_of(term(value('y'), '0x1.0p+3'))));
select names, standing from registry.lineage('later');
select * from registry.prove() order by ref;
select names, standing from registry.lineage('later');
-- How much a role may claim.
insert into registry.quota (role, claims) values (session_user, 1);
select regexp_replace(regexp_replace(fails($$select registry.commit('much', forged(value('evil'), sum_of(term(value('m'), '0x1.0p-1')),
	jsonb_build_object(hex(value('m')), sum_of(term(value('y'), '0x1.0p-1')))))$$), 'role ".*"', 'role "..."'), 'recipe: \d+', 'recipe: ...');
delete from registry.quota;
select registry_drop(true);
drop table named;
