/*
 * evaluate.h
 *	  The value of a deferred expression, by the algebra of its space.
 *	  doc/algebra.md, "Evaluation" and "Delta space".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_EVALUATE_H
#define PA_ENGINE_EVALUATE_H

#include "recipe/terms.h"
#include "value/value.h"

/*
 * leaves are distinct by digest, in any order.  *same_as is the index of a leaf
 * if the result is that leaf (p = q = 1 and nothing else left): then nothing is
 * written; else -1.
 */
extern PaStatus pa_evaluate_terms(PaEnv *env, PaSpace space, uint32_t n_leaves, PaValue *const *leaves,
								  size_t n_terms, const PaTerm *terms, size_t reserve, PaBuf *out,
								  int64_t *same_as);

#endif
