/*
 * test_inspect.c
 *	  Looking into a value: ranks, tensors, their norms.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>

#include "engine_fixture.h"
#include "engine/inspect.h"

#define CONFIG "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"base_model_name_or_path\":\"m\"}"

UNIT_TEST(test_inspect)
{
	BuildFile	file;
	uint64_t	seed = unit_seed();
	const PaTensor *tensor;
	PaValue    *a;
	uint64_t	rank;
	uint64_t	n;
	double		norm;
	double		sum = 0;
	double	   *x;

	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F16, 2, 40000, 4, &seed);
	build_bytes(&file, "base_model.model.i.weight", "I32", 1, 4, 1);
	a = fixture_import(env, &file, CONFIG);
	CHECK(pa_inspect_rank(env, a, NULL, &rank) == PA_OK && rank == 2);
	CHECK(pa_inspect_rank(env, a, "i", &rank) == PA_OK && rank == 0);
	CHECK_STATUS(pa_inspect_rank(env, a, "x", &rank), PA_ERR_NOT_FOUND, env);
	CHECK_STATUS(pa_inspect_measure(env, a, "q", &tensor), PA_ERR_NOT_FOUND, env);
	CHECK_STATUS(pa_inspect_measure(env, a, "base_model.model.i.weight", &tensor), PA_ERR_UNSUPPORTED, env);
	CHECK_OK(pa_inspect_measure(env, a, A_OF("q"), &tensor), env);
	x = fixture_tensor(env, a, tensor->name, &n);
	for (uint64_t i = 0; i < n; i++)
		sum = sum + x[i] * x[i];
	CHECK_OK(pa_inspect_norm(env, a, (uint32_t) (tensor - pa_value_adapter(a)->tensors), &norm), env);
	CHECK(norm == sqrt(sum));
}

UNIT_SUITE(inspect, UNIT_CASE(test_inspect));
