-- References, and what is read by them.
create table base (name text primary key, a adapter);
insert into base values
	('x', lora('q', '[[1, 2]]', '[[1], [0]]')),
	('y', lora('q', '[[3, 5]]', '[[0], [1]]')),
	('z', lora('q', '[[8, 1]]', '[[2], [2]]'));
select registry_create();
insert into registry.version (entry, value, message) select name, a, 'imported' from base order by name;
insert into registry.version (entry, value, message)
	select 'mix', 0.4 * x.value + 0.6 * y.value, 'the paper''s merge'
	from registry.version x, registry.version y where x.entry = 'x' and y.entry = 'y';
select registry.commit('mix', registry.get('mix') + 0.5 * registry.get('z'), 'and z');

-- References.
select r.* from registry.resolve('mix') r;
select r.* from registry.resolve('mix@1') r;
select adapter_digest(registry.get('mix@1')) = adapter_digest(0.4 * x.a + 0.6 * y.a) as same from base x, base y where x.name = 'x' and y.name = 'y';
select fails($$select registry.get('mix@7')$$);
select fails($$select registry.get('mix@')$$);
select fails($$select registry.get('nothing')$$);

-- What differs.
create function two(first adapter, second adapter) returns adapter language sql as $$
	select adapter_union(a) from unnest(array[first, second]) a
$$;
select registry.commit('two', two(lora('q', '[[1, 2]]', '[[1], [0]]'), lora('k', '[[1, 1]]', '[[1], [0]]')));
select registry.commit('two', two(lora('q', '[[1, 2]]', '[[1], [0]]'), lora('v', '[[1, 1]]', '[[1], [0]]')));
select registry.commit('two', two(lora('q', '[[1, 2]]', '[[1], [0]]', '2'), lora('v', '[[1, 1]]', '[[1], [0]]')));
drop function two;
-- (k and v: the norm of B A, sqrt(2))
select module, status, round(distance::numeric, 12) as distance from registry.diff('two@1', 'two@2');
-- (twice the alpha: B A once more, sqrt(1 + 4))
select module, status, round(distance::numeric, 12) as distance from registry.diff('two@2', 'two@3');
-- What cannot be computed with is kept all the same, and its type and settings
-- count: equal tensors are not the same adapter.
create function prompt(type text, tokens int, element float8) returns adapter language sql as $$
	select adapter_from_json(format('{"config": {"peft_type": "%s", "num_virtual_tokens": %s}, "tensors": {
		"a.x": {"dtype": "F32", "shape": [1], "data": [%s]}, "b.x": {"dtype": "F32", "shape": [1], "data": [2]}}}', type, tokens, element)::json)
$$;
insert into registry.version (entry, value) values ('prompt', prompt('PROMPT_TUNING', 1, 1)), ('prompt', prompt('PROMPT_TUNING', 1, 3)),
	('prompt', prompt('P_TUNING', 1, 1)), ('prompt', prompt('PROMPT_TUNING', 2, 1));
select n, d.* from generate_series(2, 4) n, registry.diff('prompt@1', 'prompt@' || n) d order by n, d.module;
select count(*) as same from registry.diff('prompt@1', 'prompt@1') d where d.status = 'same' and d.distance = 0;
select registry.commit('renamed', adapter_set_base_model(registry.get('prompt@1'), 'other'));
select fails($$select registry.commit_virtual('virtual', registry.get('prompt@1'))$$);
select registry.commit_virtual('virtual', adapter_set_base_model(registry.get('prompt@1'), 'another'));
select adapter_peft_type(registry.get('virtual')), adapter_base_model(registry.get('virtual'));
select names, kind, depth from registry.lineage('virtual');
select r.ref, r.kind, r.recomposable from registry.revoke('prompt@1', 'a licence') r order by r.ref;
select fails($$select registry.get('virtual')$$);
drop function prompt;
select * from registry.verify(recompute => true);
select registry_drop(true);
drop table base;
