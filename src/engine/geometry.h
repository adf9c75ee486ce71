/*
 * geometry.h
 *	  Norms, inner products and distances of sums of deltas that were not
 *	  evaluated.  doc/algebra.md, "Geometry".
 *
 * LoRA's need OpenBLAS (lowrank/blas.h); without it they are
 * PA_ERR_UNSUPPORTED.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_GEOMETRY_H
#define PA_ENGINE_GEOMETRY_H

#include "engine/delta_sum.h"

typedef struct PaModuleGeometry
{
	const char *path;			/* NULL: all modules */
	double		norm_d;
	double		norm_e;
	double		inner;
	double		distance;
	double		cosine_distance;	/* NaN if a norm is 0 */
} PaModuleGeometry;

/*
 * Of d and e (NULL: norms of d alone).  total is set, and unless modules is NULL
 * *n of them.  PA_ERR_RANGE if a number is out of double's range.
 */
extern PaStatus pa_geometry_measure(PaEnv *env, const PaDeltaSum *d, const PaDeltaSum *e,
									PaModuleGeometry *total, uint32_t *n, PaModuleGeometry **modules);

#endif
