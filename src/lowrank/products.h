/*
 * products.h
 *	  Inner products of two deltas, with exponents of their own: the square of a
 *	  norm can be out of double's range when the norm is not.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PRODUCTS_H
#define PA_PRODUCTS_H

#include "core/env.h"

/* v 2^e; abs(v) is in [0.5, 1) or 0 */
typedef struct PaScaled
{
	double		v;
	int			e;
} PaScaled;

/* The deltas d and e, and their difference x. */
typedef struct PaProducts
{
	PaScaled	dd;
	PaScaled	ee;
	PaScaled	xx;
	PaScaled	de;
} PaProducts;

/* sum + v 2^e in the order of the calls, double additions */
extern void pa_scaled_add(PaScaled *sum, double v, int e);
extern void pa_products_add(PaProducts *sum, const PaProducts *other);	/* each of the four */

/* As a double; infinite if out of range. */
extern double pa_scaled_value(PaScaled s);
extern double pa_scaled_root(PaScaled s);	/* sqrt(s): finite where s is not */

/* 1 - de / sqrt(dd ee), in [0, 2]; exactly 0 for equal deltas, NaN if one of them is 0 */
extern double pa_products_cosine_distance(const PaProducts *products);

#endif
