-- Lineage: the walk of a recipe when it is committed, and the graph.  What every
-- commit calls is in plpgsql, which keeps plans; a function in SQL that is not
-- inlined is planned at each call.

-- For: reader, inside
create or replace function @registry@.ancestors(start bytea) returns setof bytea
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with recursive found(digest) as (
		select start
		union
		select l.parent from found f
			cross join lateral (select x.parent from @registry@.lineage x where x.of = f.digest offset 0) l)
	select f.digest from found f;
end
$$;
comment on function @registry@.ancestors(bytea) is 'The digest and all its ancestors.';

-- For: reader, inside
create or replace function @registry@.successors(start bytea) returns setof bytea
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with recursive found(digest) as (
		select start
		union
		select l.of from found f
			cross join lateral (select x.of from @registry@.lineage x where x.parent = f.digest offset 0) l)
	select f.digest from found f;
end
$$;
comment on function @registry@.successors(bytea) is 'The digest and all its descendants.';

-- For: reader
create or replace function @registry@.is_live(digest bytea) returns boolean
	language sql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
	select not exists (select from @registry@.state s
		where s.digest = any(array(select @registry@.ancestors($1))) and s.revoked_at is not null)
$$;
comment on function @registry@.is_live(bytea) is
	'True if neither the digest nor an ancestor of it is revoked.';

-- Only the nodes down to registered digests are handed on: a recipe tells
-- everything down to the first import, and can be long.
-- For: nobody
create or replace function @registry@.lineage_write(child bytea, recipe jsonb) returns void
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
	line bytea[] := @registry@.operands(lineage_write.recipe -> 'root');
	known bytea[] := array[]::bytea[];
	keys text[] := array[]::text[];
	nodes jsonb[] := array[]::jsonb[];
	done integer := 0;
	node jsonb;
begin
	while done < cardinality(line) loop
		done := done + 1;
		node := lineage_write.recipe -> 'nodes' -> encode(line[done], 'hex');
		if node is not null then
			keys := keys || encode(line[done], 'hex');
			nodes := nodes || node;
		end if;
		-- The value's own node is the story of a digest that is registered only as an import.
		if line[done] <> lineage_write.child
			and exists (select from @registry@.version v where v.digest = line[done]) then
			known := known || line[done];
		elsif node is not null then
			line := line || array(select o from unnest(@registry@.operands(node)) o where o <> all(line));
		end if;
	end loop;
	with edge as materialized (
		select e.* from @peft@.adapter_recipe_edges(
			jsonb_build_object('version', 1, 'root', lineage_write.recipe -> 'root', 'nodes',
				(select coalesce(jsonb_object_agg(n.k, n.node), '{}') from unnest(keys, nodes) n(k, node))),
			lineage_write.child, known) e),
	ancestor as (
		insert into @registry@.state (digest)
			select d from (select lineage_write.child union select e.parent from edge e) n(d) order by d
			on conflict (digest) do nothing)
	insert into @registry@.lineage (child, of, parent, p, q, w, external)
		select lineage_write.child, e.of, e.parent, e.p, e.q, e.w, e.external from edge e
		on conflict do nothing;
end
$$;
comment on function @registry@.lineage_write(bytea, jsonb) is
	'Rows of lineage and state for a digest that is being committed: its recipe from the root, down to '
	'digests that are registered.';

-- Looks again after locking: what was locked may have got ancestors meanwhile.
-- For: nobody
create or replace function @registry@.lock_live(start bytea) returns void
	language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
	locked bytea[] := array[]::bytea[];
	fresh bytea[];
begin
	loop
		fresh := array(select a from @registry@.ancestors(start) a except select unnest(locked) order by 1);
		exit when fresh = '{}';
		perform from @registry@.state s where s.digest = any(fresh) order by s.digest for share;
		locked := locked || fresh;
	end loop;
	fresh := array(select s.digest from @registry@.state s
		where s.digest = any(locked) and s.revoked_at is not null);
	if fresh <> '{}' then
		raise exception 'the adapter or an ancestor of it is revoked' using errcode = '55000',
			detail = format('Revoked: %s.', @registry@.digest_list(fresh)),
			hint = '@registry@.recompose() makes a version without it.';
	end if;
end
$$;
comment on function @registry@.lock_live(bytea) is
	'Locks the states of a digest and its ancestors FOR SHARE, in digest order, until none is new, then '
	'raises 55000 if one is revoked.';

-- Which edges there are; @peft@.adapter_lineage walks them.  An edge is told by
-- every version that has it in its recipe.  offset 0: digests are looked up one
-- by one, whatever the planner thinks of their number.
-- For: reader, inside
create or replace function @registry@.graph(start bytea, downward boolean)
	returns table (digest bytea, kind text, depth integer, path bytea[],
		p double precision, q double precision, w double precision, revoked boolean)
	language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
	return query
	with found as (
		select a.digest from @registry@.ancestors(graph.start) a(digest) where not graph.downward
		union all
		select s.digest from @registry@.successors(graph.start) s(digest) where graph.downward),
	edge as (
		select distinct x.*
		from found f cross join lateral (
			select l.of as tail, l.parent as head, l.p, l.q, l.w
				from @registry@.lineage l where not graph.downward and l.of = f.digest
			union all
			select l.parent, l.of, l.p, l.q, l.w
				from @registry@.lineage l where graph.downward and l.parent = f.digest
			offset 0) x),
	edges as (
		select coalesce(array_agg(e.tail), '{}') as tails, coalesce(array_agg(e.head), '{}') as heads,
			coalesce(array_agg(e.p), '{}') as p, coalesce(array_agg(e.q), '{}') as q,
			coalesce(array_agg(e.w), '{}') as w
		from edge e)
	select n.digest,
		case
			when exists (select from @registry@.version v where v.digest = n.digest offset 0)
				then 'registered'
			when exists (select from @registry@.lineage l where l.of = n.digest offset 0)
				then 'intermediate'
			else 'external' end,
		n.depth, n.path, n.p, n.q, n.w,
		exists (select from @registry@.state s
			where s.digest = n.digest and s.revoked_at is not null offset 0)
	from edges e cross join lateral @peft@.adapter_lineage(graph.start, e.tails, e.heads, e.p, e.q, e.w) n;
end
$$;
comment on function @registry@.graph(bytea, boolean) is
	'The digest (depth 0) and its ancestors, or descendants if downward: kind (registered, intermediate, '
	'external), length of the shortest path, the path, sums over all paths of the products of weights, '
	'whether it is revoked itself.';

-- For: reader, inside
create or replace function @registry@.names(digest bytea) returns text[]
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select coalesce(array_agg(v.entry || '@' || v.number order by v.entry, v.number), '{}')
	from @registry@.version v where v.digest = names.digest
$$;
comment on function @registry@.names(bytea) is
	'References to the versions that have the digest, as far as the reader may see them.';

-- For: reader
create or replace function @registry@.lineage(start bytea)
	returns table (digest bytea, names text[], kind text, depth integer, path bytea[],
		p double precision, q double precision, w double precision, revoked boolean)
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select g.digest, @registry@.names(g.digest), g.kind, g.depth, g.path, g.p, g.q, g.w, g.revoked
	from @registry@.graph($1, false) g where g.depth > 0 order by g.depth, g.digest
$$;
comment on function @registry@.lineage(bytea) is
	'All ancestors of a digest: names (references that the reader may see), kind (registered; intermediate: '
	'composed and not registered; external: not registered and nothing known of it), length of the shortest '
	'path and that path, total weights (products along a path, summed over the paths; p and q in parameter '
	'space, w in delta space, null if a path goes through another operation), revoked.';

-- For: reader
create or replace function @registry@.lineage(ref text)
	returns table (digest bytea, names text[], kind text, depth integer, path bytea[],
		p double precision, q double precision, w double precision, revoked boolean)
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select * from @registry@.lineage(@registry@.digest(ref))
$$;
comment on function @registry@.lineage(text) is
	'All ancestors of a version: see lineage(bytea). Error 42704: no such version.';

-- For: reader
create or replace function @registry@.descendants(start bytea)
	returns table (digest bytea, names text[], kind text, depth integer, path bytea[],
		p double precision, q double precision, w double precision, revoked boolean)
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select g.digest, @registry@.names(g.digest), g.kind, g.depth, g.path, g.p, g.q, g.w, g.revoked
	from @registry@.graph($1, true) g where g.depth > 0 order by g.depth, g.digest
$$;
comment on function @registry@.descendants(bytea) is
	'All descendants of a digest, as lineage(bytea); p, q and w are the weights that the digest has in the '
	'descendant.';

-- For: reader
create or replace function @registry@.descendants(ref text)
	returns table (digest bytea, names text[], kind text, depth integer, path bytea[],
		p double precision, q double precision, w double precision, revoked boolean)
	language sql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
	select * from @registry@.descendants(@registry@.digest(ref))
$$;
comment on function @registry@.descendants(text) is
	'All descendants of a version: see descendants(bytea). Error 42704: no such version.';

-- For: reader, inside
create or replace function @registry@.edges(start bytea)
	returns table (of bytea, parent bytea, p double precision, q double precision, w double precision)
	language sql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
	select distinct l.of, l.parent, l.p, l.q, l.w
	from @registry@.ancestors(start) a(digest) join @registry@.lineage l on l.of = a.digest
$$;
comment on function @registry@.edges(bytea) is 'Edges between a digest and its ancestors.';

-- For: reader
create or replace function @registry@.lineage_dot(ref text) returns text
	language sql stable parallel unsafe
	set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
	with start as (select @registry@.digest(ref) as digest),
	node as (
		select g.digest, format('	"%s" [label="%s"%s];', encode(g.digest, 'hex'),
			concat_ws('\n',
				nullif(replace(replace(array_to_string(@registry@.names(g.digest), ', '),
					'\', '\\'), '"', '\"'), ''),
				case when g.kind <> 'registered' then g.kind end, left(encode(g.digest, 'hex'), 12)),
			case when g.revoked then ', color=red' else '' end) as line
		from start s, @registry@.graph(s.digest, false) g),
	edge as (
		select e.parent, e.of, format('	"%s" -> "%s"%s;', encode(e.parent, 'hex'), encode(e.of, 'hex'),
			case when e.w is not null then format(' [label="%s"]', e.w)
				when e.p is not null then format(' [label="%s"]',
					case when e.p = e.q then e.p::text else e.p || ', ' || e.q end)
				else '' end) as line
		from start s, @registry@.edges(s.digest) e)
	select E'digraph lineage {\n' || (select string_agg(line, E'\n' order by digest) from node) || E'\n'
		|| coalesce((select string_agg(line, E'\n' order by of, parent, line) from edge) || E'\n', '')
		|| E'}\n'
$$;
comment on function @registry@.lineage_dot(text) is
	'The ancestors of a version as a Graphviz document; edges carry weights (p, q where they differ). Error '
	'42704: no such version.';
