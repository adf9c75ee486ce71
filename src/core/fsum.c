/*
 * fsum.c
 *	  Exact sums of doubles in a fixed-point accumulator.
 *
 * Every finite double is an integer times 2^-1074, so a row of 32-bit digits
 * holds any sum of them exactly.  Digits are signed 64-bit, so that many
 * additions fit before carries must be spread.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/fsum.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Each addition puts less than 2^32 into a digit, either way. */
#define ADDITIONS_BEFORE_CARRY (UINT32_C(1) << 29)

void
pa_fsum_init(PaFsum *sum)
{
	memset(sum, 0, sizeof(*sum));
}

/* Bring every digit but the last into 0 .. 2^32 - 1; the last carries the sign. */
static void
spread(PaFsum *sum)
{
	int64_t		carry = 0;

	for (int i = 0; i < PA_FSUM_LIMBS - 1; i++)
	{
		int64_t		v = sum->limb[i] + carry;

		sum->limb[i] = (int64_t) ((uint64_t) v & UINT32_MAX);
		carry = (v - sum->limb[i]) / (INT64_C(1) << 32);
	}
	sum->limb[PA_FSUM_LIMBS - 1] += carry;
	sum->pending = 0;
}

void
pa_fsum_add(PaFsum *sum, double v)
{
	uint64_t	bits;
	uint64_t	significand;
	int			exponent;
	int			shift;
	int			limb;
	int64_t		sign;
	uint64_t	low;
	uint64_t	high;

	memcpy(&bits, &v, sizeof(bits));
	sign = (bits >> 63) ? -1 : 1;
	exponent = (int) (bits >> 52 & 0x7FF);
	significand = bits & ((UINT64_C(1) << 52) - 1);
	if (exponent != 0)
		significand |= UINT64_C(1) << 52;
	else
		exponent = 1;
	/* the lowest bit of the significand stands for 2^(exponent - 1075), digit 0 for 2^-1074 */
	shift = exponent - 1;
	limb = shift / 32;
	shift %= 32;
	low = significand << shift;
	high = shift == 0 ? 0 : significand >> (64 - shift);
	sum->limb[limb] += sign * (int64_t) (low & UINT32_MAX);
	sum->limb[limb + 1] += sign * (int64_t) (low >> 32);
	sum->limb[limb + 2] += sign * (int64_t) high;
	if (++sum->pending == ADDITIONS_BEFORE_CARRY)
		spread(sum);
}

/* The bits [from, from + n) of the digits as an integer, n <= 54. */
static uint64_t
bits_at(const PaFsum *sum, int from, int n)
{
	uint64_t	v = 0;

	for (int i = n - 1; i >= 0; i--)
	{
		int			bit = from + i;

		v = v << 1 | ((uint64_t) sum->limb[bit / 32] >> (bit % 32) & 1);
	}
	return v;
}

static bool
any_below(const PaFsum *sum, int bit)
{
	for (int i = 0; i < bit / 32; i++)
		if (sum->limb[i] != 0)
			return true;
	return bit % 32 != 0 && ((uint64_t) sum->limb[bit / 32] & ((UINT64_C(1) << (bit % 32)) - 1)) != 0;
}

/*
 * Divide the digits (all in 0 .. 2^32 - 1) by n in place; the remainder is told.
 * Schoolbook: a digit of the quotient is below 2^32 because the remainder that
 * goes before it is below n.
 */
static uint64_t
divide(PaFsum *sum, uint64_t n)
{
	uint64_t	remainder = 0;

	for (int i = PA_FSUM_LIMBS - 1; i >= 0; i--)
	{
		unsigned __int128 v = (unsigned __int128) remainder << 32 | (uint64_t) sum->limb[i];

		sum->limb[i] = (int64_t) (uint64_t) (v / n);
		remainder = (uint64_t) (v % n);
	}
	return remainder;
}

/* Does the quotient, cut off below bit `low`, round up?  rest is what the division left of n. */
static bool
rounds_up(const PaFsum *sum, int low, bool odd, uint64_t rest, uint64_t n)
{
	if (low == 0)
		return rest > n - rest || (rest == n - rest && rest != 0 && odd);
	return bits_at(sum, low - 1, 1) && (odd || rest != 0 || any_below(sum, low - 1));
}

double
pa_fsum_mean(const PaFsum *original, uint64_t n)
{
	PaFsum		sum = *original;
	bool		negative;
	uint64_t	rest;
	int			top;
	int			low;
	uint64_t	significand;
	double		v;

	spread(&sum);
	negative = sum.limb[PA_FSUM_LIMBS - 1] < 0;
	if (negative)
	{
		for (int i = 0; i < PA_FSUM_LIMBS; i++)
			sum.limb[i] = -sum.limb[i];
		spread(&sum);
	}
	rest = divide(&sum, n);
	for (top = 32 * PA_FSUM_LIMBS - 1; top >= 0; top--)
		if ((uint64_t) sum.limb[top / 32] >> (top % 32) & 1)
			break;
	/* 53 bits from the top, but not below 2^-1074; then the rest decides */
	low = top >= 53 ? top - 52 : 0;
	significand = top >= 0 ? bits_at(&sum, low, top - low + 1) : 0;
	if (rounds_up(&sum, low, (significand & 1) != 0, rest, n))
		significand++;
	if (significand == 0)
		return 0.0;
	/* ldexp is exact here or overflows to infinity */
	v = ldexp((double) significand, low - 1074);
	return negative ? -v : v;
}

double
pa_fsum_round(const PaFsum *sum)
{
	return pa_fsum_mean(sum, 1);
}
