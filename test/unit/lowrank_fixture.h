/*
 * lowrank_fixture.h
 *	  Stacks made by hand, their deltas formed entry by entry, and a singular
 *	  value decomposition of them by another way: Jacobi rotations.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_LOWRANK_FIXTURE_H
#define PA_TEST_LOWRANK_FIXTURE_H

#include "lowrank/stack_read.h"

#define STACKED_PARTS 4
#define STACKED_LEAVES 4

/* Up to four parts of one module; everything lives in the PaEnv. */
typedef struct Stacked
{
	PaStack		stack;
	PaStackPart parts[STACKED_PARTS];
	double		weights[STACKED_LEAVES];
} Stacked;

extern void stacked_begin(Stacked *sample, uint64_t rows, uint64_t columns);

/* A part with these factors, row-major, rounded to dtype; it is leaf n_parts. */
extern void stacked_add(PaEnv *env, Stacked *sample, PaDtype dtype, uint64_t rank, const double *a,
						const double *b, double scaling, double weight);

/* The same with normal numbers, column k of B and row k of A times scale[k] and 1 / scale[k] (NULL: 1). */
extern void stacked_add_random(PaEnv *env, Stacked *sample, PaDtype dtype, uint64_t rank, const double *scale,
							   double scaling, double weight, uint64_t *seed);

/* Where element i of a factor of a part stands, to damage it. */
extern void stacked_poke(Stacked *sample, uint32_t part, PaRole role, uint64_t i, double value);

/* rows x columns, row-major: sum of weights s B A in long double, rounded. */
extern double *stacked_delta(PaEnv *env, const Stacked *sample, const double *weights);

/* Descending singular values of rows x columns numbers; there are min(rows, columns). */
extern double *jacobi_values(PaEnv *env, const double *m, uint64_t rows, uint64_t columns);

extern double frobenius(const double *x, uint64_t n);

#endif
