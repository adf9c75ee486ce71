/*
 * test_config_lookup.c
 *	  Lists of a configuration, looked up for many modules.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "interchange/endings.h"
#include "interchange/peft_lora_patterns.h"
#include "interchange/peft_parameters.h"

/* Parameters are found by each end of a path, whatever their number and neighbours. */
UNIT_TEST(parameters_by_path)
{
	static const char *const names[] = {"a.b.w", "b.w", "bb.w", "a.b.c.w", "b.v", "w", ".u", "a.w"};
	static const struct
	{
		const char *path;
		const char *found;
	} rows[] = {
		{"a.b", "wwvw"}, {"b", "wvw"}, {"x.b", "wvw"}, {"bb", "ww"}, {"a.b.c", "ww"},
		{"c", "w"},		 {"a", "ww"},  {"x.", "wu"},   {"ab", "w"},
	};
	PaParameters parameters;

	if (!CHECK_OK(pa_peft_parameters(env, sizeof(names) / sizeof(names[0]), names, &parameters), env))
		return;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		PaParameterWalk walk = {0};
		char		found[16] = "";
		const char *name;

		while (strlen(found) < 10 && pa_peft_parameters_next(&parameters, rows[i].path, &walk, &name))
			strcat(found, name);
		if (!CHECK(strcmp(found, rows[i].found) == 0))
			printf("#   %s: %s\n", rows[i].path, found);
	}
}

UNIT_TEST(endings)
{
	static const char *const names[] = {"q", "k.q", "proj", "", "q"};
	PaEndings	e;

	if (!CHECK_OK(pa_endings(env, 5, names, &e), env))
		return;
	CHECK(e.n == 4 && e.n_lengths == 4);
	CHECK(pa_endings_match(&e, "x", 1, false) && !pa_endings_match(&e, "x", 1, true));
	CHECK(pa_endings_match(&e, "q", 1, true) && pa_endings_match(&e, "a.q", 3, true));
	CHECK(!pa_endings_match(&e, "aq", 2, true) && !pa_endings_match(&e, "a.qq", 4, true));
	CHECK(pa_endings_match(&e, "k.q.rest", 3, true) && !pa_endings_match(&e, "x_proj", 6, true));
	pa_endings_release(env, &e);
	if (CHECK_OK(pa_endings(env, 0, NULL, &e), env))
		CHECK(!pa_endings_match(&e, "q", 1, false));
}

/* Expressions and modules that are too many to match are refused before the first match. */
UNIT_TEST(too_many_matches)
{
	enum
	{
		N = 4200
	};
	static PaPatternValue patterns[N];
	static PaPatternKey keys[N];
	static double values[N];

	for (int i = 0; i < N; i++)
	{
		patterns[i] = (PaPatternValue) {.key = "a+", .value = 1};
		keys[i] = (PaPatternKey) {.path = "b"};
	}
	CHECK_STATUS(pa_peft_patterns_look_up(env, N, patterns, N, keys, values), PA_ERR_LIMIT, env);
	CHECK(strstr(env->error.message, "4200 expressions for 4200 modules") != NULL &&
		  env->error.hint[0] != '\0');
	CHECK_OK(pa_peft_patterns_look_up(env, 100, patterns, N, keys, values), env);
	CHECK(values[0] == 0);
}

/* A text of a few letters and dots, at times with a character of two bytes. */
static const char *
random_path(PaEnv *env, uint64_t *state, bool ascii)
{
	static const char *const pieces[] = {"a", "b", ".", "a", ".", "\xc3\xa9"};
	const char *path;
	char		text[32] = "";
	int			n = 1 + (int) (unit_random(state) % 7);

	for (int i = 0; i < n; i++)
		strcat(text, pieces[unit_random(state) % (ascii ? 5 : 6)]);
	CHECK_OK(pa_strndup(env, text, strlen(text), &path), env);
	return path;
}

/* Plain keys, which are looked up all at once, give what each gives as an expression. */
UNIT_TEST(plain_keys_are_expressions)
{
	enum
	{
		N = 12
	};
	uint64_t	state = unit_seed();

	for (int round = 0; round < 400; round++)
	{
		PaPatternValue patterns[N];
		PaPatternKey keys[N];
		double		values[N];
		double		wanted[N];

		for (int i = 0; i < N; i++)
		{
			patterns[i] = (PaPatternValue) {.key = random_path(env, &state, true), .value = i};
			keys[i] = (PaPatternKey) {.path = random_path(env, &state, false)};
			values[i] = wanted[i] = -1;
		}
		CHECK_OK(pa_peft_patterns_look_up(env, N, patterns, N, keys, values), env);
		for (int i = N - 1; i >= 0; i--)
		{
			PaPattern  *expression;
			bool		matches = false;

			CHECK_OK(pa_pattern_compile(env, patterns[i].key, PA_PATTERN_KEY, &expression), env);
			for (int k = 0; k < N; k++)
			{
				CHECK_OK(pa_pattern_match(env, expression, keys[k].path, &matches), env);
				wanted[k] = matches ? i : wanted[k];
			}
			pa_pattern_release(env, expression);
		}
		for (int k = 0; k < N; k++)
			if (!CHECK(values[k] == wanted[k]))
				printf("#   %s: %g, not %g\n", keys[k].path, values[k], wanted[k]);
		pa_env_reset(env);
	}
}

UNIT_SUITE(config_lookup, UNIT_CASE(plain_keys_are_expressions), UNIT_CASE(parameters_by_path),
		   UNIT_CASE(endings), UNIT_CASE(too_many_matches));
