/*
 * delta_sum.h
 *	  A sum of deltas that was not evaluated, and its plan: what truncation,
 *	  spectra, geometry and sketches begin with.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_DELTA_SUM_H
#define PA_ENGINE_DELTA_SUM_H

#include "algebra/combine.h"
#include "engine/operands.h"

/* Values are distinct by digest, in any order; each has one weight. */
typedef struct PaDeltaSum
{
	uint32_t	n;
	PaValue   **values;
	double	   *weights;
} PaDeltaSum;

/* One or two sums; the second's weights are 0 where there is one sum. */
typedef struct PaPlannedSum
{
	PaOperands	operands;		/* the leaves of both */
	double	   *given[2];		/* their weights */
	PaCombine  *plan;
	const PaDraft *draft;
	uint32_t	n_leaves;		/* that the plan kept */
	double	   *weights[2];		/* theirs */
} PaPlannedSum;

/*
 * The union of the leaves of d and e (may be NULL), planned in delta space.
 * dense: with the dense tensors and the weights of d, for a result; without, for
 * what looks at deltas alone.
 */
extern PaStatus pa_delta_sum_plan(PaEnv *env, const PaDeltaSum *d, const PaDeltaSum *e, bool dense,
								  PaPlannedSum *sum);

/* The stacks of the draft's modules; NULL for those that are no target. */
extern PaStatus pa_delta_sum_stacks(PaEnv *env, const PaPlannedSum *sum, const PaStack ***stacks);

#endif
