/*
 * kernel_choose.c
 *	  The sets of loops, and which of them this processor runs.
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

/* The dtypes that have arithmetic; PREFIX is what the instance's names have before theirs. */
#define SET(NAME, RUNS, PREFIX) \
	{ \
		NAME, RUNS, \
		{ \
			[PA_F64] = ROW(PREFIX##f64), [PA_F32] = ROW(PREFIX##f32), [PA_F16] = ROW(PREFIX##f16), \
			[PA_BF16] = ROW(PREFIX##bf16) \
		} \
	}

const PaKernelSet pa_kernel_sets[] = {
#if defined(__x86_64__)
	SET("avx2", pa_cpu_has_avx2, avx2_),
#endif
	SET("portable", pa_cpu_any, ),
};

const size_t pa_kernel_set_count = sizeof(pa_kernel_sets) / sizeof(pa_kernel_sets[0]);

/*
 * The set in use.  Global state, but any thread or process that fills it
 * fills it alike, and which set it is changes no result.
 */
static const PaKernelSet *chosen = NULL;

const PaKernels *
pa_kernels(PaDtype dtype)
{
	if (chosen == NULL)
	{
		const PaKernelSet *set = pa_kernel_sets;

		while (!set->runs())
			set++;
		chosen = set;
	}
	return &chosen->kernels[dtype];
}
