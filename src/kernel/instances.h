/*
 * instances.h
 *	  Prototypes of the instances of kernel_impl.h, one set a dtype.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_KERNEL_INSTANCES_H
#define PA_KERNEL_INSTANCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

#endif
