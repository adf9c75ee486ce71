/*
 * test_delta.c
 *	  The delta of a module as one matrix, worked out by hand.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <string.h>

#include "engine_fixture.h"
#include "engine/delta.h"

#define CONFIG "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"base_model_name_or_path\":\"m\"}"

/* s B A by hand, and its shape */
static bool
delta_is(PaEnv *env, PaValue *value, const char *path, int ndim, const uint64_t *shape, const double *wanted)
{
	PaDelta		delta;
	double	   *got;

	if (pa_delta_measure(env, value, path, NULL, &delta) != PA_OK || delta.ndim != ndim ||
		memcmp(delta.shape, shape, (size_t) ndim * sizeof(uint64_t)) != 0 ||
		PA_NEW_ARRAY(env, delta.elements, &got) != PA_OK || pa_delta_read(env, value, &delta, got) != PA_OK)
		return false;
	return memcmp(got, wanted, delta.elements * sizeof(double)) == 0;
}

/* A = [[1,2,3],[4,5,6]], B = [[1,0.5],[-1,2]], s = 1.5 */
static PaValue *
delta_sample(PaEnv *env, const char *a, const char *b, int ndim, const uint64_t *shape_a,
			 const uint64_t *shape_b, const char *config)
{
	BuildFile	file;

	build_begin(&file, NULL);
	build_tensor(&file, a, PA_F32, ndim, shape_a, (double[]) {1, 2, 3, 4, 5, 6});
	build_tensor(&file, b, PA_F32, ndim, shape_b, (double[]) {1, 0.5, -1, 2});
	return fixture_import(env, &file, config);
}

UNIT_TEST(test_delta)
{
	const double straight[6] = {4.5, 6.75, 9, 10.5, 12, 13.5};
	const double transposed[6] = {4.5, 10.5, 6.75, 12, 9, 13.5};
	const uint64_t a[4] = {2, 3, 1, 1};
	const uint64_t b[4] = {2, 2, 1, 1};
	const uint64_t straight_shape[2] = {2, 3};
	const uint64_t transposed_shape[2] = {3, 2};
	const uint64_t kernel_a[4] = {2, 1, 1, 3};
	const uint64_t kernel_shape[4] = {2, 1, 1, 3};
	PaDelta		delta;
	BuildFile	file;
	uint64_t	seed = unit_seed();
	PaValue    *v;

	v = delta_sample(env, "q.lora_A.weight", "q.lora_B.weight", 2, a, b, CONFIG);
	CHECK(delta_is(env, v, "q", 2, straight_shape, straight));
	CHECK_STATUS(pa_delta_measure(env, v, "k", NULL, &delta), PA_ERR_NOT_FOUND, env);
	v = delta_sample(env, "q.lora_A.weight", "q.lora_B.weight", 2, a, b,
					 "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"fan_in_fan_out\":true}");
	CHECK(delta_is(env, v, "q", 2, transposed_shape, transposed));
	v = delta_sample(env, "q.lora_embedding_A", "q.lora_embedding_B", 2, a, b, CONFIG);
	CHECK(delta_is(env, v, "q", 2, transposed_shape, transposed));
	v = delta_sample(env, "q.lora_A.weight", "q.lora_B.weight", 4, kernel_a, b, CONFIG);
	CHECK(delta_is(env, v, "q", 4, kernel_shape, straight));
	/* grouped */
	build_begin(&file, NULL);
	build_random(&file, "q.lora_A.weight", PA_F32, 4, a, &seed);
	build_random(&file, "q.lora_B.weight", PA_F32, 4, (uint64_t[]) {2, 1, 1, 1}, &seed);
	v = fixture_import(env, &file, CONFIG);
	CHECK_STATUS(pa_delta_measure(env, v, "q", NULL, &delta), PA_ERR_UNSUPPORTED, env);
	/* the outer product of two small factors */
	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F16, 1, 5000, 5000, &seed);
	v = fixture_import(env, &file, "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":3}");
	CHECK_STATUS(pa_delta_measure(env, v, "q", NULL, &delta), PA_ERR_LIMIT, env);
	build_begin(&file, NULL);
	build_tensor(&file, "k.ia3_l", PA_F32, 2, (uint64_t[]) {2, 1}, (double[]) {1.5, -1});
	v = fixture_import(env, &file, "{\"peft_type\":\"IA3\",\"feedforward_modules\":[]}");
	CHECK(delta_is(env, v, "k", 2, (uint64_t[]) {2, 1}, (double[]) {0.5, -2}));
}

UNIT_SUITE(delta, UNIT_CASE(test_delta));
