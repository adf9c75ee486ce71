-- What a value is, without reading its weights.
create table t (name text primary key, a adapter);
insert into t values
	('lora', lora('model.q', '[[1, 2], [3, 4]]', '[[1, 0], [0, 1], [1, 1]]', '4')),
	('ia3', ia3('model.k', '[2, 3]', 'F16'));
select name, adapter_kind(a), adapter_base_model(a), adapter_rank(a), adapter_raw_size(a), length(adapter_digest(a)) from t order by name desc;

-- Tensors: one row each.
select name, module, role, tensor, dtype, shape, scaling, raw_bytes, stored_bytes > 0 as stored, norm, length(digest) as digest
from t, adapter_modules(a) order by name desc, tensor;

-- The norm is that of the elements: sqrt(1 + 4 + 9 + 16).
select norm, sqrt(30::float8) from t, adapter_modules(a) where name = 'lora' and role = 'factor_a';

-- Rank of a module.
select adapter_rank(a, 'model.q') from t where name = 'lora';
select fails($$select adapter_rank(a, 'model.v') from t where name = 'lora'$$);
select adapter_rank(a) is null as none, adapter_rank(null) is null as of_null from t where name = 'ia3';

-- One tensor in its shape.
select adapter_tensor(a, 'base_model.model.model.q.lora_A.weight') from t where name = 'lora';
select fails($$select adapter_tensor(a, 'model.q') from t where name = 'lora'$$);

-- The delta of a module: 4/2 * B A; l - 1.
select adapter_module_delta(a, 'model.q') from t where name = 'lora';
select adapter_module_delta(a, 'model.k') from t where name = 'ia3';
select fails($$select adapter_module_delta(a, 'model.v') from t where name = 'lora'$$);
-- rsLoRA divides by the square root of the rank: 4/sqrt(4).
select scaling from adapter_modules(adapter_from_json('{"config": {"peft_type": "LORA", "r": 4, "lora_alpha": 4, "use_rslora": true},
	"tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [4, 1], "data": [1, 2, 3, 4]},
	            "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, 4], "data": [1, 2, 3, 4]}}}')) limit 1;
-- An embedding and fan_in_fan_out give the transposed product.
select adapter_module_delta(adapter_from_json('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1},
	"tensors": {"base_model.model.e.lora_embedding_A": {"dtype": "F32", "shape": [1, 3], "data": [1, 2, 3]},
	            "base_model.model.e.lora_embedding_B": {"dtype": "F32", "shape": [2, 1], "data": [1, 10]}}}'), 'e');
select adapter_module_delta(adapter_from_json('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "fan_in_fan_out": true},
	"tensors": {"base_model.model.c.lora_A.weight": {"dtype": "F32", "shape": [1, 3], "data": [1, 2, 3]},
	            "base_model.model.c.lora_B.weight": {"dtype": "F32", "shape": [2, 1], "data": [1, 10]}}}'), 'c');
-- Whatever the configuration says: GPT-2's c_attn under a flag that is another layer's; an embedding is transposed anyhow.
select adapter_module_delta(a, 'q') as by_configuration, adapter_module_delta(a, 'q', true) as transposed, adapter_module_delta(a, 'q', fan_in_fan_out => false) as plain
from (select lora('q', '[[1, 2, 3]]', '[[1], [10]]') as a) s;
-- A convolution in the shape of its kernel.
select adapter_module_delta(adapter_from_json('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1},
	"tensors": {"base_model.model.c.lora_A.weight": {"dtype": "F32", "shape": [1, 1, 1, 2], "data": [1, 2]},
	            "base_model.model.c.lora_B.weight": {"dtype": "F32", "shape": [2, 1, 1, 1], "data": [1, 10]}}}'), 'c');
-- The outer-product bomb is refused before anything is allocated.
select fails($$select adapter_module_delta(adapter_from_json(format('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1},
	"tensors": {"base_model.model.c.lora_A.weight": {"dtype": "F32", "shape": [1, 5000], "data": %s},
	            "base_model.model.c.lora_B.weight": {"dtype": "F32", "shape": [5000, 1], "data": %s}}}', zeros, zeros)::json), 'c')
	from (select json_agg(0) as zeros from generate_series(1, 5000)) z$$);

-- The recipe of an imported value names the file; of a composed one, its operands and theirs.
select adapter_recipe(a) from t where name = 'ia3';
select jsonb_pretty(adapter_recipe(0.25 * x.a + 0.75 * (2 * y.a - x.a)))
from (select lora('q', '[[1]]', '[[1]]') as a) x, (select lora('q', '[[2]]', '[[2]]') as a) y;

drop table t;
