/*
 * test_products.c
 *	  Products at the ends of double's range, and cosines at the ends of theirs.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>

#include "lowrank/geometry.h"
#include "lowrank/products.h"
#include "lowrank/spectrum.h"
#include "blas_test.h"
#include "lowrank_fixture.h"

/* Of two rank pairs one has a factor of zeros: only the other's size counts, whose square is out of range. */
BLAS_TEST(zeros_beside_tiny_products)
{
	double		a[2 * 2] = {3e-80, 4e-80, 1, 1};
	double		b[2 * 2] = {1e-80, 0, 0, 0};
	Stacked		sample;
	PaProducts	p;
	PaSpectrum	spectrum;
	double		value;

	stacked_begin(&sample, 2, 2);
	stacked_add(env, &sample, PA_F64, 2, a, b, 1, 1e-20);
	CHECK_OK(pa_geometry_module(env, &sample.stack, sample.weights, sample.weights, PA_LOWRANK_BUDGET, &p),
			 env);
	CHECK(fabs(pa_scaled_root(p.dd) - 5e-180) < 1e-190 && pa_products_cosine_distance(&p) == 0);
	CHECK_OK(pa_spectrum(env, &sample.stack, sample.weights, PA_LOWRANK_BUDGET, false, &spectrum), env);
	CHECK_OK(pa_spectrum_value(env, &spectrum, 0, &value), env);
	CHECK(fabs(value - 5e-180) < 1e-190 && spectrum.svd.s[1] == 0);
}

/* Parallel deltas: whatever the roundings, the cosine stays in [-1, 1]. */
BLAS_TEST(cosines_in_range)
{
	uint64_t	seed = unit_seed();

	(void) env;
	for (int i = 0; i < 1000; i++)
	{
		double		square = 1 + fabs(unit_gaussian(&seed));
		double		w = unit_gaussian(&seed);
		PaProducts	p = {0};
		double		distance;

		pa_scaled_add(&p.dd, square, 0);
		pa_scaled_add(&p.ee, w * w * square, 0);
		pa_scaled_add(&p.de, w * square, 0);
		distance = pa_products_cosine_distance(&p);
		CHECK(distance >= 0 && distance <= 2 && fabs(distance - (w > 0 ? 0 : 2)) < 1e-15);
	}
}

UNIT_SUITE(products, UNIT_CASE(zeros_beside_tiny_products), UNIT_CASE(cosines_in_range));
