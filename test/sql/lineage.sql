-- Digests by name; a path as names.
create function digest_named(name text) returns bytea language sql immutable as $$ select sha256(convert_to(name, 'UTF8')) $$;
create table edge (tail text, head text, p float8, q float8, w float8);
create function names_of(path bytea[]) returns text language sql stable as $$
	select string_agg(n.name, ' > ' order by u.i)
	from unnest(path) with ordinality u(d, i)
		join (select tail as name from edge union select head from edge union values ('alone')) n on digest_named(n.name) = u.d
$$;
create function walk(start text) returns table (path text, depth integer, p float8, q float8, w float8) language sql stable as $$
	with recursive reached as materialized (select l.*
	from (select array_agg(digest_named(tail)) as tails, array_agg(digest_named(head)) as heads,
			array_agg(e.p) as p, array_agg(e.q) as q, array_agg(e.w) as w from edge e) a,
		adapter_lineage(digest_named(start), a.tails, a.heads, a.p, a.q, a.w) l),
	way as (
		select r.digest, array[r.digest] as path, r.via from reached r where r.depth < 10
		union all select w.digest, w.via || w.path, r.via from way w join reached r on r.digest = w.via)
	select names_of(w.path), r.depth, r.p, r.q, r.w
	from reached r left join way w on w.digest = r.digest and w.via is null
$$;

-- Two ways, one of them longer; a way through another operation; what is not reached.
insert into edge values ('top', 'left', 0.5, 0.5, null), ('top', 'right', 0.5, 0.25, null), ('left', 'leaf', 4, 4, null),
	('right', 'middle', 2, 2, null), ('middle', 'leaf', 1, 1, null), ('right', 'cast', null, null, null),
	('cast', 'deep', 1, 1, null), ('other', 'leaf', 1, 1, null);
select * from walk('top') order by depth, path;
select * from walk('leaf');
select * from walk('alone');
-- Without edges the start is there, and the digest is the start's.
select digest = digest_named('alone') as same, depth, via, p, q, w
from adapter_lineage(digest_named('alone'), '{}', '{}', '{}', '{}', '{}');
select count(*) as of_null from adapter_lineage(null, '{}', '{}', '{}', '{}', '{}');

-- The same claim twice, claims that differ, a circle of claims.
insert into edge values ('top', 'left', 0.5, 0.5, null), ('middle', 'leaf', 1, 1, 1), ('cast', 'right', 1, 1, 1);
select * from walk('top') order by depth, path;

-- A ladder of 1,000 rungs has 2^1000 paths and is walked at once; products leave the range.
truncate edge;
insert into edge select r.side || i, s.side || i + 1, 1, 0.5, 2
from generate_series(1, 1000) i, (values ('l'), ('r')) r(side), (values ('l'), ('r')) s(side);
select count(*), max(depth) as depth, count(w) as with_w, max(p) = 2 * 2 ^ 963 as p_ends_at_1e290, min(q) as q from walk('l1');

-- A walk over 100,000 edges.
select count(*), max(l.depth) as depth, sum(l.p) as p
from (select array_agg(digest_named('hub')) as tails, array_agg(digest_named(i::text)) as heads,
		array_agg(0.5::float8) as w from generate_series(1, 100000) i) a,
	adapter_lineage(digest_named('hub'), a.tails, a.heads, a.w, a.w, a.w) l;

-- Errors.
select adapter_lineage('\x01', '{}', '{}', '{}', '{}', '{}');
select adapter_lineage(digest_named('a'), array[digest_named('a')], array[digest_named('b')], '{1}', '{1,2}', '{1}');
select adapter_lineage(digest_named('a'), array[digest_named('a')], '{}', '{1}', '{1}', '{1}');
select adapter_lineage(digest_named('a'), array[digest_named('a')], array[null::bytea], '{1}', '{1}', '{1}');
select adapter_lineage(digest_named('a'), array[digest_named('a')], array['\x02'::bytea], '{1}', '{1}', '{1}');
drop table edge cascade;
drop function names_of, walk, digest_named;
