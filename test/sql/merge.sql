-- Modules that some operands lack are meant here.
set peftarith.unpaired_modules = off;
-- Three adapters of one module with scaling 1; u_i is the root of the weight.
create table m as select n, lora('q', a, '[[1], [2]]') as a from (values
	(1, '[[1, -4, 2, 3]]'::json), (2, '[[3, 1, -2, 3]]'), (3, '[[-9, 2, 1, 3]]')) v(n, a);

-- Of 4 entries floor(0.5 * 4) stay: {0, -4, 0, 3}, of equals the first {3, 0, 0, 3}; times 1 and 2. Of B one stays.
select s.elements from show(adapter_magnitude_prune(array(select a from m where n < 3 order by n), '{1, 4}', 0.5, 'peft')) s;
-- Density 1 is the weighted sum of the factors, the sign on A: PEFT's linear.
select s.elements from show(adapter_magnitude_prune(array(select a from m where n < 3 order by n), '{1, -4}', 1, 'peft')) s;

-- Elected by the sum (-5, -1, 1, 9) or by the sum of the signs; then the mean of those that agree, times 2.
select e, s.elements from unnest(array['total', 'frequency']) e,
	show(adapter_ties(array(select a from m order by n), '{4, 4, 4}', 1, 'peft', e)) s where s.tensor like '%lora_A%';
-- Pruned first: {0, -4, 0, 3}, {3, 0, 0, 3}, {-9, 0, 0, 3}.
select s.elements from show(adapter_ties(array(select a from m order by n), '{4, 4, 4}', 0.5, 'peft')) s where s.tensor like '%lora_A%';

-- What is kept is divided by the density; the draws are the seed's. At density 1 all is kept.
select seed, s.elements from generate_series(1, 3) seed, show(adapter_dare_linear(array(select a from m where n = 1), '{1}', 0.5, seed, 'peft')) s;
select s.elements from show(adapter_dare_linear(array(select a from m where n < 3 order by n), '{1, 4}', 1, 7, 'peft')) s;
select s.elements from show(adapter_dare_ties(array(select a from m order by n), '{4, 4, 4}', 0.5, 7, 'peft', 'frequency')) s;

-- The scaling goes into the roots: 4 into 2 and 2, the result's is 1. A module that an adapter lacks takes no part.
select t.module, t.role, t.scaling, adapter_tensor(c.a, t.tensor) from (
	select adapter_ties(array[lora('q', '[[1]]', '[[1]]', '4'), lora('k', '[[1]]', '[[1]]', '9')], '{1, 1}', 1, 'peft') as a) c, adapter_modules(c.a) t;

-- The order of the arguments and the shape of the array do not matter; one adapter twice does.
select count(distinct adapter_envelope_digest(x)) as one from (
	select adapter_dare_ties(array_agg(a order by n), array_agg(n::float8 order by n), 0.5, 7, 'peft') as x from m
	union all select adapter_dare_ties(array_agg(a order by -n), array_agg(n::float8 order by -n), 0.5, 7, 'peft') from m
	union all select adapter_dare_ties(array[array_agg(a order by n)], array[array_agg(n::float8 order by n)], 0.5, 7, 'peft') from m) s;
select s.elements from m, show(adapter_magnitude_prune(array[a, a], '{4, 9}', 1, 'peft')) s where n = 1;

-- An element of type adapter_delta is its adapter: a sum of deltas has the stacked factors.
select adapter_ties(array_agg(delta(a) order by n), '{1, 2, 3}', 0.5, 'peft') = adapter_ties(array_agg(a order by n), '{1, 2, 3}', 0.5, 'peft') as ties,
	adapter_magnitude_prune(array_agg(delta(a)), '{1, 1, 1}', 0.5, 'peft') = adapter_magnitude_prune(array_agg(a), '{1, 1, 1}', 0.5, 'peft') as magnitude_prune,
	adapter_dare_linear(array_agg(delta(a)), '{1, 1, 1}', 0.5, 1, 'peft') = adapter_dare_linear(array_agg(a), '{1, 1, 1}', 0.5, 1, 'peft') as dare_linear,
	adapter_dare_ties(array_agg(delta(a)), '{1, 1, 1}', 0.5, 1, 'peft') = adapter_dare_ties(array_agg(a), '{1, 1, 1}', 0.5, 1, 'peft') as dare_ties
from m;
select adapter_rank(adapter_ties(array[sum(delta(a))], '{1}', 0.5, 'peft')) as stacked from m;

-- Nodes of the recipe.
select (adapter_recipe(adapter_ties(array_agg(a), '{1, 2, 3}', 0.25, 'peft')) -> 'root') - 'terms' as root from m;
select (adapter_recipe(adapter_dare_linear(array_agg(a), '{1, 2, 3}', 0.25, -1, 'peft')) -> 'root') - 'terms' as root from m;
select array_agg(t ->> 'w' order by t ->> 'w') as weights from (
	select adapter_recipe(adapter_magnitude_prune(array_agg(a order by n), '{1, 2, -3}', 0.25, 'peft')) as r from m) s,
	jsonb_array_elements(r #> '{root,terms}') t;

-- Null for a null argument.
select adapter_ties(null::adapter[], '{1}', 0.5, 'peft') is null as none;
-- 22023 no adapter, another number of weights
select fails($$select adapter_ties('{}'::adapter[], '{}', 0.5, 'peft')$$);
select fails($$select adapter_ties(array(select a from m), '{1, 2}', 0.5, 'peft')$$);
-- 22004 nulls
select fails($$select adapter_ties(array[null::adapter], '{1}', 0.5, 'peft')$$);
select fails($$select adapter_ties(array(select a from m), '{1, null, 2}', 0.5, 'peft')$$);
-- 22003 a weight that is not finite
select fails($$select adapter_ties(array(select a from m), '{1, NaN, 2}', 0.5, 'peft')$$);
-- 22023 density, flavour, majority_sign
select fails($$select adapter_ties(array(select a from m), '{1, 1, 1}', 0, 'peft')$$);
select fails($$select adapter_dare_linear(array(select a from m), '{1, 1, 1}', 1.5, 1, 'peft')$$);
select fails($$select adapter_magnitude_prune(array(select a from m), '{1, 1, 1}', 'NaN', 'peft')$$);
select fails($$select adapter_ties(array(select a from m), '{1, 1, 1}', 0.5, 'mergekit')$$);
select fails($$select adapter_dare_ties(array(select a from m), '{1, 1, 1}', 0.5, 1, 'peft', 'both')$$);
-- 0A000 (IA)^3
select fails($$select adapter_ties(array[ia3('q', '[2, 3]')], '{1}', 0.5, 'peft')$$);
-- A dense tensor that is the same in all that have it stays.
create function with_head(b real, head json) returns adapter language sql immutable as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "base_model_name_or_path": "tiny", "modules_to_save": ["head"]}, "tensors": {
		"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]}, "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [%s]},
		"base_model.model.head.weight": {"dtype": "F32", "shape": [1], "data": %s}}}', b, head)::json)
$$;
select s.* from show(adapter_ties(array[with_head(2, '[5]'), with_head(4, '[5]'), lora('q', '[[1]]', '[[3]]')], '{1, 1, 1}', 1, 'peft')) s;
-- 22000 one that differs, ranks, base models
select fails($$select adapter_ties(array[with_head(2, '[5]'), with_head(4, '[6]')], '{0.5, 0.5}', 0.5, 'peft')$$);
select fails($$select adapter_ties(array[lora('q', '[[1]]', '[[1]]'), lora('q', '[[1], [2]]', '[[1, 2]]')], '{1, 1}', 0.5, 'peft')$$);
select fails($$select adapter_ties(array[lora('q', '[[1]]', '[[1]]'), lora('q', '[[1]]', '[[1]]', '1', 'F32', '"other"')], '{1, 1}', 0.5, 'peft')$$);
-- 22003 NaN in an input, overflow of the result
select fails($$select adapter_ties(array[lora('q', '[["NaN"]]', '[[1]]')], '{1}', 0.5, 'peft')$$);
select fails($$select adapter_dare_linear(array[lora('q', '[[60000]]', '[[1]]', '1', 'F16')], '{4}', 1, 1, 'peft')$$);

drop function with_head;
drop table m;
