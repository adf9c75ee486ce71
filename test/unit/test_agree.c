/*
 * test_agree.c
 *	  What the leaves of a sum must have in common, and what is refused.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <string.h>

#include "combine_fixture.h"

#define OTHER_BASE "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"n\"}"
#define NO_BASE "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2}"
#define OTHER_REVISION \
	"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"m\",\"revision\":\"x\"}"
#define TRANSPOSED \
	"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"m\",\"fan_in_fan_out\":true}"
#define WITH_BIAS \
	"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"m\",\"lora_bias\":true}"

static PaStatus
refusal(PaEnv *env, PaValue *a, PaValue *b)
{
	PaValue    *sum;

	return fixture_sum(env, 2, (PaValue *[]) {a, b}, (double[]) {0.5, 0.5}, &sum);
}

UNIT_TEST(test_refusals)
{
	PaValue    *plain = combine_lora(env, PA_F32, 1, -2, 4, 0.5, PLAIN);
	BuildFile	file;
	uint64_t	seed = unit_seed();

	CHECK_STATUS(refusal(env, plain, combine_ia3(env, PA_F32, 1, 1)), PA_ERR_MISMATCH, env);
	CHECK(strstr(env->error.message, "kinds") != NULL);
	CHECK_STATUS(refusal(env, plain, combine_lora(env, PA_F32, 1, 1, 1, 1, OTHER_BASE)), PA_ERR_MISMATCH,
				 env);
	CHECK(strstr(env->error.hint, "adapter_set_base_model") != NULL);
	CHECK_STATUS(refusal(env, plain, combine_lora(env, PA_F32, 1, 1, 1, 1, NO_BASE)), PA_ERR_MISMATCH, env);
	CHECK_STATUS(refusal(env, plain, combine_lora(env, PA_F32, 1, 1, 1, 1, OTHER_REVISION)), PA_ERR_MISMATCH,
				 env);
	CHECK_STATUS(refusal(env, plain, combine_lora(env, PA_F32, 1, 1, 1, 1, DORA)), PA_ERR_UNSUPPORTED, env);
	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F32, 2, 2, 2, &seed);
	CHECK_STATUS(
		refusal(env, plain,
				fixture_import(
					env, &file,
					"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,\"base_model_name_or_path\":\"m\"}")),
		PA_ERR_MISMATCH, env);
	CHECK(strstr(env->error.message, "ranks") != NULL);
	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F32, 1, 2, 3, &seed);
	CHECK_STATUS(refusal(env, plain, fixture_import(env, &file, PLAIN)), PA_ERR_MISMATCH, env);
	CHECK(strstr(env->error.message, "shapes: (2, 1) and (3, 1)") != NULL ||
		  strstr(env->error.message, "shapes: (3, 1) and (2, 1)") != NULL);
	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F32, 1, 2, 2, &seed);
	build_bytes(&file, "base_model.model.head.weight", "I64", 2, 16, 1);
	plain = fixture_import(env, &file, PLAIN);
	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F32, 1, 2, 2, &seed);
	build_bytes(&file, "base_model.model.head.weight", "I64", 2, 16, 2);
	CHECK_STATUS(refusal(env, plain, fixture_import(env, &file, PLAIN)), PA_ERR_UNSUPPORTED, env);
}

/* What no sum depends on: the flag of the result is that of both, a bias that one lacks is zero. */
UNIT_TEST(test_flags)
{
	PaValue    *v[3] = {combine_lora(env, PA_F32, 1, -2, 4, 0.5, PLAIN),
					 combine_lora(env, PA_F32, 1, 1, 1, 1, TRANSPOSED),
					 combine_lora(env, PA_F32, 1, 1, 1, 1, WITH_BIAS)};
	PaValue    *sum;
	PaValue    *other;

	CHECK_OK(fixture_sum(env, 2, v, (double[]) {2, 3}, &sum), env);
	CHECK(!pa_value_adapter(sum)->fan_in_fan_out && !pa_value_adapter(sum)->lora_bias);
	CHECK(HOLDS(sum, A_OF("q"), 5, -1) && HOLDS(sum, B_OF("q"), 11, 4));
	CHECK_OK(fixture_sum(env, 2, (PaValue *[]) {v[1], v[0]}, (double[]) {3, 2}, &other), env);
	CHECK(fixture_same_digest(sum, other));
	CHECK_OK(fixture_sum(env, 1, &v[1], (double[]) {2}, &sum), env);
	CHECK(pa_value_adapter(sum)->fan_in_fan_out);
	CHECK_OK(fixture_sum(env, 1, &v[2], (double[]) {2}, &sum), env);
	CHECK(fixture_dtype(sum, BIAS_OF("q")) == PA_DTYPE_INVALID);
	CHECK_OK(fixture_sum(env, 2, (PaValue *[]) {v[0], v[2]}, (double[]) {2, 3}, &sum), env);
	CHECK(pa_value_adapter(sum)->lora_bias && HOLDS(sum, BIAS_OF("q"), 0, 0));
	CHECK(HOLDS(sum, B_OF("q"), 11, 4));
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

UNIT_SUITE(agree, UNIT_CASE(test_refusals), UNIT_CASE(test_flags), UNIT_CASE(test_saved_modules));
