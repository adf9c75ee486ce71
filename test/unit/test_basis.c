/*
 * test_basis.c
 *	  Columns made orthonormal, and whole matrices panel by panel, against sums that are
 *	  written out.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "blas_test.h"
#include "kernel/kernel.h"
#include "lowrank/basis.h"
#include "lowrank/panel.h"

#define N 100
#define COLUMNS 120

#define NEAR 1e-10				/* of sums of a few products, each below 1e5 */

static double
dot(const double *x, const double *y, uint64_t n)
{
	long double sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += (long double) x[i] * y[i];
	return (double) sum;
}

/* Each column is orthogonal to the others, and of length 1 or zero; how many are not zero. */
static uint64_t
count_orthonormal(const double *v, uint64_t n, uint64_t l)
{
	uint64_t	count = 0;
	double		worst = 0;

	for (uint64_t i = 0; i < l; i++)
	{
		double		length = dot(v + i * n, v + i * n, n);

		count += length != 0;
		worst = fmax(worst, length != 0 ? fabs(length - 1) : 0);
		for (uint64_t j = 0; j < i; j++)
			worst = fmax(worst, fabs(dot(v + i * n, v + j * n, n)));
	}
	if (!CHECK(worst < 1e-14))
		printf("#   %g\n", worst);
	return count;
}

/* What of x the columns do not make up, beside its length. */
static double
not_in_span(const double *x, const double *v, uint64_t n, uint64_t l)
{
	double		rest[N];

	memcpy(rest, x, n * sizeof(double));
	for (uint64_t k = 0; k < l; k++)
	{
		double		c = dot(v + k * n, x, n);

		for (uint64_t i = 0; i < n; i++)
			rest[i] -= c * v[k * n + i];
	}
	return sqrt(dot(rest, rest, n) / dot(x, x, n));
}

static void
fill_random(double *v, uint64_t n, uint64_t *seed)
{
	for (uint64_t i = 0; i < n; i++)
		v[i] = unit_gaussian(seed);
}

BLAS_TEST(independent_columns)
{
	uint64_t	seed = unit_seed();
	double		v[N * COLUMNS];
	double		before[N * COLUMNS];

	fill_random(v, N * 70, &seed);
	/* of every scale, and one that is hardly another than the one before */
	for (int i = 0; i < N; i++)
	{
		v[3 * N + i] *= 1e-120;
		v[4 * N + i] *= 1e120;
		v[50 * N + i] = v[49 * N + i] + 1e-9 * v[50 * N + i];
	}
	memcpy(before, v, sizeof(v));
	CHECK_OK(pa_basis_orthonormalise(env, N, 0, 40, v), env);
	CHECK(count_orthonormal(v, N, 40) == 40);
	CHECK_OK(pa_basis_orthonormalise(env, N, 40, 70, v), env);
	CHECK(count_orthonormal(v, N, 70) == 70);
	for (uint64_t k = 0; k < 70; k++)
		if (!CHECK(not_in_span(before + k * N, v, N, k + 1) < 1e-13))
			printf("#   column %d\n", (int) k);
	CHECK(not_in_span(before + 50 * N, v, N, 50) > 1e-10);
}

/* Columns that others make up, zeros, and more columns than there is room for. */
BLAS_TEST(dependent_columns)
{
	uint64_t	seed = unit_seed();
	double		v[N * COLUMNS];

	fill_random(v, N * 40, &seed);
	for (int i = 0; i < N; i++)
	{
		v[10 * N + i] = v[2 * N + i];
		v[11 * N + i] = 0;
		v[39 * N + i] = v[1 * N + i] + v[36 * N + i];
	}
	CHECK_OK(pa_basis_orthonormalise(env, N, 0, 40, v), env);
	/* (what rounding has left of the two may stay, as a direction of its own) */
	CHECK(count_orthonormal(v, N, 40) >= 37 && dot(v + 11 * N, v + 11 * N, N) == 0);
	fill_random(v, N * COLUMNS, &seed);
	CHECK_OK(pa_basis_orthonormalise(env, N, 0, COLUMNS, v), env);
	CHECK(count_orthonormal(v, N, COLUMNS) == N);
	memset(v, 0, sizeof(v));
	CHECK_OK(pa_basis_orthonormalise(env, N, 0, 5, v), env);
	CHECK(count_orthonormal(v, N, 5) == 0);
}

BLAS_TEST(products_of_tall_matrices)
{
	uint64_t	seed = unit_seed();
	double		v[30 * 7];
	double		u[7 * 5];
	double		z[30 * 5];
	double		out[9 * 5];
	double		times[30 * 5];

	fill_random(v, 30 * 7, &seed);
	fill_random(u, 7 * 5, &seed);
	fill_random(z, 30 * 5, &seed);
	CHECK_OK(pa_basis_times(env, 30, 7, 5, v, u, times), env);
	CHECK_OK(pa_basis_products(env, 30, 7, v, 5, z, out, 9), env);
	for (int j = 0; j < 5; j++)
	{
		for (int i = 0; i < 7; i++)
			CHECK(fabs(out[j * 9 + i] - dot(v + i * 30, z + j * 30, 30)) < NEAR);
		for (int i = 0; i < 30; i++)
		{
			double		sum = 0;

			for (int k = 0; k < 7; k++)
				sum += v[k * 30 + i] * u[j * 7 + k];
			CHECK(fabs(times[j * 30 + i] - sum) < NEAR);
		}
	}
}

/* Entry (line, column) of T. */
static double
entry(const PaPanels *p, const double *x, uint64_t line, uint64_t column)
{
	return p->wide ? x[column * p->lines + line] : x[line * p->n + column];
}

/* T v, T^T T v, T^T T and the sum of squares, in panels of `room` lines. */
static void
check_panels(PaEnv *env, const PaWholeMatrix *matrix, const double *x, uint64_t room, uint64_t *seed)
{
	enum
	{
		WIDTH = 3
	};
	PaPanels	p;
	PaFsum		squares;
	double		v[20 * WIDTH];
	double		y[20 * WIDTH];
	double		part[20 * WIDTH];
	double		z[20 * WIDTH] = {0};
	double		gram[20 * 20] = {0};
	double		total = 0;

	if (!CHECK_OK(pa_panels(env, matrix, WIDTH, &p), env))
		return;
	CHECK(p.room == p.lines);
	p.room = room < p.room ? room : p.room;
	fill_random(v, p.n * WIDTH, seed);
	pa_fsum_init(&squares);
	for (uint64_t first = 0; first < p.lines; first += p.room)
	{
		uint64_t	h = p.lines - first < p.room ? p.lines - first : p.room;

		CHECK_OK(pa_panel_fill(env, &p, first, h), env);
		pa_panel_squares(&p, h, &squares);
		pa_panel_times(&p, h, v, WIDTH, y + first, p.lines);
		pa_panel_times(&p, h, v, WIDTH, part, h);
		pa_panel_back(&p, h, part, WIDTH, z);
		pa_panel_square(&p, h, gram);
	}
	for (uint64_t k = 0; k < WIDTH; k++)
		for (uint64_t line = 0; line < p.lines; line++)
		{
			double		sum = 0;

			for (uint64_t i = 0; i < p.n; i++)
				sum += entry(&p, x, line, i) * v[k * p.n + i];
			CHECK(fabs(y[k * p.lines + line] - sum) < NEAR);
		}
	for (uint64_t i = 0; i < p.n; i++)
		for (uint64_t j = i; j < p.n; j++)
		{
			double		sum = 0;

			for (uint64_t line = 0; line < p.lines; line++)
				sum += entry(&p, x, line, i) * entry(&p, x, line, j);
			total += i == j ? sum : 0;
			CHECK(fabs(gram[j * p.n + i] - sum) < NEAR);
		}
	for (uint64_t k = 0; k < WIDTH; k++)
		for (uint64_t i = 0; i < p.n; i++)
		{
			double		sum = 0;

			for (uint64_t line = 0; line < p.lines; line++)
				sum += entry(&p, x, line, i) * y[k * p.lines + line];
			CHECK(fabs(z[k * p.n + i] - sum) < NEAR);
		}
	CHECK(fabs(pa_fsum_round(&squares) - total) < NEAR);
	pa_panels_release(env, &p);
}

BLAS_TEST(panels_of_matrices)
{
	static const PaDtype dtypes[] = {PA_F64, PA_F32, PA_F16, PA_BF16};
	static const uint64_t shapes[][2] = {{7, 5}, {5, 7}, {6, 6}, {1, 13}, {13, 1}};
	static const int exponents[] = {0, 3, -5};
	uint64_t	seed = unit_seed();

	for (int i = 0; i < 4 * 5 * 3; i++)
	{
		PaWholeMatrix matrix = {.name = "t", .dtype = dtypes[i % 4]};
		double		x[49];
		uint8_t		raw[49 * sizeof(double)];
		uint64_t	n;

		matrix.rows = shapes[i / 4 % 5][0];
		matrix.columns = shapes[i / 4 % 5][1];
		matrix.exponent = exponents[i / 20];
		matrix.raw = raw;
		n = matrix.rows * matrix.columns;
		fill_random(x, n, &seed);
		CHECK(pa_kernel_round(raw, matrix.dtype, x, n));
		pa_kernel_widen(x, raw, matrix.dtype, n);
		for (uint64_t k = 0; k < n; k++)
			x[k] = ldexp(x[k], -matrix.exponent);
		for (uint64_t room = 1; room < 16; room += room < 3 ? 1 : 5)
			check_panels(env, &matrix, x, room, &seed);
	}
}

/* An exponent at the end of the range: the power of two itself is none that a double has. */
BLAS_TEST(extreme_exponents)
{
	double		x[2] = {0x1p1023, -0x1p-1074};
	PaWholeMatrix matrix = {.name = "t", .dtype = PA_F64, .rows = 1, .columns = 2, .raw = (uint8_t *) x};
	PaPanels	p;

	matrix.exponent = 1024;
	CHECK_OK(pa_panels(env, &matrix, 1, &p), env);
	CHECK_OK(pa_panel_fill(env, &p, 0, 2), env);
	CHECK(p.panel[0] == 0.5 && p.panel[1] == 0);
	x[0] = 0;
	matrix.exponent = -1073;
	CHECK_OK(pa_panel_fill(env, &p, 0, 2), env);
	CHECK(p.panel[0] == 0 && p.panel[1] == -0.5);
	pa_panels_release(env, &p);
}

UNIT_SUITE(basis, UNIT_CASE(independent_columns), UNIT_CASE(dependent_columns),
		   UNIT_CASE(products_of_tall_matrices), UNIT_CASE(panels_of_matrices), UNIT_CASE(extreme_exponents));
