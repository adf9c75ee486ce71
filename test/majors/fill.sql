-- A database with adapters in every place where a value can be, for migrate.py:
-- psql on an empty database, as a superuser, with public and peft in the search
-- path.  registry.sql adds the registries.
--
-- SPDX-License-Identifier: PostgreSQL
create schema peft;
create extension peftarith schema peft;
grant usage on schema peft to public;

-- The numbers are multiples of a power of two that fit every dtype.
create function public.leaf(n bigint, dtype text default 'F32', width int default 3, modules int default 1)
	returns peft.adapter language sql immutable parallel safe as $$
	select peft.adapter_from_json(json_build_object(
		'config', json_build_object('peft_type', 'LORA', 'base_model_name_or_path', 'tiny', 'r', 2, 'lora_alpha', 4),
		'tensors', json_object_agg(format('base_model.model.m%s.lora_%s.weight', m, factor), json_build_object(
			'dtype', dtype,
			'shape', case factor when 'A' then array[2, width] else array[width, 2] end,
			'data', (select json_agg(((i * 7919 + n * 31 + m * 17 + ascii(factor)) % 251 - 125) / 64.0::float8)
				from generate_series(1, 2 * width) i)))))
	from generate_series(1, modules) m, unnest(array['A', 'B']) factor
$$;
-- Of other kinds: (IA)^3, a difference of whole weights, one without arithmetic.
create function public.other(kind text, n bigint) returns peft.adapter language sql immutable parallel safe as $$
	select peft.adapter_from_json(format(case kind
		when 'ia3' then '{"config": {"peft_type": "IA3", "base_model_name_or_path": "tiny", "target_modules": ["q"],
				"feedforward_modules": []},
			"tensors": {"base_model.model.q.ia3_l": {"dtype": "F32", "shape": [2, 1], "data": [%1$s, 0.5]}}}'
		when 'difference' then '{"config": {"peft_type": "DIFFERENCE", "base_model_name_or_path": "tiny"},
			"tensors": {"h.weight": {"dtype": "F32", "shape": [2], "data": [%1$s, -2]}}}'
		else '{"config": {"peft_type": "PROMPT_TUNING", "base_model_name_or_path": "tiny", "num_virtual_tokens": 2},
			"tensors": {"prompt_embeddings": {"dtype": "F32", "shape": [2, 1], "data": [%1$s, 2]}}}' end, n)::json)
$$;
create function public.half(a peft.adapter, weight float8 default 0.5) returns peft.adapter
	immutable parallel safe begin atomic select weight * a; end;

-- Every storage, in the row and outside it; constraints and indexes by digest.
create table stored (
	n int primary key,
	dtype text,
	plain adapter,
	main adapter,
	external adapter,
	extended adapter check (adapter_check(extended)),
	large_main adapter,
	large_external adapter,
	large_extended adapter not null default leaf(99, 'F32', 4000),
	digest bytea generated always as (adapter_digest(large_extended)) stored unique
);
alter table stored alter plain set storage plain, alter main set storage main, alter large_main set storage main,
	alter external set storage external, alter large_external set storage external,
	alter extended set storage extended, alter large_extended set storage extended,
	alter main set compression pglz;
insert into stored (n, dtype, plain, main, external, extended, large_main, large_external, large_extended)
	select n, dtype, leaf(n, dtype), leaf(n + 10, dtype), leaf(n + 20, dtype, 8, 2), leaf(n + 30, dtype),
		leaf(n, dtype, 3000), leaf(n + 10, dtype, 8000), leaf(n + 20, dtype, 4000, 3)
	from unnest(array['F64', 'F32', 'F16', 'BF16']) with ordinality t(dtype, n);
insert into stored (n, dtype) values (5, 'a default and nulls');
create unique index stored_digest on stored (adapter_digest(extended));
create index stored_size on stored (adapter_raw_size(main)) where dtype <> 'BF16';
create index stored_half on stored (adapter_digest(half(external)));
create statistics stored_statistics on dtype, (adapter_digest(plain)) from stored;
create table refers (digest bytea primary key references stored (digest), note text);
insert into refers select digest, 'by digest' from stored;

-- Operator classes: order and hash of the values themselves.
create table ordered (a adapter primary key, d adapter_delta);
insert into ordered select leaf(n), delta(leaf(n + 1)) from generate_series(1, 20) n;
insert into ordered values (other('ia3', 3), delta(other('ia3', 4))), (other('difference', 5), delta(other('difference', 6))),
	(other('opaque', 7), null);
create index ordered_hash on ordered using hash (a);
create index ordered_delta on ordered (d);
create table parts (a adapter, n int) partition by hash (a);
create table parts_0 partition of parts for values with (modulus 2, remainder 0);
create table parts_1 partition of parts for values with (modulus 2, remainder 1);
insert into parts select leaf(n), n from generate_series(1, 16) n;

-- Inside other types.
create domain lora as adapter check (adapter_kind(value) = 'lora');
create domain many as adapter[] check (cardinality(value) < 100);
create type tagged as (name text, a adapter, others adapter[], d adapter_delta);
create table inside (
	n int primary key,
	list adapter[],
	square adapter[],
	of_domain lora default leaf(98),
	of_domains lora[],
	list_domain many,
	composite tagged,
	composites tagged[],
	d adapter_delta,
	deltas adapter_delta[]
);
insert into inside
	select n, array[leaf(n, dtype), null, leaf(n + 1, dtype, 2000)],
		('[2:3][0:1]=' || array[[leaf(n), leaf(n + 1)], [null, leaf(n + 2)]]::text)::adapter[],
		leaf(n + 5, dtype), array[leaf(n + 6, dtype)]::lora[], array[leaf(n), other('opaque', n)],
		row('one', leaf(n + 7, dtype, 2500), array[leaf(n + 8)], delta(leaf(n + 9)))::tagged,
		array[row('two', leaf(n + 7), null, null), null]::tagged[],
		0.5 * delta(leaf(n, dtype)) + 0.25 * delta(leaf(n + 1, dtype, 3)), array[delta(leaf(n)), null]
	from unnest(array['F64', 'F32', 'F16', 'BF16']) with ordinality t(dtype, n);
insert into inside (n) values (5);

-- Made of others: recipes, views, a truncation that is compared within a tolerance.
create materialized view made as
	select x.n, 0.5 * x.large_extended + 0.5 * y.large_extended as merged, half(x.external) as halved,
		adapter(0.25 * delta(x.extended) - delta(y.extended)) as apart
	from stored x join stored y on y.n = x.n % 4 + 1 and y.n <= 4;
create unique index made_n on made (n);
create table truncated as select n, adapter_truncate(large_external, 1) as a from stored where n <= 4;

create view every as
	select place, n::text, a from stored, lateral (values ('plain', plain), ('main', main), ('external', external),
		('extended', extended), ('large main', large_main), ('large external', large_external),
		('large extended', large_extended)) v(place, a) where a is not null
	union all select 'ordered', row_number() over (order by a)::text, a from ordered
	union all select 'part ' || tableoid::regclass, n::text, a from parts
	union all select 'list', n || '.' || i, a from inside, unnest(list) with ordinality l(a, i) where a is not null
	union all select 'square', format('%s.%s.%s', n, i, j), square[i][j] from inside, generate_series(2, 3) i,
		generate_series(0, 1) j where square[i][j] is not null
	union all select 'domain', n::text, of_domain from inside
	union all select 'domains', n::text, of_domains[1] from inside where of_domains is not null
	union all select 'list domain', n || '.' || i, a from inside, unnest(list_domain) with ordinality l(a, i)
	union all select 'composite', n::text, (composite).a from inside where composite is not null
	union all select 'in composite', n::text, (composite).others[1] from inside where composite is not null
	union all select 'composites', n::text, composites[1].a from inside where composites is not null
	union all select place, n::text, a from made, lateral (values ('merged', merged), ('halved', halved),
		('apart', apart)) v(place, a)
	union all select 'truncated', n::text, a from truncated;
create view every_delta as
	select 'ordered' as place, row_number() over (order by d)::text as n, d from ordered where d is not null
	union all select 'delta', n::text, d from inside where d is not null
	union all select 'deltas', n::text, deltas[1] from inside where deltas is not null
	union all select 'composite', n::text, (composite).d from inside where composite is not null;
grant select on every, every_delta to reader;
grant all on stored to admin;
-- What registry.sql keeps: a checkpoint is kept outside, and migrate.py does.
create table public.checkpoint (schema text, checkpoint text);
grant insert on public.checkpoint to admin;
analyze;
