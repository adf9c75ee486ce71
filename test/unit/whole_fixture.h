/*
 * whole_fixture.h
 *	  Whole matrices whose singular values are known: a diagonal one between random
 *	  reflections.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_WHOLE_FIXTURE_H
#define PA_TEST_WHOLE_FIXTURE_H

#include "core/dtype.h"
#include "lowrank/leading.h"

/* Everything lives in the PaEnv. */
typedef struct Whole
{
	PaWholeMatrix matrix;
	double	   *x;				/* row-major, as it is stored */
	double	   *s;				/* min(rows, columns) values, descending */
} Whole;

extern void whole_begin(PaEnv *env, Whole *whole, uint64_t rows, uint64_t columns);

/* After s has been filled in: the entries, rounded to dtype. */
extern void whole_finish(PaEnv *env, Whole *whole, PaDtype dtype, uint64_t *seed);

/* The least error of an approximation of this rank: the length of what s has beyond it. */
extern double whole_least(const Whole *whole, uint64_t rank);

/* The error of left (rows x rank) times right^T (columns x rank), both column-major, times factor. */
extern double whole_error(PaEnv *env, const Whole *whole, uint64_t rank, const double *left,
						  const double *right, double factor);

/* The error of x v v^T, or v v^T x if it is wide: v is n x rank, orthonormal or zero. */
extern double whole_error_of_side(PaEnv *env, const Whole *whole, uint64_t rank, const double *v);

#endif
