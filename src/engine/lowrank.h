/*
 * lowrank.h
 *	  Truncation, spectra and geometry of whole values: sums of deltas that were
 *	  not evaluated.  doc/algebra.md, "Truncation" and "Geometry".
 *
 * These need OpenBLAS (lowrank/blas.h); without it they are PA_ERR_UNSUPPORTED.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_LOWRANK_H
#define PA_ENGINE_LOWRANK_H

#include "engine/engine.h"
#include "lowrank/products.h"

/* How much of each module is kept: at most `rank`, or, if that is 0, a share of the sum of squares. */
typedef struct PaKeep
{
	uint64_t	rank;
	double		energy;
} PaKeep;

/* PA_ERR_CONFIG for a rank below 1 or an energy outside (0, 1]. */
extern PaStatus pa_keep_rank(PaEnv *env, int64_t rank, PaKeep *keep);
extern PaStatus pa_keep_energy(PaEnv *env, double energy, PaKeep *keep);

extern PaStatus pa_engine_truncate(PaEnv *env, const PaDeltaSum *sum, PaKeep keep, size_t reserve, PaBuf *out);

/* What was found out about a module; paths live as long as the sum's values. */
typedef struct PaModuleSpectrum
{
	const char *path;
	uint32_t	n;				/* min(rank of the stack, rows, columns) */
	double	   *values;			/* descending */
} PaModuleSpectrum;

extern PaStatus pa_engine_spectrum(PaEnv *env, const PaDeltaSum *sum, uint32_t *n, PaModuleSpectrum **modules);

typedef struct PaModuleError
{
	const char *path;
	uint64_t	full_rank;		/* of the stack */
	uint64_t	rank;			/* of the result */
	double		relative_error;
} PaModuleError;

extern PaStatus pa_engine_truncation_error(PaEnv *env, const PaDeltaSum *sum, PaKeep keep,
										   uint32_t *n, PaModuleError **modules);

/* Norms, inner product and distances of d and e (NULL: norms of d alone), in all and for each module. */
typedef struct PaModuleGeometry
{
	const char *path;			/* NULL: all modules */
	double		norm_d;
	double		norm_e;
	double		inner;
	double		distance;
	double		cosine_distance;	/* NaN if a norm is 0 */
} PaModuleGeometry;

/* PA_ERR_RANGE if one of them is out of double's range; total is set, modules too unless NULL. */
extern PaStatus pa_engine_geometry(PaEnv *env, const PaDeltaSum *d, const PaDeltaSum *e,
								   PaModuleGeometry *total, uint32_t *n, PaModuleGeometry **modules);

#endif
