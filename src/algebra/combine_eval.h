/*
 * combine_eval.h
 *	  One pass over the leaves' blocks: what it keeps in memory, and the stacked
 *	  factors as its part.  Private to combine_eval.c and combine_stack_eval.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_COMBINE_EVAL_H
#define PA_COMBINE_EVAL_H

#include "algebra/combine_impl.h"

#define PA_HELD_TERMS 4

typedef struct PaCombineSource
{
	PaSource	base;
	const PaCombine *plan;
	const PaCombineSum **sums;	/* of the described result's tensors */
	uint8_t    *raw[PA_HELD_TERMS]; /* blocks of leaves */
	double	   *acc;			/* one block */
	double	   *part;			/* one block of one leaf, only for stacks */
} PaCombineSource;

/* combine_stack_eval.c: elements [first, first + n) of a stacked factor A or B. */
extern PaStatus pa_combine_stacked(PaEnv *env, PaCombineSource *self, const PaCombineSum *sum,
								   const PaTensor *to, uint64_t first, size_t n, uint8_t *dst);

#endif
