/*
 * lineage.c
 *	  The walk over edges of lineage, which come as arrays: which edges there
 *	  are, and who may see them, is the registry's business.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/bridge.h"

#include <math.h>

#include "algebra/lineage.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pg/arrays.h"
#include "pg/digest.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(adapter_lineage);

#define LINEAGE_COLUMNS 6

static int
digests_argument(FunctionCallInfo fcinfo, int argument, const uint8 ***digests)
{
	int			n;
	Datum	   *elements = array_elements_not_null(PG_GETARG_ARRAYTYPE_P(argument),
												   "end of an edge of lineage must not be null",
												   "Only weights can be null.", &n);

	*digests = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) n + 1) * sizeof(uint8 *));
	for (int i = 0; i < n; i++)
		(*digests)[i] = digest_bytes(DatumGetByteaPP(elements[i]));
	pfree(elements);
	return n;
}

/* One weight of each edge; null is NaN. */
static void
weights_argument(FunctionCallInfo fcinfo, int argument, PaLineageWeight weight, PaLineageEdge *edges, int n)
{
	bool	   *nulls;
	int			count;
	Datum	   *elements = array_elements(PG_GETARG_ARRAYTYPE_P(argument), &nulls, &count);

	if (count != n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("arrays of edges have different lengths"),
				 errdetail("There are %d tails and %d weights.", n, count),
				 errhint("Aggregate them from the same rows in the same order.")));
	for (int i = 0; i < n; i++)
		edges[i].weights[weight] = nulls[i] ? NAN : DatumGetFloat8(elements[i]);
	pfree(elements);
	pfree(nulls);
}

/* Arguments 1 to 5: tails, heads, p, q, w. */
static PaLineageEdge *
edges_arguments(FunctionCallInfo fcinfo, int *n)
{
	const uint8 **tails;
	const uint8 **heads;
	PaLineageEdge *edges;
	int			n_heads;

	*n = digests_argument(fcinfo, 1, &tails);
	n_heads = digests_argument(fcinfo, 2, &heads);
	if (n_heads != *n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("arrays of edges have different lengths"),
				 errdetail("There are %d tails and %d heads.", *n, n_heads),
				 errhint("Aggregate them from the same rows in the same order.")));
	edges = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) *n + 1) * sizeof(PaLineageEdge));
	for (int i = 0; i < *n; i++)
	{
		edges[i].tail = tails[i];
		edges[i].head = heads[i];
	}
	for (int weight = 0; weight < PA_LINEAGE_WEIGHTS; weight++)
		weights_argument(fcinfo, 3 + weight, weight, edges, *n);
	pfree(tails);
	pfree(heads);
	return edges;
}

static void
lineage_row(ReturnSetInfo *result, const PaLineageNode *node, Datum digest, Datum via)
{
	Datum		values[LINEAGE_COLUMNS] = {digest, Int32GetDatum(node->depth), via};
	bool		nulls[LINEAGE_COLUMNS] = {false};

	nulls[2] = node->depth == 0;
	for (int weight = 0; weight < PA_LINEAGE_WEIGHTS; weight++)
	{
		values[3 + weight] = Float8GetDatum(node->totals[weight]);
		nulls[3 + weight] = isnan(node->totals[weight]);
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
lineage_rows(ReturnSetInfo *result, const PaLineageNode *nodes, uint32 n)
{
	Datum	   *digests = MemoryContextAllocHuge(CurrentMemoryContext, (Size) n * sizeof(Datum));

	for (uint32 i = 0; i < n; i++)
		digests[i] = digest_datum(nodes[i].digest);
	for (uint32 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nodes[i].depth != PA_LINEAGE_FAR)
			lineage_row(result, &nodes[i], digests[i], digests[nodes[i].before]);
	}
}

Datum
adapter_lineage(PG_FUNCTION_ARGS)
{
	const uint8 *start = digest_bytes(PG_GETARG_BYTEA_PP(0));
	PaLineageEdge *edges;
	PaLineageNode *nodes;
	uint32_t	n_nodes;
	Bridge	   *bridge;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	edges = edges_arguments(fcinfo, &n);
	bridge = bridge_open();
	bridge_check(bridge, pa_lineage_walk(&bridge->env, start, edges, n, &nodes, &n_nodes));
	lineage_rows((ReturnSetInfo *) fcinfo->resultinfo, nodes, n_nodes);
	bridge_close(bridge);
	return (Datum) 0;
}
