/*
 * type_f64.h
 *	  What kernel_impl.h needs to know of F64; for the instances of that template
 *	  only, so it is not guarded against its macros being defined already.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_KERNEL_TYPE_F64_H
#define PA_KERNEL_TYPE_F64_H

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

#define BITS uint64_t
#define EXPONENT UINT64_C(0x7FF0000000000000)
#define WIDEN(bits) widen_f64(bits)
#define NARROW(v) narrow_f64(v)

#endif
