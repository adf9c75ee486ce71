/*
 * lineage.h
 *	  A walk over edges of lineage: what is reached from a digest, how far away,
 *	  on which path and with which total weights.  doc/registry.md, "Lineage".
 *
 * An edge is walked from its tail to its head, so the caller says whether the
 * walk goes to ancestors or to descendants.  Edges are claims: two of the same
 * ends whose weights differ have no weights, and they may lead in a circle.
 *
 * Depths and paths are those of a walk by breadth first, neighbours in order of
 * digest.  A total weight is the sum, over all paths, of the products along the
 * path; it is carried in topological order, so that the number of paths does
 * not matter.  A circle has no such order: it and what hangs on it have no
 * totals.  Time and memory are in proportion to the edges, but for a sort.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_LINEAGE_H
#define PA_LINEAGE_H

#include "core/env.h"

/* p and q of a sum in parameter space, w of one in delta space; NaN: none. */
typedef enum PaLineageWeight
{
	PA_LINEAGE_P,
	PA_LINEAGE_Q,
	PA_LINEAGE_W,
	PA_LINEAGE_WEIGHTS
} PaLineageWeight;

/* Digests have PA_SHA256_LENGTH bytes and stay the caller's. */
typedef struct PaLineageEdge
{
	const uint8_t *tail;
	const uint8_t *head;
	double		weights[PA_LINEAGE_WEIGHTS];
} PaLineageEdge;

typedef struct PaLineageNode
{
	const uint8_t *digest;
	uint32_t	depth;
	uint32_t	before;			/* the node before it on its path; its own number: the start */
	double		totals[PA_LINEAGE_WEIGHTS]; /* NaN: none */
} PaLineageNode;

/* The depth of what is not reached. */
#define PA_LINEAGE_FAR UINT32_MAX

/*
 * All ends of edges and the start, in order of digest.  A product beyond 1e290
 * or below 1e-290 is no weight, a product with a weight of 0 is 0; a node lacks
 * p and q together.  PA_ERR_LIMIT: more nodes than a uint32 counts.
 */
extern PaStatus pa_lineage_walk(PaEnv *env, const uint8_t *start, const PaLineageEdge *edges, size_t n,
								PaLineageNode **nodes, uint32_t *n_nodes);

#endif
