-- Modules that some operands lack are meant here.
set peftarith.unpaired_modules = off;
-- Full fine-tuning as a task vector: tuned - base by tensor name.
create function file(header text, data bytea) returns bytea language sql immutable as $$
	select decode(string_agg(lpad(to_hex((octet_length(header)::bigint >> (8 * i)) & 255), 2, '0'), '' order by i), 'hex') || convert_to(header, 'UTF8') || data
	from generate_series(0, 7) i
$$;
-- One tensor "h.weight" of two numbers of type F32, and positions of type I32.
create function weights(data bytea, positions bytea default '\x00000000') returns bytea language sql immutable as $$
	select file('{"h.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"p":{"dtype":"I32","shape":[1],"data_offsets":[8,12]}}', data || positions)
$$;
create function difference(tensors json, base text default '"tiny"') returns adapter language sql immutable as $$
	select adapter_from_json(format('{"config": {"peft_type": "DIFFERENCE", "base_model_name_or_path": %s, "task_type": "FEATURE_EXTRACTION"}, "tensors": %s}', base, tensors)::json)
$$;
create function tensors(a adapter) returns table (tensor text, dtype text, elements double precision[])
language sql immutable as $$ select m.tensor, m.dtype, adapter_tensor(a, m.tensor) from adapter_modules(a) m $$;

-- (3, 1) - (1, 2); the positions are the same in both, and left out.
select adapter_kind(a) as kind, adapter_base_model(a) as base, t.*
from adapter_difference(weights('\x000040400000803f'), weights('\x0000803f00000040'), '{"peft_type": "DIFFERENCE", "base_model_name_or_path": "tiny"}') a, tensors(a) t;
-- The value is that of its own file, in everything.
select adapter_envelope_digest(b) = adapter_envelope_digest(a) as same, adapter_recipe(a) #>> '{root,sha256}' = encode(sha256(adapter_to_safetensors(a)), 'hex') as recipe
from adapter_difference(weights('\x000040400000803f'), weights('\x0000803f00000040'), '{"peft_type": "DIFFERENCE"}') a,
	adapter_from_safetensors(adapter_to_safetensors(a), '{"peft_type": "DIFFERENCE"}') b;
-- A file comes back byte by byte, its configuration too.
select adapter_to_safetensors(a) = f as file, adapter_config(a)::text = c as config
from (values (file('{"h.weight":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},  "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}} ', '\x0000000000000080'),
	'{"task_type": null,   "peft_type": "DIFFERENCE", "unknown": [1]}')) v(f, c), adapter_from_safetensors(f, c::json) a;

create table d as select n, a from (values
	('x', difference('{"h.weight": {"dtype": "F32", "shape": [2], "data": [1, -2]}, "h.bias": {"dtype": "F32", "shape": [1], "data": [4]}}')),
	('y', difference('{"h.weight": {"dtype": "F16", "shape": [2], "data": [8, 0.5]}, "norm.weight": {"dtype": "BF16", "shape": [1], "data": [3]}}'))) v(n, a);
select n, m.module, m.role, m.tensor, m.dtype, m.shape, m.scaling, m.norm from d, adapter_modules(a) m order by n, m.tensor;

-- Linear, whatever the weights sum to; what one lacks counts as 0.
select t.* from d x, d y, tensors(3 * x.a - 0.5 * y.a) t where x.n = 'x' and y.n = 'y';
select t.* from d x, d y, tensors(adapter_lerp(x.a, y.a, 0.25)) t where x.n = 'x' and y.n = 'y';
select adapter_config(x.a + y.a), adapter_recipe(x.a + y.a) #>> '{root,op}' as op from d x, d y where x.n = 'x' and y.n = 'y';
-- Both spaces are one, and have the laws of a vector space.
select 3 * x - 0.5 * y = adapter(3 * delta(x) - 0.5 * delta(y)) as spaces, adapter_lerp(x, y, 0.25) = adapter(adapter_lerp(delta(x), delta(y), 0.25)) as mixtures,
	-x = adapter_scale(x, -1) as negates, 0.5 * x = adapter_scale(x, 0.5) as scales, 2 * x - x = x as "takes away", x - x = 0 * x as zero,
	0 * x = adapter_scale(x, 0) as "scales to zero", (x + y) - y = x as "is gone", x + y = y + x as commutes, 2 * x + y = x + x + y as associates,
	x + y = x as different
from (select x.a as x, y.a as y from d x, d y where x.n = 'x' and y.n = 'y') v;
select t.* from d x, tensors(x.a - x.a) t where x.n = 'x';
select t.* from (select avg(a) as a from d) v, tensors(a) t;
select (select sum(a) from d) = x.a + y.a as sum, (select adapter_combine(a, 2) from d) = 2 * x.a + 2 * y.a as combine from d x, d y where x.n = 'x' and y.n = 'y';

-- Cast, selected, renamed, split and put together again.
select t.* from d, tensors(adapter_cast(a, 'BF16')) t where n = 'x';
select t.* from d, tensors(adapter_select(a, 'norm')) t where n = 'y';
select adapter_base_model(adapter_set_base_model(a, 'other', null)) as base from d where n = 'x';
select count(*) as parts, adapter_union(p) = a as whole from d, adapter_split(a, 4) p where n = 'y' group by a;

-- The tensors as one long vector: (4, 1, -2) and (0, 8, 0.5, 3).
select adapter_norm(x.a) ^ 2 as square, adapter_inner(x.a, y.a) as inner, (x.a <-> y.a) ^ 2 as distance, x.a <=> x.a as cosine from d x, d y where x.n = 'x' and y.n = 'y';
select g.* from d x, d y, adapter_module_geometry(x.a, y.a) g where x.n = 'x' and y.n = 'y';
select (select sum(z) from unnest(adapter_sketch(x.a + y.a, 1, 3)) z) = (adapter_sketch(x.a, 1, 3))[1] + (adapter_sketch(y.a, 1, 3))[1] as linear from d x, d y where x.n = 'x' and y.n = 'y';
select adapter_sketch(a, 8, 42) from d where n = 'x';

-- Tensors that are left out of both by their names: the bias that one lacks, the head of another shape.
create function model(tensors json) returns bytea language sql immutable as $$
	select adapter_to_safetensors(adapter_from_json(json_build_object('config', '{"peft_type": "DIFFERENCE"}'::json, 'tensors', tensors)))
$$;
create table models as select model('{"h.weight": {"dtype": "F32", "shape": [2], "data": [3, 1]}, "lm_head.weight": {"dtype": "F32", "shape": [1], "data": [7]}, "h.bias": {"dtype": "F32", "shape": [1], "data": [5]}}') as tuned,
	model('{"h.weight": {"dtype": "F32", "shape": [2], "data": [1, 2]}, "lm_head.weight": {"dtype": "F32", "shape": [2], "data": [8, 9]}}') as base, '{"peft_type": "DIFFERENCE"}'::json as config;
select t.*, adapter_difference(tuned, base, config, '.*\.bias|lm_head.weight') = adapter_from_safetensors(adapter_to_safetensors(a), config) as imported
from models, adapter_difference(tuned, base, config, '(lm_.*|h\.b.*)') a, tensors(a) t;
select fails(format('select adapter_difference(tuned, base, config, %L) from models', leave_out)) from unnest('{lm_head.weight,h.bias,head,(}'::text[]) leave_out;
select fails($$select adapter_difference(base, tuned, config) from models$$);
-- What was saved from shards is empty.
select fails($$select adapter_difference(model('{"w": {"dtype": "F32", "shape": [0], "data": []}}'), model('{"w": {"dtype": "F32", "shape": [2], "data": [1, 2]}}'), config) from models$$);
drop table models;
drop function model;

select adapter_difference(null, weights(''), '{}') is null as none;
-- 22000 a tensor that one file lacks
select fails($$select adapter_difference(weights('\x000040400000803f'), file('{"h.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', '\x000040400000803f'), '{"peft_type": "DIFFERENCE"}')$$);
-- 22000 shapes
select fails($$select adapter_difference(file('{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}', '\x000040400000803f'), file('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', '\x000040400000803f'), '{"peft_type": "DIFFERENCE"}')$$);
-- 0A000 positions that differ
select fails($$select adapter_difference(weights('\x000040400000803f'), weights('\x000040400000803f', '\x01000000'), '{"peft_type": "DIFFERENCE"}')$$);
-- 22003 infinity
select fails($$select adapter_difference(weights('\x0000807f0000803f'), weights('\x000040400000803f'), '{"peft_type": "DIFFERENCE"}')$$);
-- 22023 the configuration of an adapter
select fails($$select adapter_difference(weights('\x000040400000803f'), weights('\x000040400000803f'), '{"peft_type": "IA3"}')$$);
-- 22P03 an adapter instead of weights
select fails($$select adapter_difference(adapter_send(a), weights('\x000040400000803f'), '{"peft_type": "DIFFERENCE"}') from d$$);
-- 22000 shapes, kinds, base models
select fails($$select adapter_digest(a + difference('{"h.weight": {"dtype": "F32", "shape": [1], "data": [1]}}')) from d where n = 'x'$$);
select fails($$select adapter_digest(a + lora('h', '[[1]]', '[[1]]')) from d where n = 'x'$$);
select fails($$select adapter_digest(a + difference('{"h.weight": {"dtype": "F32", "shape": [2], "data": [1, 1]}}', '"other"')) from d where n = 'x'$$);
-- 0A000 what needs factors
select fails($$select adapter_module_delta(a, 'h') from d where n = 'x'$$);
select fails($$select adapter_truncate(a, 1) from d where n = 'x'$$);
select fails($$select adapter_ties(array[a], array[1], 1, 'peft') from d where n = 'x'$$);
-- 22023 LoRA's tensors are no differences
select fails($$select difference('{"h.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]}}')$$);

drop table d;
drop function file, weights, difference, tensors;
