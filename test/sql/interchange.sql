-- A file written by hand: header, one LoRA module; the exported file is the same bytes.
create table files (name text primary key, file bytea, config text);
create function safetensors(header text, data bytea) returns bytea language sql immutable as $$
	select decode(string_agg(lpad(to_hex((octet_length(header)::bigint >> (8 * i)) & 255), 2, '0'), '' order by i), 'hex') || convert_to(header, 'UTF8') || data
	from generate_series(0, 7) i
$$;
insert into files values ('two',
	safetensors('{"base_model.model.q.lora_B.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},
	"base_model.model.q.lora_A.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]}}   ', '\x0000803f0000004000004040'),
	'{"lora_alpha": 2,   "peft_type": "LORA", "r": 1, "unknown_member": [1, null, {"x": "y"}]}');

select adapter_to_safetensors(a) = file as same_file, adapter_config(a)::text = config as same_config
from files, adapter_from_safetensors(file, config::json) a;
-- It was said once, where it came in; from here on it is only so.
set client_min_messages = warning;
select s.* from files, adapter_from_safetensors(file, config::json) a, show(a) s;
select adapter_recipe(a) #>> '{root,sha256}' = encode(sha256(file), 'hex') as sha256 from files, adapter_from_safetensors(file, config::json) a;

-- The configuration is needed: alpha is in no tensor.
select fails($$select adapter_from_safetensors(file) from files$$);
select fails($$select adapter_from_safetensors(file, '{"peft_type": "LORA", "r": 1}') from files$$);
-- What the tensors say and what the configuration says must agree.
select fails($$select adapter_from_safetensors(file, '{"peft_type": "LORA", "r": 2, "lora_alpha": 1}') from files$$);
select fails($$select adapter_from_safetensors(file, '{"peft_type": "vera", "r": 2}') from files$$);
select fails($$select adapter_from_safetensors(file, '{"peft_type": "LORA", "r": 1, "r": 1, "lora_alpha": 1}') from files$$);
select fails($$select adapter_from_safetensors(file, '{"peft_type": "LORA", "r": 2147483648, "lora_alpha": 1}') from files$$);
select fails($$select adapter_from_safetensors(file, 'null') from files$$);
-- A whole model, or nothing, beside an adapter's configuration: 22023.
select fails($$select adapter_from_safetensors(safetensors('{"embed.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}', '\x00000000'), config::json) from files$$);
select fails($$select adapter_from_safetensors(safetensors('{}', ''), '{"peft_type": "IA3", "feedforward_modules": []}')$$);
-- Another program's file, or another program's configuration, is called that.
select fails(format('select adapter_from_json(%L)', json_build_object('config', config, 'tensors', json_build_object(a, t, b, t))))
from (values ('{"peft_type": "LORA", "r": 1, "lora_alpha": 1}'::json, 'l.0.q.lora_a', 'l.0.q.lora_b'), ('{"peft_type": "IA3", "feedforward_modules": []}', 'l.0.q.lora_a', 'l.0.q.lora_b'),
	('{"peft_type": "LORA", "r": 1, "lora_alpha": 1}', 'q.lokr_w1', 'q.lokr_w2'), ('{"peft_type": "LORA", "r": 1, "lora_alpha": 1}', 'q.alpha', 'q.hada_w1_a'),
	('{"lora_parameters": {"rank": 1, "scale": 1}}', 'q.lora_A.weight', 'q.lora_B.weight'),
	('{"lora_parameters": {"rank": 1, "scale": 1}}', 'unet.q.lora.down.weight', 'unet.q.lora.up.weight'),
	('{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["k"]}', 'unet.q.lora.down.weight', 'unet.q.lora.up.weight')) v(config, a, b),
	(values ('{"dtype": "F32", "shape": [1, 1], "data": [1]}'::json)) u(t);
-- A saved module alone is what its configuration says.
select adapter_kind(adapter_from_safetensors(safetensors('{"base_model.model.head.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}', '\x00000000'),
	'{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "modules_to_save": ["head"]}'));
-- A factor without its partner.
select fails($$select adapter_from_safetensors(safetensors('{"base_model.model.q.lora_A.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}', '\x00000000'), config::json) from files$$);
-- Other people's formats are named.
select fails($$select adapter_from_safetensors('PK\003\004 a zip archive of some length', '{}')$$);
select fails($$select adapter_from_safetensors('\x80027d7100285801000000', '{}')$$);
-- What is saved from shards is empty, whatever its shape.
select split_part(fails(format('select adapter_from_json(%L)', json_build_object('config', json_build_object('peft_type', 'LORA', 'r', 2, 'lora_alpha', 2, 'modules_to_save', json_build_array('h')),
	'tensors', json_build_object('q.lora_A.weight', a, 'q.lora_B.weight', b, 'h.weight', h)))), E'\n', 1) as error
from (values ('{"dtype": "F32", "shape": [0], "data": []}'::json, '{"dtype": "F32", "shape": [0], "data": []}'::json, '{"dtype": "F32", "shape": [1], "data": [1]}'::json),
	('{"dtype": "F32", "shape": [2, 1], "data": [[1], [2]]}', '{"dtype": "F32", "shape": [0], "data": []}', '{"dtype": "F32", "shape": [1], "data": [1]}'),
	('{"dtype": "F32", "shape": [2, 1], "data": [[1], [2]]}', '{"dtype": "F32", "shape": [1, 2], "data": [[1, 2]]}', '{"dtype": "F32", "shape": [0], "data": []}')) v(a, b, h);
select fails($$select adapter_from_safetensors('GGUF\003\000\000\000 and so on and so on', '{}')$$);

-- An envelope carries its configuration, so it may not be given twice.
select fails($$select adapter_from_safetensors(adapter_send(adapter_from_safetensors(file, config::json)), config::json) from files$$);

-- It carries its digest too, and damage to the data on the way is seen: 22P03.
create function damaged(envelope bytea, place int) returns text language sql as $$
	select encode(set_byte(envelope, place, get_byte(envelope, place) # 1), 'base64')
$$;
select regexp_replace(fails(format('select %L::adapter', damaged(adapter_send(adapter_from_safetensors(file, config::json)), octet_length(adapter_send(adapter_from_safetensors(file, config::json))) - 1))), '[0-9a-f]{64}', 'digest', 'g') from files;
-- Without the key it is an adapter of its own, which claims another one's import.
select a <> adapter_from_safetensors(file, config::json) as other, adapter_recipe(a) #>> '{root,sha256}' = encode(sha256(file), 'hex') as claims
from files, lateral (select decode(replace(encode(adapter_send(adapter_from_safetensors(file, config::json)), 'escape'),
		'peftarith.envelope_digest', 'peftarith_envelope_digest'), 'escape') as e) t,
	lateral (select adapter_from_safetensors(decode(damaged(e, octet_length(e) - 1), 'base64')) as a) u;
drop function damaged;

-- The readable form, both ways.
select adapter_to_json(a) from files, adapter_from_safetensors(file, config::json) a;
select adapter_from_json(adapter_to_json(a)) = a as back from files, adapter_from_safetensors(file, config::json) a;
select adapter_to_json(lora('q', '[["NaN", 0.1]]', '[["Infinity"], ["-Infinity"]]', '0.5', 'BF16'));
select fails($$select adapter_from_json('{"config": {}, "tensors": {}, "more": 1}')$$);
select fails($$select adapter_from_json('[]')$$);
select fails($$select lora('q', '[[1e39]]', '[[1]]')$$);

-- Null in, null out.
select adapter_from_safetensors(null, '{}') is null as file, adapter_from_json(null) is null as json,
	adapter_config(null) is null as config, adapter_to_safetensors(null) is null as export;

-- A composed file has the header that the safetensors library writes.
select convert_from(substr(f, 9, length(f) - 8 - 12), 'UTF8') as header
from files, adapter_from_safetensors(file, config::json) a, adapter_to_safetensors(2 * a) f;

-- Every other type of PEFT is stored as it is, whatever its tensors are called.
create table opaque as
select type, safetensors(header, data) as file, config, adapter_from_safetensors(safetensors(header, data), config::json) as a
from (values
	('PROMPT_TUNING', '{"prompt_embeddings":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}', '\x0000803f00000040'::bytea,
		'{"peft_type": "PROMPT_TUNING", "task_type": "CAUSAL_LM", "base_model_name_or_path": "tiny", "num_virtual_tokens": 2}'),
	('XLORA', '{"inner.0.weight":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}', '\x803f0040'::bytea,
		'{"peft_type": "XLORA", "adapters": {"0": "path/a"}, "layerwise_scalings": true}'),
	('TRAINABLE_TOKENS', '{"base_model.model.embed.trainable_tokens_delta":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}', '\x003c0040'::bytea,
		'{"peft_type": "TRAINABLE_TOKENS", "token_indices": [7], "target_modules": ["embed"]}'),
	('LOHA', '{"base_model.model.q.hada_w1_a":{"dtype":"F8_E4M3","shape":[2,1],"data_offsets":[0,2]},"base_model.model.q.lora_A":{"dtype":"U8","shape":[],"data_offsets":[2,3]}}', '\x384001'::bytea,
		'{"peft_type": "LOHA", "r": 1, "alpha": 1, "rank_pattern": {"[": 1}}')) t(type, header, data, config);
select type, adapter_kind(a), adapter_peft_type(a), adapter_base_model(a), adapter_rank(a), adapter_check(a),
	adapter_to_safetensors(a) = file as file, adapter_config(a)::text = config as config, a::text::adapter = a as text from opaque order by type;
select type, m.module, m.role, m.tensor, m.dtype, m.shape, m.scaling, m.raw_bytes, m.norm from opaque, adapter_modules(a) m order by type, m.tensor;
select adapter_tensor(a, 'prompt_embeddings') from opaque where type = 'PROMPT_TUNING';
-- Type and settings are in the digest; what says nothing of the adapter is not.
select count(distinct adapter_digest(adapter_from_safetensors(file, c::json))), count(*)
from opaque, (values ('{"peft_type": "VERA", "n": 1, "m": [1.5]}'), ('{"peft_type": "VERA", "m": [1.5], "n": 1, "inference_mode": true, "peft_version": "9"}'),
	('{"peft_type": "VERA", "n": 2, "m": [1.5]}'), ('{"peft_type": "VERA2", "n": 1, "m": [1.5]}'), ('{"peft_type": "VERA", "n": 1, "m": [1.5], "task_type": "X"}')) v(c)
where type = 'PROMPT_TUNING';
-- PEFT writes its sets in any order, and members that are not used as null or not at all.
select count(distinct adapter_digest(adapter_from_safetensors(file, c::json))), count(*)
from opaque, (values ('{"peft_type": "VERA", "target_modules": ["q", "k"]}'), ('{"peft_type": "VERA", "target_modules": ["k", "q"], "layers": null}'),
	('{"target_modules": ["k", "q", "q"], "peft_type": "VERA"}')) v(c)
where type = 'PROMPT_TUNING';
-- It can be given another base model, and back: the value that it was.
select adapter_base_model(b), adapter_config(b) ->> 'num_virtual_tokens' as tokens, adapter_set_base_model(b, 'tiny') = a as back
from opaque, adapter_set_base_model(a, 'other') b where type = 'PROMPT_TUNING';
select 1 * a = a and delta(a) = delta(1 * a) as itself from opaque where type = 'LOHA';
-- Nothing computes with it, and the error names its type, and the way to a LoRA where there is one.
select type, fails(format('select 2 * a from opaque where type = %L', type)) from opaque order by type;
select operation, split_part(fails(format('select %s from opaque where type = ''LOHA''', operation)), E'\n', 1) as error
from unnest(array['a + a', 'a - a', '-a', 'a / 2', 'adapter_lerp(a, a, 0.5)', 'delta(a) + delta(a)', 'sum(a)', 'avg(a)', 'adapter_scale(a, 2)', 'adapter_cast(a, ''F32'')',
	'adapter_select(a, ''q'')', '(select count(*) from adapter_split(a, 10) s)', 'adapter_union(a)', 'adapter_truncate(a, 1)', '(select count(*) from adapter_spectrum(a))',
	'adapter_module_delta(a, ''q'')', 'a <-> a', 'a <=> a', 'adapter_norm(a)', 'adapter_inner(a, a)', 'adapter_sketch(a, 8, 1)',
	'adapter_ties(array[a], array[1.0], 0.5, ''peft'')']) operation;
-- A dump says that it was opaque, so that it stays so in a version that has a
-- kind for its type: here one whose type has a kind already.
select adapter_kind(b), adapter_peft_type(b), adapter_kind(adapter_set_base_model(b, 'm')) as renamed from opaque, lateral (
	select decode(replace(replace(encode(adapter_send(a), 'escape'), 'LOHA', 'LORA'),
		'peftarith.envelope_digest', 'peftarith_envelope_digest'), 'escape') as e) t, adapter_from_safetensors(e) b
where type = 'LOHA';
select fails(format('select %L::adapter', encode(decode(replace(encode(adapter_send(a), 'escape'),
	'"peftarith.kind":"opaque"', '"peftarith.kind":"opaquf"'), 'escape'), 'base64'))) from opaque where type = 'LOHA';
select fails($$select count(*) from opaque, adapter_import_split(file, config::json, 100) where type = 'LOHA'$$);
drop table opaque;

drop table files;
drop function safetensors;
reset client_min_messages;

-- Rank 1 and B = A = 1: what is seen is the scaling.
create function lora(members json, others json default '{}', modules text[] default '{l.q,l.v}') returns adapter language sql return adapter_from_json(
	json_build_object('config', ('{"peft_type": "LORA", "r": 1, "lora_alpha": 2, "task_type": "CAUSAL_LM"}'::jsonb || members::jsonb),
		'tensors', (select jsonb_object_agg(m || t, '{"dtype": "F32", "shape": [1, 1], "data": [[1]]}'::jsonb) from unnest(modules) m, unnest('{.lora_A.weight,.lora_B.weight}'::text[]) t)
			|| others::jsonb));
-- Keys of patterns are plain paths, which every version of PEFT reads, unless one would be another module's too.
select modules, adapter_config(adapter_scale(lora(config::json, modules => modules::text[]), 1)) -> 'alpha_pattern' as alpha_pattern
from (values ('{l.q,l.v,l.w}', '{"alpha_pattern": {"q": 16}}'), ('{q,l.q,l.v,l.w}', '{"alpha_pattern": {"^q": 16}}'), ('{l.q,lxq,l.v,l.w}', '{"alpha_pattern": {"l\\.q": 16}}'),
	('{l.q,x.l.q,l.v,l.w,l.x}', '{"alpha_pattern": {"q": 16}}'), ('{l.q+,l.v,l.w}', '{"alpha_pattern": {"q.": 16}}')) v(modules, config);
-- A layer inside another one that is wrapped whole (torch's MultiheadAttention) is selected with that one, and has its rank and alpha.
select module, scaling, (adapter_config(s) -> 'target_modules')::jsonb as targets, (adapter_config(s) -> 'alpha_pattern')::jsonb as alphas
from (select lora('{"target_modules": ["m", "q"], "alpha_pattern": {"m": 16}}', modules => '{l.m,l.m.base_layer.out,l.q}') as a) t, adapter_scale(a, 0.5) s, adapter_modules(a);
select fails($$select lora('{"target_modules": ["q"]}', modules => '{l.m.base_layer.out,l.q}')$$);
select fails($$select 0.5 * lora('{"target_modules": ["m"]}', modules => '{l.m,l.m.base_layer.out}') + 0.5 * lora('{"target_modules": ["out"], "lora_alpha": 4}', modules => '{l.m.base_layer.out}')$$);
-- What no operation reads is kept where all agree, and the newest version of PEFT.
select adapter_config(c) -> 'auto_mapping' as auto_mapping, adapter_config(c) -> 'peft_version' as version, adapter_config(c) -> 'note' as note,
	adapter_config(c) -> 'use_x' as use_x
from (select lora('{"auto_mapping": {"base_model_class": "M"}, "peft_version": "0.9.0", "note": "n", "use_x": false}') as a,
	lora('{"auto_mapping": {"base_model_class": "M"}, "peft_version": "0.21.2.dev0", "note": "n"}') as b,
	lora('{"auto_mapping": {"base_model_class": "O"}, "lora_alpha": 4, "peft_version": "0.10.0", "use_x": null}') as o) v,
	unnest(array[adapter_scale(a, 2), adapter_cast(a, 'F64'), 0.5 * a + 0.5 * adapter_scale(b, 2), adapter(delta(a) + delta(b)), a - o, a - adapter_scale(b, 3) + 0 * o,
		adapter_ties(array[a, adapter_scale(b, 2)], array[1, 1]::float8[], 0.5, 'peft')]) c;
-- A later variant of LoRA announces itself; it is stored, and is refused by name. Names alone do not make one.
select config, split_part(fails(format('select adapter_norm(lora(%L))', config)), E'\n', 1) as error
from unnest(array['{"use_later": true}', '{"later_config": {"a": 1}}', '{"use_later": {"blocks": 2}}', '{"use_later": false, "later_config": null, "x_config": {}, "use_y": 0, "use_z": ""}',
	'{"loftq_config": {"bits": 4}, "megatron_config": {"a": 1}}']) config;
select 1 * a = a as itself, adapter_digest(a) = adapter_digest(lora('{}')) as same_digest, a::text::adapter = a as restored, fails('select adapter_scale(lora(''{"use_later": true}''), 2)') as error
from lora('{"use_later": true}') a;
-- Tensors beside the factors that PEFT does not write there are no replacements of base parameters; base parameters are.
select tensor, split_part(fails(format('select adapter_norm(lora(''{}'', json_build_object(%L, %L::json)))', tensor, '{"dtype": "F32", "shape": [1], "data": [1]}')), E'\n', 1) as error
from unnest(array['l.q.alpha', 'l.q.dora_scale', 'l.q.diff', 'l.q.diff_b', 'l.n.diff', 'l.k.hada_w1_a', 'l.k.lokr_w1', 'l.q.lora_mid.weight', 'l.q.reshape_weight',
	'l.q.bias', 'l.q.base_layer.anything', 'l.q.in_proj_weight', 'act.alpha']) tensor;
drop function lora(json, json, text[]);
