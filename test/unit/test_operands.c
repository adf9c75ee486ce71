/*
 * test_operands.c
 *	  Operands in order: by digest, whatever the caller's order, with one for
 *	  each digest or all of them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <string.h>

#include "engine/operands.h"
#include "engine/transform.h"
#include "engine_fixture.h"

#define CONFIG "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"base_model_name_or_path\":\"m\"}"

#define N 4

static PaValue *
some_value(PaEnv *env, uint64_t *seed)
{
	BuildFile	file;

	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F32, 2, 3, 4, seed);
	return fixture_import(env, &file, CONFIG);
}

/* The same adapter with a story of its own. */
static PaValue *
retold(PaEnv *env, PaValue *value)
{
	PaBuf		buf;

	return CHECK_OK(pa_transform_cast(env, value, "F32", 0, &buf), env) ? fixture_open(env, &buf) : NULL;
}

/* Two of the four are one adapter. */
static bool
four_values(PaEnv *env, PaValue *values[N])
{
	uint64_t	seed = unit_seed();

	for (int i = 0; i < N - 1; i++)
		values[i] = some_value(env, &seed);
	values[N - 1] = values[0] != NULL ? retold(env, values[0]) : NULL;
	for (int i = 0; i < N; i++)
		if (!CHECK(values[i] != NULL))
			return false;
	return CHECK(fixture_same_digest(values[0], values[N - 1]) &&
				 memcmp(pa_value_header(values[0])->envelope_digest,
						pa_value_header(values[N - 1])->envelope_digest, PA_SHA256_LENGTH) != 0);
}

static int
compare(PaValue *a, PaValue *b, bool envelopes)
{
	const PaValueHeader *x = pa_value_header(a);
	const PaValueHeader *y = pa_value_header(b);

	return envelopes ? memcmp(x->envelope_digest, y->envelope_digest, PA_SHA256_LENGTH)
					 : memcmp(x->digest, y->digest, PA_SHA256_LENGTH);
}

/* The operands are in order, and each of the caller's values is where its place says. */
static void
check_order(const PaOperands *operands, PaValue *const *values, bool distinct)
{
	for (uint32_t i = 1; i < operands->n; i++)
	{
		int			order = compare(operands->values[i - 1], operands->values[i], false);

		CHECK(order < 0 ||
			  (!distinct && order == 0 && compare(operands->values[i - 1], operands->values[i], true) < 0));
	}
	for (uint32_t i = 0; i < N; i++)
	{
		uint32_t	place = operands->place[i];

		if (!CHECK(place < operands->n))
			continue;
		CHECK(distinct ? fixture_same_digest(operands->values[place], values[i])
					   : operands->values[place] == values[i]);
		CHECK(operands->sources[place]->adapter == pa_value_adapter(operands->values[place]));
		CHECK(operands->named[place].digest == pa_value_header(operands->values[place])->digest);
	}
}

UNIT_TEST(order)
{
	PaValue    *values[N];
	PaOperands	all;
	PaOperands	distinct;

	if (!four_values(env, values))
		return;
	for (int turn = 0; turn < N; turn++)
	{
		PaValue    *turned[N];
		PaValue    *first = compare(values[0], values[N - 1], true) < 0 ? values[0] : values[N - 1];

		for (int i = 0; i < N; i++)
			turned[i] = values[(i + turn) % N];
		CHECK_OK(pa_operands_open(env, N, turned, false, &all), env);
		CHECK(all.n == N);
		check_order(&all, turned, false);
		CHECK_OK(pa_operands_open(env, N, turned, true, &distinct), env);
		CHECK(distinct.n == N - 1);
		check_order(&distinct, turned, true);
		/* of two stories that with the smallest envelope digest is told */
		for (uint32_t i = 0; i < distinct.n; i++)
			CHECK(!fixture_same_digest(distinct.values[i], first) || distinct.values[i] == first);
	}
}

/* The recipe of an operand of many is loaded in its turn, and is the value's. */
UNIT_TEST(recipes)
{
	PaValue    *values[N];
	PaOperands	operands;
	PaOperand	single;

	if (!four_values(env, values) || !CHECK_OK(pa_operands_open(env, N, values, false, &operands), env))
		return;
	for (uint32_t i = 0; i < operands.n; i++)
	{
		const PaOperand *named = &operands.named[i];
		PaText		recipe;

		CHECK(named->recipe.text == NULL);
		CHECK_OK(pa_operands_single(env, operands.values[i], &single), env);
		CHECK(single.loader == NULL && single.digest == named->digest);
		if (CHECK_OK(named->loader->load(env, named->state, &recipe), env))
		{
			CHECK(pa_text_equal(recipe, single.recipe) && recipe.length > 0);
			named->loader->release(env, named->state, &recipe);
		}
	}
}

UNIT_SUITE(operands, UNIT_CASE(order), UNIT_CASE(recipes));
