-- The tables against the log, both ways: what no entry tells of, what an entry
-- tells otherwise, what an entry tells of and is not there.  The fields of
-- entries are compared as text and never read as numbers: they may be anything.
-- An event that is not sealed tells as an entry does, but has no position.

-- For: log reader, inside
create or replace function @registry@.log_events(event text, size integer)
	returns table ("position" bigint, fields text[], unsealed bigint)
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return query select l.position, l.fields, null::bigint from @registry@.log l
		where l.kind = event and array_ndims(l.fields) = 1 and array_lower(l.fields, 1) = 1
			and cardinality(l.fields) = size
		union all
		select null, e.fields, e.id from @registry@.event e
		where e.kind = event and array_ndims(e.fields) = 1 and array_lower(e.fields, 1) = 1
			and cardinality(e.fields) = size;
end
$$;
comment on function @registry@.log_events(text, integer) is
	'Entries of a kind that have that kind''s number of fields, and such events that are not sealed: they '
	'come after all entries, in order of their id, which is null for an entry.';

-- For: log reader, inside
create or replace function @registry@.log_difference(names text, told text[], there text[]) returns text
	language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	if told is null then
		return 'No entry tells of it.';
	elsif there is null then
		return 'It is not there.';
	end if;
	return (select format('The entry tells otherwise of: %s.', string_agg(n.name, ', ' order by n.i))
		from unnest(string_to_array(names, ' ')) with ordinality n(name, i)
		where told[n.i] is distinct from there[n.i]);
end
$$;
comment on function @registry@.log_difference(text, text[], text[]) is
	'Which of the named fields differ between an entry and the tables, as a sentence.';

-- For: log reader, inside
create or replace function @registry@.verify_versions()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		with event as (
			select e.position, e.fields[1:11] as fields from @registry@.log_events('version', 12) e
		), row as (
			select v.entry, v.number, (@registry@.log_version_fields(
				v.entry, v.number, v.digest, v.envelope_digest, v.recipe, v.virtual, v.allow_duplicate,
				v.message, v.actor, v.acting_as, v.created_at, null))[1:11] as fields
			from @registry@.version v
		)
		select e.position, case when r.fields is null then 'missing' else 'changed' end,
			format('version %s@%s', coalesce(r.entry, e.fields[1]), coalesce(r.number::text, e.fields[2])),
			@registry@.log_difference('entry number digest envelope_digest recipe virtual allow_duplicate '
				'message actor acting_as created_at', e.fields, r.fields)
		from event e full join row r on e.fields[1] = r.entry and e.fields[2] = r.number::text
		where e.fields is distinct from r.fields;
	return query
		select min(e.position), 'missing', format('entry %s', v.entry), 'It is not there and has versions.'
		from @registry@.version v
			left join @registry@.log_events('version', 12) e
				on e.fields[1] = v.entry and e.fields[2] = v.number::text
		where not exists (select from @registry@.entry n where n.name = v.entry)
		group by v.entry;
end
$$;
comment on function @registry@.verify_versions() is 'Versions against the entries that tell of them.';

-- Has a version a value if and only if the log says so?
-- For: log reader, inside
create or replace function @registry@.verify_erasures()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		with event as (
			select e.position, array[e.fields[1], e.fields[2], e.fields[3], e.fields[5]] as fields
			from @registry@.log_events('erase', 5) e
		), row as (
			select v.entry, v.number,
				array[v.entry, v.number::text, v.erase_reason, @registry@.log_time(v.erased_at)] as fields
			from @registry@.version v where num_nonnulls(v.erased_at, v.erase_reason) > 0
		)
		select e.position, case when r.fields is null then 'missing' else 'changed' end,
			format('erasure of %s@%s', coalesce(r.entry, e.fields[1]), coalesce(r.number::text, e.fields[2])),
			@registry@.log_difference('entry number erase_reason erased_at', e.fields, r.fields)
		from event e full join row r on e.fields[1] = r.entry and e.fields[2] = r.number::text
		where e.fields is distinct from r.fields;
	return query
		with materialized as (
			select e.fields[1] as entry, e.fields[2] as number, min(e.position) as position
			from @registry@.log_events('materialize', 5) e group by 1, 2
		), erased as (
			select e.fields[1] as entry, e.fields[2] as number, min(e.position) as position
			from @registry@.log_events('erase', 5) e group by 1, 2
		), committed as (
			select e.fields[1] as entry, e.fields[2] as number, e.fields[6] as virtual,
				min(e.position) as position
			from @registry@.log_events('version', 12) e group by 1, 2, 3
		)
		select coalesce(x.position, m.position, c.position),
			case when v.there then 'changed' else 'missing' end, format('value of %s@%s', v.entry, v.number),
			case when v.there then 'It should have none.' else 'It is not there.' end
		from (select n.entry, n.number::text as number, n.value is not null as there
			from @registry@.version n) v
			join committed c using (entry, number)
			left join materialized m using (entry, number) left join erased x using (entry, number)
		where v.there <> (x.entry is null and (c.virtual = 'false' or m.entry is not null));
	return query
		select e.position, 'missing', format('value of %s@%s', e.fields[1], e.fields[2]),
			'There is no such virtual version.'
		from @registry@.log_events('materialize', 5) e
		where not exists (select from @registry@.version v
			where v.entry = e.fields[1] and v.number::text = e.fields[2] and v.virtual);
end
$$;
comment on function @registry@.verify_erasures() is
	'Erased and materialized versions against the entries that tell of them, and whether each version has a '
	'value that should.';

-- For: log reader, inside
create or replace function @registry@.verify_lineage()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	-- A later commit of a digest may have added edges, so its last entry counts; one
	-- that is not sealed has no hash of them yet.
	return query
		with event as (
			select distinct on (e.fields[3] collate "C")
				e.position, e.fields[3] as child, e.fields[12] as hash, e.unsealed is not null as open
			from @registry@.log_events('version', 12) e
			order by e.fields[3] collate "C", e.position desc nulls first
		), row as (
			select encode(l.child, 'hex') as child, encode(sha256(convert_to(string_agg(
				@registry@.log_lineage_line(l.of, l.parent, l.p, l.q, l.w, l.external),
				'' order by l.of, l.parent, l.p, l.q, l.w, l.external), 'UTF8')), 'hex') as hash
			from @registry@.lineage l group by l.child
		)
		select e.position, case when r.child is null then 'missing' else 'changed' end,
			format('lineage of %s', coalesce(r.child, e.child)),
			case when e.child is null then 'No entry tells of it.'
				when r.child is null then 'It is not there.'
				else 'The entry tells otherwise of it.' end
		from event e full join row r using (child)
		where e.child is null
			or (not e.open and e.hash is distinct from coalesce(r.hash, encode(sha256(''), 'hex')));
end
$$;
comment on function @registry@.verify_lineage() is
	'The lineage of each committed digest against the hash of it in the last entry of a version with it.';

-- For: log reader, inside
create or replace function @registry@.verify_states()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		with event as (
			select e.position, e.fields from @registry@.log_events('revoke', 4) e
		), row as (
			select encode(s.digest, 'hex') as digest,
				@registry@.log_revoke_fields(s.digest, s.reason, s.revoked_by, s.revoked_at) as fields
			from @registry@.state s where num_nonnulls(s.revoked_at, s.revoked_by, s.reason) > 0
		)
		select e.position, case when r.fields is null then 'missing' else 'changed' end,
			format('revocation of %s', coalesce(r.digest, e.fields[1])),
			@registry@.log_difference('digest reason revoked_by revoked_at', e.fields, r.fields)
		from event e full join row r on e.fields[1] = r.digest
		where e.fields is distinct from r.fields;
	return query
		with told as (
			select e.fields[1] as digest, e.position from @registry@.log_events('revoke', 4) e
			union all
			select e.fields[3], e.position from @registry@.log_events('version', 12) e
		), named as (
			select v.digest from @registry@.version v
			union
			select l.child from @registry@.lineage l
			union
			select l.parent from @registry@.lineage l
		), digest as (
			select n.digest, min(n.position) as position
			from (select encode(m.digest, 'hex') as digest, null::bigint as position from named m
				union all select t.digest, t.position from told t) n
			group by n.digest
		)
		select d.position, case when s.digest is null then 'missing' else 'changed' end,
			format('state of %s', coalesce(d.digest, s.digest)),
			case when s.digest is null then 'It is not there.' else 'Nothing has this digest.' end
		from digest d
			full join (select encode(t.digest, 'hex') as digest from @registry@.state t) s using (digest)
		where d.digest is null or s.digest is null;
end
$$;
comment on function @registry@.verify_states() is
	'Revocations against the entries that tell of them, and that every digest has a state and every state a '
	'digest.';

-- For: log reader, inside
create or replace function @registry@.verify_aliases()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		with event as (
			select e.position, e.fields from @registry@.log_events('alias', 7) e
		), row as (
			select h.entry, h.alias, h.move, @registry@.log_alias_fields(
				h.entry, h.alias, h.move, h.number, h.previous, h.actor, h.moved_at) as fields
			from @registry@.alias_history h
		)
		select e.position, case when r.fields is null then 'missing' else 'changed' end,
			format('move %s of %s@%s', coalesce(r.move::text, e.fields[3]),
				coalesce(r.entry, e.fields[1]), coalesce(r.alias, e.fields[2])),
			@registry@.log_difference('entry alias move number previous actor moved_at', e.fields, r.fields)
		from event e full join row r
			on e.fields[1] = r.entry and e.fields[2] = r.alias and e.fields[3] = r.move::text
		where e.fields is distinct from r.fields;
	-- Moves that are as logged, and whether one follows from the one before.
	return query
		with event as (
			select min(e.position) as position, e.fields
			from @registry@.log_events('alias', 7) e group by e.fields
		), told as (
			select e.fields[1] as entry, e.fields[2] as alias, e.fields[3] as move from event e
		), move as (
			select e.position, h.*
			from @registry@.alias_history h join event e on e.fields = @registry@.log_alias_fields(
				h.entry, h.alias, h.move, h.number, h.previous, h.actor, h.moved_at)
		)
		select m.position, 'changed', format('move %s of %s@%s', m.move, m.entry, m.alias),
			'It does not follow from the move before it.'
		from move m left join move b on b.entry = m.entry and b.alias = m.alias and b.move = m.move - 1
		where case
			when b.move is not null then m.previous is distinct from b.number or m.moved_at < b.moved_at
			when m.move = 1 then m.previous is not null
			else not exists (select from told t
					where t.entry = m.entry and t.alias = m.alias and t.move = (m.move - 1)::text)
				and not exists (select from @registry@.alias_history h
					where h.entry = m.entry and h.alias = m.alias and h.move = m.move - 1)
			end;
	return query
		with last as (
			select * from (
				select distinct on (e.fields[1] collate "C", e.fields[2] collate "C")
					e.position, e.fields[1] as entry, e.fields[2] as alias, e.fields[4] as number
				from @registry@.log_events('alias', 7) e
				order by e.fields[1] collate "C", e.fields[2] collate "C",
					e.position desc nulls first, e.unsealed desc) m where m.number is not null
		)
		select m.position, case when a.number is null then 'missing' else 'changed' end,
			format('alias %s@%s', coalesce(a.entry, m.entry), coalesce(a.alias, m.alias)),
			case when m.entry is null then 'No entry tells of it.'
				when a.number is null then 'It is not there.'
				else format('It stands for %s; the entry says %s.', a.number, m.number) end
		from last m full join @registry@.alias a on a.entry = m.entry and a.alias = m.alias
		where a.number::text is distinct from m.number;
end
$$;
comment on function @registry@.verify_aliases() is
	'Moves of aliases against the entries that tell of them and against the moves before them, and each '
	'alias against its last move.';

-- What a constraint that is not there any more would have refused, and no entry shows.
-- For: log reader, inside
create or replace function @registry@.verify_keys()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select null::bigint, 'changed', k.what, 'It is there more than once.'
		from (
			select format('entry %s', n.name) as what, count(*) as n from @registry@.entry n group by n.name
			union all
			select format('version %s@%s', v.entry, v.number), count(*)
				from @registry@.version v group by v.entry, v.number
			union all
			select format('alias %s@%s', a.entry, a.alias), count(*)
				from @registry@.alias a group by a.entry, a.alias
			union all
			select format('move %s of %s@%s', h.move, h.entry, h.alias), count(*)
				from @registry@.alias_history h group by h.entry, h.alias, h.move
			union all
			select format('state of %s', encode(s.digest, 'hex')), count(*)
				from @registry@.state s group by s.digest) k
		where k.n > 1;
	return query
		select null::bigint, 'changed', format('alias %s@%s', a.entry, a.alias), 'It stands for no version.'
		from @registry@.alias a where a.number is null;
	return query
		select null::bigint, 'changed', 'log_head', 'Its column one is not true.'
		from @registry@.log_head h where h.one is not true;
end
$$;
comment on function @registry@.verify_keys() is
	'Rows that are there more than once, aliases of no version, a head that is not the one.';

-- For: log reader, inside
create or replace function @registry@.verify_repeats()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select case when max(e.unsealed) is null then max(e.position) end, 'changed',
			case when max(e.unsealed) is null then format('entry %s', max(e.position))
				else format('event %s', max(e.unsealed)) end,
			format('It tells again what %s tells.',
				coalesce('entry ' || min(e.position), 'event ' || min(e.unsealed)))
		from (select l.position, null::bigint as unsealed, l.kind, l.fields[1] as one,
				case when l.kind <> 'revoke' then l.fields[2] end as two,
				case when l.kind = 'alias' then l.fields[3] end as three
			from @registry@.log l where l.kind in ('version', 'erase', 'materialize', 'alias', 'revoke')
			union all
			select null, v.id, v.kind, v.fields[1], case when v.kind <> 'revoke' then v.fields[2] end,
				case when v.kind = 'alias' then v.fields[3] end
			from @registry@.event v where v.kind in ('version', 'erase', 'materialize', 'alias', 'revoke')) e
		group by e.kind, e.one, e.two, e.three
		having count(*) > 1;
end
$$;
comment on function @registry@.verify_repeats() is
	'Entries that tell of what can happen only once and has been told.';
