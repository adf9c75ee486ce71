/*
 * recipe_walk.c
 *	  Walking a recipe from its root.  See recipe_walk.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "recipe/recipe_walk.h"

#include <stdlib.h>
#include <string.h>

#include "recipe/terms.h"

/* Nodes to look at in order of distance; each is there once. */
typedef struct Walk
{
	const PaRecipeGraph *graph;
	bool	   *known;
	bool	   *seen;
	uint32_t   *queue;
	uint32_t	n;
} Walk;

static PaStatus
begin_walk(PaEnv *env, const PaRecipeGraph *graph, const PaRecipeKnown *known, Walk *walk)
{
	*walk = (Walk) {.graph = graph};
	PA_TRY(PA_NEW_ARRAY(env, graph->n, &walk->known));
	PA_TRY(PA_NEW_ARRAY(env, graph->n, &walk->seen));
	PA_TRY(PA_NEW_ARRAY(env, graph->n, &walk->queue));
	for (uint32_t i = 0; i < known->n; i++)
		walk->known[pa_recipe_find(graph, known->digests + (size_t) i * PA_SHA256_LENGTH)] = true;
	return PA_OK;
}

static void
reach(Walk *walk, uint32_t node)
{
	if (!walk->seen[node])
		walk->queue[walk->n++] = node;
	walk->seen[node] = true;
}

static bool
stops_at(const Walk *walk, uint32_t node)
{
	return walk->known[node] || pa_recipe_is_end(&walk->graph->nodes[node]);
}

PaStatus
pa_recipe_needs(PaEnv *env, const PaRecipeGraph *graph, const PaRecipeKnown *known, uint32_t **needs,
				uint32_t *n)
{
	Walk		walk;

	*n = 0;
	PA_TRY(begin_walk(env, graph, known, &walk));
	PA_TRY(PA_NEW_ARRAY(env, graph->n, needs));
	reach(&walk, 0);
	for (uint32_t i = 0; i < walk.n; i++)
	{
		const PaRecipeNode *node = &graph->nodes[walk.queue[i]];

		PA_TRY(pa_check_cancel(env));
		if (walk.queue[i] != 0 && stops_at(&walk, walk.queue[i]))
		{
			(*needs)[(*n)++] = walk.queue[i];
			continue;
		}
		for (uint32_t k = 0; k < node->n_operands; k++)
			reach(&walk, node->operands[k].leaf);
	}
	return PA_OK;
}

static int
compare_operands(const void *a, const void *b)
{
	uint32_t	x = ((const PaTerm *) a)->leaf;
	uint32_t	y = ((const PaTerm *) b)->leaf;

	return x < y ? -1 : x > y;
}

static PaEdgeWeights
weights_of(const PaRecipeNode *node)
{
	if (strcmp(node->op, "combine") == 0)
		return PA_EDGE_PARAMETER;
	return strcmp(node->op, "concatenate") == 0 ? PA_EDGE_DELTA : PA_EDGE_NONE;
}

/* One edge for each distinct operand of a node, in order of digest: edges[0] to edges[*n - 1]. */
static PaStatus
edges_of(PaEnv *env, const PaRecipeNode *node, PaRecipeEdge *edges, uint32_t *n)
{
	PaEdgeWeights weights = weights_of(node);
	size_t		room = (size_t) node->n_operands + 1;
	PaTerm	   *terms;
	double	   *p;
	double	   *q;

	qsort(node->operands, node->n_operands, sizeof(PaTerm), compare_operands);
	PA_TRY(PA_NEW_ARRAY(env, node->n_operands, &terms));
	PA_TRY(PA_NEW_ARRAY(env, room, &p));
	PA_TRY(PA_NEW_ARRAY(env, room, &q));
	*n = 0;
	for (uint32_t i = 0; i < node->n_operands; i++)
	{
		const PaTerm *operand = &node->operands[i];

		if (i == 0 || operand->leaf != operand[-1].leaf)
			edges[(*n)++] = (PaRecipeEdge) {.parent = operand->leaf, .weights = weights};
		terms[i] = (PaTerm) {*n - 1, operand->u, operand->v};
	}
	if (weights != PA_EDGE_NONE)
		PA_TRY(pa_terms_total(env, terms, node->n_operands, *n, p, q));
	for (uint32_t i = 0; i < *n; i++)
	{
		edges[i].p = p[i];
		edges[i].q = q[i];
	}
	pa_free(env, terms);
	pa_free(env, p);
	pa_free(env, q);
	return PA_OK;
}

static size_t
count_operands(const PaRecipeGraph *graph)
{
	size_t		n = 0;

	for (uint32_t i = 0; i < graph->n; i++)
		n += graph->nodes[i].n_operands;
	return n;
}

/* The edges of one story, which are appended; its operands are reached. */
static PaStatus
append_story(PaEnv *env, Walk *walk, uint32_t of, uint32_t itself, PaRecipeEdge *edges, size_t *n)
{
	PaRecipeEdge *found = edges + *n;
	uint32_t	n_found;

	PA_TRY(edges_of(env, &walk->graph->nodes[of], found, &n_found));
	for (uint32_t k = 0; k < n_found; k++)
	{
		PaRecipeEdge edge = found[k];

		if (edge.parent == itself)
			continue;
		edge.of = of;
		edges[(*n)++] = edge;
		reach(walk, edge.parent);
	}
	return PA_OK;
}

PaStatus
pa_recipe_edges(PaEnv *env, const PaRecipeGraph *graph, const uint8_t *digest, const PaRecipeKnown *known,
				PaRecipeEdge **edges, size_t *n)
{
	uint32_t	own = digest == NULL ? 0 : pa_recipe_find(graph, digest);
	Walk		walk;

	*n = 0;
	PA_TRY(begin_walk(env, graph, known, &walk));
	PA_TRY(PA_NEW_ARRAY(env, count_operands(graph), edges));
	reach(&walk, 0);
	PA_TRY(append_story(env, &walk, 0, own, *edges, n));
	if (own != 0)
		reach(&walk, own);
	for (uint32_t i = 1; i < walk.n; i++)
	{
		uint32_t	story = walk.queue[i];

		if (walk.known[story] && story != own)
			continue;
		for (; story != 0; story = graph->nodes[story].other)
		{
			PA_TRY(pa_check_cancel(env));
			/* where claims lead in a circle the root's story may be told below it again */
			if (walk.queue[i] == own && pa_recipe_same_story(&graph->nodes[story], &graph->nodes[0]))
				continue;
			if (!pa_recipe_is_end(&graph->nodes[story]))
				PA_TRY(append_story(env, &walk, story, walk.queue[i], *edges, n));
		}
	}
	return PA_OK;
}
