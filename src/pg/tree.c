/*
 * tree.c
 *	  Merkle trees over the log of a registry: which entries and subtrees there are
 *	  is the registry's business, what follows from their hashes is core/tree.h's.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/bridge.h"

#include "catalog/pg_type.h"
#include "core/sort.h"
#include "core/tree.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pg/arrays.h"
#include "pg/digest.h"

PG_FUNCTION_INFO_V1(registry_tree_append);
PG_FUNCTION_INFO_V1(registry_tree_finish);
PG_FUNCTION_INFO_V1(registry_node_root);
PG_FUNCTION_INFO_V1(registry_inclusion_path);
PG_FUNCTION_INFO_V1(registry_consistency_path);
PG_FUNCTION_INFO_V1(registry_is_included);
PG_FUNCTION_INFO_V1(registry_is_consistent);

static PaTreeHash
hash_argument(FunctionCallInfo fcinfo, int argument)
{
	PaTreeHash	hash;

	memcpy(hash.bytes, digest_bytes(PG_GETARG_BYTEA_PP(argument)), sizeof(hash.bytes));
	return hash;
}

/* A number of leaves or of a leaf: never negative. */
static uint64
number_argument(FunctionCallInfo fcinfo, int argument)
{
	int64		number = PG_GETARG_INT64(argument);

	if (number < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("number of leaves must not be negative"),
				 errdetail("It is %lld.", (long long) number)));
	return (uint64) number;
}

static Datum *
elements_argument(FunctionCallInfo fcinfo, int argument, int *n)
{
	return array_elements_not_null(PG_GETARG_ARRAYTYPE_P(argument), "node of a tree must not be null",
								   "Aggregate levels, indexes and hashes from the same rows.", n);
}

static int
compare_nodes(const void *a, const void *b, const void *context)
{
	const PaTreeNode *x = a;
	const PaTreeNode *y = b;

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return 0;
}

static void
check_node(int32 level, int64 index)
{
	if (level < 0 || level >= PA_TREE_LEVELS || index < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a tree has no such node"),
				 errdetail("Its level is %d, its index %lld.", level, (long long) index)));
}

/* Three arguments from the given one on: levels, indexes, hashes, in any order of nodes. */
static PaTree
tree_arguments(Bridge *bridge, FunctionCallInfo fcinfo, int argument)
{
	int			n;
	int			n_indexes;
	int			n_hashes;
	Datum	   *levels = elements_argument(fcinfo, argument, &n);
	Datum	   *indexes = elements_argument(fcinfo, argument + 1, &n_indexes);
	Datum	   *hashes = elements_argument(fcinfo, argument + 2, &n_hashes);
	PaTreeNode *nodes;

	if (n != n_indexes || n != n_hashes)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("arrays of nodes have different lengths"),
				 errdetail("There are %d levels, %d indexes and %d hashes.", n, n_indexes, n_hashes),
				 errhint("Aggregate them from the same rows in the same order.")));
	nodes = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) n + 1) * sizeof(PaTreeNode));
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		check_node(DatumGetInt32(levels[i]), DatumGetInt64(indexes[i]));
		nodes[i].level = DatumGetInt32(levels[i]);
		nodes[i].index = DatumGetInt64(indexes[i]);
		memcpy(nodes[i].hash.bytes, digest_bytes(DatumGetByteaPP(hashes[i])), PA_SHA256_LENGTH);
	}
	bridge_check(bridge, pa_sort(&bridge->env, nodes, n, sizeof(PaTreeNode), compare_nodes, NULL));
	return (PaTree) {nodes, n};
}

static Datum
path_datum(const PaTreePath *path)
{
	Datum		hashes[PA_TREE_MAX_PATH];

	for (uint32 i = 0; i < path->n; i++)
		hashes[i] = digest_datum(path->hashes[i].bytes);
	return PointerGetDatum(construct_array(hashes, path->n, BYTEAOID, -1, false, TYPALIGN_INT));
}

/* False if it is longer than any proof. */
static bool
path_argument(FunctionCallInfo fcinfo, int argument, PaTreePath *path)
{
	int			n;
	Datum	   *hashes = elements_argument(fcinfo, argument, &n);

	if (n > PA_TREE_MAX_PATH)
		return false;
	path->n = n;
	for (int i = 0; i < n; i++)
		memcpy(path->hashes[i].bytes, digest_bytes(DatumGetByteaPP(hashes[i])), PA_SHA256_LENGTH);
	return true;
}

Datum
registry_tree_append(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	PaTreeEdge *edge;
	PaTreeHash	hash;
	Bridge	   *bridge;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "registry_tree_append called outside of an aggregate"); /* cannot happen */
	edge = PG_ARGISNULL(0) ? MemoryContextAllocZero(context, sizeof(PaTreeEdge))
						   : (PaTreeEdge *) PG_GETARG_POINTER(0);
	if (!PG_ARGISNULL(1))
	{
		hash = hash_argument(fcinfo, 1);
		bridge = bridge_open();
		bridge_check(bridge, pa_tree_append(&bridge->env, edge, &hash));
		bridge_close(bridge);
	}
	PG_RETURN_POINTER(edge);
}

Datum
registry_tree_finish(PG_FUNCTION_ARGS)
{
	static const PaTreeEdge empty = {0};
	const PaTreeEdge *edge = PG_ARGISNULL(0) ? &empty : (PaTreeEdge *) PG_GETARG_POINTER(0);
	Bridge	   *bridge = bridge_open();
	PaTreeHash	root;

	bridge_check(bridge, pa_tree_edge_root(&bridge->env, edge, &root));
	bridge_close(bridge);
	return digest_datum(root.bytes);
}

Datum
registry_node_root(PG_FUNCTION_ARGS)
{
	uint64		size = number_argument(fcinfo, 0);
	Bridge	   *bridge = bridge_open();
	PaTree		tree = tree_arguments(bridge, fcinfo, 1);
	PaTreeHash	root;

	bridge_check(bridge, pa_tree_root(&bridge->env, tree, size, &root));
	bridge_close(bridge);
	return digest_datum(root.bytes);
}

Datum
registry_inclusion_path(PG_FUNCTION_ARGS)
{
	uint64		index = number_argument(fcinfo, 0);
	uint64		size = number_argument(fcinfo, 1);
	Bridge	   *bridge = bridge_open();
	PaTree		tree = tree_arguments(bridge, fcinfo, 2);
	PaTreePath	path;

	bridge_check(bridge, pa_tree_inclusion(&bridge->env, tree, index, size, &path));
	bridge_close(bridge);
	return path_datum(&path);
}

Datum
registry_consistency_path(PG_FUNCTION_ARGS)
{
	uint64		first = number_argument(fcinfo, 0);
	uint64		second = number_argument(fcinfo, 1);
	Bridge	   *bridge = bridge_open();
	PaTree		tree = tree_arguments(bridge, fcinfo, 2);
	PaTreePath	path;

	bridge_check(bridge, pa_tree_consistency(&bridge->env, tree, first, second, &path));
	bridge_close(bridge);
	return path_datum(&path);
}

Datum
registry_is_included(PG_FUNCTION_ARGS)
{
	PaTreeHash	leaf = hash_argument(fcinfo, 0);
	uint64		index = number_argument(fcinfo, 1);
	uint64		size = number_argument(fcinfo, 2);
	PaTreeHash	root = hash_argument(fcinfo, 4);
	PaTreePath	path;
	Bridge	   *bridge;
	bool		holds;

	if (!path_argument(fcinfo, 3, &path))
		PG_RETURN_BOOL(false);
	bridge = bridge_open();
	bridge_check(bridge, pa_tree_is_included(&bridge->env, &leaf, index, size, &path, &root, &holds));
	bridge_close(bridge);
	PG_RETURN_BOOL(holds);
}

Datum
registry_is_consistent(PG_FUNCTION_ARGS)
{
	uint64		first = number_argument(fcinfo, 0);
	PaTreeHash	first_root = hash_argument(fcinfo, 1);
	uint64		second = number_argument(fcinfo, 2);
	PaTreeHash	second_root = hash_argument(fcinfo, 3);
	PaTreePath	path;
	Bridge	   *bridge;
	bool		holds;

	if (!path_argument(fcinfo, 4, &path))
		PG_RETURN_BOOL(false);
	bridge = bridge_open();
	bridge_check(bridge,
				 pa_tree_is_consistent(&bridge->env, first, &first_root, second, &second_root, &path,
									   &holds));
	bridge_close(bridge);
	PG_RETURN_BOOL(holds);
}
