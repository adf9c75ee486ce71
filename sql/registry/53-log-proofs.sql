-- Proofs about the log: that an entry is in it, and that one checkpoint's log is
-- the beginning of another's.  See core/tree.h for nodes.

-- For: log reader, inside
create or replace function @registry@.tree_nodes(size bigint, points bigint[],
	out levels integer[], out indexes bigint[], out hashes bytea[])
	language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
	with tile as (
		select distinct l.level, p.point >> 8 * (l.level + 1) as tile
		from generate_series(0, 7) l(level), unnest($2) p(point)
		where $1 >> 8 * l.level > 0
	), node as (
		select 0 as level, e.position - 1 as index, @registry@.log_leaf(e.hash) as hash
		from tile t cross join lateral (
			select x.position, x.hash from @registry@.log x
			where t.level = 0 and x.position > t.tile << 8
				and x.position <= least((t.tile + 1) << 8, $1) offset 0) e
		union all
		select 8 * n.level, n.index, n.hash
		from tile t cross join lateral (
			select x.level, x.index, x.hash from @registry@.tree x
			where x.level = t.level and x.index >= t.tile << 8
				and x.index < least((t.tile + 1) << 8, $1 >> 8 * t.level) offset 0) n
	)
	select coalesce(array_agg(n.level), '{}'), coalesce(array_agg(n.index), '{}'),
		coalesce(array_agg(n.hash), '{}')
	from node n
$$;
comment on function @registry@.tree_nodes(bigint, bigint[]) is
	'The nodes of the tree of a size that what concerns the points, as leaves or as sizes, is made from: on '
	'each eighth level the 256 that are beside one that leads to a point.';

-- For: log reader, inside
create or replace function @registry@.tree_root(size bigint) returns bytea
	language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
	select @peft@.registry_node_root($1, n.levels, n.indexes, n.hashes)
	from @registry@.tree_nodes($1, array[$1]) n
$$;
comment on function @registry@.tree_root(bigint) is
	'Root of the tree over the first entries of the log. Error 42704: an entry is missing.';

-- For: log reader, inside
create or replace function @registry@.log_check_size(size bigint) returns void
	language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
	there bigint;
begin
	select h.size into there from @registry@.log_head h;
	if size is null or size < 1 or size > coalesce(there, 0) then
		raise exception 'the log has no such size' using errcode = 'invalid_parameter_value',
			detail = format('It has %s entries; the size given is %s.', coalesce(there, 0),
				coalesce(size::text, 'null')),
			hint = '@registry@.log_status() tells the size, and what is not sealed yet.';
	end if;
end
$$;
comment on function @registry@.log_check_size(bigint) is
	'Error 22023: the log never had that size.';

-- For: log reader
create or replace function @registry@.inclusion_proof("position" bigint, size bigint default null)
	returns table (entry text, tree_size bigint, path text[])
	language plpgsql stable parallel safe
	set search_path = pg_catalog, pg_temp
	set jit = off
as $$
declare
	whole constant bigint := coalesce(inclusion_proof.size, (select h.size from @registry@.log_head h));
begin
	perform @registry@.log_check_size(whole);
	if "position" is null or "position" < 1 or "position" > whole then
		raise exception 'the log has no such entry at that size' using errcode = 'invalid_parameter_value',
			detail = format('The position given is %s, the size %s.', coalesce("position"::text, 'null'),
				whole);
	end if;
	return query
		select @registry@.log_line(l.position, l.kind, l.fields, l.previous, l.hash), whole,
			array(select encode(h.hash, 'base64') from unnest(@peft@.registry_inclusion_path(
					inclusion_proof.position - 1, whole, n.levels, n.indexes, n.hashes))
				with ordinality h(hash, i) order by h.i)
		from @registry@.log l
			cross join @registry@.tree_nodes(whole, array[inclusion_proof.position - 1, whole]) n
		where l.position = inclusion_proof.position;
end
$$;
comment on function @registry@.inclusion_proof(bigint, bigint) is
	'That the entry at a position is in the log as it was at a size (null: now): the entry as export_log '
	'gives it, the size, and the path of RFC 6962, 2.1.1, in base64; the leaf is the entry''s hash. Errors: '
	'22023 no such size or entry, 42704 entries are missing.';

-- For: log reader
create or replace function @registry@.inclusion_proof(ref text, size bigint default null)
	returns table (entry text, tree_size bigint, path text[])
	language plpgsql stable parallel unsafe set search_path = pg_catalog, pg_temp as $$
declare
	place bigint;
begin
	select l.position into place
	from @registry@.resolve(ref) r join @registry@.log l
		on l.kind = 'version' and l.fields[1] = r.entry and l.fields[2] = r.number::text;
	if place is null then
		raise exception 'version "%" is not in the log', ref
			using errcode = 'object_not_in_prerequisite_state',
				detail = 'It is not sealed yet, or its entry is missing.',
				hint = 'Call @registry@.seal() in a transaction of its own.';
	end if;
	return query select * from @registry@.inclusion_proof(place, size);
end
$$;
comment on function @registry@.inclusion_proof(text, bigint) is
	'The same for the entry of a version. Errors: 55000 it is not sealed, those of resolve and of '
	'inclusion_proof(bigint, bigint).';

-- For: log reader
create or replace function @registry@.consistency_proof(first bigint, second bigint default null)
	returns text[]
	language plpgsql stable parallel safe
	set search_path = pg_catalog, pg_temp
	set jit = off
as $$
declare
	whole constant bigint := coalesce(second, (select h.size from @registry@.log_head h));
begin
	perform @registry@.log_check_size(whole);
	perform @registry@.log_check_size(first);
	return array(select encode(h.hash, 'base64') from @registry@.tree_nodes(whole, array[first, whole]) n,
		unnest(@peft@.registry_consistency_path(first, whole, n.levels, n.indexes, n.hashes))
			with ordinality h(hash, i) order by h.i);
end
$$;
comment on function @registry@.consistency_proof(bigint, bigint) is
	'That the log at a size is the beginning of the log at another (null: now): the path of RFC 6962, 2.1.2, '
	'in base64. Errors: 22023 no such size, or the first is above the second, 42704 entries are missing.';
