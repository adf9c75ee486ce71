-- LoRA out of what full fine-tuning has done: numbers that can be checked by head.
create function changes(tensors json) returns adapter language sql immutable as $$
	select adapter_from_json(json_build_object('config', '{"peft_type": "DIFFERENCE", "base_model_name_or_path": "m"}'::json, 'tensors', tensors))
$$;
create table e as select changes('{"q.weight": {"dtype": "F32", "shape": [2, 3], "data": [3, 0, 0, 0, 4, 0]},
	"c.weight": {"dtype": "F32", "shape": [1, 1, 1, 2], "data": [3, 4]}, "m.wte.weight": {"dtype": "F32", "shape": [3, 2], "data": [1, 2, 2, 4, 3, 6]},
	"norm.weight": {"dtype": "F32", "shape": [2], "data": [0, 0]}}') as a;

-- Names, shapes and ranks; an embedding by its usual name, a norm that has not changed is left out.
select m.module, m.role, m.tensor, m.dtype, m.shape, m.scaling from e, adapter_modules(adapter_extract(a, 1)) m order by m.tensor;
select adapter_config(adapter_extract(a, 1)) -> 'target_modules' as targets, adapter_base_model(adapter_extract(a, 1)) as base from e;
-- Of diag(3, 4) rank 1 keeps the 4; the others are of rank 1 themselves.
select n.module, (select array_agg(round(x::numeric, 4)) from unnest(adapter_module_delta(adapter_extract(a, 1), n.module)) x) as delta
from e, (values ('q'), ('c'), ('m.wte')) n(module);
-- 16 of 25 is the share of rank 1.
select adapter_rank(adapter_select(adapter_extract(a, 0.63), 'q')) as "rank of 0.63", adapter_rank(adapter_select(adapter_extract(a, 0.65), 'q')) as "rank of 0.65" from e;
-- Every type of whole numbers is a rank, and every other one an energy.
select adapter_rank(adapter_extract(a, 1::smallint)) as small, adapter_rank(adapter_extract(a, 2::bigint)) as big,
	adapter_rank(adapter_extract(a, 1.0)) as numeric_energy, adapter_rank(adapter_extract(a, rank => 1::smallint, drop_others => true)) as named from e;
-- Who calls its embeddings otherwise says so; weights that are stored as (in, out) too.
select m.tensor, m.shape from e, adapter_modules(adapter_extract(a, 1, embeddings => 'q')) m where m.module in ('q', 'm.wte') order by m.tensor;
select m.tensor, m.shape from e, adapter_modules(adapter_extract(a, 1, fan_in_fan_out => true)) m where m.module in ('q', 'm.wte') order by m.tensor;
-- The recipe names the library, and is evaluated again.
select adapter_recipe(x) -> 'version' as version, (adapter_recipe(x) -> 'root') - 'of' - 'library' as root,
	(select adapter_recompute(adapter_recipe(x), f.a, null, false) = x from e f) as again, x::text::adapter = x as restored from e, adapter_extract(a, 1) x;

-- Refused: changes that a LoRA cannot hold, unless they are left out.
select adapter_extract(changes('{"q.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]}, "q.bias": {"dtype": "F32", "shape": [1], "data": [2]}}'), 1);
select adapter_rank(adapter_extract(changes('{"q.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]}, "q.bias": {"dtype": "F32", "shape": [1], "data": [2]}}'), 1, drop_others => true)) as rank;
select adapter_extract(changes('{"q.bias": {"dtype": "F32", "shape": [1], "data": [0]}}'), 1);
select adapter_extract(a, 0) from e;
select adapter_extract(a, -1::smallint) from e;
select adapter_extract(a, null::bigint) is null as nothing from e;
select adapter_extract(a, 1.5) from e;
select adapter_extract(a, 1, embeddings => '(') from e;
select adapter_extract(adapter_extract(a, 1), 1) from e;
