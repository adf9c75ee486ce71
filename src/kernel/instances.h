/*
 * instances.h
 *	  The instances of kernel_impl.h: sets of loops, one a dtype.
 *
 * The portable set is compiled for what every processor of the architecture
 * has; on aarch64 those are vectors already (NEON).  On x86-64 there is one
 * more, compiled for AVX2.  kernel_choose.c chooses once, at the first call; the
 * unit test runs every set and compares the bytes.  Pointers are to elements
 * without any alignment.  What each function does is said in kernel.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_KERNEL_INSTANCES_H
#define PA_KERNEL_INSTANCES_H

#include "core/dtype.h"

typedef struct PaKernels
{
	bool		(*first)(double *acc, const uint8_t *x, size_t n, double c);
	bool		(*add)(double *acc, const uint8_t *x, size_t n, double c);
	bool		(*scale_around_one)(double *acc, const uint8_t *x, size_t n, double s);
	bool		(*round)(uint8_t *dst, const double *acc, size_t n);
	void		(*widen)(double *dst, const uint8_t *x, size_t n);
	bool		(*all_finite)(const uint8_t *x, size_t n);
	double		(*sum_squares)(const uint8_t *x, size_t n, double sum);
} PaKernels;

typedef struct PaKernelSet
{
	const char *name;
	bool		(*runs)(void);	/* on this processor */
	PaKernels	kernels[PA_DTYPE_COUNT];	/* empty rows for dtypes without arithmetic */
} PaKernelSet;

/* The fastest first; the last is the portable one. */
extern const PaKernelSet pa_kernel_sets[];
extern const size_t pa_kernel_set_count;

/* The loops in use for a dtype. */
extern const PaKernels *pa_kernels(PaDtype dtype);

#define PA_KERNEL_PROTOTYPES(T) \
	extern bool pa_kernel_##T##_first(double *acc, const uint8_t *x, size_t n, double c); \
	extern bool pa_kernel_##T##_add(double *acc, const uint8_t *x, size_t n, double c); \
	extern bool pa_kernel_##T##_scale_around_one(double *acc, const uint8_t *x, size_t n, double s); \
	extern bool pa_kernel_##T##_round(uint8_t *dst, const double *acc, size_t n); \
	extern void pa_kernel_##T##_widen(double *dst, const uint8_t *x, size_t n); \
	extern bool pa_kernel_##T##_all_finite(const uint8_t *x, size_t n); \
	extern double pa_kernel_##T##_sum_squares(const uint8_t *x, size_t n, double sum)

PA_KERNEL_PROTOTYPES(f64);
PA_KERNEL_PROTOTYPES(f32);
PA_KERNEL_PROTOTYPES(f16);
PA_KERNEL_PROTOTYPES(bf16);
PA_KERNEL_PROTOTYPES(avx2_f64);
PA_KERNEL_PROTOTYPES(avx2_f32);
PA_KERNEL_PROTOTYPES(avx2_f16);
PA_KERNEL_PROTOTYPES(avx2_bf16);

#endif
