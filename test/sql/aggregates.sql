-- sum, avg and adapter_combine, and sum and avg under other names: one expression, built from rows.
create table m (g text, n int, a adapter);
alter table m alter a set storage external;
insert into m values
	('x', 1, lora('q', '[[1, 2]]', '[[3], [4]]')),
	('x', 2, lora('q', '[[10, 20]]', '[[30], [40]]')),
	('x', 3, lora('q', '[[100, 200]]', '[[300], [400]]')),
	('y', 4, ia3('q', '[2, 3]')),
	('y', 5, ia3('q', '[5, 1]')),
	('y', 6, null),
	('z', 7, null);

select g, s.* from (select g, sum(a) as a from m group by g) t, show(a) s order by g, tensor;
select g, s.* from (select g, avg(a) as a from m group by g) t, show(a) s order by g, tensor;
select g, s.* from (select g, adapter_combine(a, n) as a from m group by g) t, show(a) s order by g, tensor;

-- No rows, or only nulls: null.
select sum(a) is null as sum, avg(a) is null as avg, adapter_combine(a, n) is null as combine from m where g = 'z';
select sum(a) is null as sum, avg(a) is null as avg, adapter_combine(a, n) is null as combine from m where false;
-- Rows without a weight do not count.
select adapter_combine(a, nullif(n, 2)) = (select 1 * x.a + 3 * z.a from m x, m z where (x.n, z.n) = (1, 3)) as without from m where g = 'x';

-- The same as the operators write it.
select sum(a) = (select x.a + y.a + z.a from m x, m y, m z where (x.n, y.n, z.n) = (1, 2, 3)) as sum,
	adapter_combine(a, n) = (select 1 * x.a + 2 * y.a + 3 * z.a from m x, m y, m z where (x.n, y.n, z.n) = (1, 2, 3)) as combine
from m where g = 'x';

-- avg of copies of a is a, down to recipe and header; of one row too.
select avg(m.a) = m.a as copies, adapter_envelope_digest(avg(m.a)) = adapter_envelope_digest(m.a) as envelope
from m, generate_series(1, 7) where n = 1 group by m.a;
-- 1/3 + 1/3 + 1/3 is 1, because weights are summed exactly and then divided.
select avg(v.a) = x.a as thirds from m x, lateral (select x.a union all select x.a union all select -(-x.a)) v(a) where n = 3 group by x.a;

-- Equal values can differ in configuration text: which one is taken does not depend on the order.
create table twins as
	select n, adapter_from_json(replace(adapter_to_json(lora('q', '[[1, 2]]', '[[3], [4]]'))::text,
		'"peft_type"', case when n = 1 then '"peft_type"' else '"note": 1, "peft_type"' end)::json) as a from generate_series(1, 2) n;
select count(distinct a) as digests, count(distinct adapter_envelope_digest(a)) as envelopes,
	adapter_envelope_digest(avg(a order by n)) = adapter_envelope_digest(avg(a order by n desc)) as mean from twins;
select adapter_envelope_digest(0.5 * x.a + 0.5 * y.a) = adapter_envelope_digest(0.5 * y.a + 0.5 * x.a) as operators
from twins x, twins y where (x.n, y.n) = (1, 2);
drop table twins;

-- An aggregate is an expression of its own: what surrounds it sees one leaf.
-- Weights inside, as adapter_combine has them, are rounded once with the sum.
select jsonb_array_length(adapter_recipe(0.5 * sum(a)) #> '{root,terms}') as around,
	jsonb_array_length(adapter_recipe(adapter_combine(a, 0.5)) #> '{root,terms}') as inside from m where g = 'x';
select (adapter_recipe(avg(a)) #>> '{root,terms,0,u}')::text as third from m where g = 'x';

-- Rows that are expressions.
select sum(0.5 * a) = 0.5 * sum(a) as distributes, avg(2 * a) = 2 * avg(a) as mean from m where g = 'x';

-- The same under names that no engine knows, down to the recipe.
select g, adapter_envelope_digest(adapter_sum(a)) = adapter_envelope_digest(sum(a)) as sum,
	adapter_envelope_digest(adapter_avg(a)) = adapter_envelope_digest(avg(a)) as avg from m group by g order by g;
select n, adapter_sum(a) over w = sum(a) over w as grows, adapter_avg(a) over w = avg(a) over w as mean
from m where g = 'x' window w as (order by n) order by n;

-- FILTER, DISTINCT, ORDER BY.
select sum(a) filter (where n < 3) = (select x.a + y.a from m x, m y where (x.n, y.n) = (1, 2)) as filter,
	sum(distinct a) = sum(a) as "distinct", sum(a order by n desc) = sum(a order by n) as ordered
from m where g = 'x';
select sum(distinct d.a) = sum(d.a) as same, sum(distinct d.a) = (select sum(a) from m where g = 'x') as once
from (select a from m where g = 'x' union all select a from m where g = 'x') d;

-- Window frames, growing and sliding; each final call leaves the state alone.
select n, adapter_tensor(sum(a) over (order by n), 'base_model.model.q.lora_A.weight') as grows,
	adapter_tensor(avg(a) over (order by n rows between 1 preceding and current row), 'base_model.model.q.lora_A.weight') as slides
from m where g = 'x' order by n;

-- GROUPING SETS.
select g, n, adapter_tensor(sum(a), 'base_model.model.q.lora_A.weight') from (select * from m where g = 'x' offset 0) m group by grouping sets ((g), (n), (g, n)) order by 1, 2;

-- The same digest in every order, sorted, hashed, and with 0 to 8 workers.
create table big as
	select i % 3 as g, i, lora('q', json_build_array((select json_agg(sin(i * k)) from generate_series(1, 600) k)),
		json_build_array(json_build_array(cos(i)))) as a
	from generate_series(1, 300) i;
alter table big set (parallel_workers = 8);
analyze big;
create view digests as
	select g, adapter_digest(sum(a)) as s, adapter_digest(avg(a)) as m, adapter_digest(adapter_combine(a, 1 / i::float8)) as c from big group by g;
create table serial as select * from digests;
set min_parallel_table_scan_size = 0;
set parallel_setup_cost = 0;
-- The planner does not want partial aggregation: it gains nothing.
explain (costs off) select g, sum(a) from big group by g;
-- Forced to it, by other costs, it gives the same bits.
begin;
alter function adapter_aggregate_combine(internal, internal) cost 1;
alter function adapter_aggregate_serialize(internal) cost 1;
alter function adapter_aggregate_deserialize(bytea, internal) cost 1;
alter function adapter_sum_transition(internal, adapter) cost 100000;
alter function adapter_combine_transition(internal, adapter, double precision) cost 100000;
explain (costs off) select g, sum(a) from big group by g;
set local max_parallel_workers_per_gather = 1;
select count(*) from serial join digests using (g, s, m, c);
set local max_parallel_workers_per_gather = 2;
select count(*) from serial join digests using (g, s, m, c);
set local max_parallel_workers_per_gather = 8;
select count(*) from serial join digests using (g, s, m, c);
explain (costs off) select g, adapter_sum(a), adapter_avg(a) from big group by g;
select count(*) from serial join (select g, adapter_digest(adapter_sum(a)) as s, adapter_digest(adapter_avg(a)) as m from big group by g) d using (g, s, m);
rollback;
-- What is computed below a Gather is rounded when it comes through, in workers
-- and not in the leader: so no operator runs in a worker.
create view weighted as select g, i, 0.31 * a as x from big union all select g, i, 0.17 * a from big;
begin;
set local max_parallel_workers_per_gather = 0;
create table in_one_process as select adapter_digest(sum(x)) as digest from weighted where i in (7, 11);
commit;
select (select adapter_digest(sum(x)) from weighted where i in (7, 11)) = digest as same from in_one_process;
select p.oid::regprocedure from pg_proc p where p.proparallel = 's'
	and (p.proname ~ '^adapter_(delta_)?(add|sub|neg|mul|mul_left|div)$' or p.proname = 'adapter_lerp');
drop view weighted;
drop table in_one_process;
reset min_parallel_table_scan_size;
reset parallel_setup_cost;
set enable_hashagg = off;
select count(*) from serial join digests using (g, s, m, c);
reset enable_hashagg;
select adapter_digest(sum(a order by adapter_digest(a))) = (select s from serial where g = 1) as sorted,
	adapter_digest(avg(a order by i desc)) = (select m from serial where g = 1) as reversed from big where g = 1;

-- Refusals are those of the operators.
select fails($$select adapter_digest(sum(a)) from m$$);
select fails($$select adapter_combine(a, 'NaN') from m$$);

drop view digests;
drop table m, big, serial;
