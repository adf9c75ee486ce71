-- Verifying from a checkpoint on: the entries after it and the rows that they tell
-- of, looked up one by one.  What no entry tells of is found by verify() alone.

-- For: log reader, inside
create or replace function @registry@.log_since(after bigint, upto bigint)
	returns table ("position" bigint, kind text, fields text[], number integer, move integer, digest bytea)
	language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
	select e.position, e.kind, e.fields,
		case when e.fields[2] ~ '^[1-9][0-9]{0,8}$' then e.fields[2]::integer end,
		case when e.kind = 'alias' and e.fields[3] ~ '^[1-9][0-9]{0,8}$' then e.fields[3]::integer end,
		decode(case when d.digest ~ '^[0-9a-f]{64}$' then d.digest end, 'hex')
	from (
		select l.position, l.kind, l.fields from @registry@.log l
		where l.position > $1 and l.position <= coalesce($2, 999999999999999999)
		union all
		select null, v.kind, v.fields from @registry@.event v where $2 is null
	) e cross join lateral (
		select case e.kind when 'version' then e.fields[3] when 'revoke' then e.fields[1] end as digest) d
	where @registry@.is_log_event(coalesce(e.position, 2), e.kind, e.fields)
		and array_ndims(e.fields) = 1 and array_lower(e.fields, 1) = 1
$$;
comment on function @registry@.log_since(bigint, bigint) is
	'Entries after a position and up to another; up to null also the events that are not sealed. number is '
	'that of a version where the entry tells of one, move that of an alias, digest that of a version or '
	'revocation.';

-- For: log reader, inside
create or replace function @registry@.root_fault(size bigint, hash bytea, root bytea) returns text
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if hash is distinct from (select l.hash from @registry@.log l
			where l.position = root_fault.size and root_fault.hash is not null) then
		return 'The checkpoint has another hash of it.';
	elsif root <> @registry@.tree_root(size) then
		return 'The checkpoint has another root of the log up to it.';
	end if;
	return null;
exception when others then
	if @registry@.is_outer_error(sqlstate) then
		raise;
	end if;
	return format('The root cannot be made: %s (%s).', sqlerrm, sqlstate);
end
$$;
comment on function @registry@.root_fault(bigint, bytea, bytea) is
	'Why the log at a size is not that of a checkpoint, by the subtrees that are kept; null if it is.';

-- For: log reader, inside
create or replace function @registry@.verify_chain_since(after bigint, upto bigint)
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		with entry as (
			select l.*, lag(l.position) over w as above, lag(l.hash) over w as before
			from @registry@.log l
			where l.position >= after and l.position <= coalesce(upto, 999999999999999999)
			window w as (order by l.position)
		)
		select e.position, f.class, 'entry ' || e.position, f.detail
		from entry e cross join lateral (values
			(@peft@.registry_entry_hash(e.position, e.previous, e.kind, e.fields) <> e.hash, 'changed',
				'Its hash is not that of its contents.'),
			(e.above = e.position - 1 and e.previous <> e.before, 'changed',
				'It does not follow the entry before it.'),
			(not @registry@.is_log_event(e.position, e.kind, e.fields), 'changed',
				'It is no event that this format has.')) f(wrong, class, detail)
		where f.wrong and e.position > after
		union all
		select e.above + 1, 'missing', 'entry ' || e.above + 1,
			format('The next one is entry %s.', e.position)
		from entry e where e.position > e.above + 1;
	return query
		select coalesce(l.size, 0) + 1, 'truncated', 'log_head',
			format('The head tells of %s entries.', h.size)
		from @registry@.log_head h left join (select max(x.position) as size from @registry@.log x) l on true
		where h.size is distinct from l.size and upto is null;
end
$$;
comment on function @registry@.verify_chain_since(bigint, bigint) is
	'Entries after a position: their hashes, that each follows the one before, and that none is missing.';

-- For: log reader, inside
create or replace function @registry@.verify_versions_since(after bigint, upto bigint)
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select e.position, case when v.fields is null then 'missing' else 'changed' end,
			format('version %s@%s', e.fields[1], e.fields[2]),
			@registry@.log_difference('entry number digest envelope_digest recipe virtual allow_duplicate '
				'message actor acting_as created_at told', e.fields, v.fields)
		from @registry@.log_since(after, upto) e left join lateral (
			select @registry@.log_version_fields(
				x.entry, x.number, x.digest, x.envelope_digest, x.recipe, x.virtual, x.upgraded,
				x.allow_duplicate, x.message, x.actor, x.acting_as, x.created_at, x.told) as fields
			from @registry@.version x where x.entry = e.fields[1] and x.number = e.number offset 0) v on true
		where e.kind = 'version' and e.fields is distinct from v.fields;
	return query select f.* from @registry@.verify_told(after, upto) f;
	return query
		select s.position, 'changed', format('story %s of %s', s.id, encode(s.digest, 'hex')), s.fault
		from (
			select t.position, y.id, y.digest, @registry@.story_fault(y) as fault
			from (
				select min(e.position) as position, n.story
				from @registry@.log_since(after, upto) e
					join @registry@.version x on x.entry = e.fields[1] and x.number = e.number
					cross join lateral (
						select x.root
						union all
						select unnest(x.facts)
						union all
						select c.story from @registry@.claim c where c.claim_set = x.claims) n(story)
				where e.kind = 'version' group by n.story) t
				join @registry@.story y on y.id = t.story
			offset 0) s
		where s.fault is not null;
end
$$;
comment on function @registry@.verify_versions_since(bigint, bigint) is
	'The versions that entries after a position tell of, and what those tell.';

-- For: log reader, inside
create or replace function @registry@.verify_values_since(after bigint, upto bigint)
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select t.position, case when t.there and t.fault is null then 'missing' else 'changed' end,
			format('value of %s@%s', t.entry, t.number), coalesce(t.fault, 'It is not there.')
		from (
			select min(e.position) as position, v.entry, v.number,
				case when v.value is null and v.erased_at is null
					and (not v.virtual or m.digest is not null) then true end as there,
				case when v.value is not null then @registry@.value_fault(v.value, v.digest, case
					when v.virtual then decode(case when m.digest ~ '^[0-9a-f]{64}$' then m.digest end, 'hex')
					else v.envelope_digest end) end as fault
			from @registry@.log_since(after, upto) e
				join @registry@.version v on v.entry = e.fields[1] and v.number = e.number
				left join lateral (
					select o.fields[3] as digest from (
						select l.fields from @registry@.log l
							where l.kind = 'materialize' and l.fields[1] = v.entry
						union all
						select n.fields from @registry@.event n
							where n.kind = 'materialize' and n.fields[1] = v.entry) o
					where o.fields[2] = v.number::text limit 1) m on v.virtual
			where e.kind in ('version', 'materialize')
			group by v.entry, v.number, m.digest
		) t
		where t.there or t.fault is not null;
	return query
		select e.position, case when x.fields is null then 'missing' else 'changed' end,
			format('erasure of %s@%s', e.fields[1], e.fields[2]),
			@registry@.log_difference('entry number erase_reason erased_at recipe value', e.told, x.fields)
		from (select l.*, array[l.fields[1], l.fields[2], l.fields[3], l.fields[5], l.fields[6], null] as told
				from @registry@.log_since(after, upto) l where l.kind = 'erase') e
			left join lateral (
				select array[v.entry, v.number::text, v.erase_reason, @registry@.log_time(v.erased_at),
					case when cardinality(e.fields) = 6
						then encode(sha256(convert_to(v.recipe::text, 'UTF8')), 'hex') end,
					case when v.value is not null then 'there' end] as fields
				from @registry@.version v
				where v.entry = e.fields[1] and v.number = e.number and v.erased_at is not null
				offset 0) x on true
		where e.told is distinct from x.fields;
end
$$;
comment on function @registry@.verify_values_since(bigint, bigint) is
	'The values of versions that entries after a position tell of, and erasures.';

-- For: log reader, inside
create or replace function @registry@.verify_moves_since(after bigint, upto bigint)
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select e.position, case when s.fields is null then 'missing' else 'changed' end,
			format('revocation of %s', e.fields[1]),
			@registry@.log_difference('digest reason revoked_by revoked_at', e.fields, s.fields)
		from @registry@.log_since(after, upto) e left join lateral (
			select @registry@.log_revoke_fields(x.digest, x.reason, x.revoked_by, x.revoked_at) as fields
			from @registry@.revocation x where x.digest = e.digest offset 0) s on true
		where e.kind = 'revoke' and e.fields is distinct from s.fields;
	return query
		select e.position, case when h.fields is null then 'missing' else 'changed' end,
			format('move %s of %s@%s', e.fields[3], e.fields[1], e.fields[2]),
			@registry@.log_difference('entry alias move number previous actor moved_at', e.fields, h.fields)
		from @registry@.log_since(after, upto) e left join lateral (
			select @registry@.log_alias_fields(
				x.entry, x.alias, x.move, x.number, x.previous, x.actor, x.moved_at) as fields
			from @registry@.alias_history x
			where x.entry = e.fields[1] and x.alias = e.fields[2] and x.move = e.move offset 0) h on true
		where e.kind = 'alias' and e.fields is distinct from h.fields;
	return query
		select e.position, case when a.number is null then 'missing' else 'changed' end,
			format('alias %s@%s', e.fields[1], e.fields[2]),
			format('It stands for %s; the entry says %s.', coalesce(a.number::text, 'no version'),
				coalesce(e.fields[4], 'no version'))
		from @registry@.log_since(after, upto) e
			left join @registry@.alias a on a.entry = e.fields[1] and a.alias = e.fields[2]
		where e.kind = 'alias' and a.number::text is distinct from e.fields[4]
			and not exists (select from @registry@.alias_history h
				where h.entry = e.fields[1] and h.alias = e.fields[2] and h.move > e.move);
end
$$;
comment on function @registry@.verify_moves_since(bigint, bigint) is
	'The revocations and moves of aliases that entries after a position tell of, and where aliases stand.';

-- For: log reader
create or replace function @registry@.verify_since(since text, most bigint default null,
	recompute boolean default false)
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe
	set search_path = pg_catalog, pg_temp
	set jit = off
as $$
declare
	stated record;
	upto bigint;
begin
	if since is null or most < 1 then
		raise exception 'a checkpoint to begin at is needed, and at least one entry'
			using errcode = 'invalid_parameter_value',
				hint = '@registry@.verify() verifies everything.';
	end if;
	select * into stated from @registry@.log_checkpoint(since);
	upto := stated.size + most;
	return query
		select stated.size, 'forked', 'entry ' || stated.size, r.fault
		from @registry@.root_fault(stated.size, stated.hash, stated.root) r(fault) where r.fault is not null;
	return query
		select null::bigint, 'changed', 'log_head', 'The checkpoint is of a log of another name.'
		from @registry@.log_head h where h.origin is distinct from coalesce(stated.origin, h.origin);
	return query
		select f.* from (
			select c.* from @registry@.verify_chain_since(stated.size, upto) c
			union all select v.* from @registry@.verify_versions_since(stated.size, upto) v
			union all select x.* from @registry@.verify_values_since(stated.size, upto) x
			union all select m.* from @registry@.verify_moves_since(stated.size, upto) m
			union all select e.* from @registry@.verify_events() e where upto is null
			union all
			select r.position, 'changed', format('recipe of %s@%s', r.fields[1], r.fields[2]), r.fault
			from (select l.position, l.fields, @registry@.recipe_fault(v.entry, v.number) as fault
				from @registry@.log_since(stated.size, upto) l
					join @registry@.version v on v.entry = l.fields[1] and v.number = l.number
				where recompute and l.kind = 'version') r
			where r.fault is not null
		) f
		order by f.position, f.class, f.what, f.detail;
end
$$;
comment on function @registry@.verify_since(text, bigint, boolean) is
	'What is not as the log says, of the entries after a checkpoint and the rows that they tell of, as '
	'verify() has it: at most so many entries (null: all, and the events that are not sealed). The log '
	'before the checkpoint counts as verified, if it has the root that the checkpoint tells; rows that no '
	'entry tells of are not looked for. To go on: since => checkpoint_at(size + most). Error 22023: not a '
	'checkpoint, or none, or fewer than one entry.';
revoke execute on function @registry@.verify_since(text, bigint, boolean) from public;
