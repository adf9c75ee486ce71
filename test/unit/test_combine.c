/*
 * test_combine.c
 *	  The value of a sum, against numbers that can be checked by head and
 *	  against a plain loop: doc/algebra.md, "Evaluation".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "combine_fixture.h"

UNIT_TEST(test_merge)
{
	PaValue    *v[2] = {
		combine_lora(env, PA_F32, 1, -2, 4, 0.5, PLAIN),
		combine_lora(env, PA_F32, 3, 2, -4, 1, PLAIN),
	};
	PaValue    *sum;

	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), env);
	CHECK(HOLDS(sum, A_OF("q"), 1.25, -0.5));
	CHECK(HOLDS(sum, B_OF("q"), 1, 0.5));
	CHECK(fixture_scaling(sum, "q") == 2);
	/* negation is {A, -B}; -0 stays -0 because no zero is added first */
	v[0] = combine_lora(env, PA_F32, 1, 0.0, 4, 0.0, PLAIN);
	CHECK_OK(fixture_sum(env, 1, v, (double[]) {-1}, &sum), env);
	CHECK(HOLDS(sum, A_OF("q"), 1, 0.0));
	CHECK(HOLDS(sum, B_OF("q"), -4, -0.0));
	/* one leaf with p = q = 1 is that leaf, whatever it is */
	v[0] = combine_lora(env, PA_F32, NAN, 0.0, 4, 0.0, DORA);
	CHECK(fixture_sum(env, 2, v, (double[]) {1, 0}, &sum) == PA_OK && sum == v[0]);
}

/* lerp multiplies both factors by the signed weight */
UNIT_TEST(test_lerp)
{
	PaValue    *v[2] = {
		combine_lora(env, PA_F32, 1, -2, 4, 0.5, PLAIN),
		combine_lora(env, PA_F32, 3, 2, -4, 1, PLAIN),
	};
	PaTerm		terms[2] = {{0, 1, 1}, {1, 1, 1}};
	PaValue    *sum;

	CHECK_OK(pa_terms_blend(env, &terms[0], 1, 1.5), env);
	CHECK_OK(pa_terms_blend(env, &terms[1], 1, -0.5), env);
	CHECK_OK(fixture_evaluate(env, 2, v, 2, terms, &sum), env);
	CHECK(HOLDS(sum, A_OF("q"), 0, -4));
	CHECK(HOLDS(sum, B_OF("q"), 8, 0.25));
}

/* A module that a leaf lacks is neutral there; its scaling is its own. */
UNIT_TEST(test_missing_module)
{
	BuildFile	file;
	uint64_t	shape_a[2] = {1, 1};
	PaValue    *v[2];
	PaValue    *sum;

	v[0] = combine_lora(env, PA_F32, 1, -2, 4, 0.5, PLAIN);
	build_begin(&file, NULL);
	build_tensor(&file, A_OF("k"), PA_F16, 2, shape_a, (double[]) {3});
	build_tensor(&file, B_OF("k"), PA_BF16, 2, shape_a, (double[]) {5});
	v[1] = fixture_import(env, &file, ALPHA8);
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {2, -1}, &sum), env);
	CHECK(HOLDS(sum, A_OF("q"), 2, -4));
	CHECK(HOLDS(sum, B_OF("q"), 8, 1));
	CHECK(HOLDS(sum, A_OF("k"), 3));
	CHECK(HOLDS(sum, B_OF("k"), -5));
	CHECK(fixture_scaling(sum, "q") == 2 && fixture_scaling(sum, "k") == 8);
	CHECK(fixture_dtype(sum, A_OF("k")) == PA_F16 && fixture_dtype(sum, B_OF("k")) == PA_BF16);
	/* dropped with its modules and its dtype */
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {2, 0}, &sum), env);
	CHECK(pa_adapter_find_module(pa_value_adapter(sum), "k") < 0);
}

UNIT_TEST(test_neutral)
{
	BuildFile	file;
	const uint64_t a[4] = {4, 3, 2, 2};
	const uint64_t b[4] = {6, 2, 1, 1};
	uint64_t	seed = unit_seed();
	PaValue    *v[1] = {combine_lora(env, PA_BF16, 1, -2, 4, 0.5, RSLORA)};
	PaValue    *sum;

	CHECK_OK(fixture_sum(env, 1, v, (double[]) {0}, &sum), env);
	CHECK(HOLDS(sum, A_OF("q"), 0, 0));
	CHECK(HOLDS(sum, B_OF("q"), 0, 0));
	CHECK(fixture_scaling(sum, "q") == 1 && fixture_dtype(sum, A_OF("q")) == PA_BF16);
	/* rank 4 in 2 groups: the smallest rank is 2 */
	build_begin(&file, NULL);
	build_random(&file, A_OF("c"), PA_F32, 4, a, &seed);
	build_random(&file, B_OF("c"), PA_F32, 4, b, &seed);
	v[0] = fixture_import(env, &file, "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":2}");
	CHECK_OK(fixture_sum(env, 1, v, (double[]) {0}, &sum), env);
	CHECK(sum != NULL && fixture_scaling(sum, "c") == 1 && pa_value_adapter(sum)->modules[0].rank == 2);
}

UNIT_TEST(test_dtypes)
{
	static const PaDtype wider[4][4] = {
		{PA_F64, PA_F64, PA_F64, PA_F64},
		{PA_F64, PA_F32, PA_F32, PA_F32},
		{PA_F64, PA_F32, PA_F16, PA_F32},
		{PA_F64, PA_F32, PA_F32, PA_BF16},
	};
	static const PaDtype types[4] = {PA_F64, PA_F32, PA_F16, PA_BF16};

	for (int i = 0; i < 4; i++)
	{
		for (int k = 0; k < 4; k++)
		{
			PaValue    *v[2] = {
				combine_lora(env, types[i], 1, -2, 4, 0.5, PLAIN),
				combine_lora(env, types[k], 3, 2, -4, 1, PLAIN),
			};
			PaValue    *sum;

			CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.5}, &sum), env);
			CHECK(fixture_dtype(sum, B_OF("q")) == wider[i][k]);
			CHECK(HOLDS(sum, A_OF("q"), 2, 0));
		}
	}
}

UNIT_TEST(test_range)
{
	PaValue    *v[2] = {
		combine_lora(env, PA_F16, 60000, -2, 4, 0.5, PLAIN),
		combine_lora(env, PA_F16, INFINITY, 2, -4, 1, PLAIN),
	};
	PaValue    *sum;

	CHECK_STATUS(fixture_sum(env, 1, v, (double[]) {2}, &sum), PA_ERR_RANGE, env);
	CHECK(strcmp(env->error.message, "tensor \"" A_OF("q") "\" overflows F16") == 0);
	CHECK_STATUS(fixture_sum(env, 1, v, (double[]) {1e308}, &sum), PA_ERR_RANGE, env);
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {0.5, 0.5}, &sum), PA_ERR_RANGE, env);
	CHECK(strstr(env->error.message, "NaN or infinity") != NULL &&
		  strstr(env->error.detail, "digest") != NULL);
	/* dropped: it takes no part */
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0}, &sum), env);
	/* the largest finite number stays, what rounds to it too */
	v[0] = combine_lora(env, PA_F16, 65504, 32752, 4, 0.5, PLAIN);
	CHECK_OK(fixture_sum(env, 1, v, (double[]) {1.0001}, &sum), env);
	CHECK_STATUS(fixture_sum(env, 1, v, (double[]) {1.001}, &sum), PA_ERR_RANGE, env);
}

/* The order of terms and of leaves is nobody's business. */
UNIT_TEST(test_order)
{
	uint64_t	seed = unit_seed();
	PaValue    *v[3];
	PaTerm		terms[5];
	PaValue    *wanted = NULL;

	for (int i = 0; i < 3; i++)
	{
		BuildFile	file;

		build_begin(&file, NULL);
		build_lora(&file, i == 2 ? "k" : "q", PA_F16, 1, 30, 5, &seed);
		v[i] = fixture_import(env, &file, i == 1 ? ALPHA8 : PLAIN);
	}
	for (int i = 0; i < 5; i++)
		terms[i] = (PaTerm) {(uint32_t) (i % 3), fabs(build_uniform(&seed)), build_uniform(&seed)};
	for (int round = 0; round < 24; round++)
	{
		PaValue    *sum;
		uint32_t	i = (uint32_t) (build_bits(&seed) % 3);
		uint32_t	k = (uint32_t) (build_bits(&seed) % 3);
		PaValue    *value = v[i];
		PaTerm		term;

		CHECK_OK(fixture_evaluate(env, 3, v, 5, terms, &sum), env);
		if (wanted == NULL)
			wanted = sum;
		CHECK(sum != NULL &&
			  memcmp(pa_value_header(sum)->envelope_digest, pa_value_header(wanted)->envelope_digest, 32) ==
				  0);
		v[i] = v[k];
		v[k] = value;
		for (int t = 0; t < 5; t++)
			terms[t].leaf = terms[t].leaf == i ? k : terms[t].leaf == k ? i : terms[t].leaf;
		term = terms[i];
		terms[i] = terms[k];
		terms[k] = term;
	}
}

/* More than one block, against a plain loop in order of terms: factor A settles it. */
UNIT_TEST(test_blocks)
{
	uint64_t	seed = unit_seed();
	PaValue    *v[3];
	double		w[3];
	double	   *x[3];
	double	   *got;
	uint64_t	n;
	PaValue    *sum;

	for (int i = 0; i < 3; i++)
	{
		BuildFile	file;

		build_begin(&file, NULL);
		build_lora(&file, "q", PA_F16, 1, 3 * PA_BLOCK_ELEMENTS + 77, 5, &seed);
		v[i] = fixture_import(env, &file, PLAIN);
		w[i] = build_uniform(&seed);
		x[i] = fixture_tensor(env, v[i], A_OF("q"), &n);
	}
	CHECK_OK(fixture_sum(env, 3, v, w, &sum), env);
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 2; k++)
			if (memcmp(fixture_sha256(v[k], A_OF("q")), fixture_sha256(v[k + 1], A_OF("q")),
					   PA_SHA256_LENGTH) > 0)
			{
				PaValue    *value = v[k];
				double		weight = w[k];
				double	   *data = x[k];

				v[k] = v[k + 1], w[k] = w[k + 1], x[k] = x[k + 1];
				v[k + 1] = value, w[k + 1] = weight, x[k + 1] = data;
			}
	got = fixture_tensor(env, sum, A_OF("q"), &n);
	CHECK(got != NULL && n == 3 * PA_BLOCK_ELEMENTS + 77);
	for (uint64_t i = 0; got != NULL && i < n; i++)
	{
		double		acc = fabs(w[0]) * x[0][i];

		acc = acc + fabs(w[1]) * x[1][i];
		acc = acc + fabs(w[2]) * x[2][i];
		if (got[i] != (double) pa_f16_to_f32(pa_f64_to_f16(acc)))
		{
			CHECK(!"element of a sum differs");
			break;
		}
	}
}

UNIT_SUITE(combine, UNIT_CASE(test_merge), UNIT_CASE(test_lerp), UNIT_CASE(test_missing_module),
		   UNIT_CASE(test_neutral), UNIT_CASE(test_dtypes), UNIT_CASE(test_range), UNIT_CASE(test_order),
		   UNIT_CASE(test_blocks));
