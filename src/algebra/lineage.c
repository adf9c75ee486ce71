/*
 * lineage.c
 *	  Depths, paths and total weights along edges.  See lineage.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/lineage.h"

#include <math.h>
#include <string.h>

#include "core/sort.h"

/* Rows between two looks whether to stop. */
#define ROWS_OF_A_STEP 4096

typedef struct Edge
{
	uint32_t	tail;
	uint32_t	head;
	double		weights[PA_LINEAGE_WEIGHTS];
} Edge;

typedef struct Walk
{
	PaLineageNode *nodes;		/* by digest */
	uint32_t	n;
	Edge	   *edges;			/* by tail, then head; each pair once */
	size_t	   *first;			/* of n + 1: first[i] to first[i + 1] leave node i */
	uint32_t   *waits;			/* edges that lead here and have not been carried over */
	uint32_t   *queue;
	uint32_t	n_queue;
} Walk;

static int
compare_digests(const void *a, const void *b, const void *context)
{
	(void) context;
	return memcmp(*(const uint8_t *const *) a, *(const uint8_t *const *) b, PA_SHA256_LENGTH);
}

static int
compare_edges(const void *a, const void *b, const void *context)
{
	const Edge *x = a;
	const Edge *y = b;

	(void) context;
	if (x->tail != y->tail)
		return x->tail < y->tail ? -1 : 1;
	return x->head < y->head ? -1 : x->head > y->head;
}

static PaStatus
sometimes_check_cancel(PaEnv *env, size_t i)
{
	return i % ROWS_OF_A_STEP == 0 ? pa_check_cancel(env) : PA_OK;
}

/* The nodes: each digest once. */
static PaStatus
number_digests(PaEnv *env, const uint8_t *start, const PaLineageEdge *edges, size_t n, Walk *walk)
{
	const uint8_t **digests;
	size_t		kept = 0;

	if (n > (PA_LINEAGE_FAR - 2) / 2)
	{
		pa_fail(env, PA_ERR_LIMIT, "lineage has too many edges");
		pa_detail(env, "There are %zu of them, more than %u.", n, (PA_LINEAGE_FAR - 2) / 2);
		return PA_ERR_LIMIT;
	}
	PA_TRY(PA_NEW_ARRAY(env, 2 * n + 1, &digests));
	digests[0] = start;
	for (size_t i = 0; i < n; i++)
	{
		digests[2 * i + 1] = edges[i].tail;
		digests[2 * i + 2] = edges[i].head;
	}
	PA_TRY(pa_sort(env, digests, 2 * n + 1, sizeof(uint8_t *), compare_digests, NULL));
	for (size_t i = 0; i < 2 * n + 1; i++)
		if (kept == 0 || compare_digests(&digests[kept - 1], &digests[i], NULL) != 0)
			digests[kept++] = digests[i];
	PA_TRY(PA_NEW_ARRAY(env, kept, &walk->nodes));
	for (size_t i = 0; i < kept; i++)
		walk->nodes[i] = (PaLineageNode) {.digest = digests[i], .depth = PA_LINEAGE_FAR};
	walk->n = (uint32_t) kept;
	pa_free(env, digests);
	return pa_check_cancel(env);
}

/* The digest is there. */
static uint32_t
find_node(const Walk *walk, const uint8_t *digest)
{
	uint32_t	low = 0;
	uint32_t	high = walk->n - 1;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (memcmp(walk->nodes[middle].digest, digest, PA_SHA256_LENGTH) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
same_weights(const Edge *a, const Edge *b)
{
	for (int k = 0; k < PA_LINEAGE_WEIGHTS; k++)
		if (a->weights[k] != b->weights[k] && !(isnan(a->weights[k]) && isnan(b->weights[k])))
			return false;
	return true;
}

static void
forget_weights(double weights[PA_LINEAGE_WEIGHTS])
{
	for (int k = 0; k < PA_LINEAGE_WEIGHTS; k++)
		weights[k] = NAN;
}

/* One edge for each pair of ends, without weights where claims differ. */
static size_t
merge_claims(Edge *edges, size_t n)
{
	size_t		kept = 0;

	for (size_t i = 0; i < n; i++)
	{
		if (kept == 0 || compare_edges(&edges[kept - 1], &edges[i], NULL) != 0)
			edges[kept++] = edges[i];
		else if (!same_weights(&edges[kept - 1], &edges[i]))
			forget_weights(edges[kept - 1].weights);
	}
	return kept;
}

static PaStatus
number_edges(PaEnv *env, const PaLineageEdge *edges, size_t n, Walk *walk)
{
	size_t		kept;

	PA_TRY(PA_NEW_ARRAY(env, n, &walk->edges));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) walk->n + 1, &walk->first));
	for (size_t i = 0; i < n; i++)
	{
		PA_TRY(sometimes_check_cancel(env, i));
		walk->edges[i].tail = find_node(walk, edges[i].tail);
		walk->edges[i].head = find_node(walk, edges[i].head);
		memcpy(walk->edges[i].weights, edges[i].weights, sizeof(edges[i].weights));
	}
	PA_TRY(pa_sort(env, walk->edges, n, sizeof(Edge), compare_edges, NULL));
	kept = merge_claims(walk->edges, n);
	for (size_t i = 0; i < kept; i++)
		walk->first[walk->edges[i].tail + 1]++;
	for (uint32_t i = 0; i < walk->n; i++)
		walk->first[i + 1] += walk->first[i];
	return pa_check_cancel(env);
}

/* By breadth first; counts how many edges of what is reached lead to each node. */
static PaStatus
find_depths(PaEnv *env, uint32_t start, Walk *walk)
{
	walk->nodes[start].depth = 0;
	walk->nodes[start].before = start;
	walk->queue[0] = start;
	walk->n_queue = 1;
	for (uint32_t done = 0; done < walk->n_queue; done++)
	{
		uint32_t	i = walk->queue[done];

		PA_TRY(sometimes_check_cancel(env, done));
		for (size_t k = walk->first[i]; k < walk->first[i + 1]; k++)
		{
			PaLineageNode *head = &walk->nodes[walk->edges[k].head];

			PA_TRY(sometimes_check_cancel(env, k));
			walk->waits[walk->edges[k].head]++;
			if (head->depth != PA_LINEAGE_FAR)
				continue;
			head->depth = walk->nodes[i].depth + 1;
			head->before = i;
			walk->queue[walk->n_queue++] = walk->edges[k].head;
		}
	}
	return PA_OK;
}

/* The bounds lie inside those of double, so a sum of products is finite. */
static double
weight_product(double a, double b)
{
	double		magnitude = fabs(a * b);

	if (isnan(a) || isnan(b))
		return NAN;
	if (a == 0 || b == 0)
		return 0;
	return magnitude >= 1e-290 && magnitude <= 1e290 ? a * b : NAN;
}

/* A node is carried on once all that leads to it has been. */
static PaStatus
sum_weights(PaEnv *env, uint32_t start, Walk *walk)
{
	for (int w = 0; w < PA_LINEAGE_WEIGHTS; w++)
		walk->nodes[start].totals[w] = 1;
	walk->queue[0] = start;
	walk->n_queue = walk->waits[start] == 0;
	for (uint32_t done = 0; done < walk->n_queue; done++)
	{
		uint32_t	i = walk->queue[done];

		PA_TRY(sometimes_check_cancel(env, done));
		for (size_t k = walk->first[i]; k < walk->first[i + 1]; k++)
		{
			const Edge *edge = &walk->edges[k];

			PA_TRY(sometimes_check_cancel(env, k));
			for (int w = 0; w < PA_LINEAGE_WEIGHTS; w++)
				walk->nodes[edge->head].totals[w] += weight_product(walk->nodes[i].totals[w],
																	edge->weights[w]);
			if (--walk->waits[edge->head] == 0)
				walk->queue[walk->n_queue++] = edge->head;
		}
	}
	return PA_OK;
}

static void
drop_partial_totals(Walk *walk)
{
	for (uint32_t i = 0; i < walk->n; i++)
	{
		double	   *totals = walk->nodes[i].totals;

		if (walk->waits[i] != 0)
			forget_weights(totals);
		if (isnan(totals[PA_LINEAGE_P]) || isnan(totals[PA_LINEAGE_Q]))
			totals[PA_LINEAGE_P] = totals[PA_LINEAGE_Q] = NAN;
	}
}

PaStatus
pa_lineage_walk(PaEnv *env, const uint8_t *start, const PaLineageEdge *edges, size_t n, PaLineageNode **nodes,
				uint32_t *n_nodes)
{
	Walk		walk = {0};
	uint32_t	root;

	PA_TRY(number_digests(env, start, edges, n, &walk));
	PA_TRY(number_edges(env, edges, n, &walk));
	PA_TRY(PA_NEW_ARRAY(env, walk.n, &walk.waits));
	PA_TRY(PA_NEW_ARRAY(env, walk.n, &walk.queue));
	root = find_node(&walk, start);
	PA_TRY(find_depths(env, root, &walk));
	PA_TRY(sum_weights(env, root, &walk));
	drop_partial_totals(&walk);
	pa_free(env, walk.queue);
	pa_free(env, walk.waits);
	pa_free(env, walk.first);
	pa_free(env, walk.edges);
	*nodes = walk.nodes;
	*n_nodes = walk.n;
	return PA_OK;
}
