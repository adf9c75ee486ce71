-- adapter_scale changes the effect by the factor: alpha, and the sign of B.
select m.role, m.scaling, adapter_tensor(c.a, m.tensor) from (select adapter_scale(lora('q', '[[1, 2]]', '[[3], [4]]', '8'), -0.5) as a) c, adapter_modules(c.a) m;
select m.role, m.scaling, adapter_tensor(c.a, m.tensor) from (select adapter_scale(lora('q', '[[1, 2]]', '[[3], [4]]', '8'), 0) as a) c, adapter_modules(c.a) m;
-- (IA)^3: 1 + 2 (l - 1).
select s.elements from show(adapter_scale(ia3('q', '[2, 3]'), 2)) s;
-- Its delta is the factor times the delta; factor * a is the factor squared.
select adapter_module_delta(a, 'q') as a, adapter_module_delta(adapter_scale(a, 3), 'q') as scaled, adapter_module_delta(3 * a, 'q') as times
from (select lora('q', '[[1, 2]]', '[[3], [4]]') as a) s;
select fails($$select adapter_scale(lora('q', '[[1]]', '[[1]]'), 'NaN')$$);

-- adapter_cast rounds once; names in any case.
select s.dtype, s.elements from show(adapter_cast(lora('q', '[[1.001953125, 3.14159274]]', '[[1], [-2]]'), 'bf16')) s;
select s.dtype, s.elements from show(adapter_cast(lora('q', '[[65504, 1e-8]]', '[[1], [-2]]'), 'F16')) s;
select adapter_cast(adapter_cast(a, 'F64'), 'f32') = a as back from (select lora('q', '[[1, 2]]', '[[3], [4]]') as a) s;
select fails($$select adapter_cast(lora('q', '[[65520]]', '[[1]]'), 'F16')$$);
select fails($$select adapter_cast(lora('q', '[["NaN"]]', '[[1]]'), 'F16')$$);
select fails($$select adapter_cast(lora('q', '[[1]]', '[[1]]'), 'I8')$$);
-- What is nearer to zero than to the smallest number is told; what F32 or BF16 hold is not.
select s.elements from show(adapter_cast(lora('q', '[[1e-30, 0]]', '[[1e-9], [6e-8]]'), 'F16')) s;
select s.elements from show(adapter_cast(lora('q', '[[1e-30, 0]]', '[[1e-9], [6e-8]]'), 'BF16')) s;
-- The 8-bit float types are widened; arithmetic refuses them and says so.
create function narrow(dtype text, a bytea, other text default null) returns adapter language sql return adapter_from_safetensors(
	decode('a000000000000000', 'hex') || convert_to(rpad(format('{"q.lora_A.weight":{"dtype":"%s","shape":[1,3],"data_offsets":[0,3]},'
	'"q.lora_B.weight":{"dtype":"%s","shape":[1,1],"data_offsets":[3,4]}}', dtype, coalesce(other, dtype)), 160), 'UTF8') || a || '\x38', '{"peft_type": "LORA", "r": 1, "lora_alpha": 1}');
select fails($$select adapter_cast(narrow('F8_E4M3', '\x38b87e', 'U8'), 'F32')$$);
select d, s.dtype, s.elements from unnest(array['F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ']) d, show(adapter_cast(narrow(d, '\x3801b8'), 'F64')) s;
select fails($$select adapter_cast(narrow('F8_E5M2', '\x387c00'), 'F32')$$);
select fails($$select adapter_cast(narrow('F8_E5M2', '\x387e00'), 'F32')$$);
select fails($$select adapter_cast(narrow('F8_E8M0', '\x3801fe'), 'F16')$$);
select fails($$select 2 * narrow('F8_E4M3', '\x38b87e')$$);
select adapter_digest(adapter_recompute(adapter_recipe(c), n, null, false)) = d as made_again
from (select n, c, adapter_digest(c) as d from (select n, adapter_cast(n, 'BF16') as c from narrow('F8_E4M3', '\x38b87e') n) x) s group by d;
drop function narrow;
select fails($$select adapter_cast(lora('q', '[[1]]', '[[1]]'), 'float32')$$);

-- An adapter of two modules and a saved head.
create table t as select adapter_from_json('{
	"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 2, "alpha_pattern": {"l.1.q": 4}, "modules_to_save": ["head"], "target_modules": ["q"]},
	"tensors": {
		"base_model.model.l.0.q.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [1, 2]},
		"base_model.model.l.0.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [3]},
		"base_model.model.l.1.q.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [4, 5]},
		"base_model.model.l.1.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [6]},
		"base_model.model.head.weight": {"dtype": "F32", "shape": [2], "data": [7, 8]}}}') as a;

-- adapter_plain: B takes the scaling on, alpha = r, one rank with zeros; dense tensors stay.
select s.tensor, s.elements from t, show(adapter_plain(a)) s;
select s.tensor, s.elements from t, show(adapter_plain(a, 2)) s;
create table mixed as select adapter_from_json('{
	"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 3, "use_rslora": true, "lora_bias": true, "rank_pattern": {"c": 4}, "target_modules": ["q", "c"]},
	"tensors": {
		"q.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": [1, -0.0]}, "q.lora_B.weight": {"dtype": "F16", "shape": [2, 1], "data": [0.25, 2]},
		"q.lora_B.bias": {"dtype": "F32", "shape": [2], "data": [1, 2]},
		"c.lora_A.weight": {"dtype": "F32", "shape": [4, 1, 1, 2], "data": [1, 2, 3, 4, 5, 6, 7, 8]}, "c.lora_B.weight": {"dtype": "F32", "shape": [1, 4, 1, 1], "data": [2, 4, 6, 8]},
		"c.lora_B.bias": {"dtype": "F32", "shape": [1], "data": [4]}}}') as a;
select s.tensor, s.dtype, s.elements from mixed, show(adapter_plain(a)) s;
select k, adapter_config(adapter_plain(a, 5)) -> k as plain from mixed, unnest('{r,lora_alpha,rank_pattern,alpha_pattern,use_rslora}'::text[]) k;
select adapter_module_delta(adapter_plain(a, r), m) = adapter_module_delta(a, m) as same_delta from mixed, unnest('{q,c}'::text[]) m, unnest(array[null, 4, 9]) r;
select adapter_plain(adapter_plain(a), 4) = adapter_plain(a) as again, (adapter_recipe(adapter_plain(a, 7)) -> 'root') - 'of' as root,
	adapter_recipe(adapter_plain(a)) -> 'version' as version, adapter_recipe(2 * adapter_plain(a)) -> 'version' as above, adapter_recipe(2 * a) -> 'version' as without,
	(select adapter_recompute((select adapter_recipe(adapter_plain(a, 7)) from mixed), x.a, null, false) from mixed x) = adapter_plain(a, 7) as recomputed, adapter_plain(a)::text::adapter = adapter_plain(a) as restored
from mixed;
select fails('select adapter_plain(a, 3) from mixed'), fails('select adapter_plain(a, 0) from mixed');
-- Groups and experts are filled up nowhere; at their rank they are like others.
create table grouped as select adapter_from_json('{"config": {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["g"]}, "tensors": {
	"g.lora_A.weight": {"dtype": "F32", "shape": [2, 1, 1], "data": [1, 2]}, "g.lora_B.weight": {"dtype": "F32", "shape": [2, 1, 1], "data": [3, 4]}}}') as a
union all select adapter_from_json('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 2, "target_parameters": ["e.w"], "target_modules": []}, "tensors": {
	"e.lora_A.weight": {"dtype": "F32", "shape": [2, 1], "data": [1, 2]}, "e.lora_B.weight": {"dtype": "F32", "shape": [1, 2], "data": [3, 4]}}}');
select s.tensor, s.elements, adapter_config(b) ->> 'r' as r, adapter_config(b) ->> 'lora_alpha' as alpha from grouped, adapter_plain(a) b, show(b) s;
select fails(format('select adapter_plain(a, 4) from grouped where adapter_rank(a) = 2 and adapter_config(a) ->> ''r'' = %L', r)) from unnest('{1,2}'::text[]) r;
drop table grouped;
select adapter_plain(a) = a as same, adapter_recipe(adapter_plain(a, 3)) = adapter_recipe(a) as itself from (select ia3('q', '[2, 3]') as a) s;
select fails($$select adapter_plain(lora('q', '[[1]]', '[[60000]]', '2', 'F16'))$$);
select adapter_plain(null, 1) is null as null_of_null;
drop table mixed;

-- adapter_select: the whole path of the module must match, as PEFT's string target_modules.
select m.module, m.scaling from t, adapter_modules(adapter_select(a, '.*\.q')) m where m.role = 'factor_a';
select m.module, m.role from t, adapter_modules(adapter_select(a, 'l\.1\..*')) m;
select m.module, m.role from t, adapter_modules(adapter_select(a, 'l\.1\..*', true)) m;
select adapter_config(adapter_select(a, 'l\.1\..*')) from t;
select fails($$select adapter_select(a, 'q') from t$$);
select fails($$select adapter_select(a, '(') from t$$);
select fails($$select adapter_select(lora('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '[[1]]', '[[1]]'), '(a|a)+[0-9]')$$);

-- adapter_drop_dense: by the whole name without the file's prefix, or all; factors beside them stay.
create table e as select adapter_from_json('{
	"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 2, "modules_to_save": ["head"], "target_modules": ["e"]},
	"tensors": {
		"base_model.model.e.base_layer.weight": {"dtype": "F32", "shape": [1, 1], "data": [9]},
		"base_model.model.e.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": [2]},
		"base_model.model.e.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [3]},
		"base_model.model.head.bias": {"dtype": "F32", "shape": [1], "data": [7]},
		"base_model.model.head.weight": {"dtype": "F32", "shape": [1], "data": [8]}}}') as a;
select s.* from e, show(adapter_drop_dense(a)) s;
select s.tensor from e, show(adapter_drop_dense(a, 'head\.weight')) s;
select s.tensor from e, show(adapter_drop_dense(a, '.*\.weight')) s;
select adapter_config(adapter_drop_dense(a)) -> 'modules_to_save' as saved, adapter_config(adapter_drop_dense(a, 'head.bias')) -> 'modules_to_save' as still from e;
-- What has none of them has the same tensors.
select adapter_drop_dense(a) = adapter_select(a, '.*') as same, count(*) as tensors from (select lora('q', '[[1]]', '[[2]]') as a) s, show(adapter_drop_dense(a, 'head.weight')) group by a;
select adapter_drop_dense(null) is null as nothing;
-- adapter_select_tensors: by name, by role, or both; what is one change stays together.
select s.tensor from e, show(adapter_select_tensors(a, 'head.*|.*lora_.*')) s;
select s.tensor from e, show(adapter_select_tensors(a, null, 'dense')) s;
select b::text::adapter = b as restored, adapter_digest(1 * b + 0 * b) = adapter_digest(b) as computed, adapter_config(b) -> 'target_modules' as targets
from e, adapter_select_tensors(a, null, 'dense') b;
select s.tensor from e, show(adapter_select_tensors(a, 'e\..*', 'dense', true)) s;
select adapter_select_tensors(a, null, 'dense', true) = adapter_drop_dense(a) as same,
	adapter_recipe(adapter_select_tensors(a, null, 'dense', true)) = adapter_recipe(adapter_drop_dense(a)) as same_story from e;
select fails(format('select adapter_select_tensors(a, %L, %L) from e', tensors, role))
from (values ('.*lora_A.*', null), (null, 'factor_b'), ('x', null), (null, 'head'), ('(', null)) v(tensors, role);
-- Heads for other labels do not mix; one of them can be kept.
create function labels(head json) returns adapter language sql immutable as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 1, "modules_to_save": ["score"]}, "tensors": {
		"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]}, "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [2]},
		"base_model.model.score.weight": {"dtype": "F32", "shape": [%s, 1], "data": %s}}}', json_array_length(head), head)::json)
$$;
select fails($$select adapter_digest(0.5 * labels('[1, 2]') + 0.5 * labels('[3, 4, 5]'))$$);
select s.* from show(0.5 * labels('[1, 2]') + 0.5 * adapter_drop_dense(labels('[3, 4, 5]'), 'score.weight')) s;
-- 22023 nothing is left, 2201B a bad expression
select fails($$select adapter_drop_dense(adapter_from_json('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "modules_to_save": ["h"]},
	"tensors": {"base_model.model.h.weight": {"dtype": "F32", "shape": [1], "data": [1]}}}'))$$);
select fails($$select adapter_drop_dense(a, '(') from e$$);
drop function labels;

-- adapter_set_base_model: same tensors, same file, another digest.
select adapter_base_model(b), b = a as same, adapter_to_safetensors(b) = adapter_to_safetensors(a) as same_file,
	adapter_config(b)->>'revision' as revision
from (select a, adapter_set_base_model(a, 'other', 'main') as b from t) s;
select adapter_base_model(adapter_set_base_model(a, null)) is null as none,
	adapter_set_base_model(adapter_set_base_model(a, 'other'), 'tiny') = a as back from t;

-- adapter_split cuts by module in path order; adapter_union puts together, in any order.
select part, adapter_raw_size(p), string_agg(distinct m.module, ', ') as modules
from t, adapter_split(a, 12) with ordinality s(p, part), adapter_modules(p) m group by part, p order by part;
select adapter_union(p) = a as whole from t, adapter_split(a, 12) p group by a;
select adapter_union(p order by adapter_raw_size(p) desc, p desc) = a as whole from t, adapter_split(a, 12) p group by a;
select adapter_union(p) = a as one_part from t, adapter_split(a, 1000) p group by a;
select array_agg(adapter_digest(p)) = (select array_agg(adapter_digest(p)) from adapter_import_split(
	adapter_to_safetensors(a), adapter_config(a), 12) p) as import_split from t, adapter_split(a, 12) p group by a;
select adapter_union(a) is null as no_rows from t where false;
select adapter_union(x) is null as only_nulls from (values (null::adapter)) v(x);
select fails($$select adapter_split(a, 11) from t$$);
select fails($$select adapter_split(a, 0) from t$$);
select fails($$select adapter_union(x.a) from t x, generate_series(1, 2)$$);
select fails($$select adapter_union(x) from (select lora('q', '[[1]]', '[[1]]') as x union all select lora('k', '[[1]]', '[[1]]', '1', 'F32', 'null')) s$$);

-- Names stay, so that the result does not depend on the configuration texts of equal operands.
create table named as
	select path, note, adapter_from_json(replace(replace(adapter_to_json(lora(path, '[[1]]', '[[1]]'))::text,
		'"peft_type"', note || '"peft_type"'), 'base_model.model.', 'base_model.')::json) as a
	from (values ('q', ''), ('q', '"note": 1, '), ('k', '')) v(path, note);
select count(distinct u) as unions, min(adapter_recipe(u) ->> 'root') = max(adapter_recipe(u) ->> 'root') as one_recipe,
	count(distinct adapter_config(u)::text) as configurations
from (select adapter_union(a) filter (where note = '') as u from named
	union all select adapter_union(a) filter (where path = 'k' or note <> '') from named) s;
drop table named;

-- Every one of them is a node of the recipe.
select jsonb_pretty(adapter_recipe(adapter_scale(a, 0.1)) - 'nodes') from t;
select adapter_recipe(adapter_cast(a, 'f16')) #> '{root,dtype}' from t;
select (adapter_recipe(adapter_select(a, 'head', true)) -> 'root') - 'of' as root from t;
select (adapter_recipe(adapter_set_base_model(a, 'o', null)) -> 'root') - 'of' as root from t;
-- The version is the one that knows all nodes.
select (adapter_recipe(d) -> 'root') - 'of' as root, adapter_recipe(d) -> 'version' as version, adapter_recipe(adapter_scale(d, 2)) -> 'version' as after,
	adapter_recipe(adapter_scale(a, 2)) -> 'version' as before, adapter_envelope_digest(d) = adapter_envelope_digest(d::text::adapter) as comes_back
from (select a, adapter_drop_dense(a, 'head.*') as d from e) s;
select (adapter_recipe(p) -> 'root') - 'of' as root from t, adapter_split(a, 12) p;
select adapter_recipe(adapter_union(p)) #>> '{root,op}' as op, jsonb_array_length(adapter_recipe(adapter_union(p)) #> '{root,of}') as parts from t, adapter_split(a, 12) p;

drop table t, e;
