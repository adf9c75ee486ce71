/*
 * recipe_walk.h
 *	  What a recipe says without being evaluated: the values that an evaluation
 *	  needs, and the edges of lineage.  doc/registry.md, "Lineage".
 *
 * A walk begins at the root and stops at digests that are known and at ends (a
 * digest without a node, an import).  It looks at each node once, so that
 * claims that lead in a circle end too.  Of a digest with several stories an
 * evaluation takes the first; lineage goes on along all of them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_RECIPE_WALK_H
#define PA_RECIPE_WALK_H

#include "recipe/recipe_read.h"

/* digests known already, n times PA_SHA256_LENGTH bytes; in any order */
typedef struct PaRecipeKnown
{
	uint32_t	n;
	const uint8_t *digests;
} PaRecipeKnown;

/* Numbers of the nodes where the walk stops, each once, nearest to the root first. */
extern PaStatus pa_recipe_needs(PaEnv *env, const PaRecipeGraph *graph, const PaRecipeKnown *known,
								uint32_t **needs, uint32_t *n);

typedef enum PaEdgeWeights
{
	PA_EDGE_NONE,
	PA_EDGE_PARAMETER,			/* p and q: a sum in parameter space */
	PA_EDGE_DELTA				/* q is w: a sum in delta space */
} PaEdgeWeights;

typedef struct PaRecipeEdge
{
	uint32_t	of;				/* the node that is the story; 0: the root */
	uint32_t	parent;
	PaEdgeWeights weights;
	double		p;				/* exact sums over the terms of this parent, rounded once */
	double		q;
} PaRecipeEdge;

/*
 * One edge for each parent of each story, nearest to the root first; none leads
 * from a digest to itself, which is all that an operation that changed nothing
 * says.  digest (may be NULL) is that of the recipe's own value: stories that the
 * recipe tells of it stand beside the root's.  PA_ERR_RANGE: a sum of weights
 * overflows.
 */
extern PaStatus pa_recipe_edges(PaEnv *env, const PaRecipeGraph *graph, const uint8_t *digest,
								const PaRecipeKnown *known, PaRecipeEdge **edges, size_t *n);

#endif
