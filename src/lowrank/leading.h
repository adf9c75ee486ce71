/*
 * leading.h
 *	  The best approximation of some rank to a whole matrix that is in memory: by its
 *	  leading singular vectors on its shorter side.  doc/algebra.md, "Extraction".
 *
 * A short side of at most PA_LEADING_EXACT is decomposed as it is; of a longer one
 * the subspace is found from random beginnings (krylov.h), until what is left out is
 * within the tolerance of the least possible.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_LEADING_H
#define PA_LEADING_H

#include "core/dtype.h"
#include "core/env.h"

#define PA_LEADING_EXACT 1024
#define PA_LEADING_MOST 512		/* ranks of a matrix whose short side is longer */

/* Row-major, finite; what is computed is the matrix over 2^exponent. */
typedef struct PaWholeMatrix
{
	const char *name;			/* in messages */
	PaDtype		dtype;
	uint64_t	rows;
	uint64_t	columns;
	const uint8_t *raw;
	int			exponent;
} PaWholeMatrix;

typedef struct PaLeading
{
	uint64_t	rank;
	double		largest;		/* singular value over 2^exponent */
	double	   *left;			/* rows x rank, column-major */
	double	   *right;			/* columns x rank; the matrix over 2^exponent is near left right^T */
} PaLeading;

/*
 * rank: at most this one.  key: of the random beginnings.  Beyond its own rank the
 * matrix has zeros.  PA_ERR_LIMIT if that is above PA_LEADING_MOST for a long side.
 */
extern PaStatus pa_leading(PaEnv *env, const PaWholeMatrix *matrix, uint64_t rank, uint64_t key,
						   PaLeading *leading);

/* The smallest rank, at least 1, that keeps the share `energy` of the sum of squares; PA_ERR_LIMIT as above.
 */
extern PaStatus pa_leading_rank(PaEnv *env, const PaWholeMatrix *matrix, double energy, uint64_t key,
								uint64_t *rank);

/* Free what pa_leading has allocated, before pa_env_reset does. */
extern void pa_leading_release(PaEnv *env, PaLeading *leading);

#endif
