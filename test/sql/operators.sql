-- Modules that some operands lack are meant here.
set peftarith.unpaired_modules = off;
-- The paper's operators on factors that can be checked by head.
create table v (name text primary key, a adapter);
insert into v values
	('x', lora('q', '[[1, 2]]', '[[3], [4]]')),
	('y', lora('q', '[[10, 20]]', '[[30], [40]]')),
	('z', lora('q', '[[100, 200]]', '[[300], [400]]')),
	('i', ia3('q', '[2, 3]')),
	('j', ia3('q', '[5, 1]'));

-- Addition: both factors.
select s.* from v x, v y, show(x.a + y.a) s where x.name = 'x' and y.name = 'y';

-- A weighted sum: weights act on both factors.
select s.* from v x, v y, show(0.5 * x.a + 0.25 * y.a) s where x.name = 'x' and y.name = 'y';

-- Negation: factor B alone.
select s.* from v x, show(-x.a) s where x.name = 'x';

-- So a - a is {2A, 0}, and a - 0.5*a is {1.5 A, 0.5 B}: this is not a vector space.
select s.* from v x, show(x.a - x.a) s where x.name = 'x';
select s.* from v x, show(x.a - 0.5 * x.a) s where x.name = 'x';

-- Division.
select s.* from v x, show(x.a / -2) s where x.name = 'x';

-- Domain transfer: 0.5*c + 0.5*(t - s).
select s.* from v x, v y, v z, show(0.5 * x.a + 0.5 * (z.a - y.a)) s
where x.name = 'x' and y.name = 'y' and z.name = 'z';

-- Detoxification: a + 0.5*(a - x): A 1.5 a + 0.5 x, B 1.5 a - 0.5 x.
select s.* from v x, v y, show(y.a + 0.5 * (y.a - x.a)) s where x.name = 'x' and y.name = 'y';

-- adapter_lerp: every tensor (1-t) a + t b, signed; also outside 0..1.
select s.* from v x, v y, show(adapter_lerp(x.a, y.a, 0.5)) s where x.name = 'x' and y.name = 'y';
select s.* from v x, v y, show(adapter_lerp(x.a, y.a, -1)) s where x.name = 'x' and y.name = 'y';

-- (IA)^3: the same on l - 1.  2+5-1, 3+1-1; 2-l; 1 + 0.5 (l-1).
select s.* from v i, v j, show(i.a + j.a) s where i.name = 'i' and j.name = 'j';
select s.* from v i, show(-i.a) s where i.name = 'i';
select s.* from v i, show(0.5 * i.a) s where i.name = 'i';
select s.* from v i, show(i.a - i.a) s where i.name = 'i';

-- Identities.
select 1 * x.a = x.a as one, x.a + y.a = y.a + x.a as commutes,
	(x.a + y.a) + z.a = x.a + (y.a + z.a) as associates, -(-x.a) = x.a as negates,
	x.a * 4 / 4 = x.a as divides, x.a + y.a = x.a as different
from v x, v y, v z where x.name = 'x' and y.name = 'y' and z.name = 'z';

-- Two spellings: the sum of two is rounded when it is materialised.
create table f as
	select n, lora('q', json_build_array((select json_agg(sin(n * k)) from generate_series(1, 20) k)), '[[1]]') as a
	from generate_series(1, 3) n;
with one as (
	select (0.3 * x.a + 0.3 * y.a) + 0.4 * z.a as a from f x, f y, f z where (x.n, y.n, z.n) = (1, 2, 3)
), m as materialized (
	select 0.3 * x.a + 0.3 * y.a as a from f x, f y where (x.n, y.n) = (1, 2)
), two as (
	select 1 * m.a + 0.4 * z.a as a from m, f z where z.n = 3
)
select one.a = two.a as same_value, jsonb_array_length(adapter_recipe(one.a) #> '{root,terms}') as terms_one,
	jsonb_array_length(adapter_recipe(two.a) #> '{root,terms}') as terms_two
from one, two;

-- Modules that one side lacks are neutral.
select s.* from v x, show(0.5 * x.a + 0.5 * lora('k', '[[8, 8]]', '[[2], [2]]')) s where x.name = 'x';
select s.* from v i, show(0.5 * i.a + 0.5 * ia3('k', '[3]')) s where i.name = 'i';

-- All weights zero: the neutral value.
select s.* from v x, show(0 * x.a) s where x.name = 'x';
select s.* from v i, show(0 * i.a) s where i.name = 'i';

-- Scalings that agree are kept; where they differ each term keeps its delta under scaling 1.
select m.module, m.role, m.scaling, adapter_tensor(c.a, m.tensor)
from (select 0.5 * lora('q', '[[2]]', '[[2]]', '4') + 0.5 * lora('q', '[[4]]', '[[6]]', '4') as a) c,
	adapter_modules(c.a) m;
select m.module, m.role, m.scaling, adapter_tensor(c.a, m.tensor)
from (select 1 * lora('q', '[[2]]', '[[2]]', '4') + 1 * lora('q', '[[3]]', '[[3]]', '16') as a) c,
	adapter_modules(c.a) m;

-- The wider dtype; BF16 with F16 gives F32.
select distinct m.dtype
from (select lora('q', '[[2]]', '[[2]]', '1', 'BF16') + lora('q', '[[2]]', '[[2]]', '1', 'F16') as a) c, adapter_modules(c.a) m;
select distinct m.dtype
from (select lora('q', '[[2]]', '[[2]]', '1', 'BF16') + lora('q', '[[3]]', '[[2]]', '1', 'BF16') as a) c, adapter_modules(c.a) m;

-- One rounding: 1 + 2^-9 + 2^-9 is 1 + 2^-8, which rounds to even in BF16.
select s.elements from show(lora('q', '[[1]]', '[[1]]', '1', 'BF16')
	+ lora('q', '[[0.001953125]]', '[[0]]', '1', 'BF16') + lora('q', '[[0.0019531250001]]', '[[0.5]]', '1', 'BF16')) s;

-- The composed configuration.
select adapter_config(0.5 * x.a + 0.5 * y.a) from v x, v y where x.name = 'x' and y.name = 'y';
select adapter_config(i.a + j.a) from v i, v j where i.name = 'i' and j.name = 'j';

-- Refusals.  Different kinds:
select fails($$select adapter_digest(x.a + i.a) from v x, v i where x.name = 'x' and i.name = 'i'$$);
-- different base models, and null with a name:
select fails($$select adapter_digest(lora('q', '[[1]]', '[[1]]') + lora('q', '[[2]]', '[[1]]', '1', 'F32', '"other"'))$$);
select fails($$select adapter_digest(lora('q', '[[1]]', '[[1]]') + lora('q', '[[2]]', '[[1]]', '1', 'F32', 'null'))$$);
-- different ranks:
select fails($$select adapter_digest(lora('q', '[[1]]', '[[1]]') + lora('q', '[[2], [1]]', '[[1, 1]]'))$$);
-- different shapes:
select fails($$select adapter_digest(lora('q', '[[1]]', '[[1]]') + lora('q', '[[2, 1]]', '[[1]]'))$$);
-- weights:
select fails($$select 'NaN'::float8 * a from v$$);
select fails($$select 'Infinity'::float8 * a from v$$);
select fails($$select a / 0 from v$$);
select fails($$select a * 1e300 * 1e300 from v$$);
-- a result that overflows, and weights that are not finite:
select fails($$select adapter_digest(2 * lora('q', '[[3e38]]', '[[1]]'))$$);
select fails($$select adapter_digest(2 * lora('q', '[["NaN"]]', '[[1]]'))$$);
select fails($$select adapter_digest(2 * lora('q', '[[1]]', '[["Infinity"]]'))$$);
-- which can be stored, and used as they are:
select s.* from show(1 * lora('q', '[["NaN"]]', '[["-Infinity"]]')) s;

-- Dense tensors: every leaf has them and the weights sum to 1.
create function with_head(head json) returns adapter language sql immutable as $$
	select adapter_from_json(format(
		'{"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 1, "modules_to_save": ["head"]},
		  "tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]},
		              "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]},
		              "base_model.model.head.weight": {"dtype": "F32", "shape": [2], "data": %s}}}', head)::json)
$$;
insert into v values ('h', with_head('[4, 8]')), ('k', with_head('[8, 4]')), ('o', lora('q', '[[1]]', '[[2]]'));
select s.* from v h, v k, show(0.25 * h.a + 0.75 * k.a) s where h.name = 'h' and k.name = 'k';
select fails($$select adapter_digest(h.a + k.a) from v h, v k where h.name = 'h' and k.name = 'k'$$);
-- The same in all that have it: it stays, whatever the weights, and where others lack it.
select s.* from show(3 * with_head('[4, 8]') - 2 * lora('q', '[[1]]', '[[2]]')) s;
select s.* from v h, v o, show(0.5 * h.a + 0.5 * o.a) s where h.name = 'h' and o.name = 'o';
select s.* from show(-with_head('[4, 8]')) s;
select s.* from show(0 * with_head('[4, 8]')) s;
-- Recomputed to its digest.
select (select adapter_recompute(adapter_recipe(-h.a), h.a, null, false)) = -h.a as same from v h where name = 'h' group by h.a;
-- Also of a type that is not computed with, and what is no number; and beside LoRA factors (a base_layer.weight).
create function locked(b real, dense json, dtype text default 'F32') returns adapter language sql immutable as $$
	select adapter_from_json(format(
		'{"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 1},
		  "tensors": {"base_model.model.embed.base_layer.weight": {"dtype": "%s", "shape": [%s], "data": %s},
		              "base_model.model.embed.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]},
		              "base_model.model.embed.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [%s]}}}',
		dtype, json_array_length(dense), dense, b)::json)
$$;
select adapter_to_json(0.5 * locked(1, '[1, 255]', 'U8') + 0.5 * locked(2, '[1, 255]', 'U8')) #> '{tensors,base_model.model.embed.base_layer.weight}';
select s.* from show(locked(1, '["NaN", 8]') - locked(2, '["NaN", 8]')) s;
-- Not the same: a mixture, or a refusal that names the tensor and the call.
select s.* from show(0.25 * locked(1, '[4, 8]') + 0.75 * locked(2, '[8, 4]')) s;
select fails($$select adapter_digest(0.5 * h.a + 0.25 * k.a + 0.25 * o.a) from v h, v k, v o where h.name = 'h' and k.name = 'k' and o.name = 'o'$$);
select fails($$select adapter_digest(0 * h.a + 0 * k.a) from v h, v k where h.name = 'h' and k.name = 'k'$$);
select fails($$select adapter_digest(0.5 * locked(1, '[1, 255]', 'U8') + 0.5 * locked(2, '[2, 255]', 'U8'))$$);
drop function locked;

-- fan_in_fan_out says how base weights are stored: no sum depends on it, and the result's on no order.
create function flagged(config text, b real, bias text default '', path text default 'q', role text default 'lora') returns adapter language sql immutable as $$
	select adapter_from_json(format(
		'{"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 2 %1$s},
		  "tensors": {"base_model.model.%2$s.%3$s": {"dtype": "F32", "shape": [1, 2], "data": [1, 2]},
		              "base_model.model.%2$s.%4$s": {"dtype": "F32", "shape": [1, 1], "data": [%5$s]} %6$s}}', config, path,
		case role when 'lora' then 'lora_A.weight' else 'lora_embedding_A' end, case role when 'lora' then 'lora_B.weight' else 'lora_embedding_B' end, b, bias)::json)
$$;
create table flags as select name, flagged(config, b, bias) as a from (values
	('true', ', "fan_in_fan_out": true', 3, ''), ('false', '', 4, ''),
	('bias', ', "lora_bias": true', 8, ', "base_model.model.q.lora_B.bias": {"dtype": "F32", "shape": [1], "data": [16]}')) v(name, config, b, bias);
select x.name, adapter_config(s) -> 'fan_in_fan_out' as flag, adapter_digest(s) = adapter_digest(y.a + x.a) as any_order, adapter_tensor(s, 'base_model.model.q.lora_B.weight') as b
from flags x, flags y, lateral (select x.a + y.a as s offset 0) s where (x.name, y.name) in (('true', 'false'), ('false', 'true'), ('true', 'true')) order by x.name, y.name;
select round((x.a <=> y.a)::numeric, 6) as distance, round((adapter_norm(delta(x.a) - delta(y.a)) ^ 2)::numeric, 6) as square from flags x, flags y where x.name = 'true' and y.name = 'false';
-- A lora_bias that one lacks is zero; every module of the result has one, for PEFT.
select s.* from flags x, flags y, show(0.5 * x.a + 0.25 * y.a + flagged('', 1, '', 'k')) s where x.name = 'false' and y.name = 'bias';
select adapter_config(x.a + y.a) -> 'lora_bias' as lora_bias, adapter_digest(x.a + y.a) = adapter_digest(y.a + x.a) as any_order from flags x, flags y where x.name = 'false' and y.name = 'bias';
select s.* from flags x, flags y, show(adapter(delta(x.a) - delta(y.a))) s where x.name = 'false' and y.name = 'bias';
select round((adapter_norm(delta(y.a) - delta(x.a)) ^ 2)::numeric, 6) as square from flags x, flags y where x.name = 'false' and y.name = 'bias';
select s.* from flags x, flags y, show(adapter_ties(array[x.a, y.a, flagged('', 1, '', 'k')], '{1, 1, 1}', 1, 'peft')) s where x.name = 'false' and y.name = 'bias';
select s.* from flags x, flags y, show(adapter_magnitude_prune(array[x.a, y.a, flagged('', 1, '', 'k')], '{1, 1, 1}', 1, 'peft')) s where x.name = 'false' and y.name = 'bias' and s.tensor ~ 'bias';
-- 22000 what PEFT has no lora_bias for
select fails($$select adapter_digest(a + flagged('', 1, '', 'e', 'embedding')) from flags where name = 'bias'$$);
select fails($$select adapter_union(x) from (select a as x from flags where name = 'bias' union all select flagged('', 1, '', 'k')) s$$);
select adapter_config(adapter_union(x)) -> 'fan_in_fan_out' as flag from (select a as x from flags where name = 'true' union all select flagged('', 1, '', 'k')) s;
drop table flags;

-- A head that an old file does not declare (PEFT saves it for the task) is declared where the task is lost.
create function classifier(task text, path text, head json) returns adapter language sql immutable as $$
	select adapter_from_json(format(
		'{"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 1, "task_type": %s, "modules_to_save": null},
		  "tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]},
		              "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [2]},
		              "base_model.model.%s": {"dtype": "F32", "shape": [1], "data": %s}}}', task, path, head)::json)
$$;
select path, x || ' ' || y as tasks, adapter_config(0.5 * classifier(x, path, '[1]') + 0.5 * classifier(y, path, '[3]')) -> 'modules_to_save' as saved
from (values ('score.weight', '"SEQ_CLS"', 'null'), ('score.weight', 'null', '"TOKEN_CLS"'), ('score.weight', '"SEQ_CLS"', '"SEQ_CLS"'), ('score.weight', 'null', 'null'),
	('m.classifier.out.bias', '"SEQ_CLS"', '"CAUSAL_LM"'), ('qa_outputs.weight', '"QUESTION_ANS"', 'null'), ('qa_outputs.weight', '"SEQ_CLS"', 'null'),
	('scores.weight', '"SEQ_CLS"', 'null'), ('q.base_layer.bias', '"SEQ_CLS"', 'null')) v(path, x, y);
drop function flagged, classifier;

-- DoRA can be stored and used as it is, not added.
create function dora(m json) returns adapter language sql immutable as $$
	select adapter_from_json(format(
		'{"config": {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 1, "lora_alpha": 1, "use_dora": true},
		  "tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]},
		              "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": [1]},
		              "base_model.model.q.lora_magnitude_vector": {"dtype": "F32", "shape": [1], "data": %s}}}', m)::json)
$$;
select s.* from show(1 * dora('[7]')) s;
select fails($$select adapter_digest(0.5 * dora('[7]') + 0.5 * dora('[8]'))$$);

-- Constants and parameters of a plan are one expression too, whatever the plan.
prepare p(adapter, adapter) as select s.* from show(0.25 * $1 + 0.75 * $2) s;
set plan_cache_mode = force_custom_plan;
execute p(with_head('[4, 8]'), with_head('[8, 4]'));
set plan_cache_mode = force_generic_plan;
execute p(with_head('[4, 8]'), with_head('[8, 4]'));
reset plan_cache_mode;
deallocate p;

drop table v, f;
drop function with_head, dora;

-- Computed operands are held once, however long the sum: 60 of 32 kB are less than 4 MB.
create view held as select sum(total_bytes) as bytes from pg_backend_memory_contexts where name in ('adapter expression', 'TopMemoryContext');
create function sum_of_computed(a adapter, n int, out digest bytea, out held numeric) language plpgsql as $$
begin
	execute 'select adapter_digest(' || (select string_agg(format('adapter_scale($1, %s)', 1 + i / 1000.0), ' + ') from generate_series(1, n) i)
		|| '), (select bytes from held)' into digest, held using a;
end
$$;
-- once before, for what a session keeps
select octet_length(digest) as digest from sum_of_computed(lora('q', '[[1]]', '[[1]]'), 2);
select bytes as before from held \gset
select octet_length(digest) as digest, held - :before between 60 * 32000 and 4 * 1048576 as held_once
from sum_of_computed(lora('q', json_build_array((select json_agg(sin(i * i)) from generate_series(1, 8000) i)), '[[1]]'), 60);
-- And given back.
select bytes - :before < 65536 as given_back from held;
drop function sum_of_computed;
drop view held;
