/*
 * kernel_impl.h
 *	  The loops of kernel.h for one element type: a template.
 *
 * Before inclusion define K(name), the name of an instance; BITS, an unsigned
 * type of the element's width; EXPONENT, the mask of its exponent bits (all set
 * means NaN or infinity); WIDEN(bits), the element as a double, exactly; and
 * NARROW(v), the bits of a double rounded once to nearest even.
 *
 * The check for finite weights is an OR over the loop, not a branch in it, so
 * that the loops vectorise.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <string.h>

/* Elements that are widened ahead of their sum, which has a promised order and is no work for vectors. */
#define SQUARES 64

static inline BITS
K(load)(const uint8_t *x, size_t i)
{
	BITS		v;

	memcpy(&v, x + i * sizeof(BITS), sizeof(BITS));
	return v;
}

bool
K(first)(double *restrict acc, const uint8_t *restrict x, size_t n, double c)
{
	BITS		bad = 0;

	for (size_t i = 0; i < n; i++)
	{
		BITS		v = K(load)(x, i);

		bad |= (BITS) ((v & EXPONENT) == EXPONENT);
		acc[i] = c * WIDEN(v);
	}
	return bad == 0;
}

bool
K(add)(double *restrict acc, const uint8_t *restrict x, size_t n, double c)
{
	BITS		bad = 0;

	for (size_t i = 0; i < n; i++)
	{
		BITS		v = K(load)(x, i);
		double		product = c * WIDEN(v);

		bad |= (BITS) ((v & EXPONENT) == EXPONENT);
		acc[i] = acc[i] + product;
	}
	return bad == 0;
}

bool
K(scale_around_one)(double *restrict acc, const uint8_t *restrict x, size_t n, double s)
{
	BITS		bad = 0;

	for (size_t i = 0; i < n; i++)
	{
		BITS		v = K(load)(x, i);
		double		difference = WIDEN(v) - 1.0;
		double		product = s * difference;

		bad |= (BITS) ((v & EXPONENT) == EXPONENT);
		acc[i] = 1.0 + product;
	}
	return bad == 0;
}

bool
K(round)(uint8_t *restrict dst, const double *restrict acc, size_t n)
{
	BITS		bad = 0;

	for (size_t i = 0; i < n; i++)
	{
		BITS		v = NARROW(acc[i]);

		bad |= (BITS) ((v & EXPONENT) == EXPONENT);
		memcpy(dst + i * sizeof(BITS), &v, sizeof(BITS));
	}
	return bad == 0;
}

void
K(widen)(double *restrict dst, const uint8_t *restrict x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = WIDEN(K(load)(x, i));
}

bool
K(all_finite)(const uint8_t *x, size_t n)
{
	BITS		bad = 0;

	for (size_t i = 0; i < n; i++)
		bad |= (BITS) ((K(load)(x, i) & EXPONENT) == EXPONENT);
	return bad == 0;
}

double
K(sum_squares)(const uint8_t *x, size_t n, double sum)
{
	double		wide[SQUARES];

	for (size_t at = 0; at < n; at += SQUARES)
	{
		size_t		left = n - at < SQUARES ? n - at : SQUARES;

		K(widen)(wide, x + at * sizeof(BITS), left);
		for (size_t i = 0; i < left; i++)
		{
			double		square = wide[i] * wide[i];

			sum = sum + square;
		}
	}
	return sum;
}
