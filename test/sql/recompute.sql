-- Leaves and what was made of them, each stored, so that each is a node of its own.
create table leaf as select name, lora('q', a::json, b::json) as a
from (values ('a', '[[1, 2]]', '[[3], [4]]'), ('b', '[[5, 6]]', '[[7], [8]]'), ('c', '[[0, 1]]', '[[1], [0]]')) v(name, a, b);
create table made as select 'ab' as name, (select a from leaf where name = 'a') * 0.5 + (select a from leaf where name = 'b') * 0.5 as a;
insert into made select 'scaled', adapter_scale(a, 3) from made where name = 'ab';
insert into made select 'all', 0.25 * m.a + 0.5 * l.a + 0.25 * m.a from made m, leaf l where m.name = 'scaled' and l.name = 'c';

-- Digests by name, and names of digests.
create function digest_of(wanted text) returns bytea language sql stable as $$
	select adapter_digest(a) from (select name, a from leaf union all select name, a from made) s where name = wanted
$$;
create function name_of(digest bytea) returns text language sql stable as $$
	select name from (select name, a from leaf union all select name, a from made) s where adapter_digest(a) = digest
$$;
-- The recipe of a value evaluated again over the leaves.
create function again(wanted text, without text default null, renormalize boolean default false) returns adapter language sql stable as $$
	select adapter_recompute((select adapter_recipe(a) from made where name = wanted), a, digest_of(without), renormalize) from leaf
$$;

-- The same value with the same recipe, configuration and header.
select name, again(name) = a as same, adapter_envelope_digest(again(name)) = adapter_envelope_digest(a) as same_envelope from made order by name;
-- A value that is given is not made again.
select adapter_recompute(adapter_recipe(m.a), g.a, null, false) = m.a as same
from made m, (select a from made where name = 'scaled' union all select a from leaf where name = 'c') g where m.name = 'all' group by m.a;

-- What is needed: without knowledge the leaves, else what is known first.
select name_of(d) from adapter_recompute_needs((select adapter_recipe(a) from made where name = 'all'), '{}') d order by 1;
select name_of(d) from adapter_recompute_needs((select adapter_recipe(a) from made where name = 'all'),
	array[digest_of('scaled'), digest_of('ab'), null, digest_of('all')]) d order by 1;
select name_of(d) from adapter_recompute_needs((select adapter_recipe(a) from leaf where name = 'a'), '{}') d;

-- The edges of lineage: sums of weights of each parent, and the walk down to the imports.
select name_of(of) as of, name_of(parent) as parent, p, q, w, external
from adapter_recipe_edges((select adapter_recipe(a) from made where name = 'all'), digest_of('all'), '{}') order by 1, 2;
select name_of(of) as of, name_of(parent) as parent, external
from adapter_recipe_edges((select adapter_recipe(a) from made where name = 'all'), null, array[digest_of('scaled')]) order by 1, 2;
select count(*) as of_an_import from adapter_recipe_edges((select adapter_recipe(a) from leaf where name = 'a'), digest_of('a'), '{}');
select count(*) as of_nulls from adapter_recipe_edges(null, null, '{}');
-- A cast that changes nothing: what was made of a is told, not that a is made of a.
select name_of(of) as of, name_of(parent) as parent, p, q
from adapter_recipe_edges((select adapter_recipe(adapter_cast(a, 'F32')) from made where name = 'ab'), digest_of('ab'), '{}') order by 1, 2;

-- Left out: the value is that of the same operations without it.
select again('all', 'c') = (select 0.25 * a + 0.25 * a from made where name = 'scaled') as without_c;
create table left_out as select 0.5 * a as a from leaf where name = 'a';
update left_out set a = adapter_scale(a, 3);
select again('all', 'b') = (select 0.25 * l.a + 0.5 * c.a + 0.25 * l.a from left_out l, leaf c where c.name = 'c') as without_b;
select again('all', 'ab') = (select 0.5 * a from leaf where name = 'c') as without_ab;
-- 0.5 a + 0.5 b without b, the total kept, is a itself.
select again('ab', 'b', true) = a as only_a from leaf where name = 'a';
select adapter_envelope_digest(again('ab', 'b', true)) = adapter_envelope_digest(a) as a_itself from leaf where name = 'a';
select again('all', 'scaled', true) = a as c_itself from leaf where name = 'c';
-- What is left can fall together: 0.5 ab + 0.5 a without b is 0.5 a + 0.5 a.
insert into made select 'ab+a', 0.5 * m.a + 0.5 * l.a from made m, leaf l where m.name = 'ab' and l.name = 'a';
select again('ab+a', 'b', true) = a as a_alone from leaf where name = 'a';
select again('ab+a') = a as same from made where name = 'ab+a';

-- Sums of weights that vanish; what is not there; nothing left.
insert into made select 'difference', a.a - b.a + c.a from leaf a, leaf b, leaf c where a.name = 'a' and b.name = 'b' and c.name = 'c';
-- 22012
select fails($$select again('difference', 'c', true)$$);
-- 22023
select fails($$select again('ab', 'c')$$) ~ '^22023 digest [0-9a-f]{64} is not met in the recipe and cannot be left out' as not_met;
select fails($$select again('scaled', 'ab')$$) ~ '^22023 nothing is left without digest [0-9a-f]{64}' as nothing_left;

-- Every other operation.
create table two as select adapter_from_json('{
	"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 2},
	"tensors": {
		"base_model.model.k.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [1, 2]},
		"base_model.model.k.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [3]},
		"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [4, 5]},
		"base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [6]}}}') as a;
create table part as select p as a from two, adapter_split(a, 12) p;
create table whole as select adapter_union(a) as a from part;
create table rest as select 'select' as op, adapter_select(a, 'q') as a from two
	union all select 'invert', adapter_select(a, 'q', true) from two
	union all select 'cast', adapter_cast(a, 'BF16') from two
	union all select 'rename', adapter_rename(a, '(.)', 'l.\1') from two
	union all select 'renamed twice', adapter_scale(adapter_rename(adapter_rename(a, '(k)', 'l.\1'), 'q', 'l.q'), 2) from two
	union all select 'base', adapter_set_base_model(a, 'other', 'main') from two
	union all select 'no base', adapter_set_base_model(a, null) from two
	union all select 'dense', adapter_drop_dense(a) from two
	union all select 'tensors', adapter_select_tensors(a, 'q.*') from two
	union all select 'dense by name', adapter_scale(adapter_drop_dense(a, 'q.*'), 3) from two
	union all select 'part', a from part
	union all select 'whole', a from whole;
select op, adapter_envelope_digest(adapter_recompute(adapter_recipe(r.a), t.a, null, false)) = adapter_envelope_digest(r.a) as same
from rest r, two t group by op, r.a order by op;
-- A union drops a part.
select m.module from (select adapter_recompute(adapter_recipe(w.a), t.a, adapter_digest(p.a), false) as u
	from whole w, two t, part p where adapter_recipe(p.a) #>> '{root,part}' = '0' group by w.a) s, adapter_modules(u) m
where m.role = 'factor_a';

-- A recipe is a claim.
-- 42704
select fails($$select adapter_recompute(adapter_recipe(a), null, null, false) from leaf where name = 'a'$$);
select fails($$select adapter_recompute(adapter_recipe(m.a), l.a, null, false) from made m, leaf l where m.name = 'ab' and l.name = 'a'$$)
	~ '^42704 value of digest [0-9a-f]{64} is needed' as needed;
-- 22000: another weight than the one that led to the digest
select fails($$select adapter_recompute(replace(adapter_recipe(m.a)::text, '"by": "0x1.8000000000000p+1"', '"by": "0x1.8000000000000p+2"')::jsonb, l.a, null, false)
	from made m, leaf l where m.name = 'all'$$) ~ '^22000 recipe does not lead to digest [0-9a-f]{64}' as leads_elsewhere;
create function claim(root text, nodes text default '') returns jsonb language sql immutable as $$
	select format('{"version": 1, "root": %s, "nodes": {%s}}', replace(replace(root, 'A', repeat('a', 64)), 'B', repeat('b', 64)),
		replace(replace(nodes, 'A', repeat('a', 64)), 'B', repeat('b', 64)))::jsonb
$$;
-- 22023
select fails($$select adapter_recompute(claim('{"op": "cast", "of": "A", "dtype": "F32"}',
	'"A": {"op": "scale", "of": "B", "by": "0x1.0p+0"}, "B": {"op": "scale", "of": "A", "by": "0x1.0p+0"}'), a, null, false) from leaf$$);
-- It still has edges, and an end.
select left(of::text, 3) as of, left(parent::text, 3) as parent, external from adapter_recipe_edges(claim('{"op": "cast", "of": "A", "dtype": "F32"}',
	'"A": {"op": "scale", "of": "B", "by": "0x1.0p+0"}, "B": {"op": "scale", "of": "A", "by": "0x1.0p+0"}'), null, '{}');
-- A root that is told among the stories of its own digest too is one story.
select left(of::text, 3) as of, left(parent::text, 3) as parent, external from adapter_recipe_edges(claim('{"op": "cast", "of": "A", "dtype": "F32"}',
	'"A": {"op": "scale", "of": "B", "by": "0x1.0p+0"}, "B": {"op": "cast", "of": "A", "dtype": "F32"}'), decode(repeat('bb', 32), 'hex'), '{}') order by 1, 2;
select count(*) from adapter_recompute_needs(claim('{"op": "cast", "of": "A", "dtype": "F32"}',
	'"A": {"op": "scale", "of": "B", "by": "0x1.0p+0"}, "B": {"op": "scale", "of": "A", "by": "0x1.0p+0"}'), '{}');
-- 22003
select fails($$select * from adapter_recipe_edges(claim('{"op": "combine", "terms": [{"of": "A", "u": "0x1.fp+1023", "v": "0x0.0p+0"}, {"of": "A", "u": "0x1.fp+1023", "v": "0x0.0p+0"}]}'), null, '{}')$$);
-- 22023: a part that the split has not
select fails($$select adapter_recompute(jsonb_set(adapter_recipe(p.a), '{root,part}', '2'), t.a, null, false) from part p, two t group by p.a$$);
-- 22023, 22032: no recipe
select fails($$select adapter_recompute('1', a, null, false) from leaf$$);
select fails($$select adapter_recompute('[]', a, null, false) from leaf$$);
select fails($$select adapter_recompute('{}', a, null, false) from leaf$$);
select fails($$select adapter_recompute('{"version": 1, "root": {"op": "scale", "of": 7, "by": "1"}, "nodes": {}}', a, null, false) from leaf$$);
select fails($$select adapter_recompute_needs('null', '{}')$$);
select fails($$select adapter_recipe_edges('{"version": 3}', null, '{}')$$);
select fails($$select adapter_recipe_edges(claim('{"op": "import", "sha256": "A"}'), '\x00', '{}')$$);
select fails($$select adapter_recompute_needs(claim('{"op": "import", "sha256": "A"}'), array['\x0011'::bytea])$$);
select fails($$select adapter_recompute(adapter_recipe(a), a, '\x00', false) from made$$);

-- The constants must be constant.
-- 22023
select fails($$select adapter_recompute(adapter_recipe(a), a, null, false) from leaf$$);
select fails($$select adapter_recompute(adapter_recipe(m.a), l.a, null, l.name = 'a') from made m, leaf l where m.name = 'ab'$$);
select fails($$select adapter_recompute(adapter_recipe(m.a), l.a, case when l.name = 'a' then digest_of('a') end, false) from made m, leaf l where m.name = 'ab'$$);
select adapter_recompute(null, a, null, null) is null as no_recipe from leaf;
select adapter_recompute(adapter_recipe(a), a, null, null) is null as no_rows from leaf where false;
-- A null renormalize is false; nulls among the values do not count.
select adapter_recompute(adapter_recipe(m.a), l.a, null, null) = m.a as same
from made m, (select a from leaf union all select null) l where m.name = 'ab' group by m.a;

drop table leaf, made, left_out, two, part, whole, rest;
drop function digest_of, name_of, again, claim;
