/*
 * arith.h
 *	  Size arithmetic that cannot wrap (each function answers false on overflow
 *	  and leaves *result alone), and doubles compared as bits.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ARITH_H
#define PA_ARITH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool
pa_add_u64(uint64_t a, uint64_t b, uint64_t *result)
{
	uint64_t	sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*result = sum;
	return true;
}

static inline bool
pa_mul_u64(uint64_t a, uint64_t b, uint64_t *result)
{
	uint64_t	product;

	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*result = product;
	return true;
}

/* Equal as bits: 0 and -0 differ, a NaN equals itself. */
static inline bool
pa_same_bits(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

#endif
