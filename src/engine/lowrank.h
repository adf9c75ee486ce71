/*
 * lowrank.h
 *	  Truncation and spectra of sums of deltas that were not evaluated.
 *	  doc/algebra.md, "Truncation".
 *
 * These need OpenBLAS (lowrank/blas.h); without it they are PA_ERR_UNSUPPORTED.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_LOWRANK_H
#define PA_ENGINE_LOWRANK_H

#include "engine/delta_sum.h"

/* How much of each module is kept: at most `rank`, or, if that is 0, a share of the sum of squares. */
typedef struct PaKeep
{
	uint64_t	rank;
	double		energy;
} PaKeep;

/* PA_ERR_CONFIG for a rank below 1 or an energy outside (0, 1]. */
extern PaStatus pa_lowrank_keep_rank(PaEnv *env, int64_t rank, PaKeep *keep);
extern PaStatus pa_lowrank_keep_energy(PaEnv *env, double energy, PaKeep *keep);

extern PaStatus pa_lowrank_truncate(PaEnv *env, const PaDeltaSum *sum, PaKeep keep, size_t reserve,
									PaBuf *out);

/* What was found out about a module; paths live as long as the sum's values. */
typedef struct PaModuleSpectrum
{
	const char *path;
	uint32_t	n;				/* min(rank of the stack, rows, columns) */
	double	   *values;			/* descending */
} PaModuleSpectrum;

extern PaStatus pa_lowrank_spectrum(PaEnv *env, const PaDeltaSum *sum, uint32_t *n,
									PaModuleSpectrum **modules);

typedef struct PaModuleError
{
	const char *path;
	uint64_t	full_rank;		/* of the stack */
	uint64_t	rank;			/* of the result */
	double		relative_error;
} PaModuleError;

extern PaStatus pa_lowrank_error(PaEnv *env, const PaDeltaSum *sum, PaKeep keep, uint32_t *n,
								 PaModuleError **modules);

#endif
