/*
 * kernel.c
 *	  The public functions of kernel.h: each calls the instance of its dtype,
 *	  portable or AVX2 by what the processor has.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/kernel.h"

#include "kernel/instances.h"

#define ROW(T) { \
	pa_kernel_##T##_first, pa_kernel_##T##_add, pa_kernel_##T##_scale_around_one, pa_kernel_##T##_round, \
	pa_kernel_##T##_widen, pa_kernel_##T##_all_finite, pa_kernel_##T##_sum_squares}

const PaKernels pa_kernels_portable[PA_DTYPE_COUNT] = {
	[PA_F64] = ROW(f64),
	[PA_F32] = ROW(f32),
	[PA_F16] = ROW(f16),
	[PA_BF16] = ROW(bf16),
};

const PaKernels pa_kernels_avx2[PA_DTYPE_COUNT] = {
	[PA_F64] = ROW(avx2_f64),
	[PA_F32] = ROW(avx2_f32),
	[PA_F16] = ROW(avx2_f16),
	[PA_BF16] = ROW(avx2_bf16),
};

bool
pa_kernels_have_avx2(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("avx2");
#else
	return false;
#endif
}

/*
 * The table in use.  Global state, but any thread or process that fills it
 * fills it alike, and which table it is changes no result.
 */
static const PaKernels *chosen = NULL;

static const PaKernels *
kernels(PaDtype dtype)
{
	if (chosen == NULL)
		chosen = pa_kernels_have_avx2() ? pa_kernels_avx2 : pa_kernels_portable;
	return &chosen[dtype];
}

bool
pa_kernel_first(double *acc, const void *x, PaDtype dtype, size_t n, double c)
{
	return kernels(dtype)->first(acc, x, n, c);
}

bool
pa_kernel_add(double *acc, const void *x, PaDtype dtype, size_t n, double c)
{
	return kernels(dtype)->add(acc, x, n, c);
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
	return kernels(dtype)->scale_around_one(acc, x, n, s);
}

bool
pa_kernel_round(void *dst, PaDtype dtype, const double *acc, size_t n)
{
	return kernels(dtype)->round(dst, acc, n);
}

void
pa_kernel_widen(double *dst, const void *x, PaDtype dtype, size_t n)
{
	kernels(dtype)->widen(dst, x, n);
}

bool
pa_kernel_all_finite(const void *x, PaDtype dtype, size_t n)
{
	return kernels(dtype)->all_finite(x, n);
}

double
pa_kernel_sum_squares(const void *x, PaDtype dtype, size_t n, double sum)
{
	return kernels(dtype)->sum_squares(x, n, sum);
}
