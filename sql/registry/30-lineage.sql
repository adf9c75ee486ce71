-- Lineage: who descends from whom, by facts for everybody, by claims for the
-- version that tells them.  What every commit calls is in plpgsql, which keeps
-- plans; a function in SQL that is not inlined is planned at each call.  offset
-- 0: digests are looked up one by one, whatever the planner thinks.

-- For: reader, inside
create or replace function @registry@.fact_ancestors(digests bytea[]) returns setof bytea
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with recursive found(digest) as (
		select d from unnest(digests) d
		union
		select l.parent from found f
			cross join lateral (
				select e.parent from @registry@.story s join @registry@.edge e on e.story = s.id
				where s.digest = f.digest and s.proven offset 0) l)
	select f.digest from found f;
end
$$;
comment on function @registry@.fact_ancestors(bytea[]) is
	'The digests and all that facts say they were made of.';

-- For: reader, inside
create or replace function @registry@.fact_descendants(digests bytea[]) returns setof bytea
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with recursive found(digest) as (
		select d from unnest(digests) d
		union
		select l.of from found f
			cross join lateral (select e.of from @registry@.edge e join @registry@.story s on s.id = e.story
				where e.parent = f.digest and s.proven offset 0) l)
	select f.digest from found f;
end
$$;
comment on function @registry@.fact_descendants(bytea[]) is
	'The digests and all that facts say was made of them.';

-- For: reader, inside
create or replace function @registry@.story_edges(start bytea, sets bigint[])
	returns table (of bytea, parent bytea, p double precision, q double precision, w double precision,
		proven boolean)
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with recursive found(digest) as (
		select start
		union
		select l.parent from found f
			cross join lateral (
				select e.parent from @registry@.story s join @registry@.edge e on e.story = s.id
				where s.digest = f.digest and (s.proven or exists (
					select from @registry@.claim c where c.claim_set = any(sets) and c.story = s.id))
				offset 0) l)
	select e.of, e.parent, e.p, e.q, e.w, bool_or(e.proven)
	from found f cross join lateral (
		select x.of, x.parent, x.p, x.q, x.w, s.proven
		from @registry@.story s join @registry@.edge x on x.story = s.id
		where s.digest = f.digest and (s.proven
			or exists (select from @registry@.claim c where c.claim_set = any(sets) and c.story = s.id))
		offset 0) e
	group by e.of, e.parent, e.p, e.q, e.w;
end
$$;
comment on function @registry@.story_edges(bytea, bigint[]) is
	'Edges from a digest to all that it was made of, by facts and by the stories of the claim sets.';

-- For: reader, inside
create or replace function @registry@.sets_of(digest bytea) returns bigint[]
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	return array(select distinct v.claims from @registry@.version v
		where v.digest = $1 and v.claims is not null order by 1);
end
$$;
comment on function @registry@.sets_of(bytea) is 'What all versions with the digest claim.';

-- One walk for all: most of its time goes into looking up edges.
-- For: nobody
create or replace function @registry@.descent(digests bytea[], with_edges boolean default false,
	out made bytea[], out sets bigint[], out parents bytea[], out children bytea[])
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
	-- a row with a parent is an edge, one with a number a claim set, the others are walked on from
	with recursive found(digest, parent, claim_set) as (
		select d, null::bytea, null::bigint from unnest(digests) d
		union
		select l.* from found f cross join lateral (
			select r.of, r.parent, r.claim_set
			from @registry@.edge e join @registry@.story s on s.id = e.story
				cross join lateral (
					select e.of, null::bytea, null::bigint where s.proven
					union all
					select e.of, e.parent, null::bigint where s.proven and with_edges
					union all
					-- (of a story that was proven later too)
					select null::bytea, null::bytea, c.claim_set from @registry@.claim c
						where c.story = s.id) r(of, parent, claim_set)
			where e.parent = f.digest offset 0) l
		where f.parent is null)
	select coalesce(array_agg(f.digest) filter (where f.parent is null and f.claim_set is null), '{}'),
			coalesce(array_agg(f.claim_set) filter (where f.claim_set is not null), '{}'),
			coalesce(array_agg(f.parent) filter (where f.parent is not null), '{}'),
			coalesce(array_agg(f.digest) filter (where f.parent is not null), '{}')
		into made, sets, parents, children from found f;
end
$$;
comment on function @registry@.descent(bytea[], boolean) is
	'The digests and all that facts say was made of them, the claim sets in which a story has one of these '
	'as an operand, and, if asked for, the edges between them.';

-- Versions that were made of the digests: by facts, or because they say so.  It
-- names entries, whosever they are.
-- For: admin, inside
create or replace function @registry@.made_or_claimed(made bytea[], sets bigint[])
	returns table (entry text, number integer, digest bytea, root bigint, claims bigint, proven boolean)
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	select v.*, true
		from unnest(made) m(digest) cross join lateral (
			select x.entry, x.number, x.digest, x.root, x.claims from @registry@.version x
			where x.digest = m.digest offset 0) v
	union all
	select v.*, false
		from unnest(sets) s(id) cross join lateral (
			select x.entry, x.number, x.digest, x.root, x.claims from @registry@.version x
			where x.claims = s.id offset 0) v
		where v.digest not in (select unnest(made));
end
$$;
comment on function @registry@.made_or_claimed(bytea[], bigint[]) is
	'All versions that have one of the digests (proven) or, of the others, one of the claim sets.';

-- For: admin, inside
create or replace function @registry@.concerned(digests bytea[])
	returns table (entry text, number integer, digest bytea, root bigint, claims bigint, proven boolean)
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query select c.* from @registry@.descent(digests) d
		cross join lateral @registry@.made_or_claimed(d.made, d.sets) c;
end
$$;
comment on function @registry@.concerned(bytea[]) is
	'All versions that have one of the digests or were made of one; proven: facts say so, else the '
	'version''s own claims.';

-- For: reader, inside
create or replace function @registry@.ancestor_graph(start bytea, sets bigint[])
	returns table (digest bytea, kind text, depth integer, via bytea,
		p double precision, q double precision, w double precision, revoked boolean,
		standing text, incomplete boolean)
	language plpgsql stable parallel unsafe security definer
	set search_path = pg_catalog, pg_temp
	set work_mem = '64MB'
as $$
#variable_conflict use_column
declare
	claimed constant boolean := exists (select from unnest(sets) s where s is not null);
	proven constant bytea[] := case when claimed
		then array(select @registry@.fact_ancestors(array[start])) end;
	cut constant bytea[] := array(
		select d from @registry@.claim_set c, unnest(c.cut) d where c.id = any(sets));
begin
	return query
	with edge as materialized (
		select e.* from @registry@.story_edges(start, sets) e),
	edges as (
		select coalesce(array_agg(e.of), '{}') as tails, coalesce(array_agg(e.parent), '{}') as heads,
			coalesce(array_agg(e.p), '{}') as p, coalesce(array_agg(e.q), '{}') as q,
			coalesce(array_agg(e.w), '{}') as w
		from edge e)
	-- (in: looked up in a hash)
	select n.digest,
		case when exists (select from @registry@.version v where v.digest = n.digest offset 0)
				then 'registered'
			when n.digest in (select e.of from edge e) then 'intermediate' else 'external' end,
		n.depth, n.via, n.p, n.q, n.w,
		exists (select from @registry@.revocation r where r.digest = n.digest offset 0),
		case when not claimed or n.digest in (select unnest(proven)) then 'proven'
			else 'claimed' end,
		n.digest in (select unnest(cut)) and n.digest not in (select e.of from edge e)
	from edges e
		cross join lateral @peft@.adapter_lineage(start, e.tails, e.heads, e.p, e.q, e.w) n;
end
$$;
comment on function @registry@.ancestor_graph(bytea, bigint[]) is
	'The digest (depth 0) and its ancestors by facts and the claim sets, as @registry@.lineage tells them.';

-- For: reader, inside
create or replace function @registry@.descendant_edges(start bytea)
	returns table (of bytea, parent bytea, p double precision, q double precision, w double precision,
		proven boolean)
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	select distinct x.* from (
		select e.of, e.parent, e.p, e.q, e.w, true
		from @registry@.fact_descendants(array[start]) f(digest)
			join @registry@.edge e on e.parent = f.digest
			join @registry@.story s on s.id = e.story and s.proven
		union all
		select e.* from @registry@.concerned(array[start]) c
			cross join lateral @registry@.story_edges(c.digest, array[c.claims]) e
		where not c.proven) x;
end
$$;
comment on function @registry@.descendant_edges(bytea) is
	'Edges on which what was made of a digest lies, and others of versions that claim to be made of it.';

-- For: reader, inside
create or replace function @registry@.descendant_graph(start bytea)
	returns table (digest bytea, kind text, depth integer, via bytea,
		p double precision, q double precision, w double precision, revoked boolean,
		standing text, incomplete boolean)
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	proven bytea[] := array(select @registry@.fact_descendants(array[start]));
begin
	return query
	with edge as materialized (
		select e.* from @registry@.descendant_edges(start) e),
	edges as (
		select coalesce(array_agg(e.parent), '{}') as tails, coalesce(array_agg(e.of), '{}') as heads,
			coalesce(array_agg(e.p), '{}') as p, coalesce(array_agg(e.q), '{}') as q,
			coalesce(array_agg(e.w), '{}') as w
		from (select distinct x.of, x.parent, x.p, x.q, x.w from edge x) e),
	concerned as materialized (
		select distinct c.digest from @registry@.concerned(array[start]) c),
	node as (
		select n.*, f.digest is not null as fact, c.digest is not null as concerned,
			exists (select from @registry@.version v where v.digest = n.digest offset 0) as registered
		from edges e
			cross join lateral @peft@.adapter_lineage(start, e.tails, e.heads, e.p, e.q, e.w) n
			left join unnest(proven) f(digest) on f.digest = n.digest
			left join concerned c on c.digest = n.digest)
	select n.digest,
		case when n.registered then 'registered' when n.depth > 0 then 'intermediate'
			when exists (select from @registry@.story s where s.digest = n.digest offset 0)
				then 'intermediate'
			else 'external' end,
		n.depth, n.via, n.p, n.q, n.w,
		exists (select from @registry@.revocation r where r.digest = n.digest offset 0),
		case when n.fact then 'proven' else 'claimed' end, false
	from node n
	-- what only others claim of a registered digest is not said of its versions
	where n.fact or n.concerned or not n.registered;
end
$$;
comment on function @registry@.descendant_graph(bytea) is
	'The digest (depth 0) and what was made of it, as @registry@.descendants tells it.';

-- For: reader, inside
create or replace function @registry@.names_of(digests bytea[]) returns table (digest bytea, names text[])
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	select v.digest, array_agg(v.entry || '@' || v.number order by v.entry, v.number)
	from unnest(digests) d cross join lateral (
		select x.digest, x.entry, x.number from @registry@.version x where x.digest = d offset 0) v
	group by v.digest;
end
$$;
comment on function @registry@.names_of(bytea[]) is
	'References to the versions that have the digests, as far as the reader may see them; no row for a '
	'digest that has none.';

-- For: reader
create or replace function @registry@.lineage(start bytea)
	returns table (digest bytea, names text[], kind text, depth integer, via bytea,
		p double precision, q double precision, w double precision, revoked boolean,
		standing text, incomplete boolean)
	language sql stable parallel unsafe
	set search_path = pg_catalog, pg_temp
	set work_mem = '64MB'
as $$
	with g as materialized (select g.* from @registry@.ancestor_graph($1, @registry@.sets_of($1)) g)
	select g.digest, coalesce(n.names, '{}'), g.kind, g.depth, g.via, g.p, g.q, g.w, g.revoked,
		g.standing, g.incomplete
	from g left join @registry@.names_of(array(select g.digest from g)) n on n.digest = g.digest
	where g.depth > 0 order by g.depth, g.digest
$$;
comment on function @registry@.lineage(bytea) is
	'All ancestors of a digest, by facts and by what each version with it claims: names (references that the '
	'reader may see), kind (registered; intermediate: composed and not registered; external: not registered '
	'and nothing known of it), length of the shortest path, via (the digest before it on that path, see '
	'lineage_path), total weights (products along a path, summed over the paths; p and q in parameter '
	'space, w in delta space, null if a path goes through '
	'another operation), revoked, standing (proven: facts lead there; claimed), incomplete (a recipe reached '
	'its limit here).';

-- For: reader
create or replace function @registry@.lineage(ref text)
	returns table (digest bytea, names text[], kind text, depth integer, via bytea,
		p double precision, q double precision, w double precision, revoked boolean,
		standing text, incomplete boolean)
	language sql stable parallel unsafe
	set search_path = pg_catalog, pg_temp
	set work_mem = '64MB'
as $$
	with g as materialized (
		select g.*
		from @registry@.resolve(ref) r join @registry@.version v on v.entry = r.entry and v.number = r.number
			cross join lateral @registry@.ancestor_graph(v.digest, array[v.claims]) g)
	select g.digest, coalesce(n.names, '{}'), g.kind, g.depth, g.via, g.p, g.q, g.w, g.revoked,
		g.standing, g.incomplete
	from g left join @registry@.names_of(array(select g.digest from g)) n on n.digest = g.digest
	where g.depth > 0 order by g.depth, g.digest
$$;
comment on function @registry@.lineage(text) is
	'All ancestors of a version, by facts and by its own claims: see lineage(bytea). Error 42704: no such '
	'version.';

-- For: reader
create or replace function @registry@.lineage_path(ref text, ancestor bytea) returns bytea[]
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	before constant jsonb := (select jsonb_object_agg(encode(g.digest, 'hex'), encode(g.via, 'hex'))
		from @registry@.lineage(ref) g);
	place text := encode(ancestor, 'hex');
	path bytea[] := array[]::bytea[];
begin
	if ancestor = @registry@.digest(ref) then
		return array[ancestor];
	elsif before -> place is null then
		return null;
	end if;
	while place is not null loop
		path := decode(place, 'hex') || path;
		place := before ->> place;
	end loop;
	return path;
end
$$;
comment on function @registry@.lineage_path(text, bytea) is
	'A shortest path from a version to an ancestor, as digests with both ends; null if it is none. Error '
	'42704: no such version.';

-- For: reader
create or replace function @registry@.descendants(start bytea)
	returns table (digest bytea, names text[], kind text, depth integer, via bytea,
		p double precision, q double precision, w double precision, revoked boolean,
		standing text, incomplete boolean)
	language sql stable parallel unsafe
	set search_path = pg_catalog, pg_temp
	set work_mem = '64MB'
as $$
	with g as materialized (select g.* from @registry@.descendant_graph($1) g)
	select g.digest, coalesce(n.names, '{}'), g.kind, g.depth, g.via, g.p, g.q, g.w, g.revoked,
		g.standing, g.incomplete
	from g left join @registry@.names_of(array(select g.digest from g)) n on n.digest = g.digest
	where g.depth > 0 order by g.depth, g.digest
$$;
comment on function @registry@.descendants(bytea) is
	'All descendants of a digest, as lineage(bytea): by facts, and by what versions claim of themselves; '
	'p, q and w are the weights that the digest has in the descendant.';

-- For: reader
create or replace function @registry@.descendants(ref text)
	returns table (digest bytea, names text[], kind text, depth integer, via bytea,
		p double precision, q double precision, w double precision, revoked boolean,
		standing text, incomplete boolean)
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select * from @registry@.descendants(@registry@.digest(ref))
$$;
comment on function @registry@.descendants(text) is
	'All descendants of a version: see descendants(bytea). Error 42704: no such version.';

-- For: reader
create or replace function @registry@.lineage_dot(ref text) returns text
	language sql stable parallel unsafe
	set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
	with start as (
		select v.digest, array[v.claims] as sets
		from @registry@.resolve(ref) r
			join @registry@.version v on v.entry = r.entry and v.number = r.number),
	graph as materialized (
		select g.* from start s, @registry@.ancestor_graph(s.digest, s.sets) g),
	node as (
		select g.digest, format('	"%s" [label="%s"%s];', encode(g.digest, 'hex'),
			concat_ws('\n',
				replace(replace(array_to_string(n.names, ', '), '\', '\\'), '"', '\"'),
				case when g.kind <> 'registered' then g.kind end, left(encode(g.digest, 'hex'), 12)),
			case when g.revoked then ', color=red' else '' end
				|| case when g.incomplete then ', style=dotted' else '' end) as line
		from graph g left join @registry@.names_of(array(select g.digest from graph g)) n
			on n.digest = g.digest),
	edge as (
		select e.parent, e.of, format('	"%s" -> "%s"%s;', encode(e.parent, 'hex'), encode(e.of, 'hex'),
			' [' || concat_ws(', ', case when e.w is not null then format('label="%s"', e.w)
				when e.p is not null then format('label="%s"',
					case when e.p = e.q then e.p::text else e.p || ', ' || e.q end) end,
				case when not e.proven then 'style=dashed' end) || ']') as line
		from start s, @registry@.story_edges(s.digest, s.sets) e)
	select E'digraph lineage {\n' || (select string_agg(line, E'\n' order by digest) from node) || E'\n'
		|| coalesce((select string_agg(replace(line, ' []', ''), E'\n' order by of, parent, line)
			from edge) || E'\n', '')
		|| E'}\n'
$$;
comment on function @registry@.lineage_dot(text) is
	'The ancestors of a version as a Graphviz document, claims dashed. Error 42704: no such version.';
