-- Merkle trees over hashes of nodes: RFC 6962.
create view leaf as select i - 1 as index, sha256('\x00'::bytea || d) as hash
	from unnest(array['', '\x00', '\x10', '\x2021', '\x3031', '\x40414243', '\x5051525354555657',
		'\x606162636465666768696a6b6c6d6e6f']::bytea[]) with ordinality u(d, i);
create function levels() returns integer[] language sql as $$ select array_agg(0 order by index) from leaf $$;
create function indexes() returns bigint[] language sql as $$ select array_agg(index order by index desc) from leaf $$;
create function hashes() returns bytea[] language sql as $$ select array_agg(hash order by index desc) from leaf $$;
-- Published roots of 0, 1, 3 and 8 leaves.
select n, registry_tree_root(hash order by index) from unnest('{0,1,3,8}'::integer[]) n left join leaf on index < n group by n order by n;
select n, registry_node_root(n, levels(), indexes(), hashes()) = registry_tree_root(hash order by index) as same
from generate_series(1, 8) n left join leaf on index < n group by n order by n;
select registry_tree_root(hash order by index) = registry_tree_root(null) as nothing from leaf where false;
-- A published proof of each sort, and that it holds, and for nothing else.
select unnest(registry_inclusion_path(5, 8, levels(), indexes(), hashes())) as path;
select unnest(registry_consistency_path(6, 8, levels(), indexes(), hashes())) as path;
select i, registry_is_included(hash, i, 8, registry_inclusion_path(5, 8, levels(), indexes(), hashes()),
	registry_node_root(8, levels(), indexes(), hashes())) as holds
from leaf cross join generate_series(4, 6) i where index = 5;
select m, registry_is_consistent(m, registry_node_root(m, levels(), indexes(), hashes()), 8,
	registry_node_root(8, levels(), indexes(), hashes()),
	registry_consistency_path(6, 8, levels(), indexes(), hashes())) as holds from generate_series(5, 7) m;
-- A subtree in the place of its leaves.
select registry_node_root(8, '{0,1,0,2}', '{0,1,1,1}', array[h[1], registry_tree_root(hash order by index) filter (where index in (2, 3)),
	h[2], registry_tree_root(hash order by index) filter (where index > 3)]) = registry_tree_root(hash order by index) as same
from leaf cross join (select array_agg(hash order by index) as h from leaf) a group by h;
-- What is not there, and what cannot be.
select fails(f) from unnest(array[
	$$select registry_node_root(9, levels(), indexes(), hashes())$$,
	$$select registry_node_root(-1, '{}', '{}', '{}')$$,
	$$select registry_node_root(1, '{0}', '{}', '{}')$$,
	$$select registry_node_root(1, '{64}', '{0}', array[sha256('')])$$,
	$$select registry_node_root(1, '{0}', '{-1}', array[sha256('')])$$,
	$$select registry_node_root(1, '{0}', '{0}', '{null}')$$,
	$$select registry_node_root(1, '{0}', '{0}', '{x}')$$,
	$$select registry_tree_root('x')$$,
	$$select registry_inclusion_path(8, 8, levels(), indexes(), hashes())$$,
	$$select registry_consistency_path(0, 8, levels(), indexes(), hashes())$$,
	$$select registry_is_included('x', 0, 1, '{}', sha256(''))$$]) f;
select registry_is_included(sha256(''), 0, 1, array(select sha256('') from generate_series(1, 1000)), sha256('')) as longer_than_any;
-- The chain over a window, and from its middle on.
select n, hash = registry_entry_hash(n, lag(hash, 1, sha256('')) over (order by n), 'k', array[n::text]) as follows
from (select n, registry_chain(n, sha256(''), 'k', array[n::text]) over (order by n rows unbounded preceding) as hash
	from generate_series(1, 3) n) c;
select fails($$select registry_chain(1, sha256(''), null, '{}')$$);
drop function levels, indexes, hashes;
drop view leaf;
