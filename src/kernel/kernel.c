/*
 * kernel.c
 *	  The public functions of kernel.h: each picks the instance of its dtype.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/kernel.h"

#include "kernel/instances.h"

typedef struct Instance
{
	bool		(*first) (double *acc, const uint8_t *x, size_t n, double c);
	bool		(*add) (double *acc, const uint8_t *x, size_t n, double c);
	bool		(*scale_around_one) (double *acc, const uint8_t *x, size_t n, double s);
	bool		(*round) (uint8_t *dst, const double *acc, size_t n);
	void		(*widen) (double *dst, const uint8_t *x, size_t n);
	bool		(*all_finite) (const uint8_t *x, size_t n);
	double		(*sum_squares) (const uint8_t *x, size_t n, double sum);
} Instance;

#define INSTANCE(T) { \
	pa_kernel_##T##_first, pa_kernel_##T##_add, pa_kernel_##T##_scale_around_one, pa_kernel_##T##_round, \
	pa_kernel_##T##_widen, pa_kernel_##T##_all_finite, pa_kernel_##T##_sum_squares}

static const Instance instances[PA_DTYPE_COUNT] = {
	[PA_F64] = INSTANCE(f64),
	[PA_F32] = INSTANCE(f32),
	[PA_F16] = INSTANCE(f16),
	[PA_BF16] = INSTANCE(bf16),
};

bool
pa_kernel_first(double *acc, const void *x, PaDtype dtype, size_t n, double c)
{
	return instances[dtype].first(acc, x, n, c);
}

bool
pa_kernel_add(double *acc, const void *x, PaDtype dtype, size_t n, double c)
{
	return instances[dtype].add(acc, x, n, c);
}

void
pa_kernel_add_constant(double *acc, size_t n, double c)
{
	for (size_t i = 0; i < n; i++)
		acc[i] = acc[i] + c;
}

bool
pa_kernel_scale_around_one(double *acc, const void *x, PaDtype dtype, size_t n, double s)
{
	return instances[dtype].scale_around_one(acc, x, n, s);
}

bool
pa_kernel_round(void *dst, PaDtype dtype, const double *acc, size_t n)
{
	return instances[dtype].round(dst, acc, n);
}

void
pa_kernel_widen(double *dst, const void *x, PaDtype dtype, size_t n)
{
	instances[dtype].widen(dst, x, n);
}

bool
pa_kernel_all_finite(const void *x, PaDtype dtype, size_t n)
{
	return instances[dtype].all_finite(x, n);
}

double
pa_kernel_sum_squares(const void *x, PaDtype dtype, size_t n, double sum)
{
	return instances[dtype].sum_squares(x, n, sum);
}
