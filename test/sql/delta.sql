-- Modules that some operands lack are meant here.
set peftarith.unpaired_modules = off;
-- adapter_delta: the algebra of the changes, beside that of adapter.
create table v (name text primary key, a adapter);
insert into v values
	('x', lora('q', '[[1, 2]]', '[[3], [4]]')),
	('y', lora('q', '[[10, 20]]', '[[30], [40]]')),
	('w', lora('q', '[[1, 0], [0, 1]]', '[[5, 6], [7, 8]]', '4')),
	('i', ia3('q', '[2, 3]')),
	('j', ia3('q', '[5, 1]'));

-- The change of a module, row by row: what PEFT adds to the base weight.
create function change(d adapter_delta, path text default 'q') returns double precision[]
language sql stable as $$ select adapter_module_delta(adapter(d), path) $$;
create function show(d adapter_delta) returns table (tensor text, dtype text, elements double precision[])
language sql stable as $$ select (show(adapter(d))).* $$;

-- Casts are explicit, change nothing and give back what they got.
select adapter(delta(a)) = a as same, adapter_recipe(adapter(delta(a))) = adapter_recipe(a) as recipe,
	adapter_envelope_digest(a::adapter_delta::adapter) = adapter_envelope_digest(a) as envelope
from v where name = 'x';
select castsource::regtype, casttarget::regtype, castcontext from pg_cast
where 'adapter_delta'::regtype in (castsource, casttarget);

-- x is [3; 4] [1, 2], y is [30; 40] [10, 20].
select name, change(delta(a)) from v where name in ('x', 'y', 'w') order by name;

-- Side by side: the sum of factors has cross terms, the sum of changes has none.
select adapter_module_delta(x.a + y.a, 'q') as parameters, change(delta(x.a) + delta(y.a)) as deltas
from v x, v y where x.name = 'x' and y.name = 'y';
-- Half of both factors is a quarter of the change.
select adapter_module_delta(0.5 * x.a, 'q') as parameters, change(0.5 * delta(x.a)) as deltas from v x where x.name = 'x';
-- x - x is {2A, 0}, and zero.
select s.* from v x, show(x.a - x.a) s where x.name = 'x';
select s.* from v x, show(delta(x.a) - delta(x.a)) s where x.name = 'x';
-- Half of x taken from x: {1.5 A, 0.5 B}, and half.
select adapter_module_delta(x.a - 0.5 * x.a, 'q') as parameters, change(delta(x.a) - 0.5 * delta(x.a)) as deltas from v x where x.name = 'x';
-- Negation is one change.
select adapter_module_delta(-x.a, 'q') as parameters, change(-delta(x.a)) as deltas from v x where x.name = 'x';
-- Division, and a mixture.
select change(delta(x.a) / -2), change(adapter_lerp(delta(x.a), delta(y.a), 0.5)) from v x, v y where x.name = 'x' and y.name = 'y';

-- Stored: factors A below each other as they are, factors B side by side, each
-- times weight and scaling; the ranks add up and the scaling is 1.  w has rank
-- 2 and scaling 4 / 2.
select m.role, m.shape, m.scaling, adapter_tensor(c.a, m.tensor)
from (select adapter(0.5 * delta(x.a) - delta(w.a)) as a from v x, v w where x.name = 'x' and w.name = 'w') c,
	adapter_modules(c.a) m;
select change(0.5 * delta(x.a) - delta(w.a)) from v x, v w where x.name = 'x' and w.name = 'w';
-- Parameter space takes one rank only.
select fails($$select adapter_digest(x.a + w.a) from v x, v w where x.name = 'x' and w.name = 'w'$$);

-- (IA)^3: the algebra of l - 1, the same in both.
select s.elements, t.elements from v i, v j, show(2 * i.a - j.a) s, show(2 * delta(i.a) - delta(j.a)) t where i.name = 'i' and j.name = 'j';
select s.elements from v i, show(delta(i.a) - delta(i.a)) s where i.name = 'i';

-- Laws, bit for bit.
select d - d = 0 * d as zero, 0 * d + e = e as neutral, 1 * d = d as one, -(-d) = d as negates, d * 4 / 4 = d as divides,
	d + e = e + d as commutes, (d + e) + f = d + (e + f) as associates, d + d = 2 * d as doubles,
	(0.25 + 0.5) * d = 0.25 * d + 0.5 * d as distributes, 0.5 * (d + e) = 0.5 * d + 0.5 * e as "over a sum",
	d - e = d + (-e) as subtracts, (d + e) - e = d as "takes away", d + e = d as different
from (select delta(x.a) as d, delta(y.a) as e, delta(w.a) as f from v x, v y, v w where x.name = 'x' and y.name = 'y' and w.name = 'w') t;

-- A cast evaluates: what is inside has the other algebra, and is one leaf outside.
select change(2 * delta(x.a + y.a)) as "of a sum", adapter_module_delta(2 * adapter(delta(x.a) + delta(y.a)), 'q') as "of a delta"
from v x, v y where x.name = 'x' and y.name = 'y';

-- The recipe, with one weight for each term.
select r #>> '{root,op}' as op, r #> '{root,terms,0}' ?& array['of', 'w'] as members, jsonb_array_length(r #> '{root,terms}') as terms,
	(select array_agg(t ->> 'w' order by t ->> 'w') from jsonb_array_elements(r #> '{root,terms}') t) as weights,
	(select count(*) from jsonb_each(r -> 'nodes')) as nodes
from (select adapter_recipe(adapter(0.5 * delta(x.a) - (delta(y.a) - 0.25 * delta(x.a)))) as r from v x, v y where x.name = 'x' and y.name = 'y') t;

-- The composed configuration.
select adapter_config(adapter(0.5 * delta(x.a) - delta(w.a))) from v x, v w where x.name = 'x' and w.name = 'w';

-- Scalings of rsLoRA, ranks of a pattern, lora_bias: alpha / sqrt(4) and alpha / 1.
create function lora2(config text, k json, q json, bias text default null) returns adapter language sql immutable as $$
	select adapter_from_json(format(
		'{"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", %s},
		  "tensors": {"base_model.model.k.lora_A.weight": {"dtype": "F32", "shape": [%s, 1], "data": %s},
		              "base_model.model.k.lora_B.weight": {"dtype": "F32", "shape": [1, %s], "data": %s},
		              "base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [%s, 1], "data": %s},
		              "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, %s], "data": %s} %s}}',
		config, json_array_length(k), k, json_array_length(k), k, json_array_length(q), q, json_array_length(q), q, bias)::json)
$$;
create table p as select
	delta(lora2('"r": 4, "lora_alpha": 6, "use_rslora": true', '[1, 1, 1, 1]', '[1, 1, 1, 1]')) as rs,
	delta(lora2('"r": 1, "lora_alpha": 5, "rank_pattern": {"q": 2}, "alpha_pattern": {"q": 14}', '[1]', '[1, 2]')) as pattern;
select change(rs, 'k') as rs, change(rs, 'q') as rs, change(pattern, 'k') as pattern, change(pattern, 'q') as pattern from p;
select m.module, m.role, m.shape, m.scaling, adapter_tensor(s.a, m.tensor)
from (select adapter(rs + pattern) as a from p) s, adapter_modules(s.a) m;
select change(rs + pattern, 'k'), change(rs + pattern, 'q') from p;
-- The bias is part of the change: 5 * 2 and 7 * 10 / 2.
create function with_bias(alpha text, bias text) returns adapter language sql immutable as $$
	select lora2('"r": 2, "lora_bias": true, "lora_alpha": ' || alpha, '[1, 1]', '[1, 1]',
		format(', "base_model.model.k.lora_B.bias": {"dtype": "F32", "shape": [1], "data": [%s]}, "base_model.model.q.lora_B.bias": {"dtype": "F32", "shape": [1], "data": [%s]}', bias, bias))
$$;
select s.* from show(delta(with_bias('4', '5')) + delta(with_bias('10', '7'))) s where tensor like '%bias';

-- Modules that one side lacks contribute nothing.
select change(0.5 * delta(x.a) + delta(lora('k', '[[8, 8]]', '[[2], [2]]')), 'q'), change(0.5 * delta(x.a) + delta(lora('k', '[[8, 8]]', '[[2], [2]]')), 'k')
from v x where x.name = 'x';

-- The wider dtype, and one rounding: 3 * 1/3 is 1 + 2^-9 in BF16.
select s.* from show(3 * delta(lora('q', '[[1]]', '[[0.333984375]]', '1', 'BF16')) + delta(lora('q', '[[1]]', '[[1]]', '1', 'F16'))) s;
select s.elements from show(3 * delta(lora('q', '[[1]]', '[[0.333984375]]', '1', 'BF16'))) s;

-- Refusals.  The types do not mix: there is no such operator.
select fails($$select x.a + delta(x.a) from v x$$);
select fails($$select delta(x.a) - x.a from v x$$);
select fails($$select adapter_lerp(x.a, delta(x.a), 0.5) from v x$$);
select fails($$select x.a = delta(x.a) from v x$$);
-- and no silent cast:
select fails($$insert into v select 'n', delta(a) from v$$);
-- kinds and base models:
select fails($$select change(delta(x.a) + delta(i.a)) from v x, v i where x.name = 'x' and i.name = 'i'$$);
select fails($$select change(delta(lora('q', '[[1]]', '[[1]]')) + delta(lora('q', '[[2]]', '[[1]]', '1', 'F32', '"other"')))$$);
-- shapes, beside the ranks:
select fails($$select change(delta(lora('q', '[[1]]', '[[1]]')) + delta(lora('q', '[[2, 1]]', '[[1]]')))$$);
select fails($$select change(delta(lora('q', '[[1]]', '[[1]]')) + delta(lora('q', '[[2]]', '[[1], [1]]')))$$);
select fails($$select change(delta(lora('q', '[[1]]', '[[1]]')) + delta(lora('q', '[[2, 1], [3, 1]]', '[[1, 1]]')))$$);
-- weights:
select fails($$select 'NaN'::float8 * delta(a) from v$$);
select fails($$select delta(a) / 0 from v$$);
select fails($$select delta(a) * 1e300 * 1e300 from v$$);
select fails($$select change(1e200 * delta(lora('q', '[[1]]', '[[1]]', '1e200')))$$);
-- a result that overflows, and inputs that are not finite:
select fails($$select change(2 * delta(lora('q', '[[1]]', '[[3e38]]')))$$);
select fails($$select change(2 * delta(lora('q', '[["NaN"]]', '[[1]]')))$$);
-- which can be used as they are:
select s.elements from show(1 * delta(lora('q', '[["NaN"]]', '[["-Infinity"]]'))) s;

-- The rank of a module: 1024, and not more.
create function of_rank(r int, k int) returns adapter language sql immutable as $$
	select lora('q', (select json_agg(json_build_array(k)) from generate_series(1, r)), json_build_array((select json_agg(1) from generate_series(1, r))))
$$;
select adapter_rank(adapter(delta(of_rank(1023, 1)) + delta(of_rank(1, 2))), 'q');
select fails($$select adapter_rank(adapter(delta(of_rank(1023, 1)) + delta(of_rank(2, 2))), 'q')$$);
-- One adapter of a greater rank is no stack.
select adapter_rank(adapter(2 * delta(of_rank(1025, 1))), 'q');
-- A leaf that cancels takes no part.
select adapter_rank(adapter(delta(of_rank(1023, 1)) + delta(of_rank(2, 2)) - delta(of_rank(2, 2))), 'q');

-- Dense tensors are replacements: every leaf has them and the weights sum to 1.
create function with_head(head json) returns adapter language sql immutable as $$
	select adapter_from_json(format(
		'{"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 1, "modules_to_save": ["head"]},
		  "tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]},
		              "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]},
		              "base_model.model.head.weight": {"dtype": "F32", "shape": [2], "data": %s}}}', head)::json)
$$;
select s.* from show(0.25 * delta(with_head('[4, 8]')) + 0.75 * delta(with_head('[8, 4]'))) s;
select fails($$select change(delta(with_head('[4, 8]')) + delta(with_head('[8, 4]')))$$);
-- What is the same in all that have it stays.
select s.* from show(delta(with_head('[4, 8]')) - 3 * delta(lora('q', '[[1]]', '[[2]]'))) s;
select s.* from show(delta(with_head('[4, 8]')) - delta(with_head('[4, 8]'))) s;

-- Stored columns, comparison, order.
create table d (n int primary key, d adapter_delta);
alter table d alter d set storage external;
insert into d values
	(1, delta(lora('q', '[[1, 2]]', '[[3], [4]]'))),
	(2, delta(lora('q', '[[10, 20]]', '[[30], [40]]'))),
	(3, delta(lora('q', '[[1, 0], [0, 1]]', '[[5, 6], [7, 8]]', '4'))),
	(4, null);
insert into d select 5, x.d + y.d from d x, d y where (x.n, y.n) = (1, 3);
insert into d select 6, x.d from d x where n = 1;
select n, change(d) from d where n = 5;
select s.d = x.d + y.d as stored, x.d = o.d as equal, x.d <> o.d as other, (x.d < y.d) = (adapter(x.d) < adapter(y.d)) as less,
	x.d <= o.d as le, x.d >= o.d as ge, x.d > o.d as greater
from d x, d y, d s, d o where (x.n, y.n, s.n, o.n) = (1, 3, 5, 6);
select count(*), count(distinct d) from d;
select array_agg(n order by d, n) = array_agg(n order by adapter(d), n) as ordered, count(*) from d where d is not null;
set enable_hashjoin = off;
select x.n, y.n from d x join d y using (d) where x.n < y.n;
reset enable_hashjoin;
set enable_mergejoin = off;
select x.n, y.n from d x join d y using (d) where x.n < y.n;
reset enable_mergejoin;
-- A stored sum is one leaf from then on.
select jsonb_array_length(adapter_recipe(adapter(2 * d)) #> '{root,terms}') as terms, change(2 * d) from d where n = 5;

-- Text and binary, there and back.
create table e (like d);
insert into e select n, d::text::adapter_delta from d;
select count(*) from d join e using (n, d);
select fails($$select 'x'::adapter_delta$$);
select adapter_delta_send(d) = adapter_send(adapter(d)) as sent from d where n = 5;

-- Aggregates: one expression, built from rows.
select change(sum(d)) as sum, change(avg(d)) as avg, change(adapter_combine(d, n)) as combine from d where n < 3;
select sum(d) = (select x.d + y.d + z.d from d x, d y, d z where (x.n, y.n, z.n) = (1, 2, 3)) as sum,
	avg(d) = (select (x.d + y.d + z.d) / 3 from d x, d y, d z where (x.n, y.n, z.n) = (1, 2, 3)) as avg,
	adapter_combine(d, n) = (select 1 * x.d + 2 * y.d + 3 * z.d from d x, d y, d z where (x.n, y.n, z.n) = (1, 2, 3)) as combine
from d where n < 5;
select sum(d) is null as sum, avg(d) is null as avg, adapter_combine(d, 1) is null as combine from d where n = 4;
select adapter_combine(d, nullif(n, 2)) = (select x.d + 3 * z.d from d x, d z where (x.n, z.n) = (1, 3)) as without from d where n < 4;
-- avg of copies of d is d; 1/3 + 1/3 + 1/3 is 1.
select adapter_envelope_digest(adapter(avg(d.d))) = adapter_envelope_digest(adapter(d.d)) as copies from d, generate_series(1, 7) where n = 1 group by d.d;
-- Rows that are expressions; FILTER; ORDER BY.
select sum(0.5 * d) = adapter_combine(d, 0.5) as inside, sum(d) filter (where n < 3) = (select x.d + y.d from d x, d y where (x.n, y.n) = (1, 2)) as filter,
	sum(d order by n desc) = sum(d order by n) as ordered from d where n < 4;
-- Window frames: each final call leaves the state alone.
select n, change(sum(d) over (order by n)) as grows,
	change(avg(d) over (order by n rows between 1 preceding and current row)) as slides
from d where n < 4 order by n;
-- The same under names that no engine knows.
select adapter_envelope_digest(adapter(adapter_sum(d))) = adapter_envelope_digest(adapter(sum(d))) as sum,
	adapter_envelope_digest(adapter(adapter_avg(d))) = adapter_envelope_digest(adapter(avg(d))) as avg from d where n < 4;
-- Refusals are those of the operators.
select fails($$select adapter_combine(d, 'Infinity') from d$$);
select fails($$select change(sum(delta(a))) from v$$);

-- The same digest in every order and with 0 to 8 workers: ranks 1, 2, 3 in turn.
create table big as
	select i % 3 as g, i, delta(lora('q', (select json_agg((select json_agg(sin(i * k * j)) from generate_series(1, 200) k)) from generate_series(1, 1 + i % 3) j),
		json_build_array((select json_agg(cos(i * j)) from generate_series(1, 1 + i % 3) j)))) as d
	from generate_series(1, 300) i;
alter table big set (parallel_workers = 8);
analyze big;
create view digests as
	select g, adapter_digest(adapter(sum(d))) as s, adapter_digest(adapter(avg(d))) as m, adapter_digest(adapter(adapter_combine(d, 1 / i::float8))) as c
	from big group by g;
create table serial as select * from digests;
set min_parallel_table_scan_size = 0;
set parallel_setup_cost = 0;
begin;
alter function adapter_aggregate_combine(internal, internal) cost 1;
alter function adapter_aggregate_serialize(internal) cost 1;
alter function adapter_aggregate_deserialize(bytea, internal) cost 1;
alter function adapter_delta_sum_transition(internal, adapter_delta) cost 100000;
alter function adapter_delta_combine_transition(internal, adapter_delta, double precision) cost 100000;
explain (costs off) select g, sum(d) from big group by g;
set local max_parallel_workers_per_gather = 1;
select count(*) from serial join digests using (g, s, m, c);
set local max_parallel_workers_per_gather = 8;
select count(*) from serial join digests using (g, s, m, c);
select count(*) from serial join (select g, adapter_digest(adapter(adapter_sum(d))) as s, adapter_digest(adapter(adapter_avg(d))) as m from big group by g) d using (g, s, m);
rollback;
reset min_parallel_table_scan_size;
reset parallel_setup_cost;
select adapter_digest(adapter(sum(d order by adapter_digest(adapter(d))))) = (select s from serial where g = 1) as sorted,
	adapter_digest(adapter(avg(d order by i desc))) = (select m from serial where g = 1) as reversed from big where g = 1;

-- What is materialised is rounded there, and one leaf from then on: here of
-- rank 5, and nothing cancels but the numbers.
with m as materialized (select x.d + y.d as d from d x, d y where (x.n, y.n) = (1, 3))
select m.d - y.d = x.d as same_value, adapter_rank(adapter(m.d - y.d), 'q'), change(m.d - y.d) = change(x.d) as same_change
from m, d x, d y where (x.n, y.n) = (1, 3);

drop view digests;
drop table v, p, d, e, big, serial;
drop function change, show(adapter_delta), lora2, with_bias, of_rank, with_head;
