/*
 * test_lineage.c
 *	  The walk over edges: depths, paths, total weights, claims that differ or
 *	  lead in a circle, and random graphs against a walk along every path.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "algebra/lineage.h"

#define NONE NAN
#define MAX_NODES 9

/* Digest i sorts as i does. */
static const uint8_t *
digest(uint32_t i)
{
	static uint8_t digests[MAX_NODES][PA_SHA256_LENGTH];

	digests[i][PA_SHA256_LENGTH - 1] = (uint8_t) i;
	return digests[i];
}

static PaLineageEdge
edge(uint32_t tail, uint32_t head, double p, double q, double w)
{
	return (PaLineageEdge) {digest(tail), digest(head), {p, q, w}};
}

static bool
has_totals(const PaLineageNode *node, double p, double q, double w)
{
	const double wanted[PA_LINEAGE_WEIGHTS] = {p, q, w};

	for (int k = 0; k < PA_LINEAGE_WEIGHTS; k++)
		if (node->totals[k] != wanted[k] && !(isnan(node->totals[k]) && isnan(wanted[k])))
			return false;
	return true;
}

UNIT_TEST(no_edges)
{
	PaLineageNode *nodes;
	uint32_t	n;

	CHECK_OK(pa_lineage_walk(env, digest(3), NULL, 0, &nodes, &n), env);
	CHECK(n == 1 && nodes[0].depth == 0 && nodes[0].before == 0 && has_totals(&nodes[0], 1, 1, 1));
	CHECK(memcmp(nodes[0].digest, digest(3), PA_SHA256_LENGTH) == 0);
}

/* Two ways to 3; 4 is not on any; 5 is reached over a longer way first in order of digest. */
UNIT_TEST(paths_and_totals)
{
	const PaLineageEdge edges[] = {edge(0, 2, 0.5, 0.25, NONE), edge(0, 1, 0.5, 0.5, NONE),
								   edge(1, 3, 3, 3, NONE),		edge(2, 3, 2, 8, NONE),
								   edge(4, 3, 7, 7, 7),			edge(3, 5, 1, 1, NONE),
								   edge(2, 5, NONE, NONE, 2)};
	PaLineageNode *nodes;
	uint32_t	n;

	CHECK_OK(pa_lineage_walk(env, digest(0), edges, 7, &nodes, &n), env);
	CHECK(n == 6);
	CHECK(nodes[3].depth == 2 && nodes[3].before == 1 && has_totals(&nodes[3], 2.5, 3.5, NONE));
	CHECK(nodes[4].depth == PA_LINEAGE_FAR);
	CHECK(nodes[5].depth == 2 && nodes[5].before == 2 && has_totals(&nodes[5], NONE, NONE, NONE));
}

UNIT_TEST(claims)
{
	const PaLineageEdge edges[] = {edge(0, 1, 0.5, 0.5, NONE), edge(0, 1, 0.5, 0.5, NONE),
								   edge(0, 2, 0.5, 0.5, NONE), edge(0, 2, 0.5, 0.25, NONE),
								   edge(0, 2, 0.5, 0.5, NONE), edge(0, 3, NONE, 2, 4)};
	PaLineageNode *nodes;
	uint32_t	n;

	CHECK_OK(pa_lineage_walk(env, digest(0), edges, 6, &nodes, &n), env);
	CHECK(n == 4 && has_totals(&nodes[1], 0.5, 0.5, NONE) && has_totals(&nodes[2], NONE, NONE, NONE));
	CHECK(has_totals(&nodes[3], NONE, NONE, 4));
}

/* 1 and 2 lead to each other: they and 3 behind them have depths and no totals. */
UNIT_TEST(circles)
{
	const PaLineageEdge edges[] = {edge(0, 1, 1, 1, 1), edge(1, 2, 1, 1, 1), edge(2, 1, 1, 1, 1),
								   edge(2, 3, 1, 1, 1), edge(0, 4, 2, 2, 2)};
	const PaLineageEdge back[] = {edge(0, 1, 1, 1, 1), edge(1, 0, 1, 1, 1)};
	PaLineageNode *nodes;
	uint32_t	n;

	CHECK_OK(pa_lineage_walk(env, digest(0), edges, 5, &nodes, &n), env);
	for (uint32_t i = 1; i <= 3; i++)
		CHECK(nodes[i].depth == i && has_totals(&nodes[i], NONE, NONE, NONE));
	CHECK(has_totals(&nodes[4], 2, 2, 2));
	CHECK_OK(pa_lineage_walk(env, digest(0), back, 2, &nodes, &n), env);
	CHECK(nodes[0].depth == 0 && has_totals(&nodes[0], NONE, NONE, NONE) && nodes[1].depth == 1);
}

/* A product out of range is none, and stays none; a weight of 0 is no product. */
UNIT_TEST(ranges)
{
	const PaLineageEdge edges[] = {edge(0, 1, 1e200, 1e-200, 0), edge(1, 2, 1e200, 1e-200, 1e300),
								   edge(2, 3, 1e-200, 0, 5)};
	const PaLineageEdge negative[] = {edge(0, 1, -1e145, 1, -1e146), edge(1, 2, 1e144, 1, 1e145)};
	PaLineageNode *nodes;
	uint32_t	n;

	CHECK_OK(pa_lineage_walk(env, digest(0), edges, 3, &nodes, &n), env);
	CHECK(has_totals(&nodes[1], 1e200, 1e-200, 0) && has_totals(&nodes[2], NONE, NONE, 0));
	CHECK(has_totals(&nodes[3], NONE, NONE, 0));
	CHECK_OK(pa_lineage_walk(env, digest(0), negative, 2, &nodes, &n), env);
	CHECK(has_totals(&nodes[2], -1e145 * 1e144, 1, NONE));
}

/* Adds the products of all paths from a node on, whose weights are powers of two. */
static void
walk_every_path(const PaLineageEdge *edges, size_t n, uint32_t node, uint32_t depth, double product,
				uint32_t *depths, double *sums)
{
	if (depth < depths[node])
		depths[node] = depth;
	sums[node] += product;
	for (size_t k = 0; k < n; k++)
		if (edges[k].tail == digest(node))
			walk_every_path(edges, n, edges[k].head[PA_SHA256_LENGTH - 1], depth + 1,
							product * edges[k].weights[PA_LINEAGE_W], depths, sums);
}

/* Each pair once, forward or not at all. */
static size_t
random_edges(uint64_t *seed, PaLineageEdge edges[MAX_NODES * MAX_NODES])
{
	size_t		n = 0;

	for (uint32_t tail = 0; tail < MAX_NODES; tail++)
		for (uint32_t head = tail + 1; head < MAX_NODES; head++)
			if (unit_random(seed) % 3 == 0)
				edges[n++] = edge(tail, head, NONE, NONE, ldexp(1, (int) (unit_random(seed) % 5) - 2));
	return n;
}

UNIT_TEST(every_path)
{
	uint64_t	seed = unit_seed();

	for (int round = 0; round < 300; round++)
	{
		PaLineageEdge edges[MAX_NODES * MAX_NODES];
		size_t		n_edges = random_edges(&seed, edges);
		uint32_t	depths[MAX_NODES];
		double		sums[MAX_NODES] = {0};
		PaLineageNode *nodes;
		uint32_t	n;

		memset(depths, 0xff, sizeof(depths));
		walk_every_path(edges, n_edges, 0, 0, 1, depths, sums);
		CHECK_OK(pa_lineage_walk(env, digest(0), edges, n_edges, &nodes, &n), env);
		for (uint32_t i = 0; i < n; i++)
		{
			uint32_t	node = nodes[i].digest[PA_SHA256_LENGTH - 1];

			CHECK(nodes[i].depth == depths[node]);
			if (depths[node] == PA_LINEAGE_FAR)
				continue;
			CHECK(nodes[i].totals[PA_LINEAGE_W] == sums[node]);
			CHECK(i == nodes[i].before || nodes[nodes[i].before].depth + 1 == nodes[i].depth);
		}
	}
}

static PaStatus
walk_once(PaEnv *env, void *arg)
{
	const PaLineageEdge edges[] = {edge(0, 1, 1, 1, 1), edge(1, 2, 1, 1, 1)};
	PaLineageNode *nodes;
	uint32_t	n;

	(void) arg;
	return pa_lineage_walk(env, digest(0), edges, 2, &nodes, &n);
}

UNIT_TEST(no_memory_or_cancelled)
{
	(void) env;
	unit_fail_every_allocation(walk_once, NULL);
	unit_cancel_everywhere(walk_once, NULL);
}

UNIT_SUITE(lineage, UNIT_CASE(no_edges), UNIT_CASE(paths_and_totals), UNIT_CASE(claims), UNIT_CASE(circles),
		   UNIT_CASE(ranges), UNIT_CASE(every_path), UNIT_CASE(no_memory_or_cancelled));
