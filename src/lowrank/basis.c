/*
 * basis.c
 *	  Gram and Schmidt, block after block and twice; see basis.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/basis.h"

#include <math.h>

#include "lowrank/blas.h"
#include "lowrank/panel.h"

#define BLOCK 32

/* What of a column is left below this share is rounding noise. */
#define NOISE 1e-11

static uint64_t
columns_of_call(uint64_t n, uint64_t width)
{
	uint64_t	columns = PA_CALL_PRODUCTS / n / width;

	return columns > 0 ? columns : 1;
}

static double
norm_of(const double *x, uint64_t n)
{
	double		sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += x[i] * x[i];
	return sqrt(sum);
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

static void
project_column(double *x, const double *q, uint64_t n)
{
	double		dot = 0;

	for (uint64_t i = 0; i < n; i++)
		dot += q[i] * x[i];
	for (uint64_t i = 0; i < n; i++)
		x[i] -= dot * q[i];
}

/* The columns of a block among themselves; length[i]: of column i before anything was taken from it. */
static PaStatus
within_block(PaEnv *env, uint64_t n, uint64_t width, double *block, const double *length)
{
	for (uint64_t j = 0; j < width; j++)
	{
		double	   *x = block + j * n;
		double		norm;

		PA_TRY(pa_check_cancel(env));
		for (int again = 0; again < 2; again++)
			for (uint64_t i = 0; i < j; i++)
				project_column(x, block + i * n, n);
		norm = norm_of(x, n);
		for (uint64_t i = 0; i < n; i++)
			x[i] = norm > NOISE * length[j] ? x[i] / norm : 0;
	}
	return PA_OK;
}

PaStatus
pa_basis_orthonormalise(PaEnv *env, uint64_t n, uint64_t first, uint64_t l, double *v)
{
	double	   *c;
	double		length[BLOCK];

	PA_TRY(PA_NEW_ARRAY(env, (size_t) (l * BLOCK), &c));
	for (; first < l; first += BLOCK)
	{
		uint64_t	width = l - first < BLOCK ? l - first : BLOCK;
		double	   *block = v + first * n;

		for (uint64_t j = 0; j < width; j++)
		{
			length[j] = norm_of(block + j * n, n);
			/* columns of any scale: products of them shall not vanish */
			for (uint64_t i = 0; length[j] > 0 && i < n; i++)
				block[j * n + i] /= length[j];
			length[j] = length[j] > 0 ? 1 : 0;
		}
		for (int again = 0; again < 2; again++)
			PA_TRY(project_out(env, n, first, v, width, block, c));
		PA_TRY(within_block(env, n, width, block, length));
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
pa_basis_gram(PaEnv *env, uint64_t n, uint64_t l, const double *v, const double *z, double *out)
{
	uint64_t	most = columns_of_call(n, l);

	for (uint64_t p = 0; p < l; p += most)
	{
		uint64_t	width = l - p < most ? l - p : most;

		PA_TRY(pa_check_cancel(env));
		pa_blas_gemm(true, false, (int) l, (int) width, (int) n, v, (int) n, z + p * n, (int) n, 0,
					 out + p * l, (int) l);
	}
	for (uint64_t i = 0; i < l; i++)
		for (uint64_t j = 0; j < i; j++)
			out[i * l + j] = out[j * l + i] = (out[i * l + j] + out[j * l + i]) / 2;
	return PA_OK;
}
