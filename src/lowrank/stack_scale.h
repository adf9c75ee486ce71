/*
 * stack_scale.h
 *	  Powers of two that bring a stack's columns and weights near 1, so that
 *	  nothing overflows or vanishes on the way, whatever the factors' range.
 *
 * Column k of A is divided by 2^a[k] and column k of B by 2^b[k], such that the
 * largest magnitude of each is in [0.5, 1): exact, and the rank pairs can differ
 * in scale as they like.  Only stacks with F64 factors need it (the squares of
 * everything else are well inside double); for others all exponents are 0 and
 * nothing is read.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_STACK_SCALE_H
#define PA_STACK_SCALE_H

#include "lowrank/stack_read.h"

typedef struct PaStackScale
{
	int        *exponent;		/* of each rank pair, both factors together; NULL: all 0 */
} PaStackScale;

/* Find the exponents (a pass over the factors) and make the reader apply them. */
extern PaStatus pa_stack_scale(PaEnv *env, PaStackReader *reader, PaStackScale *scale);

/*
 * The weight of each rank pair, w s 2^(a + b) of its part, as d[k] 2^*exponent
 * with the largest abs(d[k]) in [0.5, 1); 0 where exponents were found and a
 * factor is 0; all 0 if every weight is.
 */
extern PaStatus pa_stack_weights(PaEnv *env, const PaStack *stack, const PaStackScale *scale,
								 const double *leaf_weights, double *d, int *exponent);

#endif
