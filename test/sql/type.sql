-- Text and binary: the envelope, in base64 and as it is.
create table t (id int primary key, a adapter);
insert into t values
	(1, lora('q', '[[1, 2]]', '[[3], [4]]', '8')),
	(2, ia3('q', '[2, 3]', 'BF16')),
	(3, lora('q', '[["NaN", "-Infinity"]]', '[[-0.0], [1e-45]]'));
insert into t select 4, 0.5 * x.a + 0.5 * lora('q', '[[10, 20]]', '[[30], [40]]', '8') from t x where x.id = 1;

-- Text goes out and comes in with the same digest, recipe, configuration and file.
select id, b = a as digest, adapter_envelope_digest(b) = adapter_envelope_digest(a) as envelope,
	adapter_recipe(b) = adapter_recipe(a) as recipe, adapter_config(b)::text = adapter_config(a)::text as config,
	adapter_to_safetensors(b) = adapter_to_safetensors(a) as file
from (select id, a, a::text::adapter as b from t) s order by id;

-- The text is the base64 of the binary form, and white space in it does not matter.
select bool_and(decode(a::text, 'base64') = adapter_send(a)) as base64 from t;
select bool_and(regexp_replace(a::text, '(.{10})', E'\\1 \n', 'g')::adapter = a) as spaces from t;

-- Any safetensors reader can read the envelope: a header, then the tensors.
select id, convert_from(substr(adapter_send(a), 9, 50), 'UTF8') as header
from t where id in (1, 2) order by id;

-- Import takes the envelope as a file too, and gives back the original.
select bool_and(adapter_from_safetensors(adapter_send(a)) = a) as unwraps from t;

-- What is not the text of an adapter.
select fails($$select 'hello'::adapter$$);
select fails($$select ''::adapter$$);
select fails($$select '!!!!'::adapter$$);
select fails($$select encode('no safetensors file at all', 'base64')::adapter$$);
-- A plain file is not an envelope:
select fails($$select encode(adapter_to_safetensors(a), 'base64')::adapter from t where id = 1$$);
-- A damaged envelope: one byte of the tensors is another digest, but a cut one is an error.
select decode(a::text, 'base64') as bytes from t where id = 1 \gset
select fails(format($$select encode(substr(%L::bytea, 1, length(%L::bytea) - 1), 'base64')::adapter$$, :'bytes', :'bytes'));
select fails(format($$select encode(%L::bytea || '\x00', 'base64')::adapter$$, :'bytes'));

-- What a later version wrote is not damaged, and says what to do: each number
-- that this version does not know, in a stored value and in an envelope.
create cast (bytea as adapter) without function;
\set version `base64 -w 0 "$PG_ABS_SRCDIR/golden/later/version.bin"`
\set kind `base64 -w 0 "$PG_ABS_SRCDIR/golden/later/kind.bin"`
\set reserved_1 `base64 -w 0 "$PG_ABS_SRCDIR/golden/later/reserved_1.bin"`
\set reserved_2 `base64 -w 0 "$PG_ABS_SRCDIR/golden/later/reserved_2.bin"`
\set dtype `base64 -w 0 "$PG_ABS_SRCDIR/golden/later/dtype.bin"`
\set role `base64 -w 0 "$PG_ABS_SRCDIR/golden/later/role.bin"`
\set feature `base64 -w 0 "$PG_ABS_SRCDIR/golden/later/feature.bin"`
\set flag `base64 -w 0 "$PG_ABS_SRCDIR/golden/later/flag.bin"`
select sort, fails(format($$select a::text from (select decode(%L, 'base64')::adapter as a) s$$, bytes))
from (values ('version', :'version'), ('kind', :'kind'), ('reserved_1', :'reserved_1'), ('reserved_2', :'reserved_2'),
	('dtype', :'dtype'), ('role', :'role'), ('feature', :'feature'), ('flag', :'flag')) later(sort, bytes);
drop cast (bytea as adapter);
-- The same of an envelope, as text and as COPY's binary form.
create table later as select n, decode(replace(encode(adapter_send(a), 'escape'), known, unknown), 'escape') as e
from t, (values (1, 'peftarith.envelope_digest', 'peftarith.envelope_future'), (2, 'version\\":1', 'version\\":9')) of(n, known, unknown)
where id = 1;
select n, fails(format('select %L::adapter', encode(e, 'base64'))) from later order by n;
create table came (a adapter);
\copy (select e from later where n = 1) to 'results/later.bin' binary
\copy came from 'results/later.bin' binary
\copy (select e from later where n = 2) to 'results/later.bin' binary
\copy came from 'results/later.bin' binary
select count(*) from came;
drop table later, came;


-- The value knows its sizes, and a check reads everything.
select id, adapter_kind(a), adapter_raw_size(a), length(adapter_digest(a)) as digest_bytes, adapter_check(a) from t order by id;

-- Variables, arrays, records, functions in PL/pgSQL keep values whole.
do $$
declare
	x adapter;
	y adapter[];
begin
	select a into x from t where id = 1;
	for n in 1..3 loop
		x := 2 * x;
	end loop;
	y := array[x, x / 8];
	assert y[2] = (select a from t where id = 1), 'x * 2 * 2 * 2 / 8 is x';
	assert adapter_rank(y[1]) = 1, 'rank';
end
$$;

drop table t;
