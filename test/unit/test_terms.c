/*
 * test_terms.c
 *	  Weights of deferred expressions: doc/algebra.md, "Terms".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "recipe/terms.h"
#include "build_file.h"

static bool
same(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

UNIT_TEST(test_weights)
{
	PaTerm		t[2] = {{0, 1, 1}, {1, 0.5, -0.25}};

	CHECK_OK(pa_terms_multiply(env, t, 2, -0.5), env);
	CHECK(same(t[0].u, 0.5) && same(t[0].v, -0.5));
	CHECK(same(t[1].u, 0.25) && same(t[1].v, 0.125));
	CHECK_OK(pa_terms_divide(env, t, 2, -0.5), env);
	CHECK(same(t[0].u, 1) && same(t[0].v, 1) && same(t[1].u, 0.5) && same(t[1].v, -0.25));
	CHECK_OK(pa_terms_blend(env, t, 2, -2), env);
	CHECK(same(t[0].u, -2) && same(t[0].v, -2) && same(t[1].u, -1) && same(t[1].v, 0.5));
}

UNIT_TEST(test_refusals)
{
	PaTerm		t = {0, 1, 1};
	double		p;
	double		q;

	CHECK_STATUS(pa_terms_multiply(env, &t, 1, INFINITY), PA_ERR_RANGE, env);
	CHECK_STATUS(pa_terms_multiply(env, &t, 1, NAN), PA_ERR_RANGE, env);
	CHECK_STATUS(pa_terms_divide(env, &t, 1, INFINITY), PA_ERR_RANGE, env);
	CHECK_STATUS(pa_terms_blend(env, &t, 1, NAN), PA_ERR_RANGE, env);
	CHECK_STATUS(pa_terms_divide(env, &t, 1, 0.0), PA_ERR_DIVISION, env);
	CHECK_STATUS(pa_terms_divide(env, &t, 1, -0.0), PA_ERR_DIVISION, env);
	CHECK(same(t.u, 1) && same(t.v, 1));
	CHECK_OK(pa_terms_multiply(env, &t, 1, 1e300), env);
	CHECK_STATUS(pa_terms_multiply(env, &t, 1, 1e300), PA_ERR_RANGE, env);
	t = (PaTerm) {0, 1, 1};
	CHECK_STATUS(pa_terms_divide(env, &t, 1, 1e-320), PA_ERR_RANGE, env);
	{
		PaTerm		many[2] = {{0, 1.7e308, 1}, {0, 1.7e308, 1}};

		CHECK_STATUS(pa_terms_total(env, many, 2, 1, &p, &q), PA_ERR_RANGE, env);
	}
	t = (PaTerm) {1, 1, 1};
	CHECK_STATUS(pa_terms_total(env, &t, 1, 1, &p, &q), PA_ERR_INTERNAL, env);
}

/* a - a is {2A, 0}, and a - 0.5 a is {1.5 A, 0.5 B} */
UNIT_TEST(test_totals)
{
	PaTerm		minus[2] = {{0, 1, 1}, {0, 1, 1}};
	PaTerm		exact[6] = {{2, 1e16, 1}, {0, 3, 3}, {2, 1, 1e100}, {2, -1e16, 1}, {0, 0.5, 0.25}, {2, 0, -1e100}};
	double		p[3] = {7, 7, 7};
	double		q[3] = {7, 7, 7};

	CHECK_OK(pa_terms_multiply(env, &minus[1], 1, -1), env);
	CHECK_OK(pa_terms_total(env, minus, 2, 1, p, q), env);
	CHECK(same(p[0], 2) && same(q[0], 0));
	minus[1] = (PaTerm) {0, 1, 1};
	CHECK_OK(pa_terms_multiply(env, &minus[1], 1, -0.5), env);
	CHECK_OK(pa_terms_total(env, minus, 2, 1, p, q), env);
	CHECK(same(p[0], 1.5) && same(q[0], 0.5));
	CHECK_OK(pa_terms_total(env, exact, 6, 3, p, q), env);
	CHECK(same(p[0], 3.5) && same(q[0], 3.25));
	CHECK(same(p[1], 0) && same(q[1], 0));
	CHECK(same(p[2], 1) && same(q[2], 2));
}

UNIT_TEST(test_identities)
{
	uint64_t	seed = unit_seed();

	for (int i = 0; i < 1000; i++)
	{
		PaTerm		t = {0, build_uniform(&seed), build_uniform(&seed)};
		PaTerm		before = t;
		double		w = ldexp(build_bits(&seed) % 2 ? 1 : -1, (int) (build_bits(&seed) % 600) - 300);

		CHECK(pa_terms_multiply(env, &t, 1, w) == PA_OK && pa_terms_divide(env, &t, 1, w) == PA_OK);
		CHECK(same(t.u, before.u) && same(t.v, before.v));
		CHECK(pa_terms_multiply(env, &t, 1, -1) == PA_OK && pa_terms_multiply(env, &t, 1, -1) == PA_OK);
		CHECK(same(t.u, before.u) && same(t.v, before.v));
	}
}

UNIT_SUITE(terms, UNIT_CASE(test_weights), UNIT_CASE(test_refusals), UNIT_CASE(test_totals),
		   UNIT_CASE(test_identities));
