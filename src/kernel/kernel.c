/*
 * kernel.c
 *	  The public functions of kernel.h: each calls the instance of its dtype, by
 *	  what the processor has.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/kernel.h"

#include "kernel/instances.h"

bool
pa_kernel_first(double *acc, const void *x, PaDtype dtype, size_t n, double c)
{
	return pa_kernels(dtype)->first(acc, x, n, c);
}

bool
pa_kernel_add(double *acc, const void *x, PaDtype dtype, size_t n, double c)
{
	return pa_kernels(dtype)->add(acc, x, n, c);
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
	return pa_kernels(dtype)->scale_around_one(acc, x, n, s);
}

bool
pa_kernel_round(void *dst, PaDtype dtype, const double *acc, size_t n)
{
	return pa_kernels(dtype)->round(dst, acc, n);
}

void
pa_kernel_widen(double *dst, const void *x, PaDtype dtype, size_t n)
{
	pa_kernels(dtype)->widen(dst, x, n);
}

bool
pa_kernel_all_finite(const void *x, PaDtype dtype, size_t n)
{
	return pa_kernels(dtype)->all_finite(x, n);
}

double
pa_kernel_sum_squares(const void *x, PaDtype dtype, size_t n, double sum)
{
	return pa_kernels(dtype)->sum_squares(x, n, sum);
}
