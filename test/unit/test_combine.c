/*
 * test_combine.c
 *	  The value of a sum, against numbers that can be checked by head and
 *	  against a plain loop: doc/algebra.md, "Evaluation".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine_fixture.h"


/* A LoRA adapter with one module "q": A (1, 2) = a, B (2, 1) = b. */
static PaValue *
small_lora(PaEnv *env, PaDtype dtype, double a0, double a1, double b0, double b1, const char *config)
{
	BuildFile	file;
	const uint64_t a[2] = {1, 2};
	const uint64_t b[2] = {2, 1};

	build_begin(&file, NULL);
	build_tensor(&file, A_OF("q"), dtype, 2, a, (double[]) {a0, a1});
	build_tensor(&file, B_OF("q"), dtype, 2, b, (double[]) {b0, b1});
	return fixture_import(env, &file, config);
}

#define PLAIN "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"m\"}"
#define ALPHA8 "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":8,\"base_model_name_or_path\":\"m\"}"
#define ALPHA0 "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":0,\"base_model_name_or_path\":\"m\"}"
#define RSLORA "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"use_rslora\":true,\"base_model_name_or_path\":\"m\"}"
#define OTHER_BASE "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"n\"}"
#define NO_BASE "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2}"
#define OTHER_REVISION "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"m\",\"revision\":\"x\"}"
#define TRANSPOSED "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"m\",\"fan_in_fan_out\":true}"
#define WITH_BIAS "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"m\",\"lora_bias\":true}"
#define DORA "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"m\",\"use_dora\":true}"
#define IA3 "{\"peft_type\":\"IA3\",\"base_model_name_or_path\":\"m\",\"feedforward_modules\":[]}"

static double
scaling_of(PaValue *value, const char *path)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	int64_t		module = pa_adapter_find_module(adapter, path);

	return module < 0 ? NAN : adapter->modules[module].scaling;
}

static PaDtype
dtype_of(PaValue *value, const char *name)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	int64_t		tensor = pa_adapter_find_tensor(adapter, name);

	return tensor < 0 ? PA_DTYPE_INVALID : adapter->tensors[tensor].dtype;
}

UNIT_TEST(test_merge)
{
	PaValue    *v[2] = {
		small_lora(env, PA_F32, 1, -2, 4, 0.5, PLAIN),
		small_lora(env, PA_F32, 3, 2, -4, 1, PLAIN),
	};
	PaValue    *sum;

	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), env);
	CHECK(HOLDS(sum, A_OF("q"), 1.25, -0.5));
	CHECK(HOLDS(sum, B_OF("q"), 1, 0.5));
	CHECK(scaling_of(sum, "q") == 2);
	/* negation is {A, -B}; -0 stays -0 because no zero is added first */
	v[0] = small_lora(env, PA_F32, 1, 0.0, 4, 0.0, PLAIN);
	CHECK_OK(fixture_sum(env, 1, v, (double[]) {-1}, &sum), env);
	CHECK(HOLDS(sum, A_OF("q"), 1, 0.0));
	CHECK(HOLDS(sum, B_OF("q"), -4, -0.0));
	/* one leaf with p = q = 1 is that leaf, whatever it is */
	v[0] = small_lora(env, PA_F32, NAN, 0.0, 4, 0.0, DORA);
	CHECK(fixture_sum(env, 2, v, (double[]) {1, 0}, &sum) == PA_OK && sum == v[0]);
}

/* lerp multiplies both factors by the signed weight */
UNIT_TEST(test_lerp)
{
	PaValue    *v[2] = {
		small_lora(env, PA_F32, 1, -2, 4, 0.5, PLAIN),
		small_lora(env, PA_F32, 3, 2, -4, 1, PLAIN),
	};
	PaTerm		terms[2] = {{0, 1, 1}, {1, 1, 1}};
	PaValue    *sum;

	CHECK_OK(pa_terms_blend(env, &terms[0], 1, 1.5), env);
	CHECK_OK(pa_terms_blend(env, &terms[1], 1, -0.5), env);
	CHECK_OK(fixture_evaluate(env, 2, v, 2, terms, &sum), env);
	CHECK(HOLDS(sum, A_OF("q"), 0, -4));
	CHECK(HOLDS(sum, B_OF("q"), 8, 0.25));
}

/* Scalings 2 and 8: the result's is 1, each factor carries the root. */
UNIT_TEST(test_scalings)
{
	PaValue    *v[2] = {
		small_lora(env, PA_F32, 1, -2, 4, 0.5, ALPHA8),
		small_lora(env, PA_F32, 3, 2, -4, 1, PLAIN),
	};
	PaValue    *sum;
	double		a = 0.5 * sqrt(8);
	double		b = 0.25 * sqrt(2);
	bool		first = memcmp(pa_value_header(v[0])->digest, pa_value_header(v[1])->digest, 32) < 0;

	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), env);
	CHECK(scaling_of(sum, "q") == 1);
	if (first)
		CHECK(HOLDS(sum, A_OF("q"), (float) (a * 1 + b * 3), (float) (a * -2 + b * 2)));
	else
		CHECK(HOLDS(sum, A_OF("q"), (float) (b * 3 + a * 1), (float) (b * 2 + a * -2)));
	/* alike bits are kept where the forms differ: then in the plain form */
	v[0] = small_lora(env, PA_F32, 1, -2, 4, 0.5, RSLORA);
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), env);
	CHECK(scaling_of(sum, "q") == 2 && !pa_value_adapter(sum)->rslora);
	CHECK(HOLDS(sum, A_OF("q"), 1.25, -0.5));
	v[0] = small_lora(env, PA_F32, 1, -2, 4, 0.5, ALPHA0);
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), PA_ERR_MISMATCH, env);
	v[1] = small_lora(env, PA_F32, 3, 2, -4, 1, ALPHA0);
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), env);
	CHECK(scaling_of(sum, "q") == 0);
}

/* A module that a leaf lacks is neutral there; its scaling is its own. */
UNIT_TEST(test_missing_module)
{
	BuildFile	file;
	uint64_t	shape_a[2] = {1, 1};
	PaValue    *v[2];
	PaValue    *sum;

	v[0] = small_lora(env, PA_F32, 1, -2, 4, 0.5, PLAIN);
	build_begin(&file, NULL);
	build_tensor(&file, A_OF("k"), PA_F16, 2, shape_a, (double[]) {3});
	build_tensor(&file, B_OF("k"), PA_BF16, 2, shape_a, (double[]) {5});
	v[1] = fixture_import(env, &file, ALPHA8);
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {2, -1}, &sum), env);
	CHECK(HOLDS(sum, A_OF("q"), 2, -4));
	CHECK(HOLDS(sum, B_OF("q"), 8, 1));
	CHECK(HOLDS(sum, A_OF("k"), 3));
	CHECK(HOLDS(sum, B_OF("k"), -5));
	CHECK(scaling_of(sum, "q") == 2 && scaling_of(sum, "k") == 8);
	CHECK(dtype_of(sum, A_OF("k")) == PA_F16 && dtype_of(sum, B_OF("k")) == PA_BF16);
	/* dropped with its modules and its dtype */
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {2, 0}, &sum), env);
	CHECK(pa_adapter_find_module(pa_value_adapter(sum), "k") < 0);
}

static PaValue *
small_ia3(PaEnv *env, PaDtype dtype, double l0, double l1)
{
	BuildFile	file;
	const uint64_t shape[2] = {2, 1};

	build_begin(&file, NULL);
	build_tensor(&file, L_OF("k"), dtype, 2, shape, (double[]) {l0, l1});
	return fixture_import(env, &file, IA3);
}

UNIT_TEST(test_ia3)
{
	PaValue    *v[2] = {small_ia3(env, PA_F32, 3, 0.5), small_ia3(env, PA_F32, 5, -1)};
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
	CHECK(strstr(env->error.message, "head.weight") != NULL && strstr(env->error.hint, "adapter_select") != NULL);
	CHECK_STATUS(fixture_sum(env, 2, &v[1], (double[]) {0.5, 0.5}, &sum), PA_ERR_MISMATCH, env);
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {0, 0}, &sum), PA_ERR_MISMATCH, env);
}

UNIT_TEST(test_neutral)
{
	BuildFile	file;
	const uint64_t a[4] = {4, 3, 2, 2};
	const uint64_t b[4] = {6, 2, 1, 1};
	uint64_t	seed = unit_seed();
	PaValue    *v[1] = {small_lora(env, PA_BF16, 1, -2, 4, 0.5, RSLORA)};
	PaValue    *sum;

	CHECK_OK(fixture_sum(env, 1, v, (double[]) {0}, &sum), env);
	CHECK(HOLDS(sum, A_OF("q"), 0, 0));
	CHECK(HOLDS(sum, B_OF("q"), 0, 0));
	CHECK(scaling_of(sum, "q") == 1 && dtype_of(sum, A_OF("q")) == PA_BF16);
	/* rank 4 in 2 groups: the smallest rank is 2 */
	build_begin(&file, NULL);
	build_random(&file, A_OF("c"), PA_F32, 4, a, &seed);
	build_random(&file, B_OF("c"), PA_F32, 4, b, &seed);
	v[0] = fixture_import(env, &file, "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":2}");
	CHECK_OK(fixture_sum(env, 1, v, (double[]) {0}, &sum), env);
	CHECK(sum != NULL && scaling_of(sum, "c") == 1 && pa_value_adapter(sum)->modules[0].rank == 2);
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
				small_lora(env, types[i], 1, -2, 4, 0.5, PLAIN),
				small_lora(env, types[k], 3, 2, -4, 1, PLAIN),
			};
			PaValue    *sum;

			CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.5}, &sum), env);
			CHECK(dtype_of(sum, B_OF("q")) == wider[i][k]);
			CHECK(HOLDS(sum, A_OF("q"), 2, 0));
		}
	}
}

UNIT_TEST(test_range)
{
	PaValue    *v[2] = {
		small_lora(env, PA_F16, 60000, -2, 4, 0.5, PLAIN),
		small_lora(env, PA_F16, INFINITY, 2, -4, 1, PLAIN),
	};
	PaValue    *sum;

	CHECK_STATUS(fixture_sum(env, 1, v, (double[]) {2}, &sum), PA_ERR_RANGE, env);
	CHECK(strcmp(env->error.message, "tensor \"" A_OF("q") "\" overflows F16") == 0);
	CHECK_STATUS(fixture_sum(env, 1, v, (double[]) {1e308}, &sum), PA_ERR_RANGE, env);
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {0.5, 0.5}, &sum), PA_ERR_RANGE, env);
	CHECK(strstr(env->error.message, "NaN or infinity") != NULL && strstr(env->error.detail, "digest") != NULL);
	/* dropped: it takes no part */
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0}, &sum), env);
	/* the largest finite number stays, what rounds to it too */
	v[0] = small_lora(env, PA_F16, 65504, 32752, 4, 0.5, PLAIN);
	CHECK_OK(fixture_sum(env, 1, v, (double[]) {1.0001}, &sum), env);
	CHECK_STATUS(fixture_sum(env, 1, v, (double[]) {1.001}, &sum), PA_ERR_RANGE, env);
}

static PaStatus
refusal(PaEnv *env, PaValue *a, PaValue *b)
{
	PaValue    *sum;

	return fixture_sum(env, 2, (PaValue *[]) {a, b}, (double[]) {0.5, 0.5}, &sum);
}

UNIT_TEST(test_refusals)
{
	PaValue    *plain = small_lora(env, PA_F32, 1, -2, 4, 0.5, PLAIN);
	BuildFile	file;
	uint64_t	seed = unit_seed();

	CHECK_STATUS(refusal(env, plain, small_ia3(env, PA_F32, 1, 1)), PA_ERR_MISMATCH, env);
	CHECK(strstr(env->error.message, "kinds") != NULL);
	CHECK_STATUS(refusal(env, plain, small_lora(env, PA_F32, 1, 1, 1, 1, OTHER_BASE)), PA_ERR_MISMATCH, env);
	CHECK(strstr(env->error.hint, "adapter_set_base_model") != NULL);
	CHECK_STATUS(refusal(env, plain, small_lora(env, PA_F32, 1, 1, 1, 1, NO_BASE)), PA_ERR_MISMATCH, env);
	CHECK_STATUS(refusal(env, plain, small_lora(env, PA_F32, 1, 1, 1, 1, OTHER_REVISION)), PA_ERR_MISMATCH, env);
	CHECK_STATUS(refusal(env, plain, small_lora(env, PA_F32, 1, 1, 1, 1, TRANSPOSED)), PA_ERR_MISMATCH, env);
	CHECK_STATUS(refusal(env, plain, small_lora(env, PA_F32, 1, 1, 1, 1, WITH_BIAS)), PA_ERR_MISMATCH, env);
	CHECK_STATUS(refusal(env, plain, small_lora(env, PA_F32, 1, 1, 1, 1, DORA)), PA_ERR_UNSUPPORTED, env);
	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F32, 2, 2, 2, &seed);
	CHECK_STATUS(refusal(env, plain, fixture_import(env, &file, "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,\"base_model_name_or_path\":\"m\"}")), PA_ERR_MISMATCH, env);
	CHECK(strstr(env->error.message, "ranks") != NULL);
	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F32, 1, 2, 3, &seed);
	CHECK_STATUS(refusal(env, plain, fixture_import(env, &file, PLAIN)), PA_ERR_MISMATCH, env);
	CHECK(strstr(env->error.message, "shapes: (2, 1) and (3, 1)") != NULL ||
		  strstr(env->error.message, "shapes: (3, 1) and (2, 1)") != NULL);
	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F32, 1, 2, 2, &seed);
	build_bytes(&file, "base_model.model.head.weight", "I64", 2, 16, 1);
	CHECK_STATUS(refusal(env, plain, fixture_import(env, &file, PLAIN)), PA_ERR_UNSUPPORTED, env);
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
	CHECK(scaling_of(sum, "q") == 1);
	CHECK(HOLDS(sum, BIAS_OF("q"), first + second));
}

/* Two experts of rank 2 stacked under one parameter. */
static PaValue *
experts(PaEnv *env, const char *alpha, uint64_t *seed)
{
	BuildFile	file;
	char		config[300];

	snprintf(config, sizeof(config), "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":%s,\"target_modules\":[],"
			 "\"target_parameters\":[\"mlp.experts.w\"]}", alpha);
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
	CHECK(scaling_of(sum, "mlp.experts") == 1.5 && pa_value_adapter(sum)->modules[0].rank == 4);
	CHECK((pa_value_adapter(sum)->modules[0].flags & PA_MODULE_PARAMETER) != 0);
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0, 0}, &sum), env);
	CHECK(scaling_of(sum, "mlp.experts") == 1 && pa_value_adapter(sum)->modules[0].rank == 2);
	v[1] = experts(env, "4", &seed);
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {0.5, -0.25}, &sum), PA_ERR_MISMATCH, env);
}

/* modules_to_save may name an ancestor of what it saves. */
UNIT_TEST(test_saved_modules)
{
	static const char *const configs[2] = {
		"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"modules_to_save\":[\"head\"]}",
		"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"modules_to_save\":[\"score\"]}",
	};
	uint64_t	seed = unit_seed();
	PaValue    *v[2];
	PaValue    *sum;

	for (int i = 0; i < 2; i++)
	{
		BuildFile	file;

		build_begin(&file, NULL);
		build_lora(&file, "q", PA_F32, 1, 3, 5, &seed);
		build_random(&file, "base_model.model.head.out.weight", PA_F32, 1, (uint64_t[]) {3}, &seed);
		build_random(&file, "base_model.model.m.score.weight", PA_F32, 1, (uint64_t[]) {3}, &seed);
		v[i] = fixture_import(env, &file, configs[i]);
	}
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.5}, &sum), env);
	CHECK(sum != NULL && pa_value_adapter(sum)->n_saved_modules == 2 &&
		  strcmp(pa_value_adapter(sum)->saved_modules[0], "head") == 0 &&
		  strcmp(pa_value_adapter(sum)->saved_modules[1], "m.score") == 0);
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
		CHECK(sum != NULL && memcmp(pa_value_header(sum)->envelope_digest, pa_value_header(wanted)->envelope_digest, 32) == 0);
		v[i] = v[k];
		v[k] = value;
		for (int t = 0; t < 5; t++)
			terms[t].leaf = terms[t].leaf == i ? k : terms[t].leaf == k ? i : terms[t].leaf;
		term = terms[i];
		terms[i] = terms[k];
		terms[k] = term;
	}
}

/* More than one block, against a plain loop in digest order. */
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
			if (memcmp(pa_value_header(v[k])->digest, pa_value_header(v[k + 1])->digest, 32) > 0)
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

UNIT_SUITE(combine, UNIT_CASE(test_merge), UNIT_CASE(test_lerp), UNIT_CASE(test_scalings),
		   UNIT_CASE(test_missing_module), UNIT_CASE(test_ia3), UNIT_CASE(test_dense),
		   UNIT_CASE(test_neutral), UNIT_CASE(test_dtypes), UNIT_CASE(test_range), UNIT_CASE(test_refusals),
		   UNIT_CASE(test_bias), UNIT_CASE(test_experts), UNIT_CASE(test_saved_modules),
		   UNIT_CASE(test_order), UNIT_CASE(test_blocks));
