-- The log by itself: the chain of a table or of an export, and a checkpoint.

-- Of a signed note the text above the signatures counts; whether those are right
-- is for who has the keys.  Checkpoints from before there was a tree stand for the
-- chain.
-- For: log reader, inside
create or replace function @registry@.log_checkpoint(checkpoint text, out origin text, out size bigint,
	out hash bytea, out root bytea)
	language plpgsql immutable parallel safe
	set search_path = pg_catalog, pg_temp
	set standard_conforming_strings = on
as $$
declare
	body constant text := rtrim(checkpoint, E' \t\r\n');
	of_chain constant text[] := regexp_match(body,
		'^peftarith-log 1 ([1-9][0-9]{0,17}) ([0-9a-f]{64}) [-0-9T:.]+Z$');
	of_tree constant text[] := regexp_match(body collate "C",
		'^([^\n]+)\n([1-9][0-9]{0,17})\n([A-Za-z0-9+/]{43}=)(?:\n[^\n]+)*(?:\n(?:\n[^\n]+)+)?$');
begin
	size := coalesce(of_chain[1], of_tree[2])::bigint;
	hash := decode(of_chain[2], 'hex');
	origin := of_tree[1];
	root := decode(of_tree[3], 'base64');
	if checkpoint is not null and size is null or encode(root, 'base64') <> of_tree[3] then
		raise exception 'not a checkpoint'
			using errcode = 'invalid_parameter_value',
				detail = 'A checkpoint is a line with the name of the log, one with its size, one with its '
					'root in base64, and maybe others.',
				hint = '@registry@.checkpoint() gives one.';
	end if;
end
$$;
comment on function @registry@.log_checkpoint(text) is
	'Name, size and root that a checkpoint states, or size and last hash of one from before there was a tree '
	'(peftarith-log 1 SIZE HASH TIME); nulls for null. Error 22023: not a checkpoint.';

-- Only the one spelling that export_log gives is an entry, so two readers of
-- JSON cannot differ about a line.
-- For: log reader, inside
create or replace function @registry@.parse_export(lines text[])
	returns table (line bigint, "position" bigint, kind text, fields text[], previous bytea, hash bytea,
		readable boolean)
	language plpgsql stable parallel safe
	set search_path = pg_catalog, pg_temp
	set standard_conforming_strings = on
as $$
declare
	string constant text := '"(?:[^"\\\u0001-\u001f]|\\["\\bfnrt]|\\u00(?:0[1-9a-f]|1[0-9a-f]))*"';
	pattern constant text := '^\{"position":[1-9][0-9]{0,17},"kind":' || string ||
		',"fields":\[(?:(?:null|' || string || ')(?:,(?:null|' || string || '))*)?\]' ||
		',"previous":"[0-9a-f]{64}","hash":"[0-9a-f]{64}"\}$';
begin
	return query
		select e.line, case when e.same then e.position else e.line end, e.kind, e.fields,
			e.previous, e.hash, e.same
		from (
			select d.*, coalesce(
				@registry@.log_line(d.position, d.kind, d.fields, d.previous, d.hash) = d.text, false) as same
			from (
				select u.line, u.text, (j.j ->> 'position')::bigint as position, j.j ->> 'kind' as kind,
					case when j.j is not null then array(
						select f.field
						from jsonb_array_elements_text(j.j -> 'fields') with ordinality f(field, n)
						order by f.n) end as fields,
					decode(j.j ->> 'previous', 'hex') as previous, decode(j.j ->> 'hash', 'hex') as hash
				from unnest(lines) with ordinality u(text, line)
					cross join lateral (
						select case when u.text collate "C" ~ pattern then u.text::jsonb end as j offset 0) j
			) d
		) e;
end
$$;
comment on function @registry@.parse_export(text[]) is
	'The entries in an export''s lines; of a line that is none its number alone.';

-- For: log reader, inside
create or replace function @registry@.is_log_event("position" bigint, kind text, fields text[])
	returns boolean
	language sql immutable parallel safe return ("position" = 1) = (kind = 'create') and case kind
		when 'create' then fields = '{1}'
		when 'version' then cardinality(fields) = 12
		when 'alias' then cardinality(fields) = 7
		when 'revoke' then cardinality(fields) = 4
		when 'erase' then cardinality(fields) in (5, 6)
		when 'materialize' then cardinality(fields) = 5
		else false end;
comment on function @registry@.is_log_event(bigint, text, text[]) is
	'An entry of a kind that this format has, with that kind''s number of fields; create at position 1 and '
	'nowhere else.';

-- For: log reader, inside
create or replace function @registry@.log_entries(lines text[])
	returns table (line bigint, "position" bigint, kind text, fields text[], previous bytea, hash bytea,
		readable boolean, sound boolean, above bigint, follows boolean)
	language sql stable parallel safe
begin atomic
	-- in the order of the index, each hash made once
	select row_number() over w, e.position, e.kind, e.fields, e.previous, e.hash, e.readable, e.sound,
		max(e.position) filter (where e.readable) over w,
		case when e.position = 1 then e.previous = decode(repeat('00', 32), 'hex')
			when e.readable then lag(e.position) over w = e.position - 1 and lag(e.sound) over w
				and lag(e.hash) over w = e.previous end
	from (
		select r.*, case when r.readable then
			@peft@.registry_entry_hash(r.position, r.previous, r.kind, r.fields) = r.hash end as sound
		from (
			(select l.position as place, l.position, l.kind, l.fields, l.previous, l.hash,
				coalesce(l.position >= 1 and l.position <= 999999999999999999 and l.kind is not null
					and octet_length(l.previous) = 32 and octet_length(l.hash) = 32
					and l.fields is not null and coalesce(array_ndims(l.fields), 1) = 1
					and coalesce(array_lower(l.fields, 1), 1) = 1, false) as readable
			from @registry@.log l where lines is null order by l.position)
			union all
			select p.* from @registry@.parse_export(lines) p where lines is not null) r
		order by r.place offset 0) e
	window w as (order by e.place rows between unbounded preceding and 1 preceding);
end;
comment on function @registry@.log_entries(text[]) is
	'The entries of the log, or of the lines of an export: whether each can be an entry at all (where not, '
	'position is where it should stand), and of each that can be whether its hash is that of its contents, '
	'the highest position above it, and whether it follows the entry above.';

-- For: log reader, inside
create or replace function @registry@.misplaced_entries(lines text[]) returns setof bigint
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
	return query
	with entry as materialized (
		select e.* from @registry@.log_entries(lines) e where e.readable
	), bad as materialized (
		select e.* from entry e where not e.sound
	), place (line, k, previous) as (
		-- Where it might belong: beside its place, after the entry that it names,
		-- where another such entry stands.
		select b.line, b.position + d, b.previous from bad b, (values (-1), (1)) s(d)
		union all
		select b.line, a.position + 1, b.previous
		from bad b join (select e.hash, min(e.position) from entry e group by e.hash) a(hash, position)
			on a.hash = b.previous
		union all
		select b.line, o.position, p.previous
		from bad b, bad o, lateral (values (b.previous), (o.previous)) p(previous)
		where (select count(*) from bad) <= 300
	)
	select distinct b.line
	from place p join bad b using (line)
	where case when p.k >= 1 then
		@peft@.registry_entry_hash(p.k, p.previous, b.kind, b.fields) = b.hash end;
end
$$;
comment on function @registry@.misplaced_entries(text[]) is
	'Lines of entries whose hash is wrong where they stand, and would be right in another place.';

-- tools/verify-log.py says the same of the same entries; a rule that changes
-- here changes there.
-- For: log reader, inside
create or replace function @registry@.verify_entries(lines text[])
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
	with odd as materialized (
		-- none of a log in which nothing is wrong, which is read once then
		select e.* from (
			select e.*, @registry@.is_log_event(e.position, e.kind, e.fields) as event
			from @registry@.log_entries(lines) e) e
		where (e.readable and e.sound and e.event and e.follows and e.position > coalesce(e.above, 0))
			is not true
	), entry as materialized (
		select e.line, e.position, e.hash, e.readable, e.sound from @registry@.log_entries(lines) e
		where exists (select from odd)
	), gap as (
		select p.above + 1 as first, p.position - 1 as last
		from (select e.position, lag(e.position, 1, 0::bigint) over (order by e.position) as above
			from entry e where e.position >= 1) p
		where p.above < p.position - 1
	)
	select o.position, 'changed', 'entry ' || coalesce(o.position::text, '?'),
		'This is not an entry of a log.'
		from odd o where not o.readable
	union all
	select b.position, case when b.misplaced then 'reordered' else 'changed' end, 'entry ' || b.position,
		case when b.misplaced then 'Its hash is right for another place.'
			else 'Its hash is not that of its contents.' end
		from (select o.position, o.line in (select @registry@.misplaced_entries(lines)) as misplaced
			from odd o where o.readable and not o.sound) b
	union all
	select o.position, 'changed', 'entry ' || o.position, 'It does not follow the entry before it.'
		from odd o where o.sound and o.position = 1 and not o.follows
	union all
	select o.position, 'changed', 'entry ' || o.position, 'It does not follow the entry before it.'
		from odd o
		where o.sound and o.follows is not true
			and exists (select from entry b where b.sound and b.position = o.position - 1)
			and not exists (select from entry b
				where b.sound and b.position = o.position - 1 and b.hash = o.previous)
	union all
	select o.position, 'reordered', 'entry ' || o.position,
		'It comes after an entry with this position or a higher one.'
		from odd o where o.readable and o.position <= o.above
	union all
	select g.first, 'missing', 'entry ' || g.first,
		case when g.last = g.first then 'It is not there.'
			else format('Entries %s to %s are not there.', g.first, g.last) end
		from gap g
	union all
	select o.position, 'changed', 'entry ' || o.position, 'It is no event that this format has.'
		from odd o where o.sound and not o.event;
end
$$;
comment on function @registry@.verify_entries(text[]) is
	'What is wrong with the entries of the log, or of the lines of an export, as a chain.';

-- For: log reader, inside
create or replace function @registry@.verify_checkpoint(lines text[], size bigint, head bytea, root bytea)
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	if size is null then
		return query select 1::bigint, 'truncated', 'entry 1', 'The log is empty.'
			where case when lines is null then not exists (select from @registry@.log) else lines = '{}' end;
		return;
	end if;
	return query
	with entry as materialized (
		select e.line, e.position, e.hash, e.readable from @registry@.log_entries(lines) e
	), extent (last) as (
		select coalesce(max(e.position), 0) from entry e where e.readable
	)
	select x.last + 1, 'truncated', 'entry ' || x.last + 1,
		format('The checkpoint tells of %s entries.', size)
		from extent x where size > x.last
	union all
	select size, 'forked', 'entry ' || size, 'The checkpoint has another hash of it.'
		where head is not null and exists (select from entry e where e.readable and e.position = size)
			and not exists (select from entry e where e.readable and e.position = size and e.hash = head)
	union all
	-- (where an entry is missing or there twice, that is told)
	select size, 'forked', 'entry ' || size, 'The checkpoint has another root of the log up to it.'
		from (select count(*) as n,
				@peft@.registry_tree_root(@registry@.log_leaf(e.hash) order by e.position, e.line) as root
			from entry e
			where verify_checkpoint.root is not null and e.readable and e.position <= size) r
		where r.n = size and r.root <> verify_checkpoint.root;
end
$$;
comment on function @registry@.verify_checkpoint(text[], bigint, bytea, bytea) is
	'The end of the log, or of the lines of an export, against a checkpoint''s size and last hash or root '
	'(nulls: that there is something).';

-- For: log reader, inside
create or replace function @registry@.verify_tree()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		with made as (
			select 1 as level, (l.position - 1) / 256 as index, count(*) as n, count(l.hash) as hashes,
				@peft@.registry_tree_root(@registry@.log_leaf(l.hash) order by l.position) as hash
			from @registry@.log l where l.position >= 1 group by (l.position - 1) / 256
			union all
			select t.level + 1, t.index / 256, count(*), count(*),
				@peft@.registry_tree_root(t.hash order by t.index)
			from @registry@.tree t
			where t.level between 1 and 6 and t.index >= 0 and octet_length(t.hash) = 32
			group by t.level, t.index / 256
		), whole as (
			select m.level, m.index, m.hash from made m where m.n = 256 and m.hashes = 256
		)
		select null::bigint, case when t.hash is null then 'missing' else 'changed' end,
			format('tree %s/%s', coalesce(t.level, w.level), coalesce(t.index, w.index)),
			case when t.hash is null then 'It is not there.'
				when w.hash is null then 'There are not the entries below it.'
				else 'It is not the root of the entries below it.' end
		from whole w full join @registry@.tree t on t.level = w.level and t.index = w.index
		where t.hash is distinct from w.hash;
end
$$;
comment on function @registry@.verify_tree() is
	'The hashes of subtrees that are kept, against the entries and subtrees below them.';

-- For: log reader, inside
create or replace function @registry@.verify_events()
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
begin
	return query
		select null::bigint, 'changed', format('event %s', coalesce(e.id::text, '?')),
			'It is no event that this format has.'
		from @registry@.event e
		where @registry@.is_log_event(2, e.kind, e.fields) is not true
			or coalesce(array_ndims(e.fields), 1) <> 1 or coalesce(array_lower(e.fields, 1), 1) <> 1;
end
$$;
comment on function @registry@.verify_events() is 'Events that are not sealed and would be no entries.';

-- For: log reader, inside
create or replace function @registry@.verify_log(checkpoint text default null)
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp set jit = off as $$
declare
	stated record;
begin
	select * into stated from @registry@.log_checkpoint(checkpoint);
	return query select * from @registry@.verify_entries(null);
	return query
		select * from @registry@.verify_checkpoint(null, stated.size, stated.hash, stated.root);
	return query
		select null::bigint, 'changed', 'log_head', 'The checkpoint is of a log of another name.'
		from @registry@.log_head h where h.origin is distinct from coalesce(stated.origin, h.origin);
	return query
		select case when h.size > coalesce(last.position, 0) then coalesce(last.position, 0) + 1 end,
			case when h.size > coalesce(last.position, 0) then 'truncated' else 'changed' end, 'log_head',
			case when h.size is null then 'There is no head, or more than one.'
				when h.size > coalesce(last.position, 0) then format('The head tells of %s entries.', h.size)
				else 'The head is not the last entry.' end
		from (select case when count(*) = 1 then min(g.size) end as size,
				case when count(*) = 1 then min(encode(g.hash, 'hex')) end as hash
			from @registry@.log_head g) h
			left join (select l.position, l.hash from @registry@.log l
				order by l.position desc nulls last limit 1) last on true
		where h.size is distinct from last.position or h.hash is distinct from encode(last.hash, 'hex');
end
$$;
comment on function @registry@.verify_log(text) is
	'What is wrong with the log itself: its chain, its head, and against a checkpoint. Error 22023: not a '
	'checkpoint.';

-- For: log reader
create or replace function @registry@.verify_export(lines text[], checkpoint text default null)
	returns table ("position" bigint, class text, what text, detail text)
	language plpgsql stable parallel unsafe
	set search_path = pg_catalog, pg_temp
	set enable_nestloop = off
	set jit = off
as $$
declare
	stated record;
begin
	select * into stated from @registry@.log_checkpoint(checkpoint);
	return query
		select e.* from (
			select f.* from @registry@.verify_entries(coalesce(lines, '{}')) f
			union all
			select f.* from @registry@.verify_checkpoint(
				coalesce(lines, '{}'), stated.size, stated.hash, stated.root) f) e
		order by e.position, e.class, e.detail;
end
$$;
comment on function @registry@.verify_export(text[], text) is
	'What is wrong with an export of a log, line by line, and against a checkpoint: as tools/verify-log.py '
	'says it. No row: nothing. Error 22023: not a checkpoint.';
