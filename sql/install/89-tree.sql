-- Merkle trees as of RFC 6962, over the hashes of nodes; a registry's log is one.

create function registry_tree_append(internal, bytea) returns internal
	as 'MODULE_PATHNAME' language c immutable parallel safe;
comment on function registry_tree_append(internal, bytea) is
	'Transition function of registry_tree_root. Error 22023: a hash that has not 32 bytes.';

create function registry_tree_finish(internal) returns bytea
	as 'MODULE_PATHNAME' language c immutable parallel safe;
comment on function registry_tree_finish(internal) is 'Final function of registry_tree_root.';

create aggregate registry_tree_root(hash bytea) (
	sfunc = registry_tree_append, stype = internal, sspace = 2080,
	finalfunc = registry_tree_finish, parallel = safe
);
comment on aggregate registry_tree_root(bytea) is
	'Root of the tree over nodes of one level (leaves: SHA-256 of a zero byte and the data), in the order of '
	'the aggregate; SHA-256 of nothing for no rows. Nulls do not count. Error 22023: a hash that has not 32 '
	'bytes.';

create function registry_node_root(size bigint, levels integer[], indexes bigint[], hashes bytea[])
	returns bytea
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function registry_node_root(bigint, integer[], bigint[], bytea[]) is
	'Root of a tree with that many leaves from some of its nodes: the one of level h and index i is the full '
	'subtree over the leaves i * 2^h to (i + 1) * 2^h - 1. Errors: 42704 a node that is needed is neither '
	'given nor follows from those below it, 22023 a number that cannot be, 22004 a null.';

create function registry_inclusion_path(index bigint, size bigint, levels integer[], indexes bigint[],
	hashes bytea[]) returns bytea[]
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function registry_inclusion_path(bigint, bigint, integer[], bigint[], bytea[]) is
	'Proof that a leaf, counted from 0, is in the tree of a size (RFC 6962, 2.1.1), from some of its nodes '
	'as for registry_node_root. Errors: 22023 there is no such leaf, those of registry_node_root.';

create function registry_consistency_path(first bigint, second bigint, levels integer[], indexes bigint[],
	hashes bytea[]) returns bytea[]
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function registry_consistency_path(bigint, bigint, integer[], bigint[], bytea[]) is
	'Proof that the tree of the first size is the beginning of the one of the second (RFC 6962, 2.1.2), from '
	'some nodes as for registry_node_root. Errors: 22023 the first is 0 or above the second, those of '
	'registry_node_root.';

create function registry_is_included(leaf bytea, index bigint, size bigint, path bytea[], root bytea)
	returns boolean
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function registry_is_included(bytea, bigint, bigint, bytea[], bytea) is
	'Whether a proof shows that the leaf with this hash stands at an index, counted from 0, in the tree of '
	'this size and root. Errors: 22023 a negative number, a hash that has not 32 bytes, 22004 a null.';

create function registry_is_consistent(first bigint, first_root bytea, second bigint, second_root bytea,
	path bytea[]) returns boolean
	as 'MODULE_PATHNAME' language c immutable strict parallel safe;
comment on function registry_is_consistent(bigint, bytea, bigint, bytea, bytea[]) is
	'Whether a proof shows that the tree of the first size and root is the beginning of the second. Errors: '
	'those of registry_is_included.';
