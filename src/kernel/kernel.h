/*
 * kernel.h
 *	  Flat arrays in, flat arrays out: the arithmetic of a block.
 *
 * All arithmetic is in double, without FMA contraction, element by element, so
 * the order of the calls is the order of summation.  Only F64, F32, F16 and
 * BF16 are accepted (asserted by the callers' checks).  Pointers to elements
 * need no alignment.  acc does not overlap x.
 *
 * Functions that read weights answer false if any x is NaN or infinite (acc is
 * then unspecified); pa_kernel_round answers false if a value is beyond the
 * largest finite number of dtype.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_KERNEL_H
#define PA_KERNEL_H

#include "core/dtype.h"

/* acc = c * x: the first term of a sum (no added zero, so -0 stays) */
extern bool pa_kernel_first(double *acc, const void *x, PaDtype dtype, size_t n, double c);

/* acc = acc + c * x */
extern bool pa_kernel_add(double *acc, const void *x, PaDtype dtype, size_t n, double c);

/* acc = acc + c */
extern void pa_kernel_add_constant(double *acc, size_t n, double c);

/* acc = 1 + s * (x - 1), each step rounded: scaling of an (IA)^3 vector */
extern bool pa_kernel_scale_around_one(double *acc, const void *x, PaDtype dtype, size_t n, double s);

/* dst = acc, rounded once to nearest even */
extern bool pa_kernel_round(void *dst, PaDtype dtype, const double *acc, size_t n);

/* dst = x, exactly */
extern void pa_kernel_widen(double *dst, const void *x, PaDtype dtype, size_t n);

/* no NaN and no infinity among x */
extern bool pa_kernel_all_finite(const void *x, PaDtype dtype, size_t n);

/* sum + the squares of x in element order, plain double additions; NaN and Inf pass through */
extern double pa_kernel_sum_squares(const void *x, PaDtype dtype, size_t n, double sum);

#endif
