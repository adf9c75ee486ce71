/*
 * whole_fixture.c
 *	  See whole_fixture.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "whole_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "lowrank_fixture.h"
#include "unit.h"

/* So many mix every direction with every other. */
#define REFLECTIONS 4

static void *
take(PaEnv *env, uint64_t n, size_t size)
{
	void	   *p = NULL;

	if (pa_alloc(env, (size_t) n + 1, size, &p) != PA_OK)
		abort();
	return p;
}

void
whole_begin(PaEnv *env, Whole *whole, uint64_t rows, uint64_t columns)
{
	*whole = (Whole) {.matrix = {.name = "whole", .rows = rows, .columns = columns}};
	whole->x = take(env, rows * columns, sizeof(double));
	whole->s = take(env, rows < columns ? rows : columns, sizeof(double));
	memset(whole->x, 0, (size_t) (rows * columns) * sizeof(double));
}

/* x minus 2 u u^T x over u^T u; the vectors are `n` entries `step` apart, and there are `count`, `apart`
 * apart. */
static void
reflect(double *x, uint64_t n, uint64_t step, uint64_t count, uint64_t apart, const double *u)
{
	double		length = 0;

	for (uint64_t i = 0; i < n; i++)
		length += u[i] * u[i];
	for (uint64_t k = 0; k < count; k++)
	{
		double	   *v = x + k * apart;
		double		sum = 0;

		for (uint64_t i = 0; i < n; i++)
			sum += u[i] * v[i * step];
		for (uint64_t i = 0; i < n; i++)
			v[i * step] -= 2 * sum / length * u[i];
	}
}

void
whole_finish(PaEnv *env, Whole *whole, PaDtype dtype, uint64_t *seed)
{
	uint64_t	rows = whole->matrix.rows;
	uint64_t	columns = whole->matrix.columns;
	uint64_t	n = rows < columns ? rows : columns;
	double	   *u = take(env, rows + columns, sizeof(double));
	uint8_t    *raw = take(env, rows * columns, sizeof(double));
	double		largest = 0;

	for (uint64_t i = 0; i < n; i++)
		whole->x[i * columns + i] = whole->s[i];
	for (int k = 0; k < REFLECTIONS; k++)
	{
		for (uint64_t i = 0; i < rows + columns; i++)
			u[i] = unit_gaussian(seed);
		reflect(whole->x, rows, columns, columns, 1, u);
		reflect(whole->x, columns, 1, rows, columns, u + rows);
	}
	CHECK(pa_kernel_round(raw, dtype, whole->x, rows * columns));
	pa_kernel_widen(whole->x, raw, dtype, rows * columns);
	for (uint64_t i = 0; i < rows * columns; i++)
		largest = fmax(largest, fabs(whole->x[i]));
	whole->matrix.dtype = dtype;
	whole->matrix.raw = raw;
	(void) frexp(largest, &whole->matrix.exponent);
	pa_free(env, u);
}

double
whole_least(const Whole *whole, uint64_t rank)
{
	uint64_t	n = whole->matrix.rows < whole->matrix.columns ? whole->matrix.rows : whole->matrix.columns;

	return rank < n ? frobenius(whole->s + rank, n - rank) : 0;
}

double
whole_error(PaEnv *env, const Whole *whole, uint64_t rank, const double *left, const double *right,
			double factor)
{
	uint64_t	rows = whole->matrix.rows;
	uint64_t	columns = whole->matrix.columns;
	double	   *rest = take(env, rows * columns, sizeof(double));
	double		error;

	memcpy(rest, whole->x, (size_t) (rows * columns) * sizeof(double));
	for (uint64_t k = 0; k < rank; k++)
		for (uint64_t i = 0; i < rows; i++)
			for (uint64_t j = 0; j < columns; j++)
				rest[i * columns + j] -= factor * left[k * rows + i] * right[k * columns + j];
	error = frobenius(rest, rows * columns);
	pa_free(env, rest);
	return error;
}

double
whole_error_of_side(PaEnv *env, const Whole *whole, uint64_t rank, const double *v)
{
	uint64_t	rows = whole->matrix.rows;
	uint64_t	columns = whole->matrix.columns;
	bool		wide = rows < columns;
	uint64_t	lines = wide ? columns : rows;
	uint64_t	n = wide ? rows : columns;
	double	   *y = take(env, lines * rank, sizeof(double));
	double		error;

	for (uint64_t k = 0; k < rank; k++)
		for (uint64_t line = 0; line < lines; line++)
		{
			double		sum = 0;

			for (uint64_t i = 0; i < n; i++)
				sum += whole->x[wide ? i * columns + line : line * columns + i] * v[k * n + i];
			y[k * lines + line] = sum;
		}
	error = whole_error(env, whole, rank, wide ? v : y, wide ? y : v, 1);
	pa_free(env, y);
	return error;
}
