-- Modules that some operands lack are meant here.
set peftarith.unpaired_modules = off;
-- One entry, 2 * 3 * 5: one number, of that size, whatever the seed; its place and sign are drawn.
select count(distinct s) > 10 as drawn, min(n) as least, max(n) as most from (
	select adapter_sketch(lora('q', '[[3]]', '[[5]]', '2'), 8, seed) as s, seed from generate_series(1, 100) seed) t,
	lateral (select sum(abs(x)) as n from unnest(s) x) u;
-- In one dimension the entries come together with their signs: 1 + 2 or 1 - 2.
select distinct abs((adapter_sketch(lora('q', '[[1, 2]]', '[[1]]'), 1, seed))[1]) as s from generate_series(1, 50) seed order by 1;
-- These numbers are the same on every machine.
select adapter_sketch(lora('q', '[[1, 2], [0.5, -1]]', '[[3, 1], [4, -2]]', '4'), 8, 42) as lora, adapter_sketch(ia3('q', '[2, 3, 0.5]'), 8, 42) as ia3;

-- Linear: the terms of a sum of deltas, whatever their ranks and scalings.
create table s as select n, a from (values (1, lora('q', '[[1, 2], [0.5, -1]]', '[[3, 1], [4, -2]]', '4')),
	(2, lora('q', '[[1, -1]]', '[[2], [8]]', '2')), (3, lora('k', '[[1, 1, 1]]', '[[1]]'))) v(n, a);
select adapter_sketch(delta(x.a), 16, 7) = adapter_sketch(x.a, 16, 7) as same,
	adapter_sketch(3 * delta(x.a) - 0.5 * delta(y.a) + delta(z.a), 16, 7) = (
		select array_agg((3 * a - 0.5 * b + c)::real order by i)
		from unnest(adapter_sketch(x.a, 16, 7), adapter_sketch(y.a, 16, 7), adapter_sketch(z.a, 16, 7)) with ordinality u(a, b, c, i)) as linear,
	adapter_sketch(adapter(3 * delta(x.a) - 0.5 * delta(y.a)), 16, 7) = adapter_sketch(3 * delta(x.a) - 0.5 * delta(y.a), 16, 7) as evaluated,
	adapter_sketch(delta(x.a) - delta(x.a), 4, 7) as nothing
from s x, s y, s z where x.n = 1 and y.n = 2 and z.n = 3;

-- The mean of the estimates comes near the inner product, 30 * 40 + 40 * 30; their deviation keeps the bound.
select abs(avg(e) - 2400) < 120 as mean, stddev(e) < sqrt(11.0 / 64) * 2500 as bound from (
	select (select sum(u * v) from unnest(adapter_sketch(x, 64, seed), adapter_sketch(y, 64, seed)) p(u, v)) as e
	from generate_series(1, 1000) seed, (select lora('q', '[[30, 40]]', '[[1]]') as x, lora('q', '[[40, 30]]', '[[1]]') as y) l) t;

-- Dense tensors do not count, so their weights are free.
select adapter_sketch(delta(a) - delta(a), 2, 1) as nothing, adapter_sketch(0.5 * delta(a), 2, 1) = adapter_sketch(delta(lora('q', '[[0.5]]', '[[1]]')), 2, 1) as half
from (select adapter_from_json('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "modules_to_save": ["head"]}, "tensors": {
	"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]}, "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]},
	"base_model.model.head.weight": {"dtype": "F32", "shape": [1], "data": [1]}}}') as a) d;

select adapter_sketch(null::adapter, 8, 1) is null as none;
-- 22023 dims
select fails($$select adapter_sketch(a, 0, 1) from s$$);
select fails($$select adapter_sketch(a, 4097, 1) from s$$);
-- 22003 NaN, a number beyond real
select fails($$select adapter_sketch(lora('q', '[["NaN"]]', '[[1]]'), 8, 1)$$);
select fails($$select adapter_sketch(lora('q', '[[1e30]]', '[[1e30]]'), 8, 1)$$);
-- 22000 terms of different base models
select fails($$select adapter_sketch(delta(lora('q', '[[1]]', '[[1]]')) + delta(lora('q', '[[2]]', '[[1]]', '1', 'F32', '"other"')), 8, 1)$$);
-- 0A000 a grouped convolution
select fails($$select adapter_sketch(adapter_from_json('{"config": {"peft_type": "LORA", "r": 2, "lora_alpha": 1}, "tensors": {
	"base_model.model.c.lora_A.weight": {"dtype": "F32", "shape": [2, 1, 1, 1], "data": [1, 2]}, "base_model.model.c.lora_B.weight": {"dtype": "F32", "shape": [2, 1, 1, 1], "data": [1, 2]}}}'), 8, 1)$$);

drop table s;
