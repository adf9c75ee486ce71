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
			select e.position, e.fields from @registry@.log_events('version', 12) e
		), row as (
			select v.entry, v.number, @registry@.log_version_fields(
				v.entry, v.number, v.digest, v.envelope_digest, v.recipe, v.virtual, v.allow_duplicate,
				v.message, v.actor, v.acting_as, v.created_at, v.told) as fields
			from @registry@.version v
		)
		select e.position, case when r.fields is null then 'missing' else 'changed' end,
			format('version %s@%s', coalesce(r.entry, e.fields[1]), coalesce(r.number::text, e.fields[2])),
			@registry@.log_difference('entry number digest envelope_digest recipe virtual allow_duplicate '
				'message actor acting_as created_at told', e.fields, r.fields)
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

-- A version's recipe is what its entry says, so what it tells can be read again.
-- For: log reader, inside
create or replace function @registry@.claims_fault(version @registry@.version) returns text
	language plpgsql stable parallel unsafe
	set search_path = pg_catalog, pg_temp
	set enable_nestloop = on
as $$
declare
	claimed bigint[] := array(select c.story from @registry@.claim c
		where c.claim_set = version.claims order by 1);
	kept record;
	digests bytea[];
	hashes bytea[];
	roots boolean[];
begin
	select c.* into kept from @registry@.claim_set c where c.id = version.claims;
	if version.claims is not null and kept.id is null then
		return 'Its claim set is not there.';
	elsif version.claims is not null
		and (kept.cut is null or kept.sha256 is distinct from @registry@.claims_hash(claimed, kept.cut)) then
		return 'Its claim set has another hash than its stories.';
	elsif version.upgraded is null or version.upgraded and version.created_at >= (
			select s.run_at from @registry@.step s where s.name = 'stories') then
		return 'It is called older than what versions tell is kept.';
	end if;
	-- read once: a long recipe takes longer than all else here
	select array_agg(t.of), array_agg(t.sha256), array_agg(t.root) into digests, hashes, roots
		from @registry@.stories(version.digest, version.recipe) t;
	if not version.upgraded and version.told is distinct from @registry@.told_hash(
			exists (select from unnest(digests, hashes, roots) t(of, sha256, root)
				where t.root and not exists (select from @registry@.story s
					where s.digest = t.of and s.sha256 = t.sha256 and s.id = any(claimed))),
			kept.sha256) then
		return 'It told otherwise when it was committed.';
	elsif exists (select from unnest(claimed) c left join @registry@.story s on s.id = c
			left join unnest(digests, hashes) t(of, sha256) on t.of = s.digest and t.sha256 = s.sha256
			where t.of is null) then
		return 'It claims what its recipe does not tell.';
	elsif exists (select from unnest(digests, hashes) t(of, sha256)
			where not exists (select from @registry@.story s where s.digest = t.of and s.sha256 = t.sha256
				and (s.proven or s.id = any(claimed)) offset 0)) then
		return 'Its recipe tells what is neither a fact nor among its claims.';
	end if;
	return null;
exception when others then
	if @registry@.is_outer_error(sqlstate) then
		raise;
	end if;
	return format('What it tells cannot be read: %s (%s).', sqlerrm, sqlstate);
end
$$;
comment on function @registry@.claims_fault(@registry@.version) is
	'Compares what a version tells with its recipe and its hash; null if nothing is wrong, else a sentence.';

-- For: log reader, inside
create or replace function @registry@.stories_told(version @registry@.version)
	returns table (of bytea, sha256 bytea)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query select t.of, t.sha256 from @registry@.stories(version.digest, version.recipe) t;
exception when others then
	if @registry@.is_outer_error(sqlstate) then
		raise;
	end if;
end
$$;
comment on function @registry@.stories_told(@registry@.version) is
	'The stories of a version''s recipe; none if it cannot be read, which claims_fault tells.';

-- All recipes at once: a call for each of a million would take minutes.
-- For: log reader, inside
create or replace function @registry@.all_told()
	returns table (entry text, number integer, claims bigint, of bytea, sha256 bytea, root boolean)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select t.entry, t.number, t.claims, t.of, sha256(convert_to(t.node::text, 'UTF8')), t.story is null
		from (
			select v.entry, v.number, v.claims, e.of, e.story, case when e.story is null then r.root
				when jsonb_typeof(r.nodes -> encode(e.of, 'hex')) = 'array'
					then r.nodes -> encode(e.of, 'hex') -> e.story
				else r.nodes -> encode(e.of, 'hex') end as node
			from @registry@.version v
				-- taken out of the row once, not once for each story
				cross join lateral (
					select v.recipe -> 'root' as root, v.recipe -> 'nodes' as nodes offset 0) r
				cross join lateral (select distinct x.of, x.story
					from @peft@.adapter_recipe_edges(v.recipe, v.digest, '{}') x offset 0) e) t;
end
$$;
comment on function @registry@.all_told() is
	'The stories that the recipes of all versions tell; an error if one cannot be read.';

-- For: log reader, inside
create or replace function @registry@.doubtful_versions()
	returns table (entry text, number integer, untold bigint)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		with every as materialized (
			select t.* from @registry@.all_told() t
		), claimed as (
			select c.claim_set, c.story, s.digest, s.sha256
			from @registry@.claim c left join @registry@.story s on s.id = c.story
		), line as (
			select c.claim_set, c.story, 'claim ' || encode(c.digest, 'hex') || ' '
				|| encode(c.sha256, 'hex') || chr(10) as line from claimed c
			union all
			select s.id, null, 'cut ' || encode(d, 'hex') || chr(10)
				from @registry@.claim_set s, unnest(s.cut) d
		), told as (
			select t.entry, t.number, bool_or(t.root and k.story is null) as fact,
				count(distinct k.story) as claims, bool_or(k.story is null and f.digest is null) as neither
			from every t
				left join claimed k on k.claim_set = t.claims and k.digest = t.of and k.sha256 = t.sha256
				left join (select distinct s.digest, s.sha256 from @registry@.story s where s.proven) f
					on f.digest = t.of and f.sha256 = t.sha256
			group by t.entry, t.number
		), kept as (
			-- as claims_hash has it
			select s.id, s.sha256, count(l.story) as n, s.cut is not null and s.sha256 = sha256(
				convert_to(coalesce(string_agg(l.line, '' order by l.line), ''), 'UTF8')) as sound
			from @registry@.claim_set s left join line l on l.claim_set = s.id
			group by s.id, s.sha256, s.cut
		)
		select v.entry, v.number, null::bigint
		from @registry@.version v
			left join told t on t.entry = v.entry and t.number = v.number
			left join kept k on k.id = v.claims
		where v.upgraded is distinct from false or v.claims is not null and k.sound is not true
			or coalesce(t.claims, 0) <> coalesce(k.n, 0) or t.neither
			or v.told is distinct from @registry@.told_hash(coalesce(t.fact, false), k.sha256)
		union all
		select null, null, s.id from @registry@.story s
		where not exists (select from every t where t.of = s.digest and t.sha256 = s.sha256);
exception when others then
	if @registry@.is_outer_error(sqlstate) then
		raise;
	end if;
	return query
		select v.entry, v.number, null::bigint from @registry@.version v
		union all
		select null, null, s.id from @registry@.story s where not exists (
			select from @registry@.version v cross join lateral @registry@.stories_told(v) t
			where t.of = s.digest and t.sha256 = s.sha256);
end
$$;
comment on function @registry@.doubtful_versions() is
	'Versions of which claims_fault may have something to say (all, if the recipe of one cannot be read), '
	'and stories that none tells.';

-- For: log reader, inside
create or replace function @registry@.doubtful_stories() returns setof bigint
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select s.id from @registry@.story s where s.sha256 <> sha256(convert_to(s.node::text, 'UTF8'))
		union
		select coalesce(t.id, e.story)
		from (select s.id, x.* from @registry@.story s cross join lateral @peft@.adapter_recipe_edges(
				jsonb_build_object('version', 1, 'root', s.node, 'nodes', '{}'::jsonb), s.digest, '{}') x) t
			full join @registry@.edge e on e.story = t.id and e.parent = t.parent
		where (e.of, e.p, e.q, e.w) is distinct from (t.of, t.p, t.q, t.w);
exception when others then
	if @registry@.is_outer_error(sqlstate) then
		raise;
	end if;
	return query select s.id from @registry@.story s;
end
$$;
comment on function @registry@.doubtful_stories() is
	'Stories of which story_fault may have something to say; all, if the node of one cannot be read.';

-- For: log reader, inside
create or replace function @registry@.verify_lineage()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	-- Versions against their recipes; stories against their nodes, and that somebody told them.
	return query
		with doubt as materialized (
			select d.* from @registry@.doubtful_versions() d
		), fault as (
			select n.entry, n.number, @registry@.claims_fault(n) as fault from @registry@.version n
			where exists (select from doubt d where d.entry = n.entry and d.number = n.number)
			offset 0
		), story as (
			select s.id, s.digest, coalesce(
				case when d.id is not null then @registry@.story_fault(s) end,
				case when c.story is not null then null when not s.proven then 'No version claims it.'
					when u.id is not null then 'No version tells it.' end) as fault
			from @registry@.story s
				left join (select distinct d from @registry@.doubtful_stories() d) d(id) on d.id = s.id
				left join (select distinct d.untold from doubt d) u(id) on u.id = s.id
				left join (select distinct n.story from @registry@.claim n) c on c.story = s.id
			offset 0
		)
		select e.position, 'changed', format('lineage of %s@%s', v.entry, v.number), v.fault
		from fault v left join @registry@.log_events('version', 12) e
			on e.fields[1] = v.entry and e.fields[2] = v.number::text
		where v.fault is not null
		union all
		select null::bigint, 'changed', format('story %s of %s', s.id, encode(s.digest, 'hex')), s.fault
		from story s where s.fault is not null;
	return query
		select null::bigint, 'changed', t.what, t.fault
		from (
			select format('edge of story %s', e.story) as what, 'There is no such story.' as fault
				from @registry@.edge e left join @registry@.story s on s.id = e.story where s.id is null
			union all
			select format('claim set %s', c.id), 'No version has it.'
				from @registry@.claim_set c left join @registry@.version v on v.claims = c.id
				where v.claims is null
			union all
			select format('claim set %s', c.claim_set), 'It is not there and has stories.'
				from @registry@.claim c left join @registry@.claim_set s on s.id = c.claim_set
				where s.id is null) t;
end
$$;
comment on function @registry@.verify_lineage() is
	'What each version tells against its recipe, each story against its node and edges.';

-- For: log reader, inside
create or replace function @registry@.edges_fit(story bigint, digest bytea, node jsonb) returns boolean
	language plpgsql stable parallel unsafe
	set search_path = pg_catalog, pg_temp
	set enable_nestloop = on
as $$
begin
	return not exists (
		select from (select e.of, e.parent, e.p, e.q, e.w from @registry@.edge e where e.story = $1) h
			full join @peft@.adapter_recipe_edges(
				jsonb_build_object('version', 1, 'root', node, 'nodes', '{}'::jsonb), digest, '{}') t
				on t.parent = h.parent
		where (h.of, h.parent, h.p, h.q, h.w) is distinct from (t.of, t.parent, t.p, t.q, t.w));
exception when others then
	if @registry@.is_outer_error(sqlstate) then
		raise;
	end if;
	return false;
end
$$;
comment on function @registry@.edges_fit(bigint, bytea, jsonb) is
	'The edges of a story are those of its node.';

-- For: log reader, inside
create or replace function @registry@.story_fault(story @registry@.story) returns text
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if story.sha256 <> sha256(convert_to(story.node::text, 'UTF8')) then
		return 'Its hash is not that of its node.';
	elsif not @registry@.edges_fit(story.id, story.digest, story.node) then
		return 'Its edges are not those of its node.';
	end if;
	return null;
end
$$;
comment on function @registry@.story_fault(@registry@.story) is
	'Compares a story with its hash and its edges; null if nothing is wrong, else a sentence.';

-- For: log reader, inside
create or replace function @registry@.verify_states()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		with event as (
			select e.position, e.fields from @registry@.log_events('revoke', 4) e
		), row as (
			select encode(r.digest, 'hex') as digest,
				@registry@.log_revoke_fields(r.digest, r.reason, r.revoked_by, r.revoked_at) as fields
			from @registry@.revocation r
		)
		select e.position, case when r.fields is null then 'missing' else 'changed' end,
			format('revocation of %s', coalesce(r.digest, e.fields[1])),
			@registry@.log_difference('digest reason revoked_by revoked_at', e.fields, r.fields)
		from event e full join row r on e.fields[1] = r.digest
		where e.fields is distinct from r.fields;
	-- Marks: all where everything is settled, and nowhere else.
	return query
		with wanted as materialized (
			select f.digest, d.digest is not null as due
			from @registry@.fact_descendants(array(select r.digest from @registry@.revocation r)) f(digest)
				left join @registry@.fact_descendants(array(
					select r.digest from @registry@.revocation r where r.settled)) d(digest)
					on d.digest = f.digest
		), sets as materialized (
			select c.claim_set, bool_or(w.due) as due
			from wanted w join @registry@.edge e on e.parent = w.digest
				join @registry@.claim c on c.story = e.story
			group by c.claim_set
		)
		select null::bigint, case when d.digest is null then 'missing' else 'changed' end,
			format('mark of %s', encode(coalesce(d.digest, w.digest), 'hex')),
			case when d.digest is null then 'It descends from what is revoked and is not marked.'
				else 'It is marked and descends from nothing that is revoked.' end
		from wanted w full join @registry@.dead d on d.digest = w.digest
		where w.digest is null or (w.due and d.digest is null)
		union all
		select null::bigint, 'changed', format('mark of claim set %s', c.id),
			case when c.dead then 'It is marked and descends from nothing that is revoked.'
				else 'It descends from what is revoked and is not marked.' end
		from @registry@.claim_set c left join sets s on s.claim_set = c.id
		where c.dead is null or c.dead and s.claim_set is null or not c.dead and s.due;
end
$$;
comment on function @registry@.verify_states() is
	'Revocations against the entries that tell of them, and the marks of what was made of them.';

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
			select format('revocation of %s', encode(r.digest, 'hex')), count(*)
				from @registry@.revocation r group by r.digest
			union all
			select format('mark of %s', encode(d.digest, 'hex')), count(*)
				from @registry@.dead d group by d.digest
			union all
			select format('story %s', s.id), count(*) from @registry@.story s group by s.id
			union all
			select format('edge of story %s', e.story), count(*)
				from @registry@.edge e group by e.story, e.parent
			union all
			select format('claim set %s', c.id), count(*) from @registry@.claim_set c group by c.id
			union all
			select format('claim set %s', c.claim_set), count(*)
				from @registry@.claim c group by c.claim_set, c.story) k
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
