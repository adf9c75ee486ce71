/*
 * test_transform.c
 *	  adapter_scale, _cast, _select, _set_base_model, _split and _union.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/scaling.h"
#include "algebra/transform.h"
#include "engine_fixture.h"
#include "engine/import.h"
#include "engine/split.h"
#include "engine/transform.h"
#include "engine/union.h"

#define CONFIG \
	"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"base_model_name_or_path\":\"m\",\"modules_to_save\":[\"head\"]}"
#define CONFIG_RS \
	"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"base_model_name_or_path\":\"m\",\"use_rslora\":true}"
#define CONFIG_DORA "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"use_dora\":true}"

/* Modules "a.q", "b.k" and, if dense, "head" */
static PaValue *
sample(PaEnv *env, const char *config, bool dense, uint64_t seed)
{
	BuildFile	file;
	const uint64_t shape[2] = {3, 5};

	build_begin(&file, NULL);
	build_lora(&file, "b.k", PA_F32, 2, 3, 4, &seed);
	build_lora(&file, "a.q", PA_BF16, 2, 5, 2, &seed);
	if (dense)
		build_random(&file, "base_model.model.head.weight", PA_F16, 2, shape, &seed);
	return fixture_import(env, &file, config);
}

UNIT_TEST(test_alpha_for)
{
	uint64_t	seed = unit_seed();
	bool		exact;

	(void) env;
	CHECK(pa_alpha_for(0.5, 16, &exact) == 8 && exact);
	CHECK(pa_alpha_for(0, 16, &exact) == 0 && exact);
	CHECK(pa_alpha_for(INFINITY, 16, &exact) == INFINITY && !exact);
	pa_alpha_for(1e308, 100, &exact);
	CHECK(!exact);
	for (int i = 0; i < 20000; i++)
	{
		uint64_t	r = build_bits(&seed) % 300 + 1;
		double		alpha = fabs(build_uniform(&seed)) * 64;
		double		s = alpha / (double) r;
		double		found = pa_alpha_for(s, r, &exact);

		CHECK(exact && found / (double) r == s);
	}
}

static const PaModule *
module_of(PaValue *value, const char *path)
{
	int64_t		i = pa_adapter_find_module(pa_value_adapter(value), path);

	return i < 0 ? NULL : &pa_value_adapter(value)->modules[i];
}

/* a tensor of `after` is c times that of `before` */
static bool
scaled(PaEnv *env, PaValue *before, PaValue *after, const char *name, double c)
{
	uint64_t	n;
	uint64_t	n_after;
	double	   *x = fixture_tensor(env, before, name, &n);
	double	   *y = fixture_tensor(env, after, name, &n_after);

	if (x == NULL || y == NULL || n != n_after)
		return false;
	for (uint64_t i = 0; i < n; i++)
		if (c * x[i] != y[i])
			return false;
	return true;
}

static PaValue *
scale(PaEnv *env, PaValue *value, double s)
{
	PaBuf		buf;

	return pa_transform_scale(env, value, s, 0, &buf) == PA_OK ? fixture_open(env, &buf) : NULL;
}

UNIT_TEST(test_scale)
{
	PaValue    *a = sample(env, CONFIG, true, unit_seed());
	PaValue    *b = scale(env, a, -0.5);
	PaBuf		buf;

	CHECK(b != NULL && module_of(b, "a.q")->scaling == 0.75 && module_of(b, "a.q")->alpha == 1.5);
	CHECK(scaled(env, a, b, A_OF("a.q"), 1) && scaled(env, a, b, B_OF("a.q"), -1));
	CHECK(scaled(env, a, b, "base_model.model.head.weight", 1));
	b = scale(env, a, 0);
	CHECK(b != NULL && module_of(b, "b.k")->scaling == 1.5);
	CHECK(scaled(env, a, b, A_OF("b.k"), 1) && scaled(env, a, b, B_OF("b.k"), 0));
	b = scale(env, a, 1);
	CHECK(b != NULL && fixture_same_digest(a, b));
	b = sample(env, CONFIG_RS, false, unit_seed());
	b = scale(env, b, 2);
	CHECK(b != NULL && !pa_value_adapter(b)->rslora && module_of(b, "a.q")->scaling == 3 / sqrt(2) * 2);
	CHECK_STATUS(pa_transform_scale(env, a, INFINITY, 0, &buf), PA_ERR_RANGE, env);
	CHECK_STATUS(pa_transform_scale(env, sample(env, CONFIG_DORA, false, 1), 1, 0, &buf), PA_ERR_UNSUPPORTED,
				 env);
}

UNIT_TEST(test_scale_ia3)
{
	BuildFile	file;
	const uint64_t shape[2] = {3, 1};
	uint64_t	n;
	double	   *l;
	PaValue    *a;

	build_begin(&file, NULL);
	build_tensor(&file, L_OF("k"), PA_F64, 2, shape, (double[]) {1.5, -1, 0.1});
	a = fixture_import(env, &file, "{\"peft_type\":\"IA3\",\"feedforward_modules\":[]}");
	a = scale(env, a, -0.3);
	l = a == NULL ? NULL : fixture_tensor(env, a, L_OF("k"), &n);
	CHECK(l != NULL && l[0] == 1 + -0.3 * 0.5 && l[1] == 1 + -0.3 * -2 && l[2] == 1 + -0.3 * (0.1 - 1));
}

UNIT_TEST(test_cast)
{
	PaValue    *a = sample(env, CONFIG, true, unit_seed());
	PaBuf		buf;
	PaValue    *b;
	PaValue    *c;
	uint64_t	n;
	double	   *x;
	double	   *y;

	CHECK_OK(pa_transform_cast(env, a, "bf16", 0, &buf), env);
	b = fixture_open(env, &buf);
	x = fixture_tensor(env, a, B_OF("b.k"), &n);
	y = fixture_tensor(env, b, B_OF("b.k"), &n);
	for (uint64_t i = 0; i < n; i++)
		CHECK(y[i] == (double) pa_bf16_to_f32(pa_f64_to_bf16(x[i])));
	CHECK(module_of(b, "b.k")->scaling == 1.5);
	CHECK_OK(pa_transform_cast(env, b, "F64", 0, &buf), env);
	c = fixture_open(env, &buf);
	CHECK(scaled(env, b, c, B_OF("b.k"), 1) &&
		  pa_value_header(c)->raw_bytes == 4 * pa_value_header(b)->raw_bytes);
	CHECK_STATUS(pa_transform_cast(env, a, "F8", 0, &buf), PA_ERR_CONFIG, env);
	CHECK_STATUS(pa_transform_cast(env, a, "I32", 0, &buf), PA_ERR_UNSUPPORTED, env);
	CHECK_STATUS(pa_transform_cast(env, sample(env, CONFIG_DORA, false, 1), "F32", 0, &buf),
				 PA_ERR_UNSUPPORTED, env);
}

UNIT_TEST(test_select)
{
	PaValue    *a = sample(env, CONFIG, true, unit_seed());
	PaBuf		buf;
	PaValue    *b;

	CHECK_OK(pa_transform_select(env, a, "a\\.q|head", false, 0, &buf), env);
	b = fixture_open(env, &buf);
	CHECK(pa_value_adapter(b)->n_modules == 2 && module_of(b, "b.k") == NULL);
	CHECK(pa_value_adapter(b)->n_saved_modules == 1 &&
		  strcmp(pa_value_adapter(b)->saved_modules[0], "head") == 0);
	CHECK(scaled(env, a, b, A_OF("a.q"), 1) && module_of(b, "a.q")->scaling == 1.5);
	CHECK_OK(pa_transform_select(env, a, "a\\.q|head", true, 0, &buf), env);
	b = fixture_open(env, &buf);
	CHECK(pa_value_adapter(b)->n_modules == 1 && module_of(b, "b.k") != NULL);
	CHECK(pa_value_adapter(b)->n_saved_modules == 0);
	CHECK_STATUS(pa_transform_select(env, a, "q", false, 0, &buf), PA_ERR_CONFIG, env);
	CHECK_STATUS(pa_transform_select(env, a, "(", false, 0, &buf), PA_ERR_REGEX, env);
}

UNIT_TEST(test_set_base_model)
{
	PaValue    *a = sample(env, CONFIG, true, unit_seed());
	PaBuf		buf;
	PaValue    *b;

	CHECK_OK(pa_transform_set_base_model(env, a, "n", "r1", 0, &buf), env);
	b = fixture_open(env, &buf);
	CHECK(strcmp(pa_value_adapter(b)->base_model, "n") == 0 &&
		  strcmp(pa_value_adapter(b)->base_revision, "r1") == 0);
	CHECK(!fixture_same_digest(a, b));
	CHECK(strcmp(fixture_document(env, a, PA_DOCUMENT_HEADER),
				 fixture_document(env, b, PA_DOCUMENT_HEADER)) == 0);
	CHECK_OK(pa_transform_set_base_model(env, b, "m", NULL, 0, &buf), env);
	b = fixture_open(env, &buf);
	CHECK(fixture_same_digest(a, b));
}

/* Parts, then their union, in another order. */
static void
check_split(PaEnv *env, PaValue *a, uint64_t max_bytes, uint32_t wanted)
{
	PaSplit    *split;
	uint32_t	n;
	PaValue    *parts[8];
	PaBuf		buf;

	CHECK(pa_split_value(env, a, max_bytes, &split, &n) == PA_OK && n == wanted);
	for (uint32_t i = 0; i < n; i++)
	{
		CHECK_OK(pa_split_part(env, split, i, 0, &buf), env);
		parts[n - 1 - i] = fixture_open(env, &buf);
		CHECK(strcmp(fixture_document(env, a, PA_DOCUMENT_CONFIG),
					 fixture_document(env, parts[n - 1 - i], PA_DOCUMENT_CONFIG)) == 0);
		CHECK(fixture_document(env, parts[n - 1 - i], PA_DOCUMENT_HEADER)[0] == '\0');
		CHECK(strstr(fixture_document(env, parts[n - 1 - i], PA_DOCUMENT_RECIPE), "{\"op\":\"split\"") !=
			  NULL);
	}
	CHECK_OK(pa_union_values(env, n, parts, 0, &buf), env);
	CHECK(fixture_same_digest(a, fixture_open(env, &buf)));
	if (n > 1)
	{
		CHECK_STATUS(pa_union_values(env, 2, (PaValue *[]) {parts[0], parts[0]}, 0, &buf), PA_ERR_MISMATCH,
					 env);
		CHECK_STATUS(pa_union_values(env, 2, (PaValue *[]) {parts[0], a}, 0, &buf), PA_ERR_MISMATCH, env);
	}
}

UNIT_TEST(test_split)
{
	PaValue    *a = sample(env, CONFIG, true, unit_seed());
	PaSplit    *split;
	uint32_t	n;
	BuildFile	file;
	uint64_t	seed = unit_seed();
	const uint64_t shape[1] = {3};

	/* a.q 28 bytes, b.k 56, head 30 */
	check_split(env, a, 1000, 1);
	check_split(env, a, 86, 2);
	check_split(env, a, 84, 2);
	check_split(env, a, 56, 3);
	CHECK_STATUS(pa_split_value(env, a, 55, &split, &n), PA_ERR_LIMIT, env);
	CHECK_STATUS(pa_split_value(env, a, 0, &split, &n), PA_ERR_CONFIG, env);
	/* what arithmetic refuses can be split; names without PEFT's prefix stay */
	build_begin(&file, NULL);
	build_random(&file, "x.lora_A.weight", PA_F32, 2, (uint64_t[]) {2, 3}, &seed);
	build_random(&file, "x.lora_B.weight", PA_F32, 2, (uint64_t[]) {3, 2}, &seed);
	build_random(&file, "x.lora_magnitude_vector", PA_F32, 1, shape, &seed);
	build_random(&file, "y.lora_A.weight", PA_F32, 2, (uint64_t[]) {2, 3}, &seed);
	build_random(&file, "y.lora_B.weight", PA_F32, 2, (uint64_t[]) {3, 2}, &seed);
	build_bytes(&file, "z.lora_new", "I8", 5, 5, 7);
	check_split(env, fixture_import(env, &file, CONFIG_DORA), 60, 2);
}

/* adapter_import_split of a file is adapter_split of its value: digests and recipes */
UNIT_TEST(test_import_split)
{
	uint64_t	seed = unit_seed();
	BuildFile	file;
	size_t		length;
	uint8_t    *bytes;
	PaBuf		buf;
	PaSplit    *split[2];
	uint32_t	n[2];
	PaValue    *a;

	build_begin(&file, NULL);
	build_lora(&file, "b", PA_F32, 2, 3, 4, &seed);
	build_lora(&file, "a", PA_F32, 2, 3, 4, &seed);
	bytes = build_finish(&file, &length);
	CHECK_OK(pa_import_file(env, pa_text(bytes, length), pa_text_of(CONFIG), false, 0, &buf), env);
	a = fixture_open(env, &buf);
	CHECK_OK(pa_split_value(env, a, 60, &split[0], &n[0]), env);
	CHECK_OK(pa_split_file(env, pa_text(bytes, length), pa_text_of(CONFIG), 60, &split[1], &n[1]), env);
	CHECK(n[0] == 2 && n[1] == 2);
	for (uint32_t part = 0; part < 2; part++)
	{
		PaValue    *v[2];

		for (int i = 0; i < 2; i++)
		{
			CHECK_OK(pa_split_part(env, split[i], part, 0, &buf), env);
			v[i] = fixture_open(env, &buf);
		}
		CHECK(memcmp(pa_value_header(v[0])->envelope_digest, pa_value_header(v[1])->envelope_digest, 32) ==
			  0);
	}
	free(bytes);
}

/* Different configuration texts: one is composed. */
UNIT_TEST(test_union)
{
	uint64_t	seed = unit_seed();
	BuildFile	file;
	PaValue    *v[3];
	PaBuf		buf;
	PaValue    *u;
	PaValue    *w;

	build_begin(&file, NULL);
	build_lora(&file, "x", PA_F32, 2, 3, 4, &seed);
	v[0] = fixture_import(env, &file, "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3}");
	build_begin(&file, NULL);
	build_lora(&file, "y", PA_F32, 4, 3, 4, &seed);
	v[1] = fixture_import(env, &file,
						  "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"use_rslora\":true}");
	build_begin(&file, NULL);
	build_lora(&file, "z", PA_F16, 2, 3, 4, &seed);
	v[2] = fixture_import(env, &file,
						  "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"task_type\":\"CAUSAL_LM\"}");
	CHECK_OK(pa_union_values(env, 2, v, 0, &buf), env);
	u = fixture_open(env, &buf);
	CHECK(module_of(u, "x")->scaling == 1.5 && module_of(u, "y")->scaling == 4 &&
		  module_of(u, "y")->rank == 4);
	CHECK(scaled(env, v[1], u, A_OF("y"), 1));
	CHECK_OK(pa_union_values(env, 2, (PaValue *[]) {v[1], v[0]}, 0, &buf), env);
	w = fixture_open(env, &buf);
	CHECK(memcmp(pa_value_header(u)->envelope_digest, pa_value_header(w)->envelope_digest, 32) == 0);
	CHECK_STATUS(pa_union_values(env, 3, v, 0, &buf), PA_ERR_MISMATCH, env);
	CHECK_OK(pa_union_values(env, 1, &v[2], 0, &buf), env);
	CHECK(fixture_same_digest(v[2], fixture_open(env, &buf)));
}

UNIT_SUITE(transform, UNIT_CASE(test_alpha_for), UNIT_CASE(test_scale), UNIT_CASE(test_scale_ia3),
		   UNIT_CASE(test_cast), UNIT_CASE(test_select), UNIT_CASE(test_set_base_model),
		   UNIT_CASE(test_split), UNIT_CASE(test_import_split), UNIT_CASE(test_union));
