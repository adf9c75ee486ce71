/*
 * kernel_f32.c
 *	  The loops of kernel.h for F32.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/instances.h"

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

#define K(name) pa_kernel_f32_##name
#define BITS uint32_t
#define EXPONENT UINT32_C(0x7F800000)
#define WIDEN(bits) widen_f32(bits)
#define NARROW(v) narrow_f32(v)

#include "kernel/kernel_impl.h"
