-- The tables against the log, both ways: what no entry tells of, what an entry
-- tells otherwise, what an entry tells of and is not there.  The fields of
-- entries are compared as text and never read as numbers: they may be anything.
-- An event that is not sealed tells as an entry does, but has no position.

-- For: log reader, inside
create or replace function @registry@.log_events(event text, size integer)
	returns table ("position" bigint, fields text[], unsealed bigint)
	language sql stable parallel safe
begin atomic
	select l.position, l.fields, null::bigint as unsealed from @registry@.log l
		where l.kind = event and array_ndims(l.fields) = 1 and array_lower(l.fields, 1) = 1
			and cardinality(l.fields) = size
	union all
	select null::bigint as "position", e.fields, e.id from @registry@.event e
		where e.kind = event and array_ndims(e.fields) = 1 and array_lower(e.fields, 1) = 1
			and cardinality(e.fields) = size;
end;
comment on function @registry@.log_events(text, integer) is
	'Entries of a kind that have that kind''s number of fields, and such events that are not sealed: they '
	'come after all entries, in order of their id, which is null for an entry.';

-- For: log reader, inside
create or replace function @registry@.version_positions()
	returns table (entry text, number text, "position" bigint)
	language sql stable parallel safe
begin atomic
	select e.fields[1] as entry, e.fields[2] as number, min(e.position) as "position"
		from @registry@.log_events('version', 12) e group by e.fields[1], e.fields[2];
end;
comment on function @registry@.version_positions() is
	'The positions of the entries that tell of versions; null: not sealed yet.';

-- For: log reader, inside
create or replace function @registry@.log_difference(names text, told text[], there text[]) returns text
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
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
				v.entry, v.number, v.digest, v.envelope_digest, v.recipe, v.virtual, v.upgraded,
				v.allow_duplicate, v.message, v.actor, v.acting_as, v.created_at, v.told) as fields
			from @registry@.version v
		)
		select e.position, case when r.fields is null then 'missing' else 'changed' end,
			format('version %s@%s', coalesce(r.entry, e.fields[1]), coalesce(r.number::text, e.fields[2])),
			@registry@.log_difference('entry number digest envelope_digest recipe virtual allow_duplicate '
				'message actor acting_as created_at told', e.fields, r.fields)
		from event e full join row r on e.fields[1] = r.entry and e.fields[2] = r.number::text
		where e.fields is distinct from r.fields;
	return query
		with lost as materialized (
			select v.entry, v.number::text as number from @registry@.version v
			where not exists (select from @registry@.entry n where n.name = v.entry)
		)
		select min(e.position), 'missing', format('entry %s', l.entry), 'It is not there and has versions.'
		from lost l left join (
			select p.* from @registry@.version_positions() p where exists (select from lost)) e
			using (entry, number)
		group by l.entry;
end
$$;
comment on function @registry@.verify_versions() is 'Versions against the entries that tell of them.';

-- For: log reader, inside
create or replace function @registry@.log_erasures() returns table ("position" bigint, fields text[])
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select e.position, e.fields from @registry@.log_events('erase', 6) e
		union all
		select e.position, e.fields from @registry@.log_events('erase', 5) e;
end
$$;
comment on function @registry@.log_erasures() is
	'Entries and events of erasures; those of before there were stories lack the hash of the recipe.';

-- Has a version a value if and only if the log says so?
-- For: log reader, inside
create or replace function @registry@.verify_erasures()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		with event as (
			select e.position,
				array[e.fields[1], e.fields[2], e.fields[3], e.fields[5], e.fields[6]] as fields
			from @registry@.log_erasures() e
		), row as (
			select v.entry, v.number,
				array[v.entry, v.number::text, v.erase_reason, @registry@.log_time(v.erased_at),
					encode(sha256(convert_to(v.recipe::text, 'UTF8')), 'hex')] as fields
			from @registry@.version v where num_nonnulls(v.erased_at, v.erase_reason) > 0
		)
		select e.position, case when r.fields is null then 'missing' else 'changed' end,
			format('erasure of %s@%s', coalesce(r.entry, e.fields[1]), coalesce(r.number::text, e.fields[2])),
			@registry@.log_difference('entry number erase_reason erased_at recipe', e.fields, r.fields)
		from event e full join row r on e.fields[1] = r.entry and e.fields[2] = r.number::text
		-- entries of before there were stories have no hash of the recipe: the version's has
		where case when e.fields[5] is null then e.fields[:4] is distinct from r.fields[:4]
			else e.fields is distinct from r.fields end;
	return query
		select null::bigint, 'changed', format('recipe of %s@%s', v.entry, v.number),
			case when v.recipe is null then 'It is not there.' else 'The value has it.' end
		from @registry@.version v
		where not v.upgraded and (v.recipe is not null) <> (v.virtual or v.erased_at is not null);
	return query
		with materialized as (
			select e.fields[1] as entry, e.fields[2] as number, min(e.position) as position
			from @registry@.log_events('materialize', 5) e group by 1, 2
		), erased as (
			select e.fields[1] as entry, e.fields[2] as number, min(e.position) as position
			from @registry@.log_erasures() e group by 1, 2
		), wrong as materialized (
			-- (whether it was committed as a virtual one: verify_versions)
			select v.entry, v.number, v.there, coalesce(x.position, m.position) as position
			from (select n.entry, n.number::text as number, n.value is not null as there, n.virtual
				from @registry@.version n) v
				left join materialized m using (entry, number) left join erased x using (entry, number)
			where v.there <> (x.entry is null and (v.virtual is not true or m.entry is not null))
		)
		select coalesce(w.position, c.position),
			case when w.there then 'changed' else 'missing' end, format('value of %s@%s', w.entry, w.number),
			case when w.there then 'It should have none.' else 'It is not there.' end
		from wrong w join (
			select p.* from @registry@.version_positions() p where exists (select from wrong)) c
			using (entry, number);
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
create or replace function @registry@.are_facts(facts bigint[]) returns boolean
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return facts is not null and not exists (
		select from unnest(facts) f
		where f is null or not exists (select from @registry@.story s where s.id = f and s.proven));
end
$$;
comment on function @registry@.are_facts(bigint[]) is
	'All of these stories are there and are facts.';

-- What versions tell is sealed with them: the root, the facts that a version was
-- the first to tell, the claims.  So no recipe is read here.
-- For: log reader, inside
create or replace function @registry@.verify_told(after bigint default null, upto bigint default null)
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	since constant timestamptz := (select s.run_at from @registry@.step s where s.name = 'stories');
begin
	return query
		with chosen as (
			select null::bigint as position, v.entry, v.number, v.digest, v.root, v.facts, v.claims, v.told,
				v.upgraded, v.created_at
			from @registry@.version v where verify_told.after is null
			union all
			select e.position, v.entry, v.number, v.digest, v.root, v.facts, v.claims, v.told,
				v.upgraded, v.created_at
			from @registry@.log_since(verify_told.after, verify_told.upto) e
				join @registry@.version v on v.entry = e.fields[1] and v.number = e.number
			where verify_told.after is not null and e.kind = 'version'
		), row as (
			select v.position, v.entry, v.number, case
				when v.upgraded is null or v.upgraded and v.created_at >= since
					then 'It is called older than what versions tell is kept.'
				when v.root is not null and (s.id is null or s.digest <> v.digest)
					then 'The story of its root is not there.'
				when v.claims is not null and c.id is null then 'Its claim set is not there.'
				when v.facts is null or v.facts <> '{}' and not @registry@.are_facts(v.facts)
					then 'A fact that it told is not there.'
				when v.root is not null and k.story is null and not s.proven
					then 'Its root is a fact and is not called one.'
				when not v.upgraded and v.told is distinct from @registry@.told_hash(s.sha256,
						k.story is not null,
						case when v.facts <> '{}' then @registry@.told_facts(v.facts) end, c.sha256)
					then 'It told otherwise when it was committed.' end as fault
			from chosen v
				left join @registry@.story s on s.id = v.root
				left join @registry@.claim_set c on c.id = v.claims
				left join @registry@.claim k on k.claim_set = v.claims and k.story = v.root
		), fault as materialized (
			select r.position, r.entry, r.number, r.fault from row r where r.fault is not null
		)
		select coalesce(f.position, e.position), 'changed', format('lineage of %s@%s', f.entry, f.number),
			f.fault
		from fault f left join (
			select p.* from @registry@.version_positions() p
			where exists (select from fault g where g.position is null)) e
			on e.entry = f.entry and e.number = f.number::text;
end
$$;
comment on function @registry@.verify_told(bigint, bigint) is
	'What each version tells against its hash; of all versions, or of those that entries after a position '
	'tell of.';

-- For: log reader, inside
create or replace function @registry@.verify_lineage()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query select f.* from @registry@.verify_told() f;
	return query
		with told as (
			select c.claim_set, array_agg(s.digest) as digests, array_agg(s.sha256) as hashes,
				bool_or(s.id is null) as lacking
			from @registry@.claim c left join @registry@.story s on s.id = c.story group by c.claim_set)
		select null::bigint, 'changed', format('claim set %s', coalesce(c.id, t.claim_set)), case
			when c.id is null then 'It is not there and has stories.'
			when t.lacking then 'A story of it is not there.'
			else 'It has another hash than its stories and what was cut off.' end
		from @registry@.claim_set c full join told t on t.claim_set = c.id
		where c.id is null or t.lacking or c.cut is null
			or c.sha256 is distinct from @registry@.claim_lines_hash(t.digests, t.hashes, c.cut);
	return query
		select null::bigint, 'changed', format('claim set %s', c.id), 'No version has it.'
		from @registry@.claim_set c left join @registry@.version v on v.claims = c.id
		where v.claims is null;
	return query
		select null::bigint, 'changed', format('story %s of %s', s.id, encode(s.digest, 'hex')), case
			when s.proven then 'No version tells it.' else 'No version claims it.' end
		from @registry@.story s
			left join (select x.story from @registry@.claim x group by x.story) c on c.story = s.id
			left join (select x.root as id from @registry@.version x where x.root is not null
				union select unnest(x.facts) from @registry@.version x where x.facts <> '{}') t on t.id = s.id
		where c.story is null and (t.id is null or not s.proven);
	return query select f.* from @registry@.verify_stories() f;
end
$$;
comment on function @registry@.verify_lineage() is
	'What each version tells against its hash, each story against its node and edges, and that somebody '
	'tells it.';

-- For: log reader, inside
create or replace function @registry@.edges_fit(story bigint, digest bytea, node jsonb) returns boolean
	language plpgsql stable parallel unsafe
	set search_path = pg_catalog, pg_temp
	set enable_nestloop = on
as $$
begin
	return not exists (
		select from (select e.of, e.parent, e.p, e.q, e.w from @registry@.edge e where e.story = $1) h
			full join @peft@.adapter_recipe_edges(@registry@.recipe_of(node), digest, '{}') t
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
	if story.sha256 is distinct from sha256(convert_to(story.node::text, 'UTF8')) then
		return 'Its hash is not that of its node.';
	elsif not @registry@.edges_fit(story.id, story.digest, story.node) then
		return 'Its edges are not those of its node.';
	end if;
	return null;
end
$$;
comment on function @registry@.story_fault(@registry@.story) is
	'Compares a story with its hash and its edges; null if nothing is wrong, else a sentence.';

-- All at once, by several processes where the server gives them (over a lateral
-- join it gives none); one by one only if a node cannot be read.
-- For: log reader, inside
create or replace function @registry@.verify_stories()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		with node as (
			select n.id, (n.t).of, (n.t).parent, (n.t).p, (n.t).q, (n.t).w
			from (select s.id, @peft@.adapter_recipe_edges(@registry@.recipe_of(s.node), s.digest, '{}') as t
				from @registry@.story s) n
		), fault as (
			select s.id, 'Its hash is not that of its node.' as fault from @registry@.story s
			where s.sha256 is distinct from sha256(convert_to(s.node::text, 'UTF8'))
			union
			select coalesce(e.story, n.id), 'Its edges are not those of its node.'
			from @registry@.edge e full join node n on n.id = e.story and n.parent = e.parent
			where (e.of, e.p, e.q, e.w) is distinct from (n.of, n.p, n.q, n.w)
		)
		select null::bigint, 'changed', case when s.id is null then format('edge of story %s', f.id)
				else format('story %s of %s', s.id, encode(s.digest, 'hex')) end,
			case when s.id is null then 'There is no such story.' else min(f.fault) end
		from fault f left join @registry@.story s on s.id = f.id group by f.id, s.id;
exception when others then
	if @registry@.is_outer_error(sqlstate) then
		raise;
	end if;
	return query
		select null::bigint, 'changed', format('story %s of %s', s.id, encode(s.digest, 'hex')), s.fault
		from (select x.id, x.digest, @registry@.story_fault(x) as fault from @registry@.story x offset 0) s
		where s.fault is not null;
	return query
		select null::bigint, 'changed', format('edge of story %s', e.story), 'There is no such story.'
		from @registry@.edge e left join @registry@.story s on s.id = e.story
		where s.id is null group by e.story;
end
$$;
comment on function @registry@.verify_stories() is 'Each story against its hash and its edges.';

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
