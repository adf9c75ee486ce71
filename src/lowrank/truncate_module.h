/*
 * truncate_module.h
 *	  One module's new factors.  Private to src/lowrank/truncate*.c.
 *
 * With the core U S V^T, the new B is B (R_A^T V) and the new A is
 * S^-1 (R_B^T U)^T A; 2^e and 2^-e share the largest singular value between
 * them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TRUNCATE_MODULE_H
#define PA_TRUNCATE_MODULE_H

#include "lowrank/spectrum.h"

typedef struct PaTruncatedModule
{
	PaSpectrum	spectrum;
	uint64_t	rank;			/* of the result */
	double	   *to_a;			/* stack's rank x rank: new A = to_a^T A */
	double	   *to_b;			/* new B = B to_b */
	double	   *lines[PA_FACTORS];	/* a window of the old factors */
	uint64_t	room[PA_FACTORS];
} PaTruncatedModule;

/*
 * Decompose the module's delta, with the leaves' weights, and keep what makes
 * factors of this rank.  pa_spectrum's codes.
 */
extern PaStatus pa_truncated_module(PaEnv *env, const PaStack *stack, const double *leaf_weights,
									size_t budget, uint64_t rank, PaTruncatedModule *module);

/* Free it, before pa_env_reset does. */
extern void pa_truncated_release(PaEnv *env, PaTruncatedModule *module);

/* Change the sign of row `row` of A and column `row` of B. */
extern void pa_truncated_flip(PaTruncatedModule *module, uint64_t row);

/*
 * Elements of the new factor, row-major, into out: some that begin with or
 * before `first`, at most room (at least a row of B).
 */
extern PaStatus pa_truncated_a(PaEnv *env, PaTruncatedModule *module, uint64_t first, uint64_t room,
							   double *out, uint64_t *out_first, uint64_t *out_n);
extern PaStatus pa_truncated_b(PaEnv *env, PaTruncatedModule *module, uint64_t first, uint64_t room,
							   double *out, uint64_t *out_first, uint64_t *out_n);

#endif
