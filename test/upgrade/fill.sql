-- A registry with something of everything, for test/upgrade/freeze: roles, row
-- security, versions, sums in both spaces, virtual and materialized versions,
-- moves of aliases, a revocation and what is made again without it, an erasure.
create function pg_temp.leaf(a json, b json) returns adapter language sql as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 1},
		"tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 2], "data": %s},
		            "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [2, 1], "data": %s}}}', a, b)::json)
$$;
select registry_create('upgrade_reader', 'upgrade_writer', 'upgrade_admin', row_security => true);
select registry.commit('x', pg_temp.leaf('[[1, 2]]', '[[1], [0]]'), 'first'),
	registry.commit('y', pg_temp.leaf('[[3, 5]]', '[[0], [1]]')),
	registry.commit('z', pg_temp.leaf('[[8, 1]]', '[[2], [2]]'));
select registry.commit('mix', 0.4 * registry.get('x') + 0.6 * registry.get('y'), 'the paper''s merge');
select registry.commit('mix', registry.get('mix') + 0.5 * registry.get('z'));
select registry.commit('mix', adapter(0.5 * delta(registry.get('x')) + 0.25 * delta(registry.get('mix@1'))));
select registry.commit_virtual('sweep', 0.25 * registry.get('x') + 0.75 * registry.get('y'));
select registry.commit_virtual('sweep', 0.75 * registry.get('x') + 0.25 * registry.get('y'));
select registry.materialize('sweep@2');
select registry.set_alias('mix', 'production', 1);
select registry.set_alias('mix', 'production', 2, 1);
select registry.set_alias('mix', 'candidate', 1);
delete from registry.alias where alias = 'candidate';
select registry.set_alias('sweep', 'production', 1);
select count(*) from registry.revoke('z@1', 'withdrawn');
select registry.commit('top', adapter_scale(registry.get('mix@3'), 3));
select registry.recompose('top@1', 'y@1');
select registry.erase('z@1', 'withdrawn');
