-- The tables that migrate.py replicates, on both sides, in an empty database.
--
-- SPDX-License-Identifier: PostgreSQL
create schema peft;
create extension peftarith schema peft;
create function leaf(n bigint, dtype text default 'F32', width int default 3) returns adapter language sql immutable as $$
	select adapter_from_json(json_build_object(
		'config', json_build_object('peft_type', 'LORA', 'base_model_name_or_path', 'tiny', 'r', 1, 'lora_alpha', 2),
		'tensors', json_object_agg(format('base_model.model.m.lora_%s.weight', factor), json_build_object('dtype', dtype,
			'shape', case factor when 'A' then array[1, width] else array[width, 1] end,
			'data', (select json_agg(((i * 7919 + n * 31 + ascii(factor)) % 251 - 125) / 64.0::float8)
				from generate_series(1, width) i)))))
	from unnest(array['A', 'B']) factor
$$;
create domain lora as adapter check (adapter_kind(value) = 'lora');
create type tagged as (name text, a adapter, others adapter[], d adapter_delta);
create table item (n int primary key, a adapter, list adapter[], dom lora, composite tagged, d adapter_delta, note text);
create unique index item_digest on item (adapter_digest(a));
-- Without a key: a row is found by comparing all its values.
create table whole (n int, a adapter, list adapter[], dom lora, composite tagged, d adapter_delta, note text);
alter table whole replica identity full;
create view filled (n, a, list, dom, composite, d, note) as
	select n, leaf(n, dtype, width), array[leaf(n + 1, dtype), null, leaf(n + 2, dtype, width)], leaf(n + 3, dtype)::lora,
		row('n', leaf(n + 4, dtype, width), array[leaf(n + 5)], delta(leaf(n + 6)))::tagged,
		0.5 * delta(leaf(n + 7, dtype)) + delta(leaf(n + 8, dtype, 3)), 'copied'::text
	from (select n, (array['F64', 'F32', 'F16', 'BF16'])[1 + n % 4], case when n % 2 = 0 then 3 else 6000 end
		from generate_series(1, 8) n) t(n, dtype, width);
