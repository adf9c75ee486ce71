-- The values, and everything together.

-- For: log reader, inside
create or replace function @registry@.is_outer_error(state text) returns boolean
	language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return left(state, 2) in ('40', '53', '57', '58') or state in ('55P03', '42501', '42883');
end
$$;
comment on function @registry@.is_outer_error(text) is
	'An SQLSTATE that says nothing of the value that was being read: memory, cancellation, the end of the '
	'server, locks, rights, a function that is not there.';

-- What is wrong with a value is told, whatever error reading it raises.
-- For: log reader, inside
create or replace function @registry@.value_fault(value @peft@.adapter, digest bytea, envelope_digest bytea)
	returns text
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	perform @peft@.adapter_check(value);
	if @peft@.adapter_digest(value) is distinct from digest then
		return 'It has another digest than the version.';
	elsif @peft@.adapter_envelope_digest(value) is distinct from envelope_digest then
		return 'It has another recipe, configuration text or original header than were committed.';
	end if;
	return null;
exception when others then
	if @registry@.is_outer_error(sqlstate) then
		raise;
	end if;
	return format('It is damaged: %s (%s).', sqlerrm, sqlstate);
end
$$;
comment on function @registry@.value_fault(@peft@.adapter, bytea, bytea) is
	'Checks a stored value and compares its digests; null if nothing is wrong, else a sentence.';

-- For: log reader, inside
create or replace function @registry@.envelopes()
	returns table (entry text, number integer, value @peft@.adapter, digest bytea, envelope_digest bytea,
		virtual boolean)
	language sql stable parallel safe
begin atomic
	-- A virtual version that was materialized has its own envelope.
	select n.entry, n.number, n.value, n.digest, case
		when n.virtual then decode(case when m.digest ~ '^[0-9a-f]{64}$' then m.digest end, 'hex')
		else n.envelope_digest end, n.virtual
	from @registry@.version n
		left join (select x.fields[1] as entry, x.fields[2] as number, min(x.fields[3]) as digest
			from @registry@.log_events('materialize', 5) x group by 1, 2) m
		on n.virtual and m.entry = n.entry and m.number = n.number::text
	where n.value is not null;
end;
comment on function @registry@.envelopes() is
	'Every stored value with the digests that it should have.';

-- By several processes where the server gives them (over a join it gives none).
-- For: log reader, inside
create or replace function @registry@.wrong_values() returns setof text
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select 'another digest' from @registry@.version v
		where v.value is not null and v.virtual is not true
			and (@peft@.adapter_check(v.value) and @peft@.adapter_digest(v.value) = v.digest
				and @peft@.adapter_envelope_digest(v.value) = v.envelope_digest) is not true;
	return query
		select 'another digest' from @registry@.envelopes() v
		where v.virtual and (@peft@.adapter_check(v.value) and @peft@.adapter_digest(v.value) = v.digest
			and @peft@.adapter_envelope_digest(v.value) = v.envelope_digest) is not true;
exception when others then
	if @registry@.is_outer_error(sqlstate) then
		raise;
	end if;
	return next sqlerrm;
end
$$;
comment on function @registry@.wrong_values() is
	'No row: no stored value is damaged or has other digests than it should.';

-- One by one, each with its error, only if there is something wrong.
-- For: log reader, inside
create or replace function @registry@.verify_values()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if not exists (select from @registry@.wrong_values()) then
		return;
	end if;
	return query
		select e.position, 'changed', format('value of %s@%s', v.entry, v.number), v.fault
		from (
			select n.entry, n.number, @registry@.value_fault(n.value, n.digest, n.envelope_digest) as fault
			from @registry@.envelopes() n offset 0
		) v left join @registry@.log_events('version', 12) e
			on e.fields[1] = v.entry and e.fields[2] = v.number::text
		where v.fault is not null;
end
$$;
comment on function @registry@.verify_values() is 'Every stored value: its blocks, its digests.';

-- What the linear algebra library has no part in is compared exactly: all but the
-- factors, whose rank can be another too.
-- For: log reader, inside
create or replace function @registry@.is_other_beside(a @peft@.adapter, b @peft@.adapter) returns boolean
	language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
	ranks constant text[] := array['r', 'lora_alpha', 'rank_pattern', 'alpha_pattern'];
begin
	return @peft@.adapter_peft_type(a) <> @peft@.adapter_peft_type(b)
		or @peft@.adapter_config(a)::jsonb - ranks <> @peft@.adapter_config(b)::jsonb - ranks
		or exists (
			select from @peft@.adapter_modules(a) x
				full join @peft@.adapter_modules(b) y on x.tensor = y.tensor
			where (x.module, x.role, x.dtype) is distinct from (y.module, y.role, y.dtype)
				or x.role not in ('factor_a', 'factor_b') and x.digest <> y.digest);
end
$$;
comment on function @registry@.is_other_beside(@peft@.adapter, @peft@.adapter) is
	'The adapters differ in more than the numbers and the ranks of their factors.';

-- With nested loops, which verify() is without: here a few digests are looked up.
-- For: log reader, inside
create or replace function @registry@.recipe_fault(entry text, number integer) returns text
	language plpgsql stable parallel unsafe
	set search_path = pg_catalog, pg_temp
	set enable_nestloop = on
as $$
declare
	kept record;
	recipe jsonb;
	way record;
	again @peft@.adapter;
begin
	select v.recipe, v.digest, v.claims, v.value into strict kept
		from @registry@.version v where v.entry = recipe_fault.entry and v.number = recipe_fault.number;
	recipe := coalesce(kept.recipe, @peft@.adapter_recipe(kept.value));
	if exists (select from @registry@.stories(kept.digest, recipe) t
			where not exists (select from @registry@.story s
				where s.digest = t.of and s.sha256 = t.sha256 and (s.proven or exists (
					select from @registry@.claim c where c.claim_set = kept.claims and c.story = s.id))
				offset 0)) then
		return 'Its recipe tells what is neither a fact nor among its claims.';
	elsif recipe #>> '{root,op}' = 'import' then
		return null;
	end if;
	way := @registry@.plan(recipe);
	if way.missing <> '{}' or way.leaves = '{}' then
		return null;
	end if;
	again := @registry@.evaluate(way.recipe_used, way.leaves);
	if @peft@.adapter_digest(again) = kept.digest then
		return null;
	elsif not jsonb_path_exists(way.recipe_used, '$.**.numerics ? (@ == "tolerance")') then
		return format('Its recipe gives the digest %s.', encode(@peft@.adapter_digest(again), 'hex'));
	elsif kept.value is null then
		return null;
	elsif @registry@.is_other_beside(again, kept.value) then
		return 'Its recipe gives other dense tensors or another configuration.';
	elsif @peft@.adapter_distance(again, kept.value) <= 1e-5 * @peft@.adapter_norm(kept.value) then
		return null;
	end if;
	return 'Its recipe gives a value farther away than the tolerance of the linear algebra library.';
exception when others then
	if @registry@.is_outer_error(sqlstate) then
		raise;
	end if;
	return format('Its recipe cannot be evaluated: %s (%s).', sqlerrm, sqlstate);
end
$$;
comment on function @registry@.recipe_fault(text, integer) is
	'Compares what a version''s recipe tells with facts and claims; makes it again from registered values '
	'and compares the digests, or where the linear algebra library had a part the values (distance at most '
	'1e-5 of the norm); null if nothing is wrong or its values are not registered, else a sentence.';

-- For: log reader, inside
create or replace function @registry@.verify_recipes()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select e.position, 'changed', format('recipe of %s@%s', v.entry, v.number), v.fault
		from (
			select n.entry, n.number, @registry@.recipe_fault(n.entry, n.number) as fault
			from @registry@.version n
			offset 0
		) v left join @registry@.log_events('version', 12) e
			on e.fields[1] = v.entry and e.fields[2] = v.number::text
		where v.fault is not null;
end
$$;
comment on function @registry@.verify_recipes() is
	'Every version that can be made again from registered values.';

-- Stable: all of it sees the one snapshot of the calling query.  Without nested
-- loops: what functions return has no statistics, and one is quadratic; without
-- jit, which the cost of a loop that cannot be avoided would start; and with
-- several processes although the planner thinks that they have rows to hand over.
-- For: log reader
create or replace function @registry@.verify(checkpoint text default null, recompute boolean default false)
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe
	set search_path = pg_catalog, pg_temp
	set enable_nestloop = off
	set jit = off
	set work_mem = '128MB'
	set parallel_tuple_cost = 0.01
as $$
begin
	return query
		select f.position, f.class, f.what, f.detail
		from (
			select 1 as part, f.* from @registry@.verify_log(checkpoint) f
			union all select 1, f.* from @registry@.verify_tree() f
			union all select 1, f.* from @registry@.verify_events() f
			union all select 2, f.* from @registry@.verify_repeats() f
			union all select 2, f.* from @registry@.verify_keys() f
			union all select 3, f.* from @registry@.verify_versions() f
			union all select 4, f.* from @registry@.verify_erasures() f
			union all select 5, f.* from @registry@.verify_lineage() f
			union all select 6, f.* from @registry@.verify_states() f
			union all select 7, f.* from @registry@.verify_aliases() f
			union all select 8, f.* from @registry@.verify_values() f
			union all select 9, f.* from @registry@.verify_recipes() f where recompute
		) f
		order by f.position, f.part, f.class, f.what, f.detail;
end
$$;
comment on function @registry@.verify(text, boolean) is
	'Everything that is not as the log says, the first bad entry first, what no entry tells of last; no '
	'row: nothing is wrong. class: changed, missing, reordered, truncated, forked. Checks the chain, a '
	'checkpoint, every table against the log both ways, and every stored value; with recompute also every '
	'version that can be made again from registered values. Not checked: alias.id, and of entry all but '
	'that it exists. Events that are not sealed count as entries after the last, without a position. Call it '
	'in a transaction that has committed nothing yet: what it has changed is not logged before it ends. '
	'Error 22023: not a checkpoint.';
revoke execute on function @registry@.verify(text, boolean) from public;
