/*
 * test_peft_out.c
 *	  PEFT's tensor names and configurations, written: doc/algebra.md, "The
 *	  composed configuration".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peft_fixture.h"

#define P "base_model.model."

/* A draft made by hand: modules in path order, LoRA factors for each. */
static PaDraft *
lora_draft(PaEnv *env, uint32_t n, const char *const *paths, const uint64_t *ranks, const double *alphas)
{
	PaDraft    *d;

	if (PA_NEW(env, &d) != PA_OK || PA_NEW_ARRAY(env, n, &d->facts.modules) != PA_OK ||
		PA_NEW_ARRAY(env, 2 * n, &d->tensors) != PA_OK)
		abort();
	d->facts.kind = PA_KIND_LORA;
	d->facts.bias = "none";
	d->facts.n_modules = n;
	for (uint32_t i = 0; i < n; i++)
	{
		d->facts.modules[i].path = paths[i];
		d->facts.modules[i].flags = PA_MODULE_TARGET;
		d->facts.modules[i].rank = ranks[i];
		d->facts.modules[i].alpha = alphas[i];
		d->facts.modules[i].scaling = alphas[i] / (double) ranks[i];
		d->tensors[d->n_tensors++] = (PaDraftTensor) {
			.module = i,
			.role = PA_ROLE_FACTOR_B,
			.dtype = PA_F32,
			.ndim = 2,
			.shape = {3, ranks[i]},
			.tag = 2 * i,
		};
		d->tensors[d->n_tensors++] = (PaDraftTensor) {
			.module = i,
			.role = PA_ROLE_FACTOR_A,
			.dtype = PA_F32,
			.ndim = 2,
			.shape = {ranks[i], 5},
			.tag = 2 * i + 1,
		};
	}
	return d;
}

static void
expect_text(PaEnv *env, const PaDraft *draft, const char *expected)
{
	PaText		text;

	if (!CHECK_OK(pa_peft_config_write(env, draft, &text), env))
		return;
	if (!CHECK(text.length == strlen(expected) && memcmp(text.text, expected, text.length) == 0))
		printf("%.*s\n", (int) text.length, text.text);
}

UNIT_TEST(composed_lora)
{
	static const char *const paths[] = {"a.k", "a.q", "b.k", "b.q"};
	static const uint64_t ranks[] = {4, 2, 4, 4};
	static const double alphas[] = {8, 8, 0.5, 8};
	static const char *saved[] = {"head", "l.norm"};
	PaDraft    *d = lora_draft(env, 4, paths, ranks, alphas);

	d->facts.base_model = "some/model";
	d->facts.task_type = "CAUSAL_LM";
	d->facts.saved_modules = saved;
	d->facts.n_saved_modules = 2;
	expect_text(env, d,
				"{\n"
				"  \"alpha_pattern\": {\n"
				"    \"b.k\": 0.5\n"
				"  },\n"
				"  \"base_model_name_or_path\": \"some/model\",\n"
				"  \"bias\": \"none\",\n"
				"  \"fan_in_fan_out\": false,\n"
				"  \"inference_mode\": true,\n"
				"  \"init_lora_weights\": true,\n"
				"  \"lora_alpha\": 8,\n"
				"  \"lora_dropout\": 0.0,\n"
				"  \"modules_to_save\": [\n"
				"    \"head\",\n"
				"    \"l.norm\"\n"
				"  ],\n"
				"  \"peft_type\": \"LORA\",\n"
				"  \"r\": 4,\n"
				"  \"rank_pattern\": {\n"
				"    \"a.q\": 2\n"
				"  },\n"
				"  \"revision\": null,\n"
				"  \"target_modules\": [\n"
				"    \"a.k\",\n"
				"    \"a.q\",\n"
				"    \"b.k\",\n"
				"    \"b.q\"\n"
				"  ],\n"
				"  \"task_type\": \"CAUSAL_LM\",\n"
				"  \"use_dora\": false,\n"
				"  \"use_rslora\": false\n"
				"}");
}

/* A plain key is one that gives no other module its value: PEFT takes it for the end of a path, "." for any
 * character. */
UNIT_TEST(keys_that_a_plain_path_cannot_say)
{
	static const char *const paths[] = {"a.q", "b+c", "x.a.q", "x.b", "y.axq", "z.x.b"};
	static const uint64_t ranks[] = {2, 2, 3, 4, 3, 4};
	static const double alphas[] = {8, 6, 3, 3, 3, 3};
	PaText		text;
	PaAdapter  *a;
	uint32_t   *of;

	if (!CHECK_OK(pa_peft_describe_draft(env, lora_draft(env, 6, paths, ranks, alphas), &text, &a, &of), env))
		return;
	/* of the ranks 2 is the usual one; of the alphas 3 */
	CHECK(
		strstr(
			text.text,
			"\"rank_pattern\": {\n    \"x.a.q\": 3,\n    \"x.b\": 4,\n    \"y.axq\": 3,\n    \"z.x.b\": 4\n  }") !=
		NULL);
	CHECK(strstr(text.text, "\"alpha_pattern\": {\n    \"^a\\\\.q\": 8,\n    \"^b\\\\+c\": 6\n  }") != NULL);
	for (uint32_t i = 0; i < 6; i++)
		CHECK(a->modules[i].rank == ranks[i] && a->modules[i].scaling == alphas[i] / (double) ranks[i]);
}

/* target_parameters: r follows from alpha and scaling, patterns have the parameter's name */
UNIT_TEST(composed_parameters)
{
	static const char *const paths[] = {"e", "fc", "g", "g.base_layer.fc"};
	static const uint64_t ranks[] = {12, 4, 9, 4};
	static const double alphas[] = {8, 8, 6, 8};
	static const char *parameters[] = {"e.w", "g.w"};
	PaDraft    *d = lora_draft(env, 4, paths, ranks, alphas);
	PaText		text;
	PaAdapter  *a;
	uint32_t   *of;

	d->facts.modules[0].flags |= PA_MODULE_PARAMETER;
	d->facts.modules[0].scaling = 2;	/* r 4, three experts */
	d->facts.modules[2].flags |= PA_MODULE_PARAMETER;
	d->facts.modules[2].scaling = 2;	/* r 3, three experts */
	d->facts.lora_bias = false;
	d->facts.target_parameters = parameters;
	d->facts.n_target_parameters = 2;
	if (!CHECK_OK(pa_peft_describe_draft(env, d, &text, &a, &of), env))
		return;
	CHECK(strstr(text.text, "\"g.w\": 3") != NULL && strstr(text.text, "\"g.w\": 6") != NULL);
	CHECK(strstr(text.text, "\"target_parameters\": [\n    \"e.w\",\n    \"g.w\"\n  ]") != NULL);
	CHECK(strstr(text.text, "\"target_modules\": [\n    \"fc\",\n    \"g.fc\"\n  ]") != NULL);
	CHECK(peft_module(a, "g")->rank == 9 && peft_module(a, "g")->scaling == 2);
}

static PaDraft *
ia3_draft(PaEnv *env, uint32_t n, const char *const *paths, const bool *feedforward)
{
	static const uint64_t one[] = {1, 1, 1, 1};
	static const double ones[] = {1, 1, 1, 1};
	PaDraft    *d = lora_draft(env, n, paths, one, ones);

	d->facts.kind = PA_KIND_IA3;
	d->n_tensors = n;
	for (uint32_t i = 0; i < n; i++)
	{
		d->facts.modules[i].rank = 0;
		if (feedforward[i])
			d->facts.modules[i].flags |= PA_MODULE_FEEDFORWARD;
		d->tensors[i] = (PaDraftTensor) {
			.module = i,
			.role = PA_ROLE_VECTOR,
			.dtype = PA_F32,
			.ndim = 2,
			.tag = i,
			.shape = {feedforward[i] ? 1 : 7, feedforward[i] ? 7 : 1},
		};
	}
	return d;
}

UNIT_TEST(composed_ia3)
{
	static const char *const paths[] = {"h.down", "h.k"};
	static const bool feedforward[] = {true, false};

	expect_text(env, ia3_draft(env, 2, paths, feedforward),
				"{\n"
				"  \"base_model_name_or_path\": null,\n"
				"  \"fan_in_fan_out\": false,\n"
				"  \"feedforward_modules\": [\n"
				"    \"h.down\"\n"
				"  ],\n"
				"  \"inference_mode\": true,\n"
				"  \"init_ia3_weights\": true,\n"
				"  \"modules_to_save\": null,\n"
				"  \"peft_type\": \"IA3\",\n"
				"  \"revision\": null,\n"
				"  \"target_modules\": [\n"
				"    \"h.down\",\n"
				"    \"h.k\"\n"
				"  ],\n"
				"  \"task_type\": null\n"
				"}");
}

/* PEFT's list would take "fc" for the end of "h.fc" too: then it is one expression. */
UNIT_TEST(feedforward_that_a_list_cannot_say)
{
	static const char *const paths[] = {"a+b", "fc", "h.fc"};
	static const bool feedforward[] = {true, true, false};
	PaText		text;
	PaAdapter  *a;
	uint32_t   *of;

	if (!CHECK_OK(pa_peft_describe_draft(env, ia3_draft(env, 3, paths, feedforward), &text, &a, &of), env))
		return;
	CHECK(strstr(text.text, "\"feedforward_modules\": \"a\\\\+b|fc\"") != NULL);
	CHECK(!(peft_module(a, "h.fc")->flags & PA_MODULE_FEEDFORWARD) &&
		  (peft_module(a, "fc")->flags & PA_MODULE_FEEDFORWARD));
}

/* So would "fc" in target_modules, for a module that has a saved bias only. */
UNIT_TEST(targets_that_a_list_cannot_say)
{
	static const char *const paths[] = {"fc", "h.fc", "h.q"};
	static const uint64_t ranks[] = {2, 2, 2};
	static const double alphas[] = {2, 2, 2};
	PaDraft    *d = lora_draft(env, 3, paths, ranks, alphas);
	PaText		text;
	PaAdapter  *a;
	uint32_t   *of;

	d->facts.bias = "all";
	d->facts.modules[1] = (PaModule) {.path = "h.fc", .scaling = 1, .alpha = 1};
	d->tensors[2] = (PaDraftTensor) {
		.module = 1, .role = PA_ROLE_DENSE, .key = "h.fc.bias", .dtype = PA_F32, .ndim = 1, .shape = {3}};
	d->tensors[3] = d->tensors[5];
	d->n_tensors = 5;
	if (CHECK_OK(pa_peft_describe_draft(env, d, &text, &a, &of), env))
		CHECK(strstr(text.text, "\"target_modules\": \"fc|h\\\\.q\"") != NULL);
}

UNIT_TEST(names_of_a_draft)
{
	static const char *const paths[] = {"m"};
	static const uint64_t ranks[] = {2};
	static const double alphas[] = {2};
	static const struct
	{
		uint32_t	flags;
		PaDraftTensor tensor;
		const char *name;
	} rows[] = {
		{0, {.role = PA_ROLE_FACTOR_A}, P "m.lora_A.weight"},
		{0, {.role = PA_ROLE_FACTOR_B}, P "m.lora_B.weight"},
		{0, {.role = PA_ROLE_BIAS}, P "m.lora_B.bias"},
		{0, {.role = PA_ROLE_MAGNITUDE}, P "m.lora_magnitude_vector"},
		{PA_MODULE_EMBEDDING, {.role = PA_ROLE_FACTOR_A}, P "m.lora_embedding_A"},
		{PA_MODULE_EMBEDDING, {.role = PA_ROLE_FACTOR_B}, P "m.lora_embedding_B"},
		{PA_MODULE_EMBEDDING, {.role = PA_ROLE_MAGNITUDE}, P "m.lora_magnitude_vector"},
		{0, {.role = PA_ROLE_DENSE, .key = "m.base_layer.bias"}, P "m.base_layer.bias"},
	};
	PaDraft    *d = lora_draft(env, 1, paths, ranks, alphas);
	const char *name;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		d->facts.modules[0].flags = PA_MODULE_TARGET | rows[i].flags;
		if (CHECK_OK(pa_peft_name_write(env, d, &rows[i].tensor, &name), env))
			CHECK(strcmp(name, rows[i].name) == 0);
	}
	d->tensors[0].role = PA_ROLE_VECTOR;
	CHECK_STATUS(pa_peft_name_write(env, d, &d->tensors[0], &name), PA_ERR_INTERNAL, env);
	d->facts.modules[0].path = memset(malloc(1024), 'x', 1023);
	((char *) d->facts.modules[0].path)[1023] = '\0';
	d->tensors[0].role = PA_ROLE_FACTOR_A;
	CHECK_STATUS(pa_peft_name_write(env, d, &d->tensors[0], &name), PA_ERR_LIMIT, env);
	free((char *) d->facts.modules[0].path);
}

/* What a draft means comes back bit for bit, whatever ranks, alphas and names it has. */
UNIT_TEST(random_drafts_come_back)
{
	static const char *const specials[] = {"a", "b.c", "x.0", "w+y", "(z)", "q|k",		  "n^2",
										   "$", "[0]", "{1}", "a?*", "\\d", "caf\xc3\xa9"};
	uint64_t	state = unit_seed();

	for (int round = 0; round < 400; round++)
	{
		char		paths[6][64];
		const char *sorted[6];
		uint64_t	ranks[6];
		double		alphas[6];
		uint32_t	n = 1 + (uint32_t) (unit_random(&state) % 6);
		bool		rslora = unit_random(&state) % 2;
		PaDraft    *d;
		PaText		text;
		PaAdapter  *a;
		uint32_t   *of;

		for (uint32_t i = 0; i < n; i++)
		{
			snprintf(paths[i], sizeof(paths[i]), "l%u.%s", i, specials[unit_random(&state) % 13]);
			sorted[i] = paths[i];
			ranks[i] = 1 + unit_random(&state) % 3;
			alphas[i] = unit_random(&state) % 2 ? (double) (unit_random(&state) % 3) : unit_gaussian(&state);
		}
		d = lora_draft(env, n, sorted, ranks, alphas);
		d->facts.rslora = rslora;
		for (uint32_t i = 0; rslora && i < n; i++)
			d->facts.modules[i].scaling = alphas[i] / sqrt((double) ranks[i]);
		if (!CHECK_OK(pa_peft_describe_draft(env, d, &text, &a, &of), env))
		{
			printf("%.*s\n", (int) text.length, text.text);
			return;
		}
		CHECK(a->n_tensors == d->n_tensors && a->n_modules == n);
		for (uint32_t i = 0; i < a->n_tensors; i++)
		{
			const PaDraftTensor *from = &d->tensors[of[i]];

			CHECK(from->role == a->tensors[i].role && from->module == a->tensors[i].module &&
				  memcmp(from->shape, a->tensors[i].shape, 2 * sizeof(uint64_t)) == 0);
		}
		pa_env_reset(env);
	}
}

/* What is written follows from scalings and ranks, whatever form and alphas they came in. */
UNIT_TEST(one_spelling)
{
	static const char *const paths[] = {"k", "q"};
	static const uint64_t ranks[] = {3, 4};
	static const double alphas[] = {6, 6};
	static const struct
	{
		double		scalings[2];
		bool		rslora;
	} rows[] = {
		{{2, 1.5}, false},
		{{1 / 7.0, 0.5}, false},
		{{0x1.5555555555556p-2, 2}, true},	/* of 3 no alpha / 3 is this, but one / sqrt(3) */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		PaText		text[2];
		PaAdapter  *a;
		uint32_t   *of;

		for (int form = 0; form < 2; form++)
		{
			PaDraft    *d = lora_draft(env, 2, paths, ranks, alphas);

			d->facts.rslora = form == 1;
			for (int m = 0; m < 2; m++)
				d->facts.modules[m].scaling = rows[i].scalings[m];
			CHECK_OK(pa_peft_describe_draft(env, d, &text[form], &a, &of), env);
			CHECK(a->rslora == rows[i].rslora &&
				  memcmp(&a->modules[0].scaling, &rows[i].scalings[0], sizeof(double)) == 0);
		}
		CHECK(pa_text_equal(text[0], text[1]));
	}
}

UNIT_TEST(what_cannot_be_written)
{
	static const char *const paths[] = {"m"};
	static const uint64_t ranks[] = {3};
	static const double alphas[] = {1};
	PaDraft    *d = lora_draft(env, 1, paths, ranks, alphas);
	PaText		text;
	PaAdapter  *a;
	uint32_t   *of;

	CHECK_OK(pa_peft_describe_draft(env, d, &text, &a, &of), env);
	/* no alpha gives this, by 3 or by its root */
	d->facts.modules[0].scaling = 0x1.555555555555ep-2;
	CHECK_STATUS(pa_peft_describe_draft(env, d, &text, &a, &of), PA_ERR_UNSUPPORTED, env);
	CHECK(env->error.hint[0] != '\0');
	d->facts.modules[0].scaling = INFINITY;
	CHECK_STATUS(pa_peft_describe_draft(env, d, &text, &a, &of), PA_ERR_UNSUPPORTED, env);
	d->facts.modules[0].scaling = 1.0 / 3;
	d->facts.features = PA_FEATURE_DORA;
	CHECK_STATUS(pa_peft_describe_draft(env, d, &text, &a, &of), PA_ERR_UNSUPPORTED, env);
	d->facts.features = 0;
	d->facts.modules[0].flags |= PA_MODULE_FEEDFORWARD;
	CHECK_STATUS(pa_peft_describe_draft(env, d, &text, &a, &of), PA_ERR_INTERNAL, env);
	d->facts.modules[0].flags = PA_MODULE_TARGET;
	/* a configuration that is kept must say the same */
	CHECK_OK(pa_peft_describe_kept(env, d, pa_text_of("{\"peft_type\":\"LORA\",\"r\":3,\"lora_alpha\":1}"),
								   &a, &of),
			 env);
	CHECK_STATUS(pa_peft_describe_kept(env, d,
									   pa_text_of("{\"peft_type\":\"LORA\",\"r\":3,\"lora_alpha\":2}"), &a,
									   &of),
				 PA_ERR_UNSUPPORTED, env);
}

/*
 * Negative zero and large integers keep their bits on the way through the text.
 * Each is the alpha that its scaling has: of several with one scaling one is written.
 */
UNIT_TEST(alphas_keep_their_bits)
{
	static const char *const paths[] = {"m"};
	static const uint64_t ranks[] = {7};
	static const double alphas[] = {-0.0,  0.0,		 16,  -3,	   9007199254740993.0, 1e22,
									1e308, 3.5e-323, 0.1, 1.0 / 3, 123456789.25};

	for (size_t i = 0; i < sizeof(alphas) / sizeof(alphas[0]); i++)
	{
		PaDraft    *d = lora_draft(env, 1, paths, ranks, &alphas[i]);
		PaText		text;
		PaAdapter  *a;
		uint32_t   *of;

		if (CHECK_OK(pa_peft_describe_draft(env, d, &text, &a, &of), env))
			CHECK(memcmp(&a->modules[0].alpha, &alphas[i], sizeof(double)) == 0);
	}
}

UNIT_TEST(renaming)
{
	static const char before[] =
		"{\"r\": 4, \"lora_alpha\": 0.1, \"x\": [1.0, true, {\"\\u00e9\": null}], \"revision\": \"v\", "
		"\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"a\"}";
	PaText		text;

	if (CHECK_OK(pa_peft_config_rename(env, pa_text_of(before), "b\"c", NULL, &text), env))
		CHECK(
			strcmp(
				text.text,
				"{\n  \"base_model_name_or_path\": \"b\\\"c\",\n  \"lora_alpha\": 0.1,\n  \"peft_type\": \"LORA\",\n"
				"  \"r\": 4,\n  \"revision\": null,\n  \"x\": [\n    1.0,\n    true,\n    {\n      \"\xc3\xa9\": null\n    }\n  ]\n}") ==
			0);
	if (CHECK_OK(pa_peft_config_rename(env, pa_text_of("{}"), NULL, "w", &text), env))
		CHECK(strcmp(text.text, "{\n  \"base_model_name_or_path\": null,\n  \"revision\": \"w\"\n}") == 0);
	CHECK_STATUS(pa_peft_config_rename(env, pa_text_of("{"), NULL, NULL, &text), PA_ERR_JSON, env);
}

static PaStatus
write_draft(PaEnv *env, void *arg)
{
	PaText		text;
	PaAdapter  *a;
	uint32_t   *of;

	return pa_peft_describe_draft(env, arg, &text, &a, &of);
}

UNIT_TEST(without_memory)
{
	static const char *const paths[] = {"a", "b", "c"};
	static const uint64_t ranks[] = {1, 2, 2};
	static const double alphas[] = {1, 1, 2};
	static const char *const ends[] = {"fc", "h.fc"};
	static const bool feedforward[] = {true, false};

	unit_fail_every_allocation(write_draft, lora_draft(env, 3, paths, ranks, alphas));
	unit_fail_every_allocation(write_draft, ia3_draft(env, 2, ends, feedforward));
	CHECK(env->allocations != NULL);
}

UNIT_SUITE(peft_out, UNIT_CASE(composed_lora), UNIT_CASE(keys_that_a_plain_path_cannot_say),
		   UNIT_CASE(composed_parameters), UNIT_CASE(composed_ia3),
		   UNIT_CASE(feedforward_that_a_list_cannot_say), UNIT_CASE(targets_that_a_list_cannot_say),
		   UNIT_CASE(names_of_a_draft), UNIT_CASE(random_drafts_come_back), UNIT_CASE(one_spelling),
		   UNIT_CASE(what_cannot_be_written), UNIT_CASE(alphas_keep_their_bits), UNIT_CASE(renaming),
		   UNIT_CASE(without_memory));
