/*
 * test_peft.c
 *	  PEFT's tensor names and configurations, read.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "interchange/peft_lora.h"
#include "peft_fixture.h"

#define LORA "\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8"
#define IA3 "\"peft_type\":\"IA3\""
#define P "base_model.model."

typedef struct NameRow
{
	PaKind		kind;
	const char *name;
	PaStatus	status;
	const char *path;
	PaRole		role;
	uint32_t	flags;
	uint32_t	features;
} NameRow;

#define EMBEDDING (PA_MODULE_TARGET | PA_MODULE_EMBEDDING)

static const NameRow name_rows[] = {
	{PA_KIND_LORA, P "a.b.lora_A.weight", PA_OK, "a.b", PA_ROLE_FACTOR_A, PA_MODULE_TARGET, 0},
	{PA_KIND_LORA, "base_model.a.b.lora_B.weight", PA_OK, "a.b", PA_ROLE_FACTOR_B, PA_MODULE_TARGET, 0},
	{PA_KIND_LORA, "a.lora_B.bias", PA_OK, "a", PA_ROLE_BIAS, PA_MODULE_TARGET, 0},
	{PA_KIND_LORA, P "e.lora_embedding_A", PA_OK, "e", PA_ROLE_FACTOR_A, EMBEDDING, 0},
	{PA_KIND_LORA, P "e.lora_embedding_B", PA_OK, "e", PA_ROLE_FACTOR_B, EMBEDDING, 0},
	{PA_KIND_LORA, P "a.lora_magnitude_vector", PA_OK, "a", PA_ROLE_MAGNITUDE, PA_MODULE_TARGET,
	 PA_FEATURE_DORA},
	{PA_KIND_LORA, P "a.lora_magnitude_vector.weight", PA_OK, "a", PA_ROLE_MAGNITUDE, PA_MODULE_TARGET,
	 PA_FEATURE_DORA},
	{PA_KIND_LORA, P "x.base_layer.lora_A.weight", PA_OK, "x.base_layer", PA_ROLE_FACTOR_A, PA_MODULE_TARGET,
	 0},
	{PA_KIND_LORA, P "a.base_layer.bias", PA_OK, "a", PA_ROLE_DENSE, 0, 0},
	{PA_KIND_LORA, P "head.weight", PA_OK, "head", PA_ROLE_DENSE, 0, 0},
	{PA_KIND_LORA, "w", PA_OK, "w", PA_ROLE_DENSE, 0, 0},
	{PA_KIND_LORA, ".", PA_OK, ".", PA_ROLE_DENSE, 0, 0},
	{PA_KIND_LORA, P "e.token_adapter.trainable_tokens_delta", PA_OK, "e", PA_ROLE_DENSE, 0,
	 PA_FEATURE_TRAINABLE_TOKENS},
	{PA_KIND_LORA, P "e.token_adapter.base_layer.weight", PA_OK, "e", PA_ROLE_DENSE, 0,
	 PA_FEATURE_TRAINABLE_TOKENS},
	{PA_KIND_LORA, P "a.lora_diag", PA_OK, "a", PA_ROLE_DENSE, 0, PA_FEATURE_UNKNOWN_TENSOR},
	{PA_KIND_LORA, P "a.xlora_A.weight", PA_OK, "a.xlora_A", PA_ROLE_DENSE, 0, 0},
	{PA_KIND_LORA, P "a.lora_A.default.weight", PA_ERR_FILE, NULL, 0, 0, 0},
	{PA_KIND_LORA, P "a.lora_A.bias", PA_ERR_FILE, NULL, 0, 0, 0},
	{PA_KIND_LORA, P "a.lora_A", PA_ERR_FILE, NULL, 0, 0, 0},
	{PA_KIND_LORA, P "e.lora_embedding_A.weight", PA_ERR_FILE, NULL, 0, 0, 0},
	{PA_KIND_LORA, P "lora_A.weight", PA_ERR_FILE, NULL, 0, 0, 0},
	{PA_KIND_LORA, P, PA_ERR_FILE, NULL, 0, 0, 0},
	{PA_KIND_LORA, "", PA_ERR_FILE, NULL, 0, 0, 0},
	{PA_KIND_LORA, "a\tb", PA_ERR_FILE, NULL, 0, 0, 0},
	{PA_KIND_LORA, P "a.ia3_l", PA_ERR_CONFIG, NULL, 0, 0, 0},
	{PA_KIND_IA3, P "a.ia3_l", PA_OK, "a", PA_ROLE_VECTOR, PA_MODULE_TARGET, 0},
	{PA_KIND_IA3, P "a.ia3_l.default", PA_ERR_FILE, NULL, 0, 0, 0},
	{PA_KIND_IA3, P "a.lora_A.weight", PA_ERR_CONFIG, NULL, 0, 0, 0},
	{PA_KIND_DIFFERENCE, "a.b.weight", PA_OK, "a.b", PA_ROLE_DIFFERENCE, PA_MODULE_TARGET, 0},
	{PA_KIND_DIFFERENCE, P "a.base_layer.weight", PA_OK, "a.base_layer", PA_ROLE_DIFFERENCE, PA_MODULE_TARGET,
	 0},
	{PA_KIND_DIFFERENCE, "w", PA_OK, "w", PA_ROLE_DIFFERENCE, PA_MODULE_TARGET, 0},
	{PA_KIND_DIFFERENCE, ".w", PA_OK, ".w", PA_ROLE_DIFFERENCE, PA_MODULE_TARGET, 0},
	{PA_KIND_DIFFERENCE, "a.lora_A.default.weight", PA_OK, "a.lora_A.default", PA_ROLE_DIFFERENCE,
	 PA_MODULE_TARGET, 0},
	{PA_KIND_DIFFERENCE, "a.lora_A.weight", PA_ERR_CONFIG, NULL, 0, 0, 0},
	{PA_KIND_DIFFERENCE, P, PA_ERR_FILE, NULL, 0, 0, 0},
};

UNIT_TEST(names)
{
	for (size_t i = 0; i < sizeof(name_rows) / sizeof(name_rows[0]); i++)
	{
		const NameRow *row = &name_rows[i];
		PaPeftName	name;

		PaPeftReading how = {.kind = row->kind};

		if (!CHECK_STATUS(pa_peft_name_parse(env, &how, row->name, &name), row->status, env))
			printf("#   %s\n", row->name);
		else if (row->status == PA_OK &&
				 !CHECK(strcmp(name.path, row->path) == 0 && name.role == row->role &&
						name.module_flags == row->flags && name.features == row->features))
			printf("#   %s: %s\n", row->name, name.path);
	}
}

typedef struct ConfigRow
{
	const char *text;
	PaStatus	status;
} ConfigRow;

static const ConfigRow config_rows[] = {
	{"{" LORA "}", PA_OK},
	{"{" LORA ",\"newer\":{\"a\":[1]}}", PA_OK},
	{"{\"peft_type\":\"LORA\",\"r\":4}", PA_ERR_CONFIG},
	{"{\"peft_type\":\"LORA\",\"lora_alpha\":4}", PA_ERR_CONFIG},
	{"{\"peft_type\":\"LORA\",\"r\":null,\"lora_alpha\":4}", PA_ERR_CONFIG},
	{"{\"r\":4,\"lora_alpha\":4}", PA_ERR_CONFIG},
	{"{\"peft_type\":\"LOHA\",\"r\":4}", PA_OK},
	{"{\"peft_type\":\"LoHa\",\"r\":4}", PA_ERR_UNSUPPORTED},
	{"{\"peft_type\":\"_X\"}", PA_ERR_UNSUPPORTED},
	{"{\"peft_type\":\"\"}", PA_ERR_UNSUPPORTED},
	{"{\"peft_type\":\"lora\",\"r\":4,\"lora_alpha\":4}", PA_ERR_UNSUPPORTED},
	{"{\"peft_type\":\"LORA\",\"r\":4.0,\"lora_alpha\":4}", PA_OK},
	{"{\"peft_type\":\"LORA\",\"r\":4.5,\"lora_alpha\":4}", PA_ERR_CONFIG},
	{"{\"peft_type\":\"LORA\",\"r\":0,\"lora_alpha\":4}", PA_ERR_CONFIG},
	{"{\"peft_type\":\"LORA\",\"r\":-4,\"lora_alpha\":4}", PA_ERR_CONFIG},
	{"{\"peft_type\":\"LORA\",\"r\":2147483648,\"lora_alpha\":4}", PA_ERR_CONFIG},
	{"{\"peft_type\":\"LORA\",\"r\":true,\"lora_alpha\":4}", PA_ERR_CONFIG},
	{"{\"peft_type\":\"LORA\",\"r\":\"4\",\"lora_alpha\":4}", PA_ERR_CONFIG},
	{"{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":\"4\"}", PA_ERR_CONFIG},
	{"{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":1e999}", PA_ERR_JSON},
	{"{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":-0.5}", PA_OK},
	{"{" LORA ",\"r\":4}", PA_ERR_DUPLICATE_KEY},
	{"{" LORA ",\"rank_pattern\":{\"a\":1,\"a\":2}}", PA_ERR_DUPLICATE_KEY},
	{"{" LORA ",\"rank_pattern\":{\"(\":1}}", PA_ERR_REGEX},
	{"{" LORA ",\"rank_pattern\":{\"a\":1.5}}", PA_ERR_CONFIG},
	{"{" LORA ",\"rank_pattern\":[]}", PA_ERR_CONFIG},
	{"{" LORA ",\"alpha_pattern\":{\"a\":null}}", PA_ERR_CONFIG},
	{"{" LORA ",\"use_rslora\":1}", PA_ERR_CONFIG},
	{"{" LORA ",\"bias\":\"some\"}", PA_ERR_CONFIG},
	{"{" LORA ",\"base_model_name_or_path\":3}", PA_ERR_CONFIG},
	{"{" LORA ",\"base_model_name_or_path\":\"a\\nb\"}", PA_ERR_CONFIG},
	{"{" LORA ",\"base_model_name_or_path\":\"\"}", PA_OK},
	{"{" LORA ",\"modules_to_save\":\"head\"}", PA_ERR_CONFIG},
	{"{" LORA ",\"modules_to_save\":[\"\"]}", PA_ERR_CONFIG},
	{"{" LORA ",\"target_parameters\":[7]}", PA_ERR_CONFIG},
	{"{" IA3 ",\"feedforward_modules\":7}", PA_ERR_CONFIG},
	{"{" IA3 ",\"feedforward_modules\":\"(\"}", PA_ERR_REGEX},
	{"{" IA3 "}", PA_OK},
	{"[]", PA_ERR_JSON},
	{"{" LORA "} x", PA_ERR_JSON},
	{"", PA_ERR_JSON},
};

UNIT_TEST(configurations)
{
	PaConfig	config;

	for (size_t i = 0; i < sizeof(config_rows) / sizeof(config_rows[0]); i++)
		if (!CHECK_STATUS(pa_peft_config_read(env, pa_text_of(config_rows[i].text), &config),
						  config_rows[i].status, env))
			printf("#   %s\n", config_rows[i].text);
}

UNIT_TEST(facts_of_a_configuration)
{
	static const char text[] =
		"{" LORA ",\"base_model_name_or_path\":\"m\",\"revision\":\"v\",\"task_type\":\"CAUSAL_LM\","
		"\"bias\":\"all\",\"fan_in_fan_out\":true,\"lora_bias\":true,\"use_rslora\":true,"
		"\"target_parameters\":[\"b.w\",\"a.w\",\"b.w\"],\"modules_to_save\":[\"z\",\"y\"]}";
	PaConfig	c;

	if (!CHECK_OK(pa_peft_config_read(env, pa_text_of(text), &c), env))
		return;
	CHECK(c.kind == PA_KIND_LORA && strcmp(c.base_model, "m") == 0 && strcmp(c.base_revision, "v") == 0);
	CHECK(strcmp(c.task_type, "CAUSAL_LM") == 0 && strcmp(c.bias, "all") == 0);
	CHECK(c.fan_in_fan_out && c.lora_bias && c.rslora && c.r == 4 && c.alpha == 8);
	CHECK(c.n_target_parameters == 2 && strcmp(c.target_parameters[0], "a.w") == 0);
	CHECK(c.n_modules_to_save == 2 && strcmp(c.modules_to_save[0], "z") == 0);
	CHECK(c.features == 0);
}

UNIT_TEST(features)
{
	static const struct
	{
		const char *member;
		uint32_t	features;
	} rows[] = {
		{"\"use_dora\":true", PA_FEATURE_DORA},
		{"\"use_dora\":false", 0},
		{"\"use_dora\":null", 0},
		{"\"trainable_token_indices\":[1]", PA_FEATURE_TRAINABLE_TOKENS},
		{"\"trainable_token_indices\":{\"e\":[1]}", PA_FEATURE_TRAINABLE_TOKENS},
		{"\"alora_invocation_tokens\":[1]", PA_FEATURE_ALORA},
		{"\"alora_invocation_tokens\":null", 0},
		{"\"layer_replication\":[[0,1]]", PA_FEATURE_LAYER_REPLICATION},
		{"\"layer_replication\":[]", 0},
		{"\"kasa_config\":{}", PA_FEATURE_KASA},
		{"\"use_qalora\":true", PA_FEATURE_QALORA},
		{"\"use_bdlora\":{\"nblocks\":2}", PA_FEATURE_BDLORA},
		{"\"arrow_config\":{}", PA_FEATURE_ARROW},
		{"\"monteclora_config\":{}", PA_FEATURE_MONTECLORA},
		{"\"velora_config\":{}", PA_FEATURE_VELORA},
		{"\"use_later\":true", PA_FEATURE_UNKNOWN_MEMBER},
		{"\"use_later\":[0]", PA_FEATURE_UNKNOWN_MEMBER},
		{"\"later_config\":{\"a\":null}", PA_FEATURE_UNKNOWN_MEMBER},
		{"\"use_later\":false,\"later_config\":{},\"use_\":0,\"_config\":null", 0},
		{"\"used\":true,\"config\":1,\"eva_config\":{\"rho\":2}", 0},
		{"\"init_lora_weights\":true", 0},
		{"\"init_lora_weights\":false", 0},
		{"\"init_lora_weights\":\"gaussian\"", 0},
		{"\"init_lora_weights\":\"eva\"", 0},
		{"\"init_lora_weights\":\"orthogonal\"", 0},
		{"\"init_lora_weights\":\"mica\"", 0},
		{"\"init_lora_weights\":\"pissa\"", PA_FEATURE_INITIALISATION},
		{"\"init_lora_weights\":\"pissa_niter_4\"", PA_FEATURE_INITIALISATION},
		{"\"init_lora_weights\":\"olora\"", PA_FEATURE_INITIALISATION},
		{"\"init_lora_weights\":\"corda\"", PA_FEATURE_INITIALISATION},
		{"\"init_lora_weights\":\"loftq\"", PA_FEATURE_INITIALISATION},
		{"\"init_lora_weights\":\"lora_ga\"", PA_FEATURE_INITIALISATION},
		{"\"init_lora_weights\":\"of next year\"", PA_FEATURE_INITIALISATION},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		char		text[256];
		PaConfig	c;

		snprintf(text, sizeof(text), "{" LORA ",%s}", rows[i].member);
		if (CHECK_OK(pa_peft_config_read(env, pa_text_of(text), &c), env) &&
			!CHECK(c.features == rows[i].features))
			printf("#   %s\n", rows[i].member);
	}
}

static void
expect_module(PaEnv *env, const char *members, const char *path, double r, double alpha, double scaling)
{
	char		text[512];
	PaConfig	c;
	PaLoraModule got = {.path = path};

	snprintf(text, sizeof(text), "{" LORA "%s}", members);
	if (!CHECK_OK(pa_peft_config_read(env, pa_text_of(text), &c), env) ||
		!CHECK_OK(pa_peft_config_modules(env, &c, 1, &got), env))
		return;
	if (!CHECK(got.r == r && got.alpha == alpha && got.scaling == scaling))
		printf("#   %s of %s: %g %g %g\n", path, members, got.r, got.alpha, got.scaling);
}

UNIT_TEST(patterns_as_peft_finds_them)
{
	expect_module(env, "", "a", 4, 8, 2);
	expect_module(env, ",\"use_rslora\":true", "a", 4, 8, 4);
	expect_module(env, ",\"use_rslora\":true,\"rank_pattern\":{\"a\":3}", "a", 3, 8, 8 / sqrt(3));
	expect_module(env, ",\"rank_pattern\":{\"q\":2}", "x.q", 2, 8, 4);
	expect_module(env, ",\"rank_pattern\":{\"q\":2}", "q", 2, 8, 4);
	expect_module(env, ",\"rank_pattern\":{\"q\":2}", "x.qq", 4, 8, 2);
	expect_module(env, ",\"rank_pattern\":{\"q\":2}", "q.x", 4, 8, 2);
	expect_module(env, ",\"rank_pattern\":{\"^q\":2}", "x.q", 4, 8, 2);
	expect_module(env, ",\"rank_pattern\":{\"^x\\\\.q\":2}", "x.q", 2, 8, 4);
	expect_module(env, ",\"rank_pattern\":{\"^x\\\\.q\":2}", "y.x.q", 4, 8, 2);
	expect_module(env, ",\"rank_pattern\":{\"^x.q\":2}", "xyq", 2, 8, 4);
	/* the first in the document, not the longest, nor the first by name */
	expect_module(env, ",\"rank_pattern\":{\"q\":2,\"x.q\":16,\"^x\\\\.q\":1}", "x.q", 2, 8, 4);
	expect_module(env, ",\"rank_pattern\":{\"^x\\\\.q\":1,\"q\":2}", "x.q", 1, 8, 8);
	expect_module(env, ",\"rank_pattern\":{\"q\":16},\"alpha_pattern\":{\".*q\":0.1}", "x.q", 16, 0.1,
				  0.1 / 16);
	expect_module(env, ",\"alpha_pattern\":{\"q|k\":1}", "x.k", 4, 1, 0.25);
	/* a key that matches nothing as an expression still counts as the path that it is, behind all others */
	expect_module(env, ",\"alpha_pattern\":{\"net.fc[1]\":32}", "net.fc[1]", 4, 32, 8);
	expect_module(env, ",\"alpha_pattern\":{\"a+b\":32}", "x.a+b", 4, 8, 2);
	expect_module(env, ",\"alpha_pattern\":{\"blk.a+b\":32}", "blk.a+b", 4, 32, 8);
	expect_module(env, ",\"alpha_pattern\":{\"blk.a+b\":32,\".*b\":16}", "blk.a+b", 4, 16, 4);
	/* keys without metacharacters are compared, with the same meaning */
	expect_module(env, ",\"alpha_pattern\":{\"a.b\":32}", "x.a\303\251b", 4, 32, 8);
	expect_module(env, ",\"alpha_pattern\":{\"a.b\":32}", "x.ab", 4, 8, 2);
	expect_module(env, ",\"alpha_pattern\":{\"a.b\":32}", "xa.b", 4, 8, 2);
	expect_module(env, ",\"alpha_pattern\":{\".b\":32}", "\303\251b", 4, 32, 8);
	expect_module(env, ",\"alpha_pattern\":{\"\":32}", "a", 4, 8, 2);
	/* experts: the parameter's own name counts, and wrappers do not */
	expect_module(env, ",\"target_parameters\":[\"e.w\"],\"rank_pattern\":{\"e.w\":2}", "x.e", 2, 8, 4);
	expect_module(env, ",\"target_parameters\":[\"e.w\"],\"rank_pattern\":{\"e\":2}", "x.e", 4, 8, 2);
	expect_module(env, ",\"target_parameters\":[\"e.w\"],\"rank_pattern\":{\"^x\\\\.e\\\\.w\":2}",
				  "x.e.base_layer", 2, 8, 4);
	expect_module(env, ",\"rank_pattern\":{\"^x\\\\.fc\":2}", "x.base_layer.fc", 2, 8, 4);
	/* a bare parameter is one of every module that is no target */
	expect_module(env,
				  ",\"target_parameters\":[\"w\"],\"target_modules\":\"x\\\\.q\",\"rank_pattern\":{\"w\":2}",
				  "x.k", 2, 8, 4);
	expect_module(env,
				  ",\"target_parameters\":[\"w\"],\"target_modules\":\"x\\\\.q\",\"rank_pattern\":{\"w\":2}",
				  "x.q", 4, 8, 2);
	expect_module(env, ",\"target_parameters\":[\"w\"],\"target_modules\":[\"q\"],\"rank_pattern\":{\"w\":2}",
				  "x.q", 4, 8, 2);
	expect_module(env, ",\"target_parameters\":[\"w\"],\"target_modules\":[\"q\"],\"rank_pattern\":{\"w\":2}",
				  "xq", 2, 8, 4);
	expect_module(
		env, ",\"target_parameters\":[\"w\"],\"target_modules\":\"All-Linear\",\"rank_pattern\":{\"w\":2}",
		"q", 4, 8, 2);
}

UNIT_TEST(parameters_that_cannot_be_told_apart)
{
	static const char text[] = "{" LORA
							   ",\"target_parameters\":[\"e.v\",\"e.w\"],\"rank_pattern\":{\"w\":2}}";
	PaConfig	c;
	PaLoraModule got = {.path = "e"};

	if (CHECK_OK(pa_peft_config_read(env, pa_text_of(text), &c), env))
		CHECK_STATUS(pa_peft_config_modules(env, &c, 1, &got), PA_ERR_UNSUPPORTED, env);
}

static bool
has_no_factor(const PaModule *module)
{
	for (int role = 1; role < PA_SINGLE_ROLES; role++)
		if (module->tensor[role] >= 0)
			return false;
	return true;
}

UNIT_TEST(describes_lora)
{
	PeftFixture file = {0};
	PaAdapter  *a;
	uint32_t   *of;
	PaModule   *m;

	peft_add(&file, P "l.q.lora_B.weight", 6, 2, 0, 0);
	peft_add(&file, P "l.q.lora_A.weight", 2, 5, 0, 0);
	peft_add(&file, P "e.lora_embedding_A", 4, 9, 0, 0);
	peft_add(&file, P "e.lora_embedding_B", 7, 4, 0, 0);
	peft_add(&file, P "conv.lora_A.weight", 4, 3, 5, 5);
	peft_add(&file, P "conv.lora_B.weight", 8, 4, 1, 1);
	peft_add(&file, P "l.head.norm.weight", 3, 0, 0, 0);
	peft_add(&file, P "l.q.base_layer.bias", 6, 0, 0, 0);
	peft_add(&file, P "w", 0, 0, 0, 0);
	if (!CHECK_OK(peft_describe(env, &file,
								"{" LORA ",\"rank_pattern\":{\"q\":2},\"bias\":\"lora_only\","
								"\"modules_to_save\":[\"ead\",\"norm\",\"w\"]}",
								&a, &of),
				  env))
		return;
	CHECK(a->n_tensors == 9 && a->n_modules == 5 &&
		  a->raw_bytes == 4 * (12 + 10 + 36 + 28 + 300 + 32 + 3 + 6 + 1));
	CHECK(strcmp(a->tensors[0].name, P "conv.lora_A.weight") == 0 && of[0] == 4);
	CHECK(strcmp(a->tensors[8].name, P "w") == 0 && strcmp(a->tensors[8].key, "w") == 0 && of[8] == 8);
	m = peft_module(a, "l.q");
	CHECK(m->flags == PA_MODULE_TARGET && m->rank == 2 && m->scaling == 4 && m->alpha == 8);
	CHECK(of[m->tensor[PA_ROLE_FACTOR_A]] == 1 && of[m->tensor[PA_ROLE_FACTOR_B]] == 0 &&
		  m->tensor[PA_ROLE_BIAS] == -1);
	m = peft_module(a, "e");
	CHECK(m->flags == (PA_MODULE_TARGET | PA_MODULE_EMBEDDING) && m->rank == 4 && m->scaling == 2);
	m = peft_module(a, "l.head.norm");
	CHECK(m->flags == 0 && m->rank == 0 && m->scaling == 1 && has_no_factor(m));
	/* the shortest ancestor counts; what has no module is none */
	CHECK(a->n_saved_modules == 1 && strcmp(a->saved_modules[0], "l.head") == 0);
}

UNIT_TEST(describes_ia3)
{
	PeftFixture file = {0};
	PaAdapter  *a;
	uint32_t   *of;

	peft_add(&file, P "h.k.ia3_l", 5, 1, 0, 0);
	peft_add(&file, P "h.down.ia3_l", 1, 7, 0, 0);
	peft_add(&file, P "conv.ia3_l", 1, 3, 1, 1);
	if (CHECK_OK(peft_describe(env, &file, "{" IA3 ",\"feedforward_modules\":[\"own\",\"conv\"]}", &a, &of),
				 env))
	{
		CHECK(peft_module(a, "h.k")->flags == PA_MODULE_TARGET);
		CHECK(peft_module(a, "h.down")->flags == (PA_MODULE_TARGET | PA_MODULE_FEEDFORWARD));
		CHECK(peft_module(a, "conv")->flags == (PA_MODULE_TARGET | PA_MODULE_FEEDFORWARD));
		CHECK(strcmp(a->bias, "none") == 0 && peft_module(a, "conv")->scaling == 1);
	}
	/* silent: a lying vector tells, a convolution's does not */
	if (CHECK_OK(peft_describe(env, &file, "{" IA3 "}", &a, &of), env))
	{
		CHECK(peft_module(a, "h.down")->flags == (PA_MODULE_TARGET | PA_MODULE_FEEDFORWARD));
		CHECK(peft_module(a, "conv")->flags == PA_MODULE_TARGET);
	}
	CHECK_STATUS(peft_describe(env, &file, "{" IA3 ",\"feedforward_modules\":[]}", &a, &of), PA_ERR_FILE,
				 env);
	CHECK_STATUS(peft_describe(env, &file, "{" IA3 ",\"feedforward_modules\":[\"k\",\"down\"]}", &a, &of),
				 PA_ERR_FILE, env);
	CHECK_STATUS(peft_describe(env, &file, "{" IA3 ",\"feedforward_modules\":\"down\"}", &a, &of),
				 PA_ERR_FILE, env);
	CHECK_OK(peft_describe(env, &file, "{" IA3 ",\"feedforward_modules\":\".*down\"}", &a, &of), env);
}

UNIT_TEST(describes_target_parameters)
{
	PeftFixture file = {0};
	PaAdapter  *a;
	uint32_t   *of;

	peft_add(&file, P "x.e.lora_A.weight", 12, 5, 0, 0);
	peft_add(&file, P "x.e.lora_B.weight", 6, 12, 0, 0);
	peft_add(&file, P "x.e.base_layer.lora_A.weight", 12, 5, 0, 0);
	peft_add(&file, P "x.e.base_layer.lora_B.weight", 6, 12, 0, 0);
	peft_add(&file, P "fc.lora_A.weight", 4, 5, 0, 0);
	peft_add(&file, P "fc.lora_B.weight", 6, 4, 0, 0);
	if (CHECK_OK(peft_describe(env, &file,
							   "{" LORA
							   ",\"target_modules\":[\"fc\"],\"target_parameters\":[\"e.v\",\"e.w\"]}",
							   &a, &of),
				 env))
	{
		CHECK(peft_module(a, "x.e")->flags == (PA_MODULE_TARGET | PA_MODULE_PARAMETER));
		CHECK(peft_module(a, "x.e")->rank == 12 && peft_module(a, "x.e")->scaling == 2);
		CHECK(peft_module(a, "x.e.base_layer")->flags == (PA_MODULE_TARGET | PA_MODULE_PARAMETER));
		CHECK(peft_module(a, "fc")->flags == PA_MODULE_TARGET);
	}
	/* a bare name: whatever target_modules does not select */
	if (CHECK_OK(peft_describe(env, &file,
							   "{" LORA ",\"target_modules\":\"f.\",\"target_parameters\":[\"w\"]}", &a, &of),
				 env))
	{
		CHECK(peft_module(a, "x.e")->flags & PA_MODULE_PARAMETER);
		CHECK(peft_module(a, "fc")->flags == PA_MODULE_TARGET);
	}
	/* 12 is no multiple of 5; without target_parameters it is not 4 either */
	CHECK_STATUS(peft_describe(env, &file,
							   "{" LORA ",\"rank_pattern\":{\"e.w\":5},\"target_parameters\":[\"e.w\"]}", &a,
							   &of),
				 PA_ERR_CONFIG, env);
	CHECK_STATUS(peft_describe(env, &file, "{" LORA "}", &a, &of), PA_ERR_CONFIG, env);
	CHECK(strstr(env->error.message, "12") != NULL && strstr(env->error.message, "4") != NULL);
}

/* A file of two factors and one more tensor. */
static PaStatus
describe_with(PaEnv *env, const char *name, uint64_t d0, uint64_t d1, const char *config, PaAdapter **a)
{
	PeftFixture file = {0};
	uint32_t   *of;

	peft_add(&file, P "m.lora_A.weight", 4, 5, 0, 0);
	peft_add(&file, P "m.lora_B.weight", 6, 4, 0, 0);
	if (name != NULL)
		peft_add(&file, name, d0, d1, 0, 0);
	return peft_describe(env, &file, config, a, &of);
}

UNIT_TEST(contradictions)
{
	PaAdapter  *a;

	CHECK_OK(describe_with(env, NULL, 0, 0, "{" LORA "}", &a), env);
	CHECK_STATUS(describe_with(env, NULL, 0, 0, "{" LORA ",\"rank_pattern\":{\"m\":8}}", &a), PA_ERR_CONFIG,
				 env);
	CHECK(strstr(env->error.message, "\"m\"") != NULL && strstr(env->error.message, "8") != NULL);
	CHECK_STATUS(describe_with(env, NULL, 0, 0, "{" IA3 "}", &a), PA_ERR_CONFIG, env);
	CHECK_STATUS(describe_with(env, "m.lora_A.weight", 4, 5, "{" LORA "}", &a), PA_ERR_FILE, env);
	CHECK_STATUS(describe_with(env, P "m.lora_A.weight", 4, 5, "{" LORA "}", &a), PA_ERR_FILE, env);
	CHECK_STATUS(describe_with(env, P "m.lora_embedding_A", 4, 5, "{" LORA "}", &a), PA_ERR_FILE, env);
	CHECK_STATUS(describe_with(env, P "n.lora_A.weight", 4, 5, "{" LORA "}", &a), PA_ERR_FILE, env);
	CHECK_STATUS(describe_with(env, P "m.lora_B.bias", 6, 0, "{" LORA "}", &a), PA_ERR_FILE, env);
	CHECK_OK(describe_with(env, P "m.lora_B.bias", 6, 0, "{" LORA ",\"lora_bias\":true}", &a), env);
	CHECK_STATUS(describe_with(env, P "m.lora_magnitude_vector", 5, 0, "{" LORA "}", &a), PA_ERR_FILE, env);
	if (CHECK_OK(describe_with(env, P "m.lora_magnitude_vector", 6, 0, "{" LORA "}", &a), env))
		CHECK(a->features == PA_FEATURE_DORA);
	if (CHECK_OK(describe_with(env, P "m.lora_what", 6, 0, "{" LORA "}", &a), env))
		CHECK(a->features == (PA_FEATURE_UNKNOWN_TENSOR | PA_FEATURE_COMPANION));
	if (CHECK_OK(describe_with(env, P "m.alpha", 6, 0, "{" LORA "}", &a), env))
		CHECK(a->features == PA_FEATURE_COMPANION && strcmp(a->variant, P "m.alpha") == 0);
	if (CHECK_OK(describe_with(env, P "n.alpha", 6, 0, "{" LORA ",\"use_later\":1}", &a), env))
		CHECK(a->features == PA_FEATURE_UNKNOWN_MEMBER && strcmp(a->variant, "use_later") == 0);
}

UNIT_TEST(factors_of_one_sort)
{
	PeftFixture file = {0};
	PaAdapter  *a;
	uint32_t   *of;

	peft_add(&file, P "m.lora_embedding_A", 4, 5, 0, 0);
	peft_add(&file, P "m.lora_B.weight", 6, 4, 0, 0);
	CHECK_STATUS(peft_describe(env, &file, "{" LORA "}", &a, &of), PA_ERR_FILE, env);
}

static PaStatus
describe_all(PaEnv *env, void *arg)
{
	PaAdapter  *a;

	return describe_with(env, P "head.weight", 2, 2, arg, &a);
}

UNIT_TEST(without_memory)
{
	char		config[] = "{" LORA ",\"modules_to_save\":[\"head\"],\"alpha_pattern\":{\"^m\":3,\"k.*\":4}}";

	unit_fail_every_allocation(describe_all, config);
	CHECK_OK(describe_all(env, config), env);
}

UNIT_SUITE(peft, UNIT_CASE(names), UNIT_CASE(configurations), UNIT_CASE(facts_of_a_configuration),
		   UNIT_CASE(features), UNIT_CASE(patterns_as_peft_finds_them),
		   UNIT_CASE(parameters_that_cannot_be_told_apart), UNIT_CASE(describes_lora),
		   UNIT_CASE(describes_ia3), UNIT_CASE(describes_target_parameters), UNIT_CASE(contradictions),
		   UNIT_CASE(factors_of_one_sort), UNIT_CASE(without_memory));
