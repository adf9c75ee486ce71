/*
 * instances.h
 *	  The instances of kernel_impl.h: one set of loops a dtype, portable and
 *	  compiled for AVX2.
 *
 * kernel_choose.c chooses between the two tables once, at the first call; the unit
 * test runs both on the same data and compares the bytes.  Pointers are to
 * elements without any alignment.  What each function does is said in kernel.h.
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

/* By dtype; empty rows for those without arithmetic. */
extern const PaKernels pa_kernels_portable[PA_DTYPE_COUNT];
extern const PaKernels pa_kernels_avx2[PA_DTYPE_COUNT];

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
