/*
 * terms.h
 *	  The deferred expression: a multiset of terms (leaf, u, v), and what a
 *	  leaf's terms add up to.  doc/algebra.md, "Terms".
 *
 * A leaf alone is (leaf, 1, 1).  Multiplying by w makes every (u, v) into
 * (|w| u, w v), in double; dividing by w divides by |w| and w.  adapter_lerp
 * multiplies both by its weight as it is.  Sums put terms together.  At
 * evaluation each leaf has p = sum of u and q = sum of v, each exact and
 * rounded once (fsum.h).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TERMS_H
#define PA_TERMS_H

#include "core/env.h"

/*
 * Which algebra an expression is of (doc/algebra.md).  In delta space a leaf
 * alone is (leaf, 0, 1): v is its weight, and u stays 0 through all of the
 * functions below, so that they serve both spaces.
 */
typedef enum PaSpace
{
	PA_SPACE_PARAMETER = 1,
	PA_SPACE_DELTA = 2
} PaSpace;

typedef struct PaTerm
{
	uint32_t	leaf;
	double		u;
	double		v;
} PaTerm;

static inline PaTerm
pa_term_of_leaf(PaSpace space, uint32_t leaf)
{
	return (PaTerm) {leaf, space == PA_SPACE_DELTA ? 0 : 1, 1};
}

/* w must be finite (PA_ERR_RANGE); a weight that overflows is PA_ERR_RANGE. */
extern PaStatus pa_terms_multiply(PaEnv *env, PaTerm *terms, size_t n, double w);

/* w = 0 is PA_ERR_DIVISION. */
extern PaStatus pa_terms_divide(PaEnv *env, PaTerm *terms, size_t n, double w);

/* Both u and v times w: adapter_lerp. */
extern PaStatus pa_terms_blend(PaEnv *env, PaTerm *terms, size_t n, double w);

/* p[i], q[i] for each of n_leaves leaves; overflow is PA_ERR_RANGE. */
extern PaStatus pa_terms_total(PaEnv *env, const PaTerm *terms, size_t n, uint32_t n_leaves, double *p,
							   double *q);

/* The same, each exact sum divided by divisor (not 0) before its one rounding: avg. */
extern PaStatus pa_terms_mean(PaEnv *env, const PaTerm *terms, size_t n, uint32_t n_leaves, uint64_t divisor,
							  double *p, double *q);

#endif
