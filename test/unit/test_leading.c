/*
 * test_leading.c
 *	  Best approximations of whole matrices: the subspace that is found by iteration, of
 *	  matrices so small that the whole of them can be looked at, and what is made of it.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "blas_test.h"
#include "lowrank/krylov.h"
#include "lowrank_fixture.h"
#include "whole_fixture.h"

/* The stated tolerance. */
#define WORSE 1.001
#define OF_NORM 1e-7

#define MOST 200				/* ranks, where the test is of something else */

typedef void (*Spectrum)(double *s, uint64_t n);

static void
root(double *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		s[i] = 1 / sqrt((double) i + 1);
}

static void
squares(double *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		s[i] = 1 / ((double) (i + 1) * (double) (i + 1));
}

static void
geometric(double *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		s[i] = ldexp(1, -(int) i);
}

static void
slow(double *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		s[i] = 1 - (double) i / (double) (n + 1);
}

static void
flat(double *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		s[i] = 3;
}

static void
zero(double *s, uint64_t n)
{
	memset(s, 0, (size_t) n * sizeof(double));
}

static void
of_rank_3(double *s, uint64_t n)
{
	zero(s, n);
	for (uint64_t i = 0; i < n && i < 3; i++)
		s[i] = 5 - (double) i;
}

static void
ties(double *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		s[i] = i < n / 2 ? 1 : 0.01;
}

/* A group that is hardly above the many others, and one value beside which both are small. */
static void
hidden_group(double *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		s[i] = i == 0 ? 1000 : i < 12 ? 1.2 : 1;
}

static void
plateau(double *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		s[i] = i < 12 ? 1 : i < 100 ? 0.97 : 0.1;
}

static void
huge_and_tiny(double *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		s[i] = i == 0 ? 1e6 : 1 - 0.5 * (double) i / (double) n;
}

static void
below_rounding(double *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		s[i] = i < 3 ? 1 : i < 8 ? 1e-4 : 1e-9;
}

static const Spectrum spectra[] = {root, squares,	geometric,	  slow,	   flat,		  zero,
								   ties, of_rank_3, hidden_group, plateau, huge_and_tiny, below_rounding};

#define N_SPECTRA (sizeof(spectra) / sizeof(spectra[0]))

static void
make(PaEnv *env, Whole *whole, uint64_t rows, uint64_t columns, Spectrum spectrum, uint64_t *seed)
{
	whole_begin(env, whole, rows, columns);
	spectrum(whole->s, rows < columns ? rows : columns);
	whole_finish(env, whole, PA_F64, seed);
}

static double
worst_angle(const double *v, uint64_t n, uint64_t rank)
{
	double		worst = 0;

	for (uint64_t i = 0; i < rank; i++)
		for (uint64_t j = 0; j <= i; j++)
		{
			long double sum = 0;

			for (uint64_t k = 0; k < n; k++)
				sum += (long double) v[i * n + k] * v[j * n + k];
			/* beyond the matrix' own rank a column may be zero */
			if (i != j || sum != 0)
				worst = fmax(worst, fabs((double) sum - (i == j)));
		}
	return worst;
}

static double
bound_of(const Whole *whole, uint64_t rank)
{
	return WORSE * whole_least(whole, rank) + OF_NORM * whole_least(whole, 0);
}

static void
check_iteration(PaEnv *env, const Whole *whole, uint64_t rank, uint64_t key, int spectrum)
{
	uint64_t	n = whole->matrix.rows < whole->matrix.columns ? whole->matrix.rows : whole->matrix.columns;
	PaSought	sought = {.rank = rank, .most = MOST};
	PaLeadingSide side;
	PaLeadingSide again;
	double		error;

	if (!CHECK_OK(pa_krylov(env, &whole->matrix, sought, key, &side), env) ||
		!CHECK_OK(pa_krylov(env, &whole->matrix, sought, key, &again), env))
		return;
	error = whole_error_of_side(env, whole, rank, side.v);
	if (!CHECK(side.kept == rank) || !CHECK(error <= bound_of(whole, rank)) ||
		!CHECK(worst_angle(side.v, n, rank) < 1e-13))
		printf("#   spectrum %d, rank %d: %g, least %g\n", spectrum, (int) rank, error,
			   whole_least(whole, rank));
	CHECK(memcmp(side.v, again.v, (size_t) (n * rank) * sizeof(double)) == 0);
	pa_leading_side_release(env, &side);
	pa_leading_side_release(env, &again);
}

BLAS_TEST(iteration)
{
	static const uint64_t shapes[][2] = {{150, 170}, {170, 150}, {40, 40}};
	static const uint64_t ranks[] = {1, 3, 12, 30};
	uint64_t	seed = unit_seed();

	for (size_t i = 0; i < N_SPECTRA; i++)
		for (size_t k = 0; k < 3; k++)
		{
			Whole		whole;

			make(env, &whole, shapes[k][0], shapes[k][1], spectra[i], &seed);
			for (size_t r = 0; r < 4; r++)
				check_iteration(env, &whole, ranks[r], unit_random(&seed), (int) i);
		}
}

/* The rank of an energy by the spectrum; 0 where two are as near as rounding. */
static uint64_t
rank_of(const Whole *whole, uint64_t n, double energy)
{
	double		total = whole_least(whole, 0);
	uint64_t	rank = 1;

	while (rank < n && whole_least(whole, rank) > sqrt(1 - energy) * total)
		rank++;
	return rank;
}

/* Also where a value is there more often than the first block has columns. */
BLAS_TEST(energies)
{
	static const Spectrum some[] = {root, squares, slow, ties, hidden_group, plateau, zero};
	static const double shares[] = {0.3, 0.51, 0.897, 0.99};
	uint64_t	seed = unit_seed();

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
	{
		Whole		whole;

		make(env, &whole, 190, 200, some[i], &seed);
		for (size_t k = 0; k < 4; k++)
		{
			PaSought	sought = {.energy = shares[k], .most = MOST};
			PaLeadingSide side;

			if (!CHECK_OK(pa_krylov(env, &whole.matrix, sought, unit_random(&seed), &side), env))
				continue;
			if (!CHECK(side.kept == rank_of(&whole, 190, shares[k])))
				printf("#   spectrum %d, energy %g: %d\n", (int) i, shares[k], (int) side.kept);
			pa_leading_side_release(env, &side);
		}
	}
}

/* All of a matrix that has a rank of its own; what is below rounding is nothing. */
BLAS_TEST(all_the_energy)
{
	uint64_t	seed = unit_seed();
	PaSought	sought = {.energy = 1, .most = MOST};
	PaLeadingSide side;
	Whole		whole;

	make(env, &whole, 120, 130, of_rank_3, &seed);
	CHECK_OK(pa_krylov(env, &whole.matrix, sought, 1, &side), env);
	CHECK(side.kept == 3);
	make(env, &whole, 120, 130, below_rounding, &seed);
	CHECK_OK(pa_krylov(env, &whole.matrix, sought, 1, &side), env);
	CHECK(side.kept == 8);
}

BLAS_TEST(too_many_ranks)
{
	uint64_t	seed = unit_seed();
	PaSought	sought = {.energy = 0.5, .most = 20};
	PaLeadingSide side;
	PaLeading	leading;
	Whole		whole;

	make(env, &whole, 150, 170, flat, &seed);
	CHECK_STATUS(pa_krylov(env, &whole.matrix, sought, 1, &side), PA_ERR_LIMIT, env);
	CHECK(strcmp(env->error.message, "energy 0.5 of tensor \"whole\" needs a rank above 20") == 0);
	CHECK(strcmp(env->error.detail,
				 "It is 150 x 170, and 20 ranks keep at most 0.1333 of the sum of its squares.") == 0);
	CHECK(strcmp(env->error.hint, "Ask for less, or for a rank: adapter_extract(a, 20).") == 0);
	/* one rank less than there must be, which only a basis that has converged shows */
	make(env, &whole, 150, 170, root, &seed);
	sought.energy = 0.6;
	sought.most = rank_of(&whole, 150, 0.6) - 1;
	CHECK_STATUS(pa_krylov(env, &whole.matrix, sought, 1, &side), PA_ERR_LIMIT, env);
	sought.most++;
	CHECK_OK(pa_krylov(env, &whole.matrix, sought, 1, &side), env);
	CHECK(side.kept == sought.most);
	/* of a long side, before anything is computed */
	whole.matrix.rows = whole.matrix.columns = PA_LEADING_EXACT + 1;
	CHECK_STATUS(pa_leading(env, &whole.matrix, PA_LEADING_MOST + 1, 1, &leading), PA_ERR_LIMIT, env);
	CHECK(strcmp(env->error.message, "rank 513 of tensor \"whole\" is above 512") == 0);
}

/* left right^T of sides that are decomposed as they are, and the sign of the shorter one. */
static void
check_leading(PaEnv *env, const Whole *whole, uint64_t rank)
{
	uint64_t	rows = whole->matrix.rows;
	uint64_t	columns = whole->matrix.columns;
	uint64_t	n = rows < columns ? rows : columns;
	PaLeading	leading;
	const double *v;
	double		error;

	if (!CHECK_OK(pa_leading(env, &whole->matrix, rank, 7, &leading), env))
		return;
	CHECK(leading.rank == (rank < n ? rank : n));
	error = whole_error(env, whole, leading.rank, leading.left, leading.right,
						ldexp(1, whole->matrix.exponent));
	if (!CHECK(error <= bound_of(whole, rank)))
		printf("#   rank %d: %g, least %g\n", (int) rank, error, whole_least(whole, rank));
	CHECK(fabs(ldexp(leading.largest, whole->matrix.exponent) - whole->s[0]) <= 1e-12 * whole->s[0]);
	v = rows < columns ? leading.left : leading.right;
	CHECK(worst_angle(v, n, leading.rank) < 1e-13);
	for (uint64_t k = 0; k < leading.rank; k++)
	{
		double		most = 0;

		for (uint64_t i = 0; i < n; i++)
			most = fabs(v[k * n + i]) > fabs(most) ? v[k * n + i] : most;
		/* beyond its own rank, as rounding lets it be seen, the matrix has zeros */
		CHECK(most >= 0 && (most != 0 || whole->s[k] <= 1e-11 * whole->s[0]) &&
			  (most == 0 || whole->s[k] != 0));
	}
	pa_leading_release(env, &leading);
}

BLAS_TEST(short_sides)
{
	static const uint64_t shapes[][2] = {{9, 14}, {14, 9}, {1, 6}, {6, 1}, {1, 1}, {12, 12}};
	uint64_t	seed = unit_seed();

	for (size_t i = 0; i < N_SPECTRA; i++)
		for (size_t k = 0; k < 6; k++)
		{
			Whole		whole;

			make(env, &whole, shapes[k][0], shapes[k][1], spectra[i], &seed);
			for (uint64_t rank = 1; rank <= 13; rank += 3)
				check_leading(env, &whole, rank);
		}
}

BLAS_TEST(ranks_of_short_sides)
{
	uint64_t	seed = unit_seed();
	Whole		whole;
	uint64_t	rank;

	make(env, &whole, 30, 20, root, &seed);
	for (double energy = 0.05; energy < 1; energy += 0.1)
	{
		CHECK_OK(pa_leading_rank(env, &whole.matrix, energy, 1, &rank), env);
		CHECK(rank == rank_of(&whole, 20, energy));
	}
	CHECK_OK(pa_leading_rank(env, &whole.matrix, 1, 1, &rank), env);
	CHECK(rank == 20);
	make(env, &whole, 30, 20, of_rank_3, &seed);
	CHECK_OK(pa_leading_rank(env, &whole.matrix, 1, 1, &rank), env);
	CHECK(rank == 3);
	make(env, &whole, 30, 20, zero, &seed);
	CHECK_OK(pa_leading_rank(env, &whole.matrix, 1, 1, &rank), env);
	CHECK(rank == 1);
}

/* Of the types that a file can have, at the ends of their ranges. */
BLAS_TEST(scales)
{
	static const struct
	{
		PaDtype		dtype;
		double		scale;
	} cases[] = {{PA_F64, 0x1p1000}, {PA_F64, 0x1p-1000}, {PA_F32, 0x1p120}, {PA_F32, 0x1p-120}};
	uint64_t	seed = unit_seed();

	for (size_t i = 0; i < 4; i++)
	{
		Whole		whole;
		PaLeading	leading;

		whole_begin(env, &whole, 8, 11);
		geometric(whole.s, 8);
		for (int k = 0; k < 8; k++)
			whole.s[k] *= cases[i].scale;
		whole_finish(env, &whole, cases[i].dtype, &seed);
		if (!CHECK_OK(pa_leading(env, &whole.matrix, 2, 1, &leading), env))
			continue;
		for (int k = 0; k < 8 * 11; k++)
			whole.x[k] /= cases[i].scale;
		CHECK(whole_error(env, &whole, 2, leading.left, leading.right,
						  ldexp(1, whole.matrix.exponent) / cases[i].scale) < 1.0001 * 0.289);
	}
}

static PaStatus
iterate_action(PaEnv *env, void *arg)
{
	PaSought	energy = {.energy = 0.9, .most = MOST};
	PaSought	rank = {.rank = 2, .most = MOST};
	const Whole *whole = arg;
	PaLeadingSide side;
	PaLeading	leading;

	PA_TRY(pa_krylov(env, &whole->matrix, rank, 1, &side));
	pa_leading_side_release(env, &side);
	PA_TRY(pa_krylov(env, &whole->matrix, energy, 1, &side));
	pa_leading_side_release(env, &side);
	PA_TRY(pa_leading(env, &whole->matrix, 2, 1, &leading));
	pa_leading_release(env, &leading);
	return PA_OK;
}

BLAS_TEST(faults)
{
	uint64_t	seed = unit_seed();
	Whole		whole;

	make(env, &whole, 80, 85, flat, &seed);
	unit_fail_every_allocation(iterate_action, &whole);
	make(env, &whole, 20, 21, squares, &seed);
	unit_cancel_everywhere(iterate_action, &whole);
}

UNIT_SUITE(leading, UNIT_CASE(iteration), UNIT_CASE(energies), UNIT_CASE(all_the_energy),
		   UNIT_CASE(too_many_ranks), UNIT_CASE(short_sides), UNIT_CASE(ranks_of_short_sides),
		   UNIT_CASE(scales), UNIT_CASE(faults));
