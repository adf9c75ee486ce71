/*
 * kernel_f64.c
 *	  The loops of kernel.h for F64.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kernel/instances.h"

#include "core/dtype.h"

#include <string.h>

static inline double
widen_f64(uint64_t bits)
{
	double		v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static inline uint64_t
narrow_f64(double v)
{
	uint64_t	bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

#define K(name) pa_kernel_f64_##name
#define BITS uint64_t
#define EXPONENT UINT64_C(0x7FF0000000000000)
#define WIDEN(bits) widen_f64(bits)
#define NARROW(v) narrow_f64(v)

#include "kernel/kernel_impl.h"
