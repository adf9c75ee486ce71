-- Modules that some operands lack are meant here.
set peftarith.unpaired_modules = off;
-- Truncation, spectra and geometry, from the factors.

-- The delta [[3, 0], [0, 4]] as rank 2: singular values 4 and 3, norm 5.
create table d as select lora('q', '[[1, 0], [0, 1]]', '[[3, 0], [0, 4]]', '2') as a;
select * from adapter_spectrum((select a from d));
select * from adapter_spectrum((select 2 * delta(a) from d));
select adapter_norm(a), adapter_norm(delta(a)), adapter_norm(-2 * delta(a)) from d;

-- Its best approximation of rank 1 is [[0, 0], [0, 4]]; the 4 is shared by powers of two: e = floor(log2(4) / 2) = 1.
select tensor, t.data from (select adapter_truncate(a, 1) as x from d) s, show(x) t(tensor, dtype, data);
select adapter_rank(adapter_truncate(a, rank => 1)), adapter_rank(adapter_truncate(a, rank => 7)) from d;
select * from adapter_truncation_error((select a from d), rank => 1);
select * from adapter_truncation_error((select delta(a) from d), rank => 2);
-- 16 of 25 is 0.64.
select energy, adapter_rank(adapter_truncate(a, energy => energy)) as rank, adapter_rank(adapter_truncate(delta(a), energy => energy)) as of_delta
from d, unnest('{1e-9, 0.63, 0.65, 1}'::float8[]) energy;
select * from adapter_truncation_error((select a from d), energy => 0.5);

-- Signs: the entry of largest magnitude in each row of A is positive, the first of equals.
select tensor, t.data from show(adapter_truncate(lora('q', '[[1, -2]]', '[[4], [0]]'), 1)) t(tensor, dtype, data);
select tensor, t.data from show(adapter_truncate(lora('q', '[[-3, 3]]', '[[1], [1]]'), 1)) t(tensor, dtype, data);

-- A sum of deltas is not evaluated first: one expression, one rounding.  d - 0.5 d = 0.5 d.
select abs(adapter_norm(delta(a) - 0.5 * delta(a)) - 2.5) < 1e-12 as half, adapter_norm(delta(a) - delta(a)) as nothing from d;
select module, index, round(singular_value::numeric, 6) as singular_value
from adapter_spectrum((select delta(a) + delta(lora('q', '[[1, 0]]', '[[1], [0]]')) from d));
-- Rank 3 of a 2 x 2 delta: more columns than there are dimensions, so a truncation to 2 is exact.
select adapter_rank(adapter(x)) as stacked, adapter_rank(adapter_truncate(x, 3)) as truncated,
	adapter_distance(x, delta(adapter_truncate(x, 3))) < 1e-6 as same
from (select delta(a) + delta(lora('q', '[[1, 0]]', '[[1], [0]]')) as x from d) s;
-- Everything cancels: rank 1 and zeros; the same adapter's neutral value if the weights are 0.
select * from adapter_truncation_error((select delta(a) - delta(adapter_cast(a, 'F64')) from d), 1);
select tensor, t.data from show(adapter_truncate((select delta(a) - delta(a) from d), 2)) t(tensor, dtype, data);

-- Recipe: what was kept, and that the result is the library's.
select jsonb_object_agg(key, value) from d, jsonb_each(adapter_recipe(adapter_truncate(2 * delta(a), 1)) -> 'root') where key not in ('terms', 'library');
select adapter_recipe(adapter_truncate(2 * delta(a), energy => 0.5)) #>> '{root,energy}' as energy, adapter_recipe(adapter_truncate(2 * delta(a), 1)) #>> '{root,terms,0,w}' as w from d;

-- Geometry.  [[3, 0], [0, 4]] and [[0, 0], [0, 1]]: inner product 4, distance sqrt(9 + 9).
create table e as select lora('q', '[[0, 1]]', '[[0], [1]]') as a;
select adapter_inner(d.a, e.a), adapter_inner(delta(e.a), delta(d.a)), round((d.a <-> e.a)::numeric ^ 2, 9) as square, round((d.a <=> e.a)::numeric, 12) as cosine from d, e;
select d.a <-> d.a as same, d.a <=> d.a as cosine, delta(d.a) <=> 2 * delta(d.a) as longer, delta(d.a) <=> -delta(d.a) as opposite from d;
-- A delta of 0 has no direction.
select delta(d.a) <=> 0 * delta(e.a) as cosine, delta(d.a) <-> 0 * delta(e.a) as distance from d, e;
-- A module that one lacks is zero there.
select * from adapter_module_geometry(lora('q', '[[1, 2]]', '[[2]]'), lora('k', '[[3, 4]]', '[[1]]'));
select * from adapter_module_norms(lora('q', '[[3, 4]]', '[[2]]'));
select adapter_norm(lora('q', '[[3, 4]]', '[[2]]', '10')) as scaled;
-- Almost equal: the difference, 2^-30, is not lost in the squares.
select adapter_distance(lora('q', '[[1]]', '[[1]]', dtype => 'F64'), lora('q', '[[1]]', '[[1.000000000931322574615478515625]]', dtype => 'F64')) = 2 ^ -30::float8 as fine;
-- Far out of the range of squares.
select adapter_norm(lora('q', '[[1e200]]', '[[3e100]]', dtype => 'F64')) / 3e300 as large, (adapter_norm(lora('q', '[[1e-200]]', '[[3e-100]]', dtype => 'F64')) / 3e-300)::real as small;
select (singular_value / 3e300)::real as large from adapter_spectrum(lora('q', '[[1e200]]', '[[3e100]]', dtype => 'F64'));
-- lora_bias counts as one more column; alpha 2 of rank 1: 2 * [[3]] and 2 * [4].
create function with_bias(a json, b json, bias json) returns adapter language sql immutable as $$
	select adapter_from_json(format('{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 2, "lora_bias": true},
		"tensors": {"base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 1], "data": %s},
		            "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [1, 1], "data": %s},
		            "base_model.model.q.lora_B.bias": {"dtype": "F32", "shape": [1], "data": %s}}}', a, b, bias)::json)
$$;
select adapter_norm(with_bias('[[1]]', '[[3]]', '[4]')) as ten;
select tensor, t.data from show(adapter_truncate(with_bias('[[1]]', '[[3]]', '[4]'), 1)) t(tensor, dtype, data);
-- (IA)^3: l - 1.
select adapter_norm(ia3('q', '[4, 5]')) as five, ia3('q', '[4, 5]') <-> ia3('q', '[4, 6]') as one, ia3('q', '[2, 1]') <=> ia3('q', '[1, 3]') as orthogonal;

-- Every type of whole numbers is a rank, and every other one an energy.
select adapter_rank(adapter_truncate(a, 1::smallint)) as small, adapter_rank(adapter_truncate(delta(a), 1::bigint)) as big,
	adapter_rank(adapter_truncate(a, 1.0)) as numeric_energy, adapter_rank(adapter_truncate(a, 1::real)) as real_energy,
	(select max(kept_rank) from adapter_truncation_error(a, 1::smallint)) as told_small, (select max(kept_rank) from adapter_truncation_error(delta(a), 1::bigint)) as told_big
from d;
select fails($$select adapter_truncate(a, 0::smallint) from d$$);
select fails($$select adapter_truncate(a, 2.0) from d$$);
select fails($$select adapter_truncate(a, -1::bigint) from d$$);
-- A zero adapter has no direction, and sorts last.
select name, a <=> b as distance from (select lora('q', '[[1, 2]]', '[[1]]') as a) s,
	(values ('zero', lora('q', '[[1, 2]]', '[[0]]')), ('far', lora('q', '[[2, -1]]', '[[1]]')), ('near', lora('q', '[[1, 2]]', '[[3]]'))) v(name, b) order by 2;

-- 22023: the rank is at least 1
select fails($$select adapter_truncate(a, 0) from d$$);
-- 22023: the energy is in (0, 1]
select fails($$select adapter_truncate(a, energy => 0) from d$$);
select fails($$select adapter_truncate(a, energy => 1.5) from d$$);
select fails($$select adapter_truncate(a, energy => 'NaN') from d$$);
select fails($$select * from adapter_truncation_error((select a from d), 0)$$);
-- 0A000: (IA)^3 has no rank
select fails($$select adapter_truncate(ia3('q', '[4, 5]'), 1)$$);
select fails($$select * from adapter_spectrum(ia3('q', '[4, 5]'))$$);
-- 22000: kinds differ
select fails($$select a <-> ia3('q', '[4, 5]') from d$$);
-- 22003: out of range
select fails($$select adapter_inner(a, a) from (select lora('q', '[[1e200]]', '[[1e100]]', dtype => 'F64') as a) s$$);
select fails($$select adapter_norm(1e300 * (1e300 * delta(a))) from d$$);
select fails($$select adapter_truncate(1e30 * delta(lora('q', '[[1]]', '[[1]]', dtype => 'F16')), 1)$$);
-- 54000: ranks of a sum beyond 1024
select fails($$select adapter_norm(delta(a) + delta(-a)) from
	(select lora('q', json_agg(json_build_array(i)), json_build_array(json_agg(i))) as a from generate_series(1, 600) i) s$$);
-- Each of two sums has the limit for itself: from Gram matrices, and where they cancel from the entries.
select round((a <=> b)::numeric, 9) as same_direction, round((a <-> b)::numeric, 4) as distance, round((a <-> near)::numeric * 1e9, 3) as cancelled from
	(select lora('q', json_agg(json_build_array(i, 1)), json_build_array(json_agg(1.0 / i)), dtype => 'F64') as a,
		lora('q', json_agg(json_build_array(i, 1)), json_build_array(json_agg(3.0 / i)), dtype => 'F64') as b,
		lora('q', json_agg(json_build_array(i, 1)), json_build_array(json_agg(case i when 7 then (1 + 2e-6) / i else 1.0 / i end)), dtype => 'F64') as near
	from generate_series(1, 600) i) s;
drop function with_bias;
drop table d, e;
