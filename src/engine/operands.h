/*
 * operands.h
 *	  The values that an operation is given, put in order of digest: so its
 *	  result does not depend on the caller's order.  They are opened with one
 *	  decoder for all, and named as a recipe names them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_OPERANDS_H
#define PA_ENGINE_OPERANDS_H

#include "recipe/recipe.h"
#include "value/value.h"

typedef struct PaOperands
{
	uint32_t	n;
	PaValue   **values;			/* by digest, then by envelope digest */
	PaSource  **sources;
	PaOperand  *named;			/* for the recipe; each one's own is loaded when it is its turn */
	uint32_t   *place;			/* place[i]: where the caller's value i is among them */
} PaOperands;

/*
 * distinct: values of one digest become one operand, that with the smallest
 * envelope digest, which settles whose recipe is taken.
 */
extern PaStatus pa_operands_open(PaEnv *env, uint32_t n, PaValue *const *values, bool distinct,
								 PaOperands *operands);

/* The one value of an operation, with its recipe loaded. */
extern PaStatus pa_operands_single(PaEnv *env, PaValue *value, PaOperand *operand);

#endif
