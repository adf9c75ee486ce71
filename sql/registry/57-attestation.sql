-- What a version was made of, in the forms that others' tools read: an in-toto
-- statement with SLSA provenance, and a CycloneDX bill of materials.  Both say what
-- the registry says, as far as the reader may see it; signing them is outside.

-- For: reader, inside
create or replace function @registry@.builder_version() returns text
	language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
	select e.extversion from pg_extension e where e.extname = 'peftarith'
$$;
comment on function @registry@.builder_version() is 'Version of the extension that is installed.';

-- Of what was erased, or is virtual, there is no file.
-- For: reader, inside
create or replace function @registry@.file_digest(value @peft@.adapter) returns text
	language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
	select encode(sha256(@peft@.adapter_to_safetensors(value)), 'hex')
$$;
comment on function @registry@.file_digest(@peft@.adapter) is
	'SHA-256 of the safetensors file that adapter_to_safetensors() gives; null for null.';

-- For: reader, inside
create or replace function @registry@.materials(ref text) returns jsonb
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp set extra_float_digits = 1 as $$
	select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
			'name', coalesce(l.names[1], l.kind || ' ' || left(encode(l.digest, 'hex'), 12)),
			'digest', jsonb_build_object('peftarith_content', encode(l.digest, 'hex')),
			'annotations', jsonb_build_object('kind', l.kind, 'depth', l.depth, 'p', l.p, 'q', l.q, 'w', l.w,
				'revoked', l.revoked,
				'names', case when cardinality(l.names) > 1 then to_jsonb(l.names) end)))
		order by l.depth, l.digest), '[]')
	from @registry@.lineage($1) l
$$;
comment on function @registry@.materials(text) is
	'All ancestors of a version as in-toto resource descriptors, with their depth and total weights.';

-- For: reader
create or replace function @registry@.attestation(ref text) returns jsonb
	language plpgsql stable parallel unsafe
	set search_path = pg_catalog, pg_temp set extra_float_digits = 1 as $$
declare
	v @registry@.version;
	recipe jsonb;
	file text;
	name text;
begin
	select x.* into strict v from @registry@.resolve(ref) r
		join @registry@.version x on x.entry = r.entry and x.number = r.number;
	name := v.entry || '@' || v.number;
	recipe := coalesce(v.recipe, @peft@.adapter_recipe(v.value));
	file := @registry@.file_digest(v.value);
	return jsonb_build_object(
		'_type', 'https://in-toto.io/Statement/v1',
		'subject', jsonb_build_array(jsonb_build_object('name', name,
				'digest', jsonb_build_object('peftarith_content', encode(v.digest, 'hex'))))
			|| case when file is null then '[]' else jsonb_build_array(jsonb_build_object(
				'name', name || '/adapter_model.safetensors',
				'digest', jsonb_build_object('sha256', file))) end,
		'predicateType', 'https://slsa.dev/provenance/v1',
		'predicate', jsonb_build_object(
			'buildDefinition', jsonb_build_object(
				'buildType',
					'https://pgxn.org/dist/peftarith#recipe-' || coalesce(recipe ->> 'version', '1'),
				'externalParameters', jsonb_build_object('version', name, 'message', v.message,
					'actor', v.actor, 'recipe', recipe -> 'root'),
				'resolvedDependencies', @registry@.materials(name)),
			'runDetails', jsonb_build_object(
				'builder', jsonb_build_object('id', 'https://pgxn.org/dist/peftarith',
					'version', jsonb_build_object('peftarith', @registry@.builder_version())),
				'metadata', jsonb_build_object('finishedOn', @registry@.log_time(v.created_at)))));
end
$$;
comment on function @registry@.attestation(text) is
	'How a version was made, as an in-toto Statement v1 with SLSA provenance v1: the subject is the content '
	'digest and, if the value is kept, the SHA-256 of its file; the materials are all ancestors with their '
	'weights; the builder is the extension as it is installed. To be signed outside. Error 42704: no such '
	'version.';

-- For: reader, inside
create or replace function @registry@.bill_component(entry text, number integer, digest bytea, kind text,
	weights jsonb) returns jsonb
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	v @registry@.version;
	file text;
begin
	select x.* into v from @registry@.version x
		where x.entry = bill_component.entry and x.number = bill_component.number;
	file := @registry@.file_digest(v.value);
	return jsonb_strip_nulls(jsonb_build_object(
		'type', 'machine-learning-model',
		'bom-ref', 'peftarith:' || encode(digest, 'hex'),
		'name', coalesce(v.entry, kind || ' adapter ' || left(encode(digest, 'hex'), 12)),
		'version', v.number::text,
		'description', nullif(v.message, ''),
		'hashes', case when file is not null then jsonb_build_array(
			jsonb_build_object('alg', 'SHA-256', 'content', file)) end,
		'modelCard', case when v.value is not null then jsonb_build_object('modelParameters',
			jsonb_build_object('architectureFamily', @peft@.adapter_kind(v.value))) end,
		'properties', jsonb_build_array(
				jsonb_build_object('name', 'peftarith:content-digest', 'value', encode(digest, 'hex')),
				jsonb_build_object('name', 'peftarith:kind', 'value', kind))
			|| coalesce((select jsonb_agg(
					jsonb_build_object('name', 'peftarith:weight-' || w.key, 'value', w.value) order by w.key)
				from jsonb_each_text(weights) w where w.value is not null), '[]')));
end
$$;
comment on function @registry@.bill_component(text, integer, bytea, text, jsonb) is
	'A digest as a component of a bill of materials; of a version that the reader may see with its name, '
	'message and file.';

-- For: reader, inside
create or replace function @registry@.bill_dependencies(digest bytea, claims bigint, base text)
	returns jsonb
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	with edge as (
		select distinct e.of, 'peftarith:' || encode(e.parent, 'hex') as needed
		from @registry@.story_edges($1, array[$2]) e
		union
		select $1, 'base:' || base where base is not null
	)
	select coalesce(jsonb_agg(d.dependency order by d.of), '[]')
	from (select e.of, jsonb_build_object('ref', 'peftarith:' || encode(e.of, 'hex'),
			'dependsOn', jsonb_agg(e.needed order by e.needed)) as dependency
		from edge e group by e.of) d
$$;
comment on function @registry@.bill_dependencies(bytea, bigint, text) is
	'Which component was made from which, back from a version, and what the adapter is made for.';

-- The same version gives the same bill: number and time are the version's.
-- For: reader
create or replace function @registry@.bill_of_materials(ref text) returns jsonb
	language plpgsql stable parallel unsafe
	set search_path = pg_catalog, pg_temp set extra_float_digits = 1 as $$
declare
	v @registry@.version;
	base text;
begin
	select x.* into strict v from @registry@.resolve(ref) r
		join @registry@.version x on x.entry = r.entry and x.number = r.number;
	base := coalesce(@peft@.adapter_base_model(v.value),
		(select e.base_model from @registry@.entry e where e.name = v.entry));
	return jsonb_build_object(
		'$schema', 'http://cyclonedx.org/schema/bom-1.6.schema.json',
		'bomFormat', 'CycloneDX',
		'specVersion', '1.6',
		'serialNumber', 'urn:uuid:' || left(encode(sha256(convert_to(
			concat_ws('@', v.entry, v.number) || encode(v.digest, 'hex'), 'UTF8')), 'hex'), 32)::uuid,
		'version', 1,
		'metadata', jsonb_build_object(
			'timestamp', @registry@.log_time(v.created_at),
			'tools', jsonb_build_object('components', jsonb_build_array(jsonb_build_object(
				'type', 'application', 'name', 'peftarith', 'version', @registry@.builder_version()))),
			'component', @registry@.bill_component(v.entry, v.number, v.digest, 'registered', null)),
		'components', (
			select coalesce(jsonb_agg(@registry@.bill_component(x.entry, x.number, l.digest, l.kind,
				jsonb_build_object('p', l.p, 'q', l.q, 'w', l.w)) order by l.depth, l.digest), '[]')
			from @registry@.lineage(v.entry || '@' || v.number) l left join lateral (
				select n.entry, n.number from @registry@.version n where n.digest = l.digest
				order by n.created_at, n.entry, n.number limit 1) x on true)
			|| case when base is null then '[]' else jsonb_build_array(jsonb_build_object(
				'type', 'machine-learning-model', 'bom-ref', 'base:' || base, 'name', base)) end,
		'dependencies', @registry@.bill_dependencies(v.digest, v.claims, base));
end
$$;
comment on function @registry@.bill_of_materials(text) is
	'What a version, or what an alias stands for, consists of, as a CycloneDX 1.6 bill of materials: the '
	'model, all its ancestors with their weights, the base model, and which was made from which. Error '
	'42704: no such version.';
