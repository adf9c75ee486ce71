/*
 * svd.h
 *	  The singular value decomposition of a small matrix, in separate calls of
 *	  the library with questions whether to stop between them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_SVD_H
#define PA_SVD_H

#include "core/env.h"

/* a = u diag(s) vt; n = min(rows, columns), s in descending order; column-major */
typedef struct PaSvd
{
	int			rows;
	int			columns;
	int			n;
	double	   *s;
	double	   *u;				/* rows x n, rows apart; NULL: not wanted */
	double	   *vt;				/* n x columns, n apart */
} PaSvd;

/* a (rows x columns, rows apart, finite) is used up. */
extern PaStatus pa_svd(PaEnv *env, int rows, int columns, double *a, bool vectors, PaSvd *svd);

/* Free the three arrays, before pa_env_reset does. */
extern void pa_svd_release(PaEnv *env, PaSvd *svd);

#endif
