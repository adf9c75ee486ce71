/*
 * basis.h
 *	  Columns made orthonormal, and products of tall matrices, in calls that can be
 *	  stopped between.  Private to src/lowrank.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_BASIS_H
#define PA_BASIS_H

#include "core/env.h"

/*
 * Columns [first, l) of v (n x l) become orthonormal to all before them, which are
 * orthonormal or zero; one that those before it make up, but for rounding noise in
 * its own direction, becomes zero.
 */
extern PaStatus pa_basis_orthonormalise(PaEnv *env, uint64_t n, uint64_t first, uint64_t l, double *v);

/* out (n x k) = v (n x l) times u (l x k) */
extern PaStatus pa_basis_times(PaEnv *env, uint64_t n, uint64_t l, uint64_t k, const double *v,
							   const double *u, double *out);

/* out (l x k, ld apart) = v (n x l)^T z (n x k) */
extern PaStatus pa_basis_products(PaEnv *env, uint64_t n, uint64_t l, const double *v, uint64_t k,
								  const double *z, double *out, uint64_t ld);

#endif
