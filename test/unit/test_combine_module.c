/*
 * test_combine_module.c
 *	  Coefficients of a module's tensors in a sum: scalings, (IA)^3, biases,
 *	  experts, whole tensors.  doc/algebra.md, "Evaluation".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "combine_fixture.h"

/* Scalings 2 and 8: the result's is 1, each factor carries the root. */
UNIT_TEST(test_scalings)
{
	PaValue    *v[2] = {
		combine_lora(env, PA_F32, 1, -2, 4, 0.5, ALPHA8),
		combine_lora(env, PA_F32, 3, 2, -4, 1, PLAIN),
	};
	PaValue    *sum;
	double		a = 0.5 * sqrt(8);
	double		b = 0.25 * sqrt(2);
	bool		first = memcmp(pa_value_header(v[0])->digest, pa_value_header(v[1])->digest, 32) < 0;

	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), env);
	CHECK(fixture_scaling(sum, "q") == 1);
	if (first)
		CHECK(HOLDS(sum, A_OF("q"), (float) (a * 1 + b * 3), (float) (a * -2 + b * 2)));
	else
		CHECK(HOLDS(sum, A_OF("q"), (float) (b * 3 + a * 1), (float) (b * 2 + a * -2)));
	/* alike bits are kept where the forms differ: then in the plain form */
	v[0] = combine_lora(env, PA_F32, 1, -2, 4, 0.5, RSLORA);
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), env);
	CHECK(fixture_scaling(sum, "q") == 2 && !pa_value_adapter(sum)->rslora);
	CHECK(HOLDS(sum, A_OF("q"), 1.25, -0.5));
	v[0] = combine_lora(env, PA_F32, 1, -2, 4, 0.5, ALPHA0);
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), PA_ERR_MISMATCH, env);
	v[1] = combine_lora(env, PA_F32, 3, 2, -4, 1, ALPHA0);
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), env);
	CHECK(fixture_scaling(sum, "q") == 0);
}

UNIT_TEST(test_ia3)
{
	PaValue    *v[2] = {combine_ia3(env, PA_F32, 3, 0.5), combine_ia3(env, PA_F32, 5, -1)};
	PaValue    *sum;

	/* l = 2 l_0 - l_1 + (1 - 1): no constant */
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {2, -1}, &sum), env);
	CHECK(HOLDS(sum, L_OF("k"), 1, 2));
	/* 0.5 l_0 + 0.25 l_1 + 0.25 */
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), env);
	CHECK(HOLDS(sum, L_OF("k"), 3, 0.25));
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0, 0}, &sum), env);
	CHECK(HOLDS(sum, L_OF("k"), 1, 1));
}

static PaValue *
with_head(PaEnv *env, const char *head, double w)
{
	BuildFile	file;
	const uint64_t shape[2] = {1, 1};
	char		name[100];

	snprintf(name, sizeof(name), "base_model.model.%s.weight", head);
	build_begin(&file, NULL);
	build_tensor(&file, A_OF("q"), PA_F32, 2, shape, (double[]) {w});
	build_tensor(&file, B_OF("q"), PA_F32, 2, shape, (double[]) {w});
	build_tensor(&file, name, PA_F32, 2, shape, (double[]) {w});
	return fixture_import(env, &file, PLAIN);
}

UNIT_TEST(test_dense)
{
	PaValue    *v[3] = {with_head(env, "head", 2), with_head(env, "head", 4), with_head(env, "tail", 8)};
	PaValue    *sum;

	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.25, 0.75}, &sum), env);
	CHECK(HOLDS(sum, "base_model.model.head.weight", 3.5));
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.25, 0.75 + 1e-10}, &sum), env);
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {0.25, 0.5}, &sum), PA_ERR_MISMATCH, env);
	CHECK(strstr(env->error.message, "head.weight") != NULL &&
		  strstr(env->error.hint, "adapter_drop_dense(a, 'head.weight')") != NULL);
	CHECK_STATUS(fixture_sum(env, 3, v, (double[]) {0.25, 0.5, 0.25}, &sum), PA_ERR_MISMATCH, env);
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {0, 0}, &sum), PA_ERR_MISMATCH, env);
}

/* What differs in nothing is kept, of one that has it or of several, whatever the weights. */
UNIT_TEST(test_dense_kept)
{
	PaValue    *v[3] = {with_head(env, "head", 2), NULL, with_head(env, "tail", 8)};
	PaValue    *sum;

	CHECK_OK(fixture_sum(env, 1, v, (double[]) {-3}, &sum), env);
	CHECK(HOLDS(sum, "base_model.model.head.weight", 2));
	v[1] = sum;
	CHECK(HOLDS(v[1], B_OF("q"), -6));
	CHECK_OK(fixture_sum(env, 3, v, (double[]) {1, 0.25, 0.5}, &sum), env);
	CHECK(HOLDS(sum, "base_model.model.head.weight", 2));
	CHECK(HOLDS(sum, "base_model.model.tail.weight", 8));
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0, 0}, &sum), env);
	CHECK(HOLDS(sum, "base_model.model.head.weight", 2));
	CHECK(HOLDS(sum, B_OF("q"), 0));
}

/* The same bytes in another shape are another tensor. */
UNIT_TEST(test_dense_shapes)
{
	PaValue    *v[2];
	PaValue    *sum;

	for (int i = 0; i < 2; i++)
	{
		BuildFile	file;
		const uint64_t factor[2] = {1, 1};
		const uint64_t head[2] = {i == 0 ? 2 : 1, i == 0 ? 1 : 2};

		build_begin(&file, NULL);
		build_tensor(&file, A_OF("q"), PA_F32, 2, factor, (double[]) {i});
		build_tensor(&file, B_OF("q"), PA_F32, 2, factor, (double[]) {1});
		build_tensor(&file, "base_model.model.head.weight", PA_F32, 2, head, (double[]) {3, 4});
		v[i] = fixture_import(env, &file, PLAIN);
	}
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {1, 1}, &sum), PA_ERR_MISMATCH, env);
	CHECK(strstr(env->error.message, "different shapes") != NULL &&
		  strstr(env->error.hint, "adapter_drop_dense(a, 'head.weight')") != NULL);
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {0.5, 0.5}, &sum), PA_ERR_MISMATCH, env);
}

#define BIASED(alpha) "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":" alpha ",\"lora_bias\":true}"

static PaValue *
with_bias(PaEnv *env, double w, const char *config)
{
	BuildFile	file;
	const uint64_t shape[2] = {1, 1};

	build_begin(&file, NULL);
	build_tensor(&file, A_OF("q"), PA_F64, 2, shape, (double[]) {w});
	build_tensor(&file, B_OF("q"), PA_F64, 2, shape, (double[]) {w});
	build_tensor(&file, BIAS_OF("q"), PA_F64, 1, shape, (double[]) {w});
	return fixture_import(env, &file, config);
}

/* The bias follows B; where scalings are folded it carries all of its scaling. */
UNIT_TEST(test_bias)
{
	PaValue    *v[2] = {with_bias(env, 3, BIASED("2")), with_bias(env, 5, BIASED("2"))};
	PaValue    *sum;
	double		first = 0.5 * 3 * 2;
	double		second = -0.25 * 5 * 8;

	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, -0.25}, &sum), env);
	CHECK(HOLDS(sum, A_OF("q"), 2.75));
	CHECK(HOLDS(sum, BIAS_OF("q"), 0.25));
	v[1] = with_bias(env, 5, BIASED("8"));
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, -0.25}, &sum), env);
	CHECK(fixture_scaling(sum, "q") == 1);
	CHECK(HOLDS(sum, BIAS_OF("q"), first + second));
}

/* Two experts of rank 2 stacked under one parameter. */
static PaValue *
experts(PaEnv *env, const char *alpha, uint64_t *seed)
{
	BuildFile	file;
	char		config[300];

	snprintf(config, sizeof(config),
			 "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":%s,\"target_modules\":[],"
			 "\"target_parameters\":[\"mlp.experts.w\"]}",
			 alpha);
	build_begin(&file, NULL);
	build_lora(&file, "mlp.experts", PA_F32, 4, 3, 5, seed);
	return fixture_import(env, &file, config);
}

UNIT_TEST(test_experts)
{
	uint64_t	seed = unit_seed();
	PaValue    *v[2] = {experts(env, "3", &seed), experts(env, "3", &seed)};
	PaValue    *sum;

	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, -0.25}, &sum), env);
	CHECK(fixture_scaling(sum, "mlp.experts") == 1.5 && pa_value_adapter(sum)->modules[0].rank == 4);
	CHECK((pa_value_adapter(sum)->modules[0].flags & PA_MODULE_PARAMETER) != 0);
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0, 0}, &sum), env);
	CHECK(fixture_scaling(sum, "mlp.experts") == 1 && pa_value_adapter(sum)->modules[0].rank == 2);
	v[1] = experts(env, "4", &seed);
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {0.5, -0.25}, &sum), PA_ERR_MISMATCH, env);
}

UNIT_SUITE(combine_module, UNIT_CASE(test_scalings), UNIT_CASE(test_ia3), UNIT_CASE(test_dense),
		   UNIT_CASE(test_dense_kept), UNIT_CASE(test_dense_shapes), UNIT_CASE(test_bias),
		   UNIT_CASE(test_experts));
