-- References (name@3, name@alias, name), and what is done with a version by one.

-- For: reader
create or replace function @registry@.resolve(ref text, out entry text, out number integer)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	place integer := position('@' in ref);
	pointer text := substr(ref, place + 1);
	given text := case when place > 0 then left(ref, place - 1) else ref end;
begin
	if place > 0 and pointer ~ '^[0-9]{1,9}$' then
		select v.entry, v.number into entry, number from @registry@.version v
			where v.entry = given and v.number = pointer::integer;
	elsif place > 0 then
		select a.entry, a.number into entry, number from @registry@.alias a
			where a.entry = given and a.alias = pointer;
	end if;
	-- (an alias of that name can be there from before it was reserved)
	if place = 0 or (number is null and pointer = 'latest') then
		-- a loop, so that only versions that are looked at have their ancestors read
		for entry, number in
			select v.entry, v.number from @registry@.version v where v.entry = given order by v.number desc
		loop
			exit when (select @registry@.version_live(v.digest, v.claims) from @registry@.version v
				where v.entry = given and v.number = resolve.number);
			number := null;
		end loop;
	end if;
	if number is null then
		raise exception 'there is no version "%"', ref using errcode = '42704',
			hint = 'A reference is name@number, name@alias, or name (name@latest) for the newest version '
				'that is not revoked.';
	end if;
end
$$;
comment on function @registry@.resolve(text) is
	'Entry and number of the version that a reference means: name@number, name@alias, or name (name@latest) '
	'for the newest version that is not revoked. Error 42704: none that the reader may see.';

-- For: reader
create or replace function @registry@.digest(ref text) returns bytea
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select v.digest
	from @registry@.resolve(ref) r join @registry@.version v on v.entry = r.entry and v.number = r.number
$$;
comment on function @registry@.digest(text) is
	'Digest of the version that a reference means. Error 42704: no such version.';

-- For: reader
create or replace function @registry@.recipe(ref text) returns jsonb
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select coalesce(v.recipe, @peft@.adapter_recipe(v.value))
	from @registry@.resolve(ref) r join @registry@.version v on v.entry = r.entry and v.number = r.number
$$;
comment on function @registry@.recipe(text) is
	'How the version that a reference means was made (adapter_recipe), also if it has no value. Error '
	'42704: no such version.';

-- How a value is made again is told by the version's own recipe alone: what
-- others tell of a digest on the way is theirs.
-- For: reader, inside
create or replace function @registry@.plan(recipe jsonb, without bytea[] default '{}',
	excluded bytea[] default '{}', out recipe_used jsonb, out leaves bytea[], out missing bytea[])
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	known bytea[];
	needed bytea[];
	d bytea;
begin
	known := array(select v.digest
		from (select distinct e.parent from @peft@.adapter_recipe_edges(plan.recipe, null, '{}') e
			except select x from unnest(excluded || without) x) n(parent)
			cross join lateral (select v.digest from @registry@.version v
				where v.digest = n.parent and v.value is not null limit 1) v);
	needed := array(select @peft@.adapter_recompute_needs(plan.recipe, known || without));
	leaves := array(select x from unnest(needed) x intersect select x from unnest(known) x order by 1);
	missing := array(select x from unnest(needed) x
		except select x from unnest(known || without) x order by 1);
	recipe_used := plan.recipe;
	-- what evaluates leaves out one digest: the others take its name
	foreach d in array without[2:] loop
		recipe_used := replace(recipe_used::text, encode(d, 'hex'), encode(without[1], 'hex'))::jsonb;
	end loop;
end
$$;
comment on function @registry@.plan(jsonb, bytea[], bytea[]) is
	'How a recipe is evaluated from registered values, optionally without some digests (excluded: their '
	'descendants, which have to be made again): the recipe, with the first of the digests in the place of '
	'the others, the digests whose values it is evaluated from, and the digests that are needed and have no '
	'value that the current role may see.';

-- For: reader, inside
create or replace function @registry@.evaluate(recipe jsonb, leaves bytea[], without bytea default null,
	renormalize boolean default false) returns @peft@.adapter
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select @peft@.adapter_recompute(evaluate.recipe, v.value, without, renormalize)
	from unnest(leaves) l(digest)
		cross join lateral (
			select x.value from @registry@.version x
			where x.digest = l.digest and x.value is not null
			order by x.claims is not null, x.created_at, x.entry, x.number limit 1) v
$$;
comment on function @registry@.evaluate(jsonb, bytea[], bytea, boolean) is
	'The value of a recipe from the registered values of the leaves (adapter_recompute), of several with one '
	'digest the first that claims nothing; null without leaves.';

-- For: reader
create or replace function @registry@.get(ref text, allow_revoked boolean default false)
	returns @peft@.adapter
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	found @registry@.version;
	way record;
	result @peft@.adapter;
begin
	select v.* into strict found from @registry@.resolve(ref) r
		join @registry@.version v on v.entry = r.entry and v.number = r.number;
	if not coalesce(allow_revoked, false) and not @registry@.version_live(found.digest, found.claims) then
		raise exception 'version "%@%" or an ancestor of it is revoked', found.entry, found.number
			using errcode = '55000',
			hint = '@registry@.lineage() shows which. Set allow_revoked to read it nevertheless.';
	end if;
	if found.value is not null then
		return found.value;
	end if;
	if found.erased_at is not null then
		raise exception 'the value of version "%@%" was erased', found.entry, found.number
			using errcode = '55000';
	end if;
	way := @registry@.plan(found.recipe);
	if way.missing <> '{}' then
		raise exception 'version "%@%" is virtual and a value that it is made of is missing',
			found.entry, found.number
			using errcode = '55000', detail = format('Missing: %s.', @registry@.digest_list(way.missing)),
			hint = 'They may belong to entries that you may not see.';
	end if;
	result := @registry@.evaluate(way.recipe_used, way.leaves);
	if @peft@.adapter_digest(result) is distinct from found.digest then
		raise exception 'version "%@%" was evaluated to another value than the one that was committed',
			found.entry, found.number
			using errcode = 'XX001',
			detail = 'A truncation can differ between versions of the linear algebra library; every other '
				'operation gives the same bytes everywhere.';
	end if;
	return result;
end
$$;
comment on function @registry@.get(text, boolean) is
	'The adapter that a reference means; a virtual version is evaluated and its digest compared. Errors: '
	'42704 no such version, 55000 revoked (itself or an ancestor; not with allow_revoked), erased, or '
	'virtual over values that the reader may not see, XX001 another digest.';

-- For: writer
create or replace function @registry@.commit(entry text, value @peft@.adapter, message text default '',
	allow_duplicate boolean default false) returns text
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	insert into @registry@.version as v (entry, value, message, allow_duplicate)
	values (commit.entry, commit.value, commit.message, commit.allow_duplicate)
	returning v.entry || '@' || v.number
$$;
comment on function @registry@.commit(text, @peft@.adapter, text, boolean) is
	'Commits a version and returns name@number: the same as INSERT. Errors: 23505 the entry has the digest '
	'already, 55000 revoked digest or ancestor, 40001.';

-- For: writer
create or replace function @registry@.commit_virtual(entry text, value @peft@.adapter,
	message text default '') returns text
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	insert into @registry@.version as v (entry, value, message, virtual)
	values (commit_virtual.entry, commit_virtual.value, commit_virtual.message, true)
	returning v.entry || '@' || v.number
$$;
comment on function @registry@.commit_virtual(text, @peft@.adapter, text) is
	'Commits a version without its value, which @registry@.get() evaluates again from registered versions. '
	'Errors: those of commit, and 55000 if it needs a value that is not registered.';

-- For: writer
create or replace function @registry@.materialize(ref text) returns void
	language sql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
	update @registry@.version v set value = @registry@.get(v.entry || '@' || v.number)
	from @registry@.resolve(ref) r
	where v.entry = r.entry and v.number = r.number and v.value is null
$$;
comment on function @registry@.materialize(text) is
	'Stores the value of a virtual version; does nothing if it is stored. Errors: those of get.';

-- For: admin
create or replace function @registry@.erase(ref text, reason text) returns void
	language plpgsql volatile parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if reason is null then
		raise exception 'a reason is needed' using errcode = '22004';
	end if;
	-- All with its digest, in the order in which the trigger locks them too.
	perform from @registry@.version v
		where v.digest = (select @registry@.digest(erase.ref)) order by v.entry, v.number for no key update;
	update @registry@.version v set value = null, erased_at = clock_timestamp(), erase_reason = reason
		from @registry@.resolve(ref) r
		where v.entry = r.entry and v.number = r.number and v.erased_at is null;
end
$$;
comment on function @registry@.erase(text, text) is
	'Removes the value of a version and keeps all else. Errors: 42704 no such version, 22004 no reason, '
	'55000 a virtual version needs the value, 25001 not READ COMMITTED.';

-- For: reader, inside
create or replace function @registry@.distances(a @peft@.adapter, b @peft@.adapter)
	returns table (module text, distance double precision)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query select g.module, g.distance from @peft@.adapter_module_geometry(a, b) g;
exception when sqlstate '22000' or sqlstate '22003' or sqlstate '0A000' then
	return;
end
$$;
comment on function @registry@.distances(@peft@.adapter, @peft@.adapter) is
	'Frobenius distance of the deltas of each module (adapter_module_geometry); no rows where it is '
	'refused: other kinds, variants without arithmetic, NaN.';

-- For: reader
create or replace function @registry@.diff(left_ref text, right_ref text)
	returns table (module text, status text, distance double precision)
	language plpgsql stable parallel unsafe
	set search_path = pg_catalog, pg_temp
	set extra_float_digits = 1
as $$
#variable_conflict use_column
declare
	a @peft@.adapter := @registry@.get(left_ref, true);
	b @peft@.adapter := @registry@.get(right_ref, true);
	-- What tensors without arithmetic mean is in type and configuration, for all modules at once.
	aside constant text[] := array['base_model_name_or_path', 'revision', 'task_type',
		'inference_mode', 'peft_version', 'auto_mapping'];
	alike constant boolean := @peft@.adapter_peft_type(a) = @peft@.adapter_peft_type(b)
		and (@peft@.adapter_kind(a) <> 'opaque' or @peft@.adapter_digest(a) = @peft@.adapter_digest(b)
			or @peft@.adapter_config(a)::jsonb - aside = @peft@.adapter_config(b)::jsonb - aside);
begin
	return query
	with side as (
		select 1 as n, m.* from @peft@.adapter_modules(a) m
		union all
		select 2, m.* from @peft@.adapter_modules(b) m),
	grouped as (
		select s.n, s.module,
			array_agg((s.role, s.dtype, s.shape, s.digest)::text order by s.role, s.tensor)
				|| coalesce(min(s.scaling)::text, '') as facts
		from side s group by s.n, s.module),
	paired as (
		select coalesce(l.module, r.module) as module,
			case when r.module is null then 'left only' when l.module is null then 'right only'
				when l.facts = r.facts and alike then 'same' else 'changed' end as status
		from (select * from grouped g where g.n = 1) l
			full join (select * from grouped g where g.n = 2) r on r.module = l.module)
	select p.module, p.status, case when p.status = 'same' then 0 else d.distance end
	from paired p left join @registry@.distances(a, b) d on d.module = p.module
	order by p.module;
end
$$;
comment on function @registry@.diff(text, text) is
	'Modules of two versions, revoked or not: same (tensors and scaling, bit for bit), changed, left only, '
	'right only (of kind opaque same only if type and settings are too); and the Frobenius distance of '
	'their deltas, a module that one lacks being 0 (null where it '
	'is not defined: dense tensors, other kinds, variants without arithmetic). Errors: those of get.';
