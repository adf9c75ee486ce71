/*
 * test_wrapped.c
 *	  Names that trainers have put something into, and names that are made anew.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "core/pattern.h"
#include "peft_fixture.h"

#define P "base_model.model."
#define A ".lora_A.weight"
#define CONFIG "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8%s}"

/* The path with wrappers taken off, the one with them, and the key. */
static const struct
{
	const char *name;
	const char *adapter;
	const char *path;
	const char *named;
	const char *key;
} rows[] = {
	{P "a.b" A, NULL, "a.b", "a.b", "a.b" A},
	{P "_orig_mod.a.b" A, NULL, "a.b", "_orig_mod.a.b", "a.b" A},
	{P "a._fsdp_wrapped_module.b" A, NULL, "a.b", "a._fsdp_wrapped_module.b", "a.b" A},
	{P "a.b._checkpoint_wrapped_module" A, NULL, "a.b", "a.b._checkpoint_wrapped_module", "a.b" A},
	{P "_orig_mod._fsdp_wrapped_module.a._orig_mod.b" A, NULL, "a.b",
	 "_orig_mod._fsdp_wrapped_module.a._orig_mod.b", "a.b" A},
	{"module." P "a" A, NULL, "a", "module." P "a", "a" A},
	{"_orig_mod.module._orig_mod.base_model.a" A, NULL, "a", "_orig_mod.module._orig_mod.base_model.a",
	 "a" A},
	{"module.a" A, NULL, "a", "module.a", "a" A},
	{P P "a" A, NULL, "a", P "a", "a" A},
	{P "_orig_mod." P "a" A, NULL, "a", "_orig_mod." P "a", "a" A},
	/* a model's own */
	{P "module.a" A, NULL, "module.a", "module.a", "module.a" A},
	{P "base_model.a" A, NULL, "base_model.a", "base_model.a", "base_model.a" A},
	{P "_orig_mods.a_orig_mod" A, NULL, "_orig_mods.a_orig_mod", "_orig_mods.a_orig_mod",
	 "_orig_mods.a_orig_mod" A},
	/* nothing is left without it */
	{P "_orig_mod" A, NULL, "_orig_mod", "_orig_mod", "_orig_mod" A},
	{"module" A, NULL, "module", "module", "module" A},
	/* dense: in front alone */
	{"module." P "_orig_mod.head.weight", NULL, "head", "head", "head.weight"},
	{P "a._orig_mod.norm.weight", NULL, "a._orig_mod.norm", "a._orig_mod.norm", "a._orig_mod.norm.weight"},
	{"module.weight", NULL, "module", "module", "module.weight"},
	/* the adapter's own name */
	{P "a.lora_A.mine.weight", "mine", "a", "a", "a" A},
	{P "a.lora_B.mine.bias", "mine", "a", "a", "a.lora_B.bias"},
	{P "a.lora_embedding_A.mine", "mine", "a", "a", "a.lora_embedding_A"},
	{P "_orig_mod.a.lora_magnitude_vector.mine.weight", "mine", "a", "_orig_mod.a",
	 "a.lora_magnitude_vector.weight"},
};

UNIT_TEST(names)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		PaPeftReading how = {.kind = PA_KIND_LORA, .unwrap = true, .adapter = rows[i].adapter};
		PaPeftName	name;

		if (!CHECK_OK(pa_peft_name_parse(env, &how, rows[i].name, &name), env) ||
			!CHECK(strcmp(name.path, rows[i].path) == 0 && strcmp(name.named, rows[i].named) == 0 &&
				   strcmp(name.key, rows[i].key) == 0))
			printf("#   %s\n", rows[i].name);
	}
}

UNIT_TEST(own_names)
{
	static const struct
	{
		PaKind		kind;
		const char *name;
		const char *adapter;
	} own[] = {
		{PA_KIND_LORA, P "a.lora_A.mine.weight", "mine"},
		{PA_KIND_LORA, P "a.lora_embedding_B.mine", "mine"},
		{PA_KIND_IA3, P "a.ia3_l.mine", "mine"},
		{PA_KIND_LORA, P "a.lora_A.weight", NULL},
		{PA_KIND_LORA, P "a.lora_embedding_A.weight", NULL},
		{PA_KIND_LORA, P "a.lora_A..weight", NULL},
		{PA_KIND_LORA, P "a.lora_A.two.parts.weight", NULL},
		{PA_KIND_LORA, "lora_A.mine.weight", NULL},
		/* was a tensor of an unknown variant before, and stays one */
		{PA_KIND_LORA, P "a.lora_magnitude_vector.mine", NULL},
		{PA_KIND_DIFFERENCE, "a.lora_A.mine.weight", NULL},
		{PA_KIND_OPAQUE, "a.lora_A.mine.weight", NULL},
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
	{
		const char *adapter;

		if (!CHECK_OK(pa_peft_name_adapter(env, own[i].kind, own[i].name, &adapter), env) ||
			!CHECK(pa_same_text(adapter, own[i].adapter)))
			printf("#   %s\n", own[i].name);
	}
}

/* Two factors of this module, their names as they are given. */
static PaStatus
describe(PaEnv *env, const char *a, const char *b, const char *module, const char *members,
		 PaAdapter **adapter)
{
	PeftFixture file = {0};
	char		text[512];
	PaConfig	config;
	uint32_t   *of;

	peft_add(&file, a, 4, 5, 0, 0);
	peft_add(&file, b, 6, 4, 0, 0);
	file.tensors[0].module = file.tensors[1].module = module;
	snprintf(text, sizeof(text), CONFIG, members);
	PA_TRY(pa_peft_config_read(env, pa_text_of(text), &config));
	config.unwrap_names = module == NULL;
	return pa_peft_describe(env, &config, file.n, file.tensors, adapter, &of);
}

UNIT_TEST(a_known_module_says_whether_wrappers_count)
{
	const char *a = P "_orig_mod.m.lora_A.weight";
	const char *b = P "_orig_mod.m.lora_B.weight";
	static const char *const paths[] = {"m", "_orig_mod.m"};

	for (int i = 0; i < 2; i++)
	{
		PaAdapter  *adapter;
		bool		tell;

		if (!CHECK_OK(describe(env, a, b, paths[i], "", &adapter), env))
			continue;
		CHECK(adapter->n_modules == 1 && strcmp(adapter->modules[0].path, paths[i]) == 0);
		CHECK_OK(pa_peft_names_tell(env, adapter, false, &tell), env);
		CHECK(tell == (i == 1));
		CHECK_OK(pa_peft_names_tell(env, adapter, true, &tell), env);
		CHECK(tell == (i == 0));
	}
}

UNIT_TEST(patterns_of_both_paths)
{
	const char *a = P "l._orig_mod.m.lora_A.weight";
	const char *b = P "l._orig_mod.m.lora_B.weight";
	static const struct
	{
		const char *members;
		PaStatus	status;
		double		scaling;
	} patterns[] = {
		{"", PA_OK, 2},
		{",\"alpha_pattern\":{\"m\":16}", PA_OK, 4},
		{",\"alpha_pattern\":{\"l.m\":16}", PA_OK, 4},
		{",\"alpha_pattern\":{\"_orig_mod.m\":16}", PA_OK, 4},
		{",\"alpha_pattern\":{\"^l\\\\.m\":16,\"k\":4}", PA_OK, 4},
		{",\"alpha_pattern\":{\"l.m\":16,\"_orig_mod.m\":16}", PA_OK, 4},
		{",\"alpha_pattern\":{\"l.m\":16,\"_orig_mod.m\":4}", PA_ERR_UNSUPPORTED, 0},
		{",\"rank_pattern\":{\"l.m\":4,\"m\":2}", PA_ERR_UNSUPPORTED, 0},
	};

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
	{
		PaAdapter  *adapter;

		if (!CHECK_STATUS(describe(env, a, b, NULL, patterns[i].members, &adapter), patterns[i].status,
						  env) ||
			(patterns[i].status == PA_OK && !CHECK(adapter->modules[0].scaling == patterns[i].scaling)))
			printf("#   %s\n", patterns[i].members);
	}
}

UNIT_TEST(twice)
{
	PaAdapter  *adapter;

	CHECK_OK(describe(env, P "m.lora_A.weight", P "_orig_mod.m.lora_B.weight", NULL, "", &adapter), env);
	CHECK_STATUS(describe(env, P "m.lora_A.weight", P "_orig_mod.m.lora_A.weight", NULL, "", &adapter),
				 PA_ERR_FILE, env);
	CHECK(strstr(env->error.message, "there twice") != NULL);
	CHECK_STATUS(describe(env, P "m.lora_A.x.weight", P "m.lora_B.y.weight", NULL, "", &adapter), PA_ERR_FILE,
				 env);
	CHECK_STATUS(describe(env, P "m.lora_A.x.weight", P "m.lora_B.weight", NULL, "", &adapter), PA_ERR_FILE,
				 env);
}

static PaStatus
describe_wrapped(PaEnv *env, void *arg)
{
	PaAdapter  *adapter;

	return describe(env, "module." P "l._orig_mod.m.lora_A.x.weight",
					"module." P "l._orig_mod.m.lora_B.x.weight", NULL, arg, &adapter);
}

UNIT_TEST(without_memory)
{
	char		members[] = ",\"alpha_pattern\":{\"_orig_mod.m\":3}";

	unit_fail_every_allocation(describe_wrapped, members);
	CHECK_OK(describe_wrapped(env, members), env);
}

UNIT_TEST(expansions)
{
	static const struct
	{
		const char *pattern;
		const char *template;
		const char *expanded;	/* NULL: an error */
	} of_ab[] = {
		{"a\\.(.)", "\\1", "b"},
		{"(?P<x>a)\\.(b)", "\\2.\\g<x>.\\g<1>", "b.a.a"},
		{"(.*)", "\\g<0>\\\\\\1", "a.b\\a.b"},
		{"(?:a)(x)?.(b)", "<\\1\\2>", "<b>"},
		{"(a).b", "", ""},
		{"a", "never looked at: \\9", "a.b"},
		{"(a).b", "\\2", NULL},
		{"(a).b", "\\0", NULL},
		{"(a).b", "\\12", NULL},
		{"(a).b", "\\n", NULL},
		{"(a).b", "\\", NULL},
		{"(a).b", "\\g<>", NULL},
		{"(a).b", "\\g<y>", NULL},
		{"(a).b", "\\g<99999999999999999999>", NULL},
		{"(a).b", "\\g<1", NULL},
	};

	for (size_t i = 0; i < sizeof(of_ab) / sizeof(of_ab[0]); i++)
	{
		const char *expanded = "a.b";
		PaPattern  *pattern;
		bool		matches;

		if (!CHECK_OK(pa_pattern_compile(env, of_ab[i].pattern, PA_PATTERN_WHOLE, &pattern), env))
			continue;
		if (!CHECK_STATUS(pa_pattern_expand(env, pattern, "a.b", of_ab[i].template, &matches, &expanded),
						  of_ab[i].expanded != NULL ? PA_OK : PA_ERR_REGEX, env) ||
			(of_ab[i].expanded != NULL && !CHECK(strcmp(expanded, of_ab[i].expanded) == 0)))
			printf("#   %s, %s\n", of_ab[i].pattern, of_ab[i].template);
		pa_pattern_release(env, pattern);
	}
}

UNIT_TEST(expansions_have_the_length_of_a_name)
{
	char		template[PA_MAX_NAME_BYTES + 2];
	const char *expanded = NULL;
	PaPattern  *pattern;
	bool		matches;

	memset(template, 'x', PA_MAX_NAME_BYTES + 1);
	template[PA_MAX_NAME_BYTES + 1] = '\0';
	if (!CHECK_OK(pa_pattern_compile(env, "a", PA_PATTERN_WHOLE, &pattern), env))
		return;
	CHECK_STATUS(pa_pattern_expand(env, pattern, "a", template, &matches, &expanded), PA_ERR_LIMIT, env);
	template[PA_MAX_NAME_BYTES] = '\0';
	if (CHECK_OK(pa_pattern_expand(env, pattern, "a", template, &matches, &expanded), env))
		CHECK(strlen(expanded) == PA_MAX_NAME_BYTES);
}

UNIT_SUITE(wrapped, UNIT_CASE(names), UNIT_CASE(own_names),
		   UNIT_CASE(a_known_module_says_whether_wrappers_count), UNIT_CASE(patterns_of_both_paths),
		   UNIT_CASE(twice), UNIT_CASE(without_memory), UNIT_CASE(expansions),
		   UNIT_CASE(expansions_have_the_length_of_a_name));
