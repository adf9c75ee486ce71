-- Equality is equality of digests: content, not recipe or spelling.
create table t (id int, a adapter);
insert into t values
	(1, lora('q', '[[1, 2]]', '[[3], [4]]', '8')),
	(2, lora('q', '[[1, 2]]', '[[3], [4]]', '8.0')),
	(3, lora('q', '[[1, 2]]', '[[3], [5]]', '8')),
	(4, lora('q', '[[0]]', '[[1]]')),
	(5, lora('q', '[[-0.0]]', '[[1]]')),
	(6, lora('q', '[["NaN"]]', '[[1]]')),
	(7, lora('q', '[["NaN"]]', '[[1]]'));

-- The spelling of alpha does not count; the sign of zero does; NaN equals itself.
select x.id, y.id, x.a = y.a as eq, x.a <> y.a as ne from t x, t y
where (x.id, y.id) in ((1, 1), (1, 2), (1, 3), (4, 5), (6, 7)) order by 1, 2;

-- A scaling counts.
select lora('q', '[[1]]', '[[1]]', '1') = lora('q', '[[1]]', '[[1]]', '2') as scaling;

-- Experts stack in the tensors, so the r of the configuration counts beside the scaling:
-- operations compute with it (adapter_scale, the neutral value).
create function experts(r int, alpha int) returns adapter language sql immutable as $$
	select adapter_from_json(format(
		'{"config": {"peft_type": "LORA", "r": %s, "lora_alpha": %s, "target_parameters": ["mlp.experts.up"]},
		  "tensors": {"base_model.model.mlp.experts.lora_A.weight": {"dtype": "F32", "shape": [12, 1], "data": [1,2,3,4,5,6,7,8,9,10,11,12]},
		              "base_model.model.mlp.experts.lora_B.weight": {"dtype": "F32", "shape": [1, 12], "data": [1,2,3,4,5,6,7,8,9,10,11,12]}}}', r, alpha)::json)
$$;
select experts(3, 3) = experts(4, 4) as other_r, experts(3, 3) = experts(3, 3) as same_r;
drop function experts;

-- Operators, hash and order agree.
select bool_and((adapter_cmp(x.a, y.a) = 0) = (x.a = y.a)) as cmp_eq,
	bool_and((x.a < y.a) = (adapter_digest(x.a) < adapter_digest(y.a))) as lt,
	bool_and((x.a <= y.a) = (adapter_digest(x.a) <= adapter_digest(y.a))) as le,
	bool_and((x.a > y.a) = (adapter_digest(x.a) > adapter_digest(y.a))) as gt,
	bool_and((x.a >= y.a) = (adapter_digest(x.a) >= adapter_digest(y.a))) as ge,
	bool_and(x.a <> y.a or adapter_hash(x.a) = adapter_hash(y.a)) as hash,
	bool_and(x.a <> y.a or adapter_hash_extended(x.a, 7) = adapter_hash_extended(y.a, 7)) as hash_extended
from t x, t y;

-- DISTINCT, GROUP BY and every kind of join count the same.
select count(*) from (select distinct a from t) s;
set enable_hashagg = off;
select count(*) from (select a from t group by a) s;
reset enable_hashagg;
set enable_nestloop = off;
set enable_mergejoin = off;
select count(*) as hash_join from t x join t y on x.a = y.a;
set enable_mergejoin = on;
set enable_hashjoin = off;
select count(*) as merge_join from t x join t y on x.a = y.a;
set enable_nestloop = on;
set enable_mergejoin = off;
select count(*) as nested_loop from t x join t y on x.a = y.a;
reset enable_mergejoin;
reset enable_hashjoin;

-- A unique index on the digest, and a hash index on the value.
create unique index on t (adapter_digest(a)) where id in (1, 3, 4);
create index on t using hash (a);
set enable_seqscan = off;
select count(*) from t where a = (select a from t where id = 1);
reset enable_seqscan;

drop table t;
