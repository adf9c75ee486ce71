/*
 * spectrum.h
 *	  The singular values of a stack's delta, from the factors: with
 *	  B = Q_B R_B and A^T = Q_A R_A, those of R_B R_A^T.  doc/algebra.md,
 *	  "Truncation".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_SPECTRUM_H
#define PA_SPECTRUM_H

#include "lowrank/stack_read.h"
#include "lowrank/svd.h"

/*
 * Singular value i of the delta is svd.s[i] 2^exponent.  Those that are
 * rounding noise of the input are 0 already.
 */
typedef struct PaSpectrum
{
	PaStackReader reader;		/* applies scales, and to B the weights */
	int			exponent;
	PaSvd		svd;
	double	   *r_a;			/* rank x rank, upper triangular; only with vectors */
	double	   *r_b;
} PaSpectrum;

/* PA_ERR_UNSUPPORTED for (IA)^3 and what is not one product, PA_ERR_LIMIT for too large a rank. */
extern PaStatus pa_spectrum(PaEnv *env, const PaStack *stack, const double *leaf_weights, size_t budget,
							bool vectors, PaSpectrum *spectrum);

/* Free what pa_spectrum has allocated, before pa_env_reset does. */
extern void pa_spectrum_release(PaEnv *env, PaSpectrum *spectrum);

/* Singular value i as a double; PA_ERR_RANGE if it is none. */
extern PaStatus pa_spectrum_value(PaEnv *env, const PaSpectrum *spectrum, int i, double *value);

/* The smallest rank, at least 1, that keeps this share of the sum of squares. */
extern uint64_t pa_spectrum_rank(const PaSpectrum *spectrum, double energy);

/* sqrt(sum of the squares from rank on / sum of all); 0 if all are 0 */
extern double pa_spectrum_error(const PaSpectrum *spectrum, uint64_t rank);

#endif
