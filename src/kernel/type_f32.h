/*
 * type_f32.h
 *	  What kernel_impl.h needs to know of F32; for the instances of that template
 *	  only, so it is not guarded against its macros being defined already.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_KERNEL_TYPE_F32_H
#define PA_KERNEL_TYPE_F32_H

#include "core/dtype.h"

#include <string.h>

static inline double
widen_f32(uint32_t bits)
{
	float		v;

	memcpy(&v, &bits, sizeof(v));
	return (double) v;
}

/* The conversion of the hardware: one rounding, nearest even. */
static inline uint32_t
narrow_f32(double v)
{
	float		f = (float) v;
	uint32_t	bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

#define BITS uint32_t
#define EXPONENT UINT32_C(0x7F800000)
#define WIDEN(bits) widen_f32(bits)
#define NARROW(v) narrow_f32(v)

#endif
