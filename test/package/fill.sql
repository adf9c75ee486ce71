-- What an installed package must be able to do, and what must outlive its
-- upgrade: adapters, compositions in both algebras, a registry.  For dev/package
-- and the package's own test.  Only what every release has.
\set ON_ERROR_STOP on
create extension peftarith;
create table adapters (name text primary key, a adapter);
create function pg_temp.leaf(a json, b json) returns adapter language sql as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 1},
		"tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 3], "data": %s},
		            "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [2, 1], "data": %s}}}', a, b)::json)
$$;
insert into adapters values
	('x', pg_temp.leaf('[[0.1, 0.2, 0.3]]', '[[1], [0.7]]')),
	('y', pg_temp.leaf('[[0.3, 0.5, -0.7]]', '[[-0.2], [1]]'));
insert into adapters
select 'mixed', 0.3*x.a + 0.7*y.a from adapters x, adapters y where (x.name, y.name) = ('x', 'y');
insert into adapters
select 'apart', adapter(0.7*delta(x.a) - 0.3*delta(y.a)) from adapters x, adapters y where (x.name, y.name) = ('x', 'y');

select registry_create();
insert into registry.version (entry, value, message) select name, a, 'imported' from adapters where name in ('x', 'y') order by name;
insert into registry.version (entry, value, message)
select 'mixed', 0.3*x.value + 0.7*y.value, 'two halves'
from registry.version x, registry.version y where (x.entry, y.entry) = ('x', 'y');
insert into registry.version (entry, value, message)
select 'scaled', adapter_scale(value, 3), 'three times' from registry.version where entry = 'mixed';
select registry.set_alias('mixed', 'production', 1);
