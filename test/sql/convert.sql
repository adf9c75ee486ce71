-- AdaLoRA, LoHa, LoKr and VeRA as LoRA: numbers that can be checked by head.
create function other(config json, tensors json) returns adapter language sql immutable as $$
	select adapter_from_json(json_build_object('config', config, 'tensors', tensors))
$$;
create function f32(shape text, data text) returns json language sql immutable as $$
	select format('{"dtype": "F32", "shape": %s, "data": %s}', shape, data)::json
$$;
create function factors(a adapter) returns table (module text, role text, tensor text, dtype text, shape bigint[], scaling float8, elements float8[])
language sql immutable as $$
	select m.module, m.role, m.tensor, m.dtype, m.shape, m.scaling, adapter_tensor(a, m.tensor) from adapter_modules(a) m
$$;
create table f as select n, a from (values
	('adalora', other('{"peft_type": "ADALORA", "init_r": 2, "lora_alpha": 4, "r": 8, "base_model_name_or_path": "m", "bias": "lora_only", "modules_to_save": ["head"],
		"rank_pattern": {"q.lora_E": [true, true], "v.lora_E": [false, true], "w.lora_E": [false, false]}}', json_build_object(
		'base_model.model.q.lora_A', f32('[2, 2]', '[1, 2, 3, 4]'), 'base_model.model.q.lora_B', f32('[1, 2]', '[5, 6]'), 'base_model.model.q.lora_E', f32('[2, 1]', '[10, -1]'),
		'base_model.model.v.lora_A', f32('[1, 2]', '[1, 2]'), 'base_model.model.v.lora_B', f32('[1, 1]', '[5]'), 'base_model.model.v.lora_E', f32('[1, 1]', '[3]'),
		'base_model.model.w.lora_A', f32('[0, 2]', '[]'), 'base_model.model.w.lora_B', f32('[3, 0]', '[]'), 'base_model.model.w.lora_E', f32('[0, 1]', '[]'),
		'base_model.model.q.base_layer.bias', f32('[1]', '[7]'), 'base_model.model.head.weight', f32('[1]', '[8]')))),
	('loha', other('{"peft_type": "LOHA", "r": 2, "alpha": 3, "alpha_pattern": {"k": 1}}', json_build_object(
		'base_model.model.q.hada_w1_a', f32('[1, 2]', '[1, 2]'), 'base_model.model.q.hada_w1_b', f32('[2, 2]', '[1, 2, 3, 4]'),
		'base_model.model.q.hada_w2_a', f32('[1, 2]', '[3, 5]'), 'base_model.model.q.hada_w2_b', f32('[2, 2]', '[1, -1, 2, 7]')))),
	('tucker', other('{"peft_type": "LOHA", "r": 1, "alpha": 2}', json_build_object(
		'base_model.model.c.hada_w1_a', f32('[1, 2]', '[1, 2]'), 'base_model.model.c.hada_w1_b', f32('[1, 1]', '[3]'), 'base_model.model.c.hada_t1', f32('[1, 1, 1, 2]', '[1, 10]'),
		'base_model.model.c.hada_w2_a', f32('[1, 2]', '[1, 1]'), 'base_model.model.c.hada_w2_b', f32('[1, 1]', '[5]'), 'base_model.model.c.hada_t2', f32('[1, 1, 1, 2]', '[1, 2]')))),
	('lokr', other('{"peft_type": "LOKR", "r": 1, "alpha": 2}', json_build_object(
		'base_model.model.q.lokr_w1', f32('[2, 1]', '[1, 2]'), 'base_model.model.q.lokr_w2_a', f32('[2, 1]', '[3, 4]'), 'base_model.model.q.lokr_w2_b', f32('[1, 2]', '[1, -1]')))),
	('vera', other('{"peft_type": "VERA", "r": 1, "save_projection": true}', json_build_object(
		'base_model.vera_A', f32('[1, 3]', '[1, 2, 3]'), 'base_model.vera_B', f32('[2, 1]', '[5, 7]'),
		'base_model.model.q.vera_lambda_b', f32('[2]', '[1, 10]'), 'base_model.model.q.vera_lambda_d', f32('[1]', '[2]'),
		'base_model.model.v.vera_lambda_b', f32('[1]', '[3]'), 'base_model.model.v.vera_lambda_d', f32('[1]', '[-1]'))))) v(n, a);

-- B diag(E) A times alpha over the first rank, 1e-5 more; a module without ranks is zeros. Biases and heads stay.
select t.* from f, factors(adapter_to_lora(a)) t where n = 'adalora' order by t.tensor;
select adapter_config(adapter_to_lora(a)) from f where n = 'adalora';
-- (1 2)(1 2; 3 4) o (3 5)(1 -1; 2 7) = (7 10) o (13 32), times 3/2.
select t.* from f, factors(adapter_to_lora(a)) t where n = 'loha' order by t.tensor;
select adapter_module_delta(adapter_to_lora(a), 'q') as delta from f where n = 'loha';
-- (1 2)^T 3 (1 10) o (1 1)^T 5 (1 2), times 2: the kernel is in the file.
select t.* from f, factors(adapter_to_lora(a)) t where n = 'tucker' order by t.tensor;
select adapter_module_delta(adapter_to_lora(a), 'c') as delta from f where n = 'tucker';
-- Kronecker: (1 2)^T with (3 -3; 4 -4), times 2.
select t.* from f, factors(adapter_to_lora(a)) t where n = 'lokr' order by t.tensor;
select adapter_module_delta(adapter_to_lora(a), 'q') as delta from f where n = 'lokr';
-- Shapes say what the file does not: a convolution.
select t.role, t.shape from f, factors(adapter_to_lora(a, '{"q": [4, 1, 1, 2]}')) t where n = 'lokr' order by t.tensor;
-- VeRA's inputs must be said where there are several modules: corners of the projections.
select adapter_to_lora(a) from f where n = 'vera';
select t.* from f, factors(adapter_to_lora(a, '{"q": [null, 3], "v": [1, 2]}')) t where n = 'vera' order by t.tensor;
select adapter_module_delta(adapter_to_lora(a, '{".*": [null, 3]}'), 'q') as delta from f where n = 'vera';

-- Exact: the products of F16 are in F32. Arithmetic, truncation, dumps and recomputation take the result.
select t.role, t.dtype, t.elements from factors(adapter_to_lora(other('{"peft_type": "LOHA", "r": 1, "alpha": 1}',
	'{"q.hada_w1_a": {"dtype": "F16", "shape": [1, 1], "data": [1.0009765625]}, "q.hada_w1_b": {"dtype": "F16", "shape": [1, 1], "data": [6.103515625e-05]},
	"q.hada_w2_a": {"dtype": "F16", "shape": [1, 1], "data": [1.0009765625]}, "q.hada_w2_b": {"dtype": "F16", "shape": [1, 1], "data": [6.103515625e-05]}}'))) t order by t.tensor;
select n, adapter_recipe(b) #>> '{root,op}' as op, adapter_recipe(b) -> 'version' as version, adapter_recipe(b) #>> '{root,shapes}' as shapes,
	(select adapter_recompute(adapter_recipe(b), g.a, null, false) = b from f g where g.n = f.n) as again, b::text::adapter = b as restored, adapter_to_lora(b) = b as same
from f, adapter_to_lora(a, case n when 'vera' then '{".*": [null, 3]}'::json end) b order by n;
select adapter_rank(adapter_truncate(adapter_to_lora(a), 1)) as rank from f where n = 'loha';

-- Refused.
select adapter_to_lora(other('{"peft_type": "OFT", "r": 1}', json_build_object('q.oft_R', f32('[1]', '[1]'))));
select adapter_to_lora(other('{"peft_type": "IA3", "target_modules": ["q"], "feedforward_modules": []}', json_build_object('base_model.model.q.ia3_l', f32('[1, 1]', '[1]'))));
select adapter_to_lora(other('{"peft_type": "DIFFERENCE"}', json_build_object('q.weight', f32('[1]', '[1]'))));
select adapter_to_lora(other('{"peft_type": "VERA", "save_projection": false}', json_build_object('q.vera_lambda_b', f32('[1]', '[1]'), 'q.vera_lambda_d', f32('[1]', '[1]'))));
select adapter_to_lora(a, '{"nothing": [1, 2]}') from f where n = 'loha';
select adapter_to_lora(a, '{"q": [1, 3]}') from f where n = 'loha';
select adapter_to_lora(a, '{"q": [1]}') from f where n = 'loha';
select adapter_to_lora(other('{"peft_type": "LOHA", "r": 1, "alpha": 3}', json_build_object(
	'q.hada_w1_a', f32('[1, 2]', '[1, 2]'), 'q.hada_w1_b', f32('[2, 1]', '[1, 2]'), 'q.hada_w2_a', f32('[1, 2]', '[3, 5]'), 'q.hada_w2_b', f32('[2, 1]', '[1, -1]'))));
select adapter_to_lora(other('{"peft_type": "LOHA", "r": 2, "alpha": 3}', json_build_object('q.hada_w1_a', f32('[1, 2]', '[1, 2]'))));
select adapter_to_lora(other('{"peft_type": "LOHA", "r": 1, "alpha": 3}', json_build_object('q.hada_w1_a', f32('[0]', '[]'), 'q.hada_w1_b', f32('[0]', '[]'), 'q.hada_w2_a', f32('[0]', '[]'), 'q.hada_w2_b', f32('[0]', '[]'))));
select adapter_to_lora(other('{"peft_type": "LOHA", "r": 2}', json_build_object('q.hada_w1_a', f32('[1, 2]', '[1, 2]'))));
select adapter_to_lora(other('{"peft_type": "ADALORA", "init_r": 1, "lora_alpha": 1, "layer_replication": [[0, 1]]}', json_build_object('q.lora_A', f32('[1, 1]', '[1]'))));
select adapter_to_lora(other('{"peft_type": "ADALORA", "init_r": 1, "lora_alpha": 1}', json_build_object('q.lora_embedding_A', f32('[1, 1]', '[1]'))));
select 1 + 1 as alive;
