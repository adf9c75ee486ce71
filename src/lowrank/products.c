/*
 * products.c
 *	  Sums with exponents.  See products.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/products.h"

#include <math.h>

void
pa_scaled_add(PaScaled *sum, double v, int e)
{
	PaScaled	other = {0};
	int			above;

	if (v == 0)
		return;
	other.v = frexp(v, &other.e);
	other.e += e;
	if (sum->v == 0)
	{
		*sum = other;
		return;
	}
	above = sum->e > other.e ? sum->e : other.e;
	v = ldexp(sum->v, sum->e - above) + ldexp(other.v, other.e - above);
	sum->v = frexp(v, &sum->e);
	sum->e += above;
}

void
pa_products_add(PaProducts *sum, const PaProducts *other)
{
	pa_scaled_add(&sum->dd, other->dd.v, other->dd.e);
	pa_scaled_add(&sum->ee, other->ee.v, other->ee.e);
	pa_scaled_add(&sum->xx, other->xx.v, other->xx.e);
	pa_scaled_add(&sum->de, other->de.v, other->de.e);
}

double
pa_scaled_value(PaScaled s)
{
	return ldexp(s.v, s.e);
}

/* Half of an odd exponent goes into the root. */
static PaScaled
root(PaScaled s)
{
	if (s.e % 2 != 0)
		s = (PaScaled) {2 * s.v, s.e - 1};
	return (PaScaled) {sqrt(s.v), s.e / 2};
}

double
pa_scaled_root(PaScaled s)
{
	return s.v > 0 ? pa_scaled_value(root(s)) : 0;
}

/* One root of the product, not two: the root of a square is exact.  Rounding must not lead out of [0, 2]. */
double
pa_products_cosine_distance(const PaProducts *products)
{
	PaScaled	norms;

	if (products->dd.v <= 0 || products->ee.v <= 0)
		return NAN;
	norms = root((PaScaled) {products->dd.v * products->ee.v, products->dd.e + products->ee.e});
	return fmin(fmax(1 - ldexp(products->de.v / norms.v, products->de.e - norms.e), 0), 2);
}
