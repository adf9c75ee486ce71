-- Files for diffusion models: no configuration, other names, the scaling in alpha tensors or the header.
create function tensor(dtype text, shape text, data text) returns text language sql immutable as $$
	select format('{"dtype": "%s", "shape": %s, "data": %s}', dtype, shape, data)
$$;
create function kohya(alpha text, more text default '', dtype text default 'F16') returns adapter language sql immutable as $$
	select adapter_from_json(format('{"tensors": {
		"lora_unet_q.lora_down.weight": %s, "lora_unet_q.lora_up.weight": %s, "lora_unet_q.alpha": %s,
		"lora_te_k.lora_down.weight": %s, "lora_te_k.lora_up.weight": %s %s}}',
		tensor(dtype, '[2, 3]', '[1, 2, 0, 0, 1, 1]'), tensor(dtype, '[2, 2]', '[1, 0, 0, 1]'), tensor(dtype, '[]', alpha),
		tensor(dtype, '[1, 2]', '[1, 2]'), tensor(dtype, '[1, 1]', '[3]'), more)::json)
$$;
select module, role, tensor, dtype, shape, scaling from adapter_modules(kohya('1')) order by tensor;
select adapter_config(kohya('1'));
-- 0 means the rank, as in sd-scripts; F16 has its own 0.3.
select alpha, m.scaling from unnest(array['0', '0.3', '-1', '4']) alpha, adapter_modules(kohya(alpha)) m where role = 'alpha' order by alpha;
select adapter_module_delta(kohya('1'), 'lora_unet_q') as q, adapter_module_delta(kohya('1'), 'lora_te_k') as k;
-- As text, as JSON, as a file.
select adapter_envelope_digest(a::text::adapter) = adapter_envelope_digest(a) as text, adapter_from_json(adapter_to_json(a)) = a as json,
	adapter_from_safetensors(adapter_to_safetensors(a)) = a as file, adapter_to_json(a)->>'names' as names
from kohya('1') a;
-- Results are spelled as their operands, with alphas of their own.
select m.tensor, m.dtype, m.scaling, adapter_tensor(s, m.tensor) from adapter_scale(kohya('1'), -0.5) s, adapter_modules(s) m order by m.tensor;
select m.tensor, adapter_tensor(s, m.tensor) from adapter_plain(kohya('1')) s, adapter_modules(s) m where role = 'alpha';
select convert_from(substr(f, 9, 130), 'UTF8') from adapter_to_safetensors(adapter_scale(kohya('1'), -0.5)) f;
select adapter_module_delta(s, 'lora_unet_q') from (select (delta(kohya('1')) + 2 * delta(kohya('2')))::adapter s) t;
select round((kohya('1') <-> kohya('4'))::numeric, 12) as distance, round((kohya('1') <=> kohya('1'))::numeric, 12) as cosine;
-- Parts keep alphas as they are.
select m.tensor, m.dtype from adapter_select(kohya('1'), '.*q') s, adapter_modules(s) m order by m.tensor;
select (select adapter_union(p) = a from adapter_split(a, 30) p) as parts, adapter_to_safetensors(adapter_set_base_model(a, 'b')) = adapter_to_safetensors(a) as base
from kohya('1') a;
select distinct module from adapter_modules(adapter_rename(kohya('1'), 'lora_unet_(.*)', 'lora_prior_unet_\1'));
-- With PEFT's names beside it, the result has PEFT's.
select m.tensor, m.scaling from (select (delta(kohya('1')) + delta(adapter_set_base_model(lora('lora_te_k', '[[1, 2]]', '[[1]]'), null)))::adapter s offset 0) t, adapter_modules(s) m order by 1;
-- LyCORIS's middle factor.
create function locon(middle text default '[1, 2, 3, 4]', shape text default '[1, 2, 2, 1]') returns adapter language sql immutable as $$
	select adapter_from_json(format('{"tensors": {"lora_unet_c.lora_down.weight": %s, "lora_unet_c.lora_up.weight": %s, "lora_unet_c.lora_mid.weight": %s}}',
		tensor('F16', '[2, 2, 1, 1]', '[1, 2, 2, 4]'), tensor('F16', '[2, 1, 1, 1]', '[1, 5]'), tensor('F16', shape, middle))::json)
$$;
select adapter_module_delta(locon(), 'lora_unet_c');
select m.tensor, m.dtype, m.shape, adapter_tensor(s, m.tensor) from adapter_scale(locon(), 2) s, adapter_modules(s) m order by m.tensor;
select m.role, m.dtype from adapter_select(locon(), '.*') s, adapter_modules(s) m order by m.role;
select fails($$select locon('[1, 2, 3]', '[1, 3, 1, 1]')$$);
-- diffusers, and what it called itself before; a result keeps what stands before the path.
create function named(a text, b text, more text default '') returns adapter language sql immutable as $$
	select adapter_from_json(format('{"tensors": {"%s": %s, "%s": %s %s}}', a, tensor('F32', '[1, 2]', '[1, 2]'), b, tensor('F32', '[1, 1]', '[3]'), more)::json)
$$;
select a, m.module, m.scaling, r.tensor from (values ('unet.q.lora_A.weight', 'unet.q.lora_B.weight'), ('diffusion_model.q.lora_A.weight', 'diffusion_model.q.lora_B.weight'),
	('unet.attn.processor.q_lora.down.weight', 'unet.attn.processor.q_lora.up.weight'), ('text_encoder.q.lora_linear_layer.down.weight', 'text_encoder.q.lora_linear_layer.up.weight'),
	('unet.q.lora.down.weight', 'unet.q.lora.up.weight'), ('blocks.0.q.lora_A', 'blocks.0.q.lora_B'), ('transformer.q.lora_A.default.weight', 'transformer.q.lora_B.default.weight')) v(a, b),
	adapter_modules(named(a, b)) m, adapter_modules(named(a, b) + named(a, b)) r where m.role = 'factor_a' and r.role = 'factor_a';
select convert_from(substr(f, 9, 300), 'UTF8') from adapter_to_safetensors(adapter_scale(named('unet.q.lora_A.weight', 'unet.q.lora_B.weight'), 0.5)) f;
-- Embeddings of a text encoder keep PEFT's names for them.
select m.role, m.tensor, m.shape from (select named('text_encoder.e.lora_embedding_A', 'text_encoder.e.lora_embedding_B') as a) s, adapter_modules(adapter_scale(a, 2)) m;
-- A language model's own transformer is no part of a pipeline: it needs its configuration.
select fails(format('select named(%L, %L)', p || '.lora_A.weight', p || '.lora_B.weight')) from unnest('{transformer.h.0.attn.c_attn,transformer.blocks.1.attn.Wqkv}'::text[]) p;
-- Nor do parameters called lora_A in it say a scaling, as loralib writes them; with a configuration they have one.
select fails($$select named('transformer.h.0.attn.attn.lora_A', 'transformer.h.0.attn.attn.lora_B')$$);
create function loralib(config text) returns adapter language sql immutable as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 16 %s}, "tensors": {"transformer.h.0.attn.attn.lora_A": %s, "transformer.h.0.attn.attn.lora_B": %s}}',
		config, tensor('F32', '[1, 2]', '[1, 2]'), tensor('F32', '[1, 1]', '[3]'))::json)
$$;
select m.tensor, m.scaling, a::text::adapter = a as text, b::text::adapter = b as computed, adapter_module_delta(b, 'transformer.h.0.attn.attn')
from loralib('') a, adapter_scale(a, 0.5) b, adapter_modules(b) m order by 1;
select fails($$select loralib(', "target_modules": ["c_attn"]')$$);
-- With an alpha the names need no part of a pipeline; beside a configuration it is not understood.
select m.role, m.scaling from adapter_modules(named('x.q.lora_A.weight', 'x.q.lora_B.weight', ', "x.q.alpha": ' || tensor('BF16', '[1]', '[0.5]'))) m;
select m.role, m.scaling from adapter_modules(adapter_from_json((jsonb_set(adapter_to_json(named('x.q.lora_A.weight', 'x.q.lora_B.weight', ', "x.q.alpha": ' || tensor('BF16', '[1]', '[0.5]')))::jsonb - 'names',
	'{config,lora_alpha}', '2'))::json)) m;
select fails($$select -adapter_from_json((jsonb_set(adapter_to_json(named('x.q.lora_A.weight', 'x.q.lora_B.weight', ', "x.q.alpha": ' || tensor('BF16', '[1]', '[0.5]')))::jsonb - 'names',
	'{config,lora_alpha}', '2'))::json)$$);
-- A configuration beside kohya's names must agree.
create function configured(config text) returns adapter language sql immutable as $$
	select adapter_from_safetensors(adapter_to_safetensors(kohya('1')), config::json)
$$;
select configured('{"peft_type": "LORA", "r": 2, "lora_alpha": 1, "rank_pattern": {"lora_te_k": 1}}') is not null as agrees;
select fails($$select configured('{"peft_type": "LORA", "r": 2, "lora_alpha": 2, "rank_pattern": {"lora_te_k": 1}}')$$);
select fails($$select configured('{"peft_type": "LORA", "r": 2, "lora_alpha": 1}')$$);
-- What is refused.
select fails($$select named('q.lora_A.weight', 'q.lora_B.weight')$$);
select fails($$select named('base_model.model.unet.q.lora_A.weight', 'base_model.model.unet.q.lora_B.weight')$$);
select fails($$select named('q.hada_w1_a', 'q.hada_w1_b')$$);
select fails($$select named('q.lokr_w1', 'q.lokr_w2')$$);
select role, tensor from adapter_modules(adapter_from_safetensors(adapter_to_safetensors(adapter_from_json('{"config": {"peft_type": "LOKR"}, "tensors": {"q.lokr_w1": {"dtype": "F32", "shape": [1, 1], "data": [1]}}}')), '{"peft_type": "LOKR"}'));
select fails($$select kohya('"NaN"')$$);
select fails($$select kohya('1', ', "lora_te_k.alpha": ' || tensor('F32', '[2]', '[1, 2]'))$$);
select fails($$select kohya('1', ', "lora_te_k.alpha": ' || tensor('BOOL', '[]', 'true'))$$);
select fails($$select kohya('1', ', "lora_te_x.alpha": ' || tensor('F32', '[]', '1'))$$);
select fails($$select -kohya('1', ', "lora_te_k.dora_scale": ' || tensor('F32', '[1, 1]', '[1]'))$$);
select fails($$select -kohya('1', ', "lora_te_k.diff_b": ' || tensor('F32', '[1]', '[1]'))$$);
select fails($$select adapter_from_json('{"names": "other", "tensors": {}}')$$);
-- MLX: factors the other way round, one scaling, a configuration of its own that stays.
create function mlx(scale text, more text default '') returns adapter language sql immutable as $$
	select adapter_from_json(format('{"config": {"model": "m", "fine_tune_type": "lora", "num_layers": 4, "lora_parameters": {"rank": 1, "scale": %s}},
		"tensors": {"model.layers.3.q.lora_a": %s, "model.layers.3.q.lora_b": %s %s}}', scale,
		tensor('F16', '[3, 1]', '[1, 2, 3]'), tensor('F16', '[1, 2]', '[1, 10]'), more)::json)
$$;
select role, tensor, shape, scaling, adapter_tensor(mlx('2'), tensor) from adapter_modules(mlx('2'));
select adapter_base_model(a) as base, adapter_rank(a) as rank, adapter_module_delta(a, 'model.layers.3.q') as delta from mlx('2') a;
select m.tensor, m.shape, m.scaling, adapter_tensor(c, m.tensor) from (select (delta(mlx('2')) + delta(mlx('1')))::adapter as c offset 0) s, adapter_modules(c) m;
select adapter_config(adapter_scale(mlx('2'), 0.25));
select a::text::adapter = a as text, adapter_from_json(adapter_to_json(a)) = a as json, 1 * a - 0 * a = a as same,
	adapter_base_model(adapter_set_base_model(a, 'n')) as base, (select adapter_union(p) = a from adapter_split(a, 100) p) as parts from mlx('2') a;
-- With PEFT's beside it the result is PEFT's, and so it is with several scalings.
select m.tensor, m.scaling from (select (delta(mlx('2')) + delta(lora('model.layers.3.q', '[[1, 2, 3]]', '[[1], [1]]', base => '"m"')))::adapter as c offset 0) s, adapter_modules(c) m;
select m.tensor, m.scaling from (select adapter_union(a) as c from (values (mlx('2')), (adapter_rename(mlx('1'), '.*q', 'model.layers.4.q'))) v(a)) s, adapter_modules(c) m;
select fails($$select adapter_from_safetensors(adapter_to_safetensors(mlx('2')))$$);
select fails($$select mlx('2, "alpha": 16')$$);
select fails($$select mlx('null')$$);
select fails($$select mlx('1', ', "k.lora_a": ' || tensor('F16', '[2, 3, 1]', '[1, 2, 3, 4, 5, 6]') || ', "k.lora_b": ' || tensor('F16', '[2, 1, 3]', '[1, 2, 3, 4, 5, 6]'))$$);
