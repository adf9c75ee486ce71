-- What the tests of the registry have in common: adapters whose recipe says what
-- one likes, and what verify finds without its digests.
-- The functions come before the tables that they read, which each test makes.
set check_function_bodies = off;
create function forged(a adapter, root jsonb, nodes jsonb default '{}') returns adapter language plpgsql as $$
declare
	file bytea := adapter_send(a);
	n int := get_byte(file, 0) + 256 * get_byte(file, 1) + 65536 * get_byte(file, 2);
	header jsonb := convert_from(substr(file, 9, n), 'UTF8')::jsonb #- '{__metadata__,peftarith.envelope_digest}';
	text bytea;
begin
	header := jsonb_set(header, '{__metadata__,peftarith.recipe}', to_jsonb(jsonb_build_object('version', 1, 'root', root, 'nodes', nodes)::text));
	text := convert_to(header::text, 'UTF8');
	n := octet_length(text);
	return adapter_from_safetensors(set_byte(set_byte(set_byte('\x0000000000000000'::bytea, 0, n % 256), 1, n / 256 % 256), 2, n / 65536)
		|| text || substr(file, 9 + get_byte(file, 0) + 256 * get_byte(file, 1) + 65536 * get_byte(file, 2)));
end
$$;
create function hex(a adapter) returns text language sql as $$ select encode(adapter_digest(a), 'hex') $$;
create function term(a adapter, weight text) returns jsonb language sql as $$ select jsonb_build_object('u', weight, 'v', weight, 'of', hex(a)) $$;
create function sum_of(variadic terms jsonb[]) returns jsonb language sql as $$
	select jsonb_build_object('op', 'combine', 'terms', (select jsonb_agg(t order by t ->> 'of') from unnest(terms) t))
$$;
create function value(wanted text) returns adapter language sql as $$ select a from named where name = wanted $$;
create function problems(checkpoint text default null) returns table (class text, what text, detail text) language sql as $$
	select class, what, regexp_replace(detail, '[0-9a-f]{64}', 'DIGEST') from registry.verify(checkpoint, true)
$$;

reset check_function_bodies;
