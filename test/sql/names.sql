-- One and the same adapter as trainers save it: the names differ, the modules do not.
create function saved(name text, config text default '"target_modules": ["q_proj"]', r text default '2') returns adapter
language sql immutable as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "base_model_name_or_path": "m", "r": %s, "lora_alpha": 4, "task_type": "CAUSAL_LM", %s}, "tensors": {
		"%s": {"dtype": "F32", "shape": [2, 4], "data": [-0.5, 1.25, 0.25, -0.75, 1.0, 0.0, -1.0, 0.75]},
		"%s": {"dtype": "F32", "shape": [3, 2], "data": [-0.5, 1.25, 0.25, -0.75, 1.0, 0.0]}}}',
		r, config, replace(name, '#', 'lora_A'), replace(name, '#', 'lora_B'))::json)
$$;
create table saved as select n, saved(n) as a from unnest(array[
	'base_model.model.model.layers.0.self_attn.q_proj.#.weight',
	'base_model.model._orig_mod.model.layers.0.self_attn.q_proj.#.weight',
	'_orig_mod.base_model.model.model.layers.0.self_attn.q_proj.#.weight',
	'module.base_model.model.model.layers.0.self_attn.q_proj.#.weight',
	'module._orig_mod.base_model.model.model.layers.0.self_attn.q_proj.#.weight',
	'base_model.model.base_model.model.model.layers.0.self_attn.q_proj.#.weight',
	'base_model.model.model.layers.0._fsdp_wrapped_module.self_attn.q_proj.#.weight',
	'base_model.model.model.layers.0._checkpoint_wrapped_module.self_attn.q_proj._orig_mod.#.weight',
	'base_model.model.model.layers.0.self_attn.q_proj.#.default.weight',
	'module.base_model.model.model.layers.0._fsdp_wrapped_module.self_attn.q_proj.#.other.weight']) n;
select distinct module from saved, adapter_modules(a);
-- The file stays as it is, the composition has PEFT's names.
select bool_and(exists (select from adapter_modules(a) m where m.tensor = replace(n, '#', 'lora_A'))) as kept from saved;
select distinct module, tensor from adapter_modules((select avg(a) from saved));
select distinct round((x.a <=> y.a)::numeric, 6) as "cosine distance" from saved x, saved y;
-- Text, splitting and another base model keep names, paths and digest.
select bool_and(adapter_envelope_digest(a::text::adapter) = adapter_envelope_digest(a)) as text from saved;
select bool_and((select adapter_union(p) = a from adapter_split(a, 1000) p)) as split,
	bool_and(adapter_set_base_model(adapter_set_base_model(a, 'o'), 'm') = a) as base from saved;
-- An envelope without the mark is of before wrappers were taken off: paths as the names say them, and that digest.
select distinct module, old = a as same, old::text::adapter = old as back, 1 * old + 0 * a = old as computed from saved,
	lateral (select adapter_from_safetensors(decode(replace(replace(encode(adapter_send(a), 'escape'), 'peftarith.names', 'peftarith_names'),
		'peftarith.envelope_digest', 'peftarith_envelope_digest'), 'escape')) as old) t, adapter_modules(0.5 * old + 0.25 * old) m
where n like '%model._orig_mod.model%';
-- A model's own module of this name stays, and so does the whole of a name.
select distinct module from unnest(array['base_model.model.module.q_proj.#.weight', 'module.#.weight', '_orig_mod.#.weight']) n,
	adapter_modules(saved(n, '"target_modules": ["q_proj", "module", "_orig_mod"]')) order by 1;

-- Saved modules too; a tensor that is there twice.
create function with_more(name text, more text) returns adapter language sql immutable as $$
	select adapter_from_json((jsonb_set(jsonb_set(adapter_to_json(saved(name))::jsonb, array['tensors', more], '{"dtype": "F32", "shape": [1, 2], "data": [1, 2]}'),
		'{config,modules_to_save}', '["score"]'))::json)
$$;
select module, role from adapter_modules(with_more('module.base_model.model._orig_mod.q_proj.#.weight', 'module.base_model.model._orig_mod.score.weight')) order by 1, 2;
select fails($$select with_more('base_model.model.q_proj.#.weight', 'base_model.model._orig_mod.q_proj.lora_A.weight')$$);
select fails($$select with_more('base_model.model.q_proj.#.default.weight', 'base_model.model.q_proj.lora_A.other.weight')$$);
select fails($$select with_more('base_model.model.q_proj.#.default.weight', 'base_model.model.k_proj.lora_A.weight')$$);
select fails($$select with_more('base_model.model.q_proj.#.default.weight', 'base_model.model.score.modules_to_save.default.weight')$$);

-- The configuration selects by the wrapped model's names, or by the others.
create table selected as select c, saved('base_model.model.l.0._checkpoint_wrapped_module.q_proj.#.weight', c, r) as a from (values
	('"target_modules": ["l.0.q_proj"]', '2'),
	('"target_modules": ["_checkpoint_wrapped_module.q_proj"]', '2'),
	('"target_modules": "l\\.0\\.q_proj"', '2'),
	('"target_modules": "l\\.\\d+\\._checkpoint_wrapped_module\\.q_proj"', '2'),
	('"target_modules": ["q_proj"], "rank_pattern": {"0.q_proj": 2}, "alpha_pattern": {"_checkpoint_wrapped_module.q_proj": 8}', '1')) v(c, r);
select c, m.module, m.scaling from selected, adapter_modules(a) m where m.role = 'factor_a' order by c;
select fails($$select saved('base_model.model.l.0._checkpoint_wrapped_module.q_proj.#.weight', '"target_modules": ["k_proj"]')$$);
-- Two keys for the two names: which one PEFT took is not known.
select fails($$select saved('base_model.model.l.0._checkpoint_wrapped_module.q_proj.#.weight', '"alpha_pattern": {"l.0.q_proj": 8, "q_proj": 16}')$$);

-- adapter_rename: the whole path of a module, as adapter_select has it, and what Python's Match.expand makes of it.
create table renamed as select a, adapter_rename(b, 'model\.language_model\.(.*)', 'model.\1') as b, b as other
from (select saved('base_model.model.model.layers.0.self_attn.q_proj.#.weight') as a,
	saved('base_model.model.model.language_model.layers.0.self_attn.q_proj.#.weight') as b) s;
select a <=> b as "cosine distance", adapter_digest(a) = adapter_digest(adapter_select(b, '.*')) as same, b <> other as another from renamed;
select distinct module from renamed, adapter_modules(0.5 * a + 0.5 * b);
select (adapter_recipe(b) -> 'root') - 'of' as root, adapter_recipe(b) -> 'version' as version, adapter_recipe(other) -> 'version' as before from renamed;
select adapter_envelope_digest(adapter_recompute(adapter_recipe(0.5 * a + 0.5 * b), x, null, false)) = adapter_envelope_digest(0.5 * a + 0.5 * b) as recomputed
from renamed, lateral (values (a), (other)) v(x) group by a, b;
select adapter_recipe(b) = adapter_recipe(b::text::adapter) as through_text, adapter_recipe(2 * b) -> 'version' as above, adapter_config(b) -> 'target_modules' as target from renamed;
select distinct module from renamed, adapter_modules(adapter_rename(a, '(?P<front>.*)\.(?P<layer>\d+)(x)?\.(.*)\.(\w+)', '\5.\g<layer>\3.\g<front>'));
-- Alphas, dense tensors and saved modules go with their modules.
create table whole as select adapter_from_json('{
	"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 2, "alpha_pattern": {"l.1.q": 4}, "modules_to_save": ["head"], "target_modules": ["q"], "bias": "lora_only"},
	"tensors": {
		"base_model.model.l.0.q.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [1, 2]},
		"base_model.model.l.0.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [3]},
		"base_model.model.l.0.q.base_layer.bias": {"dtype": "F32", "shape": [1], "data": [9]},
		"base_model.model.l.1.q.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [4, 5]},
		"base_model.model.l.1.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [6]},
		"base_model.model.head.dense.weight": {"dtype": "F32", "shape": [2], "data": [7, 8]}}}') as a;
select m.module, m.tensor, m.scaling, adapter_tensor(b, m.tensor) from whole, adapter_rename(a, '(l|head)\.(.*)', 'x.\1.\2') b, adapter_modules(b) m order by m.tensor;
select adapter_config(adapter_rename(a, '(l|head)\.(.*)', 'x.\1.\2')) from whole;
select adapter_rename(adapter_rename(a, '(.*)', 'x.\1'), 'x\.(.*)', '\1') = adapter_select(a, '.*') as back from whole;
select m.tensor from adapter_modules(adapter_rename(adapter_from_json('{"config": {"peft_type": "DIFFERENCE"}, "tensors": {"a.w": {"dtype": "F32", "shape": [1], "data": [1]},
	"w": {"dtype": "F32", "shape": [1], "data": [2]}}}'), 'a', 'b.c')) m;
select m.tensor from adapter_modules(adapter_rename(ia3('l.k', '[2]'), 'l\.(.)', 'm.\1')) m;
-- 22023: paths that meet, that are none, that names cannot tell; nothing to rename
select fails($$select adapter_rename(a, 'l\.\d\.q', 'q') from whole$$);
select fails($$select adapter_rename(a, 'l\.(\d)\.(x)?q', 'l.\1.\2') from whole$$);
select fails($$select adapter_rename(a, 'l\.(\d)\.q', 'l..\1') from whole$$);
select fails($$select adapter_rename(a, 'head.dense', 'l.base_layer') from whole$$);
select fails($$select adapter_rename(a, 'head.dense', 'l.lora_A') from whole$$);
select fails($$select adapter_rename(a, 'q', 'k') from whole$$);
-- 2201B
select fails($$select adapter_rename(a, '(', 'k') from whole$$);
select fails($$select adapter_rename(a, '(.*)', '\2') from whole$$);
select fails($$select adapter_rename(a, '(.*)', '\10') from whole$$);
select fails($$select adapter_rename(a, '(.*)', '\g<name>') from whole$$);
select fails($$select adapter_rename(a, '(.*)', '\g<1') from whole$$);
select fails($$select adapter_rename(a, '(.*)', '\1\n') from whole$$);
-- 54000, 0A000
select fails($$select adapter_rename(a, '(.*)', '\1' || repeat('x', 1024)) from whole$$) ~ '^54000 replacement for "head.dense" is longer than 1024 bytes' as too_long;
select fails($$select adapter_rename(adapter_from_json((jsonb_set(adapter_to_json(a)::jsonb, '{config,use_dora}', 'true'))::json), '(.*)', 'x.\1') from whole$$);
drop table renamed, whole, selected, saved;

-- Operands that share no module, or whose modules differ by a prefix: 22000, wherever they meet.
create table apart as select n, saved(n) as a from unnest(array['base_model.model.model.layers.0.self_attn.q_proj.#.weight',
	'base_model.model.model.language_model.layers.0.self_attn.q_proj.#.weight', 'base_model.model.module.model.layers.0.self_attn.q_proj.#.weight',
	'base_model.model.unet.model.layers.0.self_attn.q_proj.#.weight']) n;
select fails($$select adapter_digest(sum(0.5 * a)) from apart where n ~ 'language|model.model.layers'$$);
select what, fails(format($$select %s from (select (array_agg(a order by n))[1] as a, (array_agg(a order by n desc))[1] as b from apart where n !~ 'module|language') s$$, what))
	~ '^22000 modules of the adapters differ by a prefix: .*adapter_rename' as refused
from unnest(array['adapter_digest(a + b)', 'adapter_digest(adapter(delta(a) - delta(b)))', 'a <=> b', 'a <-> b', 'adapter_inner(a, b)',
	'adapter_digest(adapter_lerp(a, b, 0.5))', 'adapter_digest(adapter_ties(array[a, b], array[1, 1], 1, ''peft''))', 'adapter_digest(adapter(adapter_truncate(delta(a) + delta(b), 1)))']) what;
select what, fails(format('select adapter_digest(%s) from apart', what)) ~ '^22000 modules of the adapters differ by a prefix' as refused
from unnest(array['sum(a)', 'avg(a)', 'adapter_combine(a, 0.5)', 'adapter(avg(delta(a)))', 'adapter_union(a)']) what;
select fails($$select adapter_digest(lora('q', '[[1]]', '[[1]]') + lora('k', '[[1]]', '[[1]]'))$$);
-- What is not the same with something put in is a union's purpose.
select array_agg(distinct module) from adapter_modules((select adapter_union(lora(p, '[[1]]', '[[1]]')) from unnest(array['l.0.q', 'l.1.q', 'encoder.q', 'decoder.q']) p));
-- Operands with weight 0 take no part.
select adapter_digest(1 * a + 0 * b) = adapter_digest(a) as same from (select lora('q', '[[1]]', '[[1]]') as a, lora('k', '[[1]]', '[[1]]') as b) s;

-- Some modules in some operands only: a notice, one for a statement; an error; nothing.
create table partly as select lora('q', '[[1]]', '[[1]]') as a, adapter_union(lora(p, '[[1]]', '[[1]]')) as b from unnest(array['q', 'k', 'v']) p;
select m.module, adapter_tensor(c, m.tensor) from partly, lateral (select 0.5 * a + 0.5 * b as c) s, adapter_modules(c) m where m.role = 'factor_a';
select count(adapter_digest(a + i * b)) as sums from partly, generate_series(1, 3) i;
select round((a <-> b)::numeric, 6) as distance from partly;
set peftarith.unpaired_modules = error;
select fails($$select adapter_digest(a + b) from partly$$);
set peftarith.unpaired_modules = off;
select adapter_digest(a + b) is not null as computed, a <=> adapter_rename(a, 'q', 'x.q') as "cosine distance" from partly;
select fails($$set peftarith.unpaired_modules = perhaps$$);
-- What was made with it is made again, whatever is set, and nothing is said.
create table sums as select s.a + s.b as one, s.a + adapter_rename(s.a, 'q', 'x.q') as two from partly s;
set peftarith.unpaired_modules = error;
select adapter_digest(adapter_recompute(adapter_recipe(one), x, null, false)) = adapter_digest(one) as again from sums, partly, lateral (values (a), (b)) v(x) group by one;
reset peftarith.unpaired_modules;
select adapter_digest(adapter_recompute(adapter_recipe(two), a, null, false)) = adapter_digest(two) as again from sums, partly group by two;
drop table apart, partly, sums;

-- target_parameters: what they match counts, not how they are spelled; where the spellings differ whole paths are written.
create function experts(parameters text, modules text[] default '{l.0.mlp.experts}') returns adapter language sql return adapter_from_json(json_build_object(
	'config', ('{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["q"]}'::jsonb || jsonb_build_object('target_parameters', parameters::jsonb)),
	'tensors', (select jsonb_object_agg(m || t, '{"dtype": "F32", "shape": [2, 2], "data": [[1, 2], [3, 4]]}'::jsonb)
		from unnest(modules) m, unnest('{.lora_A.weight,.lora_B.weight}'::text[]) t)));
select s.tensor, s.elements, (adapter_config(c) -> 'target_parameters')::jsonb as parameters
from (select 0.5 * experts('["mlp.experts.up"]') + 0.5 * adapter_scale(experts('["experts.up"]'), -1) as c) x, show(c) s;
select (adapter_config(c) -> 'target_parameters')::jsonb as parameters, adapter_digest(1 * c) = adapter_digest(c::text::adapter) as restored
from unnest(array[0.5 * experts('["mlp.experts.up"]') + 0.25 * experts('["mlp.experts.up"]'),
	0.5 * experts('["up", "mlp.experts.down"]') + 0.25 * experts('["l.0.mlp.experts.down", "experts.up"]'),
	adapter(delta(experts('["mlp.experts.up"]', '{l.0.mlp.experts,l.1.mlp.experts}')) + delta(experts('["experts.up"]', '{l.1.mlp.experts,l.2.mlp.experts}')))]) c;
select (adapter_config(adapter_union(e)) -> 'target_parameters')::jsonb as parameters
from unnest(array[experts('["mlp.experts.up"]'), experts('["experts.down"]', '{l.1.experts}')]) e;
select fails($$select experts('["mlp.experts.up"]') + experts('["experts.down"]')$$);
select fails($$select experts('["mlp.experts.up"]') + experts('["experts.up", "experts.down"]')$$);
drop function experts;
