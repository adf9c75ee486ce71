/*
 * basis.c
 *	  Gram and Schmidt, block after block and twice; see basis.h.
 *
 * The first round leaves of a column what may be a trifle of it, made long again,
 * and with it what rounding has left of the others; the second takes that away.  A
 * column that loses most of itself in the second was nothing but rounding.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/basis.h"

#include <math.h>

#include "lowrank/blas.h"
#include "lowrank/panel.h"

#define BLOCK 32

/* What the second round must leave of a column of length 1. */
#define REMAINS 0.5

static uint64_t
columns_of_call(uint64_t n, uint64_t width)
{
	uint64_t	columns = PA_CALL_PRODUCTS / n / width;

	return columns > 0 ? columns : 1;
}

/* In four sums: one would wait for itself. */
static double
dot_of(const double *x, const double *y, uint64_t n)
{
	double		sum[4] = {0};
	uint64_t	i = 0;

	for (; i + 4 <= n; i += 4)
		for (uint64_t k = 0; k < 4; k++)
			sum[k] += x[i + k] * y[i + k];
	for (; i < n; i++)
		sum[0] += x[i] * y[i];
	return sum[0] + sum[1] + (sum[2] + sum[3]);
}

/* Take from a block of columns what the first `before` columns have of it. */
static PaStatus
project_out(PaEnv *env, uint64_t n, uint64_t before, const double *v, uint64_t width, double *block,
			double *c)
{
	uint64_t	most = columns_of_call(n, width);

	for (uint64_t p = 0; p < before; p += most)
	{
		uint64_t	k = before - p < most ? before - p : most;

		PA_TRY(pa_check_cancel(env));
		pa_blas_gemm(true, false, (int) k, (int) width, (int) n, v + p * n, (int) n, block, (int) n, 0, c,
					 (int) k);
		for (uint64_t i = 0; i < k * width; i++)
			c[i] = -c[i];
		PA_TRY(pa_check_cancel(env));
		pa_blas_gemm(false, false, (int) n, (int) width, (int) k, v + p * n, (int) n, c, (int) k, 1, block,
					 (int) n);
	}
	return PA_OK;
}

/* A column as long as 1, or zero if it is no longer than `least`. */
static void
normalise(double *x, uint64_t n, double least)
{
	double		length = sqrt(dot_of(x, x, n));

	for (uint64_t i = 0; i < n; i++)
		x[i] = length > least ? x[i] / length : 0;
}

/* The columns of a block among themselves. */
static PaStatus
within_block(PaEnv *env, uint64_t n, uint64_t width, double *block, double least)
{
	for (uint64_t j = 0; j < width; j++)
	{
		double	   *x = block + j * n;

		PA_TRY(pa_check_cancel(env));
		for (uint64_t i = 0; i < j; i++)
		{
			const double *q = block + i * n;
			double		dot = dot_of(q, x, n);

			for (uint64_t r = 0; r < n; r++)
				x[r] -= dot * q[r];
		}
		normalise(x, n, least);
	}
	return PA_OK;
}

PaStatus
pa_basis_orthonormalise(PaEnv *env, uint64_t n, uint64_t first, uint64_t l, double *v)
{
	double	   *c;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) (l * BLOCK), &c));
	for (; first < l; first += BLOCK)
	{
		uint64_t	width = l - first < BLOCK ? l - first : BLOCK;
		double	   *block = v + first * n;

		/* columns of any scale: products of them shall not vanish */
		for (uint64_t j = 0; j < width; j++)
			normalise(block + j * n, n, 0);
		for (int again = 0; again < 2; again++)
		{
			PA_TRY(project_out(env, n, first, v, width, block, c));
			PA_TRY(within_block(env, n, width, block, again ? REMAINS : 0));
		}
	}
	pa_free(env, c);
	return PA_OK;
}

PaStatus
pa_basis_times(PaEnv *env, uint64_t n, uint64_t l, uint64_t k, const double *v, const double *u, double *out)
{
	uint64_t	most = columns_of_call(n, l);

	for (uint64_t p = 0; p < k; p += most)
	{
		uint64_t	width = k - p < most ? k - p : most;

		PA_TRY(pa_check_cancel(env));
		pa_blas_gemm(false, false, (int) n, (int) width, (int) l, v, (int) n, u + p * l, (int) l, 0,
					 out + p * n, (int) n);
	}
	return PA_OK;
}

PaStatus
pa_basis_products(PaEnv *env, uint64_t n, uint64_t l, const double *v, uint64_t k, const double *z,
				  double *out, uint64_t ld)
{
	uint64_t	most = columns_of_call(n, l);

	for (uint64_t p = 0; p < k; p += most)
	{
		uint64_t	width = k - p < most ? k - p : most;

		PA_TRY(pa_check_cancel(env));
		pa_blas_gemm(true, false, (int) l, (int) width, (int) n, v, (int) n, z + p * n, (int) n, 0,
					 out + p * ld, (int) ld);
	}
	return PA_OK;
}
