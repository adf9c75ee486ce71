/*
 * krylov.h
 *	  Leading singular vectors of a whole matrix on its shorter side, that side being
 *	  too long to be decomposed.  Private to src/lowrank.  doc/algebra.md, "Extraction".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_KRYLOV_H
#define PA_KRYLOV_H

#include "lowrank/panel.h"

/* What is asked for; rank 0: what keeps the share `energy` of the sum of squares. */
typedef struct PaSought
{
	uint64_t	rank;			/* at most `most` */
	double		energy;
	uint64_t	most;			/* ranks that are found */
} PaSought;

/* Columns of v beyond the matrix' own rank may be zero. */
typedef struct PaLeadingSide
{
	uint64_t	kept;			/* ranks */
	double	   *squares;		/* of the singular values, descending; at least kept */
	double	   *v;				/* n x at least kept, orthonormal */
} PaLeadingSide;

/*
 * The rank that is sought, of n squares in descending order whose sum and that of
 * all others is total: at least 1, and n + 1 if the n do not have the energy.
 */
extern uint64_t pa_sought_rank(const PaSought *sought, double total, const double *squares, uint64_t n);

/*
 * n x rank vectors within the tolerance; of an energy the rank alone is within it,
 * and the vectors are as good as that has needed.  key: of the random beginnings.
 * PA_ERR_LIMIT if the energy needs more than `most` ranks.
 */
extern PaStatus pa_krylov(PaEnv *env, const PaWholeMatrix *matrix, PaSought sought, uint64_t key,
						  PaLeadingSide *side);

extern void pa_leading_side_release(PaEnv *env, PaLeadingSide *side);

#endif
