/*
 * half.h
 *	  F16 and BF16 to and from double without branches, so that the loops over
 *	  tensors can be vectorised.  Everybody else uses dtype.h, which is built on
 *	  this.
 *
 * Narrowing goes by way of float, but with the one intermediate rounding that
 * does no harm: to odd.  A value that float cannot hold becomes the odd one of
 * its two neighbours; float has at least two bits more than either target, so
 * an odd last bit can neither make nor break a tie of the second rounding, and
 * the result is the double rounded once to nearest even.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_HALF_H
#define PA_HALF_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t
pa_half_bits(float v)
{
	uint32_t	bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static inline float
pa_half_float(uint32_t bits)
{
	float		v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/*
 * One of two without a branch: of `which ? yes : no` gcc makes a branch around
 * what computes either, and then leaves a loop with float arithmetic in it as it is.
 */
static inline uint32_t
pa_half_select(bool which, uint32_t yes, uint32_t no)
{
	uint32_t	mask = -(uint32_t) which;

	return (yes & mask) | (no & ~mask);
}

/*
 * The magnitude of v (which is not negative) as the bits of a float, rounded to
 * odd: the conversion rounds to nearest, so step back if it went up, then mark
 * what was cut off.  The bits of floats are consecutive, which also turns a
 * false infinity into the largest float.  NaN stays NaN.
 */
static inline uint32_t
pa_half_to_odd(double v)
{
	float		f = (float) v;
	double		back = (double) f;

	return (pa_half_bits(f) - (uint32_t) (back > v)) | (uint32_t) (back != v);
}

static inline float
pa_half_from_bf16(uint16_t v)
{
	return pa_half_float((uint32_t) v << 16);
}

/* A subnormal is put together as 2^-14 and its mantissa, then 2^-14 is taken off: exact. */
static inline float
pa_half_from_f16(uint16_t v)
{
	uint32_t	magnitude = v & 0x7FFFu;
	uint32_t	normal = (magnitude << 13) + (UINT32_C(112) << 23);
	uint32_t	special = (magnitude << 13) | UINT32_C(0x7F800000);
	uint32_t	small = pa_half_bits(pa_half_float((magnitude << 13) + (UINT32_C(113) << 23)) - 0x1p-14f);
	uint32_t	bits = pa_half_select(magnitude < 0x400, small,
									  pa_half_select(magnitude >= 0x7C00, special, normal));

	return pa_half_float(bits | (uint32_t) (v & 0x8000u) << 16);
}

static inline uint16_t
pa_half_to_bf16(double v)
{
	uint32_t	sign = (uint32_t) (pa_half_bits((float) v) >> 31) << 15;
	uint32_t	bits = pa_half_to_odd(__builtin_fabs(v));
	uint32_t	rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;

	return (uint16_t) (sign | (bits > UINT32_C(0x7F800000) ? 0x7FC0 : rounded));
}

/*
 * Below 2^-14 the last place of F16 is 2^-24, which is that of a float between
 * 0.5 and 1: adding 0.5 lets the addition round.
 */
static inline uint16_t
pa_half_to_f16(double v)
{
	uint32_t	sign = (uint32_t) (pa_half_bits((float) v) >> 31) << 15;
	uint32_t	bits = pa_half_to_odd(__builtin_fabs(v));
	uint32_t	normal = (bits - (UINT32_C(112) << 23) + 0xFFF + (bits >> 13 & 1)) >> 13;
	uint32_t	small = pa_half_bits(pa_half_float(bits) + 0.5f) - pa_half_bits(0.5f);
	uint32_t	finite = pa_half_select(bits < UINT32_C(0x38800000), small, normal);
	uint32_t	special = bits > UINT32_C(0x7F800000) ? 0x7E00 : 0x7C00;

	return (uint16_t) (sign | pa_half_select(bits >= UINT32_C(0x47800000), special, finite));
}

#endif
