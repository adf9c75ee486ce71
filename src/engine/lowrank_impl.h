/*
 * lowrank_impl.h
 *	  A sum of deltas, planned: what truncation, spectra, geometry and sketches
 *	  begin with.  Private to src/engine/lowrank*.c and sketch.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_LOWRANK_IMPL_H
#define PA_LOWRANK_IMPL_H

#include "algebra/combine.h"
#include "engine/engine_impl.h"
#include "engine/lowrank.h"

/* A leaf of one or two sums; the second weight is 0 where there is one sum. */
typedef struct PaSummand
{
	PaValue    *value;
	double		weight[2];
} PaSummand;

typedef struct PaPlannedSum
{
	uint32_t	n_summands;		/* all leaves, in digest order */
	PaSummand  *summands;
	PaCombine  *plan;
	const PaDraft *draft;
	uint32_t	n_leaves;		/* that are left; weights are theirs */
	double	   *weights[2];
} PaPlannedSum;

/*
 * The union of the leaves of d and e (may be NULL), planned in delta space.
 * dense: with the dense tensors and the weights of d, for a result; without, for
 * what looks at deltas alone.
 */
extern PaStatus pa_engine_plan_sum(PaEnv *env, const PaDeltaSum *d, const PaDeltaSum *e, bool dense,
								   PaPlannedSum *sum);

/* The stacks of the draft's modules; NULL for those that are no target. */
extern PaStatus pa_engine_stacks(PaEnv *env, const PaPlannedSum *sum, const PaStack ***stacks);

#endif
