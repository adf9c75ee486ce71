/*
 * recompute_ops.h
 *	  Which function of the engine an operation of a recipe is, and what it is
 *	  given: one node, ready to be evaluated.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_RECOMPUTE_OPS_H
#define PA_ENGINE_RECOMPUTE_OPS_H

#include "recipe/recipe_read.h"
#include "value/value.h"

/* Operands are those that are left, their weights as they are to be used. */
typedef struct PaStep
{
	const PaRecipeNode *node;
	uint32_t	n_values;		/* distinct by digest */
	PaValue   **values;
	size_t		n_terms;		/* one for each operand; leaf is an index of values */
	PaTerm	   *terms;
	size_t		reserve;
	int64_t		same_as;		/* the value that the result is, or -1: then the PaBuf is filled */
} PaStep;

typedef PaStatus (*PaStepRun)(PaEnv *env, PaStep *step, PaBuf *out);

/* NULL if values of this operation cannot be made again. */
extern PaStepRun pa_recompute_operation(const char *op);

#endif
