/*
 * kernel_choose.c
 *	  The two tables of loops, and which of them this processor runs.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/instances.h"

#include "core/cpu.h"

#define ROW(T) \
	{ \
		pa_kernel_##T##_first, pa_kernel_##T##_add, pa_kernel_##T##_scale_around_one, pa_kernel_##T##_round, \
			pa_kernel_##T##_widen, pa_kernel_##T##_all_finite, pa_kernel_##T##_sum_squares \
	}

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

/*
 * The table in use.  Global state, but any thread or process that fills it
 * fills it alike, and which table it is changes no result.
 */
static const PaKernels *chosen = NULL;

const PaKernels *
pa_kernels(PaDtype dtype)
{
	if (chosen == NULL)
		chosen = pa_cpu_has_avx2() ? pa_kernels_avx2 : pa_kernels_portable;
	return &chosen[dtype];
}
