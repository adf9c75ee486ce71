/*
 * test_combine_order.c
 *	  The order of terms: a module of a sum, a stack or a merge is what it is
 *	  without the other modules.  doc/algebra.md, "Order of terms".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algebra/combine.h"
#include "engine/merge.h"
#include "engine_fixture.h"

#define CONFIG "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"base_model_name_or_path\":\"m\"}"
#define LEAVES 5
#define MODULES 3

static const char *const paths[MODULES] = {"k", "q", "v"};

/* Random leaves, whole and module by module; those of one whole have the same tensors. */
static void
make_leaves(PaEnv *env, uint64_t *seed, PaValue *whole[LEAVES], PaValue *part[MODULES][LEAVES])
{
	for (int i = 0; i < LEAVES; i++)
	{
		uint64_t	from = build_bits(seed);
		BuildFile	file;

		for (int m = 0; m <= MODULES; m++)
		{
			uint64_t	again = from;

			build_begin(&file, NULL);
			for (int k = 0; k < MODULES; k++)
			{
				BuildFile	unused;

				build_begin(&unused, NULL);
				build_lora(m == MODULES || m == k ? &file : &unused, paths[k], PA_F64, 2, 5, 4, &again);
				free(build_finish(&unused, &(size_t) {0}));
			}
			if (m == MODULES)
				whole[i] = fixture_import(env, &file, CONFIG);
			else
				part[m][i] = fixture_import(env, &file, CONFIG);
		}
	}
}

/* The module of the whole has the bits of the part. */
static bool
same_module(PaEnv *env, PaValue *whole, PaValue *part, const char *path)
{
	const char *const suffixes[] = {"lora_A", "lora_B"};
	bool		same = whole != NULL && part != NULL;

	for (int i = 0; same && i < 2; i++)
	{
		char		name[100];
		uint64_t	n;
		double	   *wanted;

		snprintf(name, sizeof(name), "base_model.model.%s.%s.weight", path, suffixes[i]);
		wanted = fixture_tensor(env, part, name, &n);
		same = wanted != NULL && fixture_holds(env, whole, name, n, wanted);
	}
	return same;
}

static PaStatus
sum(PaEnv *env, PaSpace space, PaValue *const *leaves, PaValue **out)
{
	PaTerm		terms[LEAVES];

	for (uint32_t i = 0; i < LEAVES; i++)
	{
		terms[i] = pa_term_of_leaf(space, i);
		PA_TRY(pa_terms_multiply(env, &terms[i], 1, 0.3 - 0.17 * i));
	}
	return fixture_evaluate(env, LEAVES, leaves, LEAVES, terms, out);
}

static PaStatus
merge(PaEnv *env, PaMergeMethod method, PaValue *const *leaves, PaValue **out)
{
	PaMergeArguments arguments = {method, 0.5, "peft", "total", 42};
	PaBuf		buf;

	PA_TRY(pa_merge_values(env, LEAVES, leaves, (double[]) {0.3, -0.7, 1.1, 0.9, 0.2}, &arguments, 0, &buf));
	*out = fixture_open(env, &buf);
	return PA_OK;
}

UNIT_TEST(test_splitting)
{
	uint64_t	seed = unit_seed();

	for (int round = 0; round < 6; round++)
	{
		PaValue    *whole[LEAVES];
		PaValue    *part[MODULES][LEAVES];
		PaValue    *all = NULL;
		PaValue    *one = NULL;

		make_leaves(env, &seed, whole, part);
		for (int op = -2; op <= PA_MERGE_DARE_TIES; op++)
		{
			PaSpace		space = op == -2 ? PA_SPACE_PARAMETER : PA_SPACE_DELTA;

			CHECK_OK(op < 0 ? sum(env, space, whole, &all) : merge(env, (PaMergeMethod) op, whole, &all),
					 env);
			for (int m = 0; m < MODULES; m++)
			{
				CHECK_OK(op < 0 ? sum(env, space, part[m], &one)
								: merge(env, (PaMergeMethod) op, part[m], &one),
						 env);
				CHECK(same_module(env, all, one, paths[m]));
			}
		}
	}
}

/* One module "q": A (1, 1) = a, B (1, 1) = 1. */
static PaLeaf
make_leaf(PaEnv *env, PaDtype dtype, double a, const char *config, double q)
{
	BuildFile	file;
	PaLeaf		leaf = {.q = q};
	PaValue    *value;

	build_begin(&file, NULL);
	build_tensor(&file, A_OF("q"), dtype, 2, (uint64_t[]) {1, 1}, &a);
	build_tensor(&file, B_OF("q"), PA_F32, 2, (uint64_t[]) {1, 1}, (double[]) {1});
	value = fixture_import(env, &file, config);
	leaf.digest = pa_value_header(value)->digest;
	CHECK_OK(pa_value_source(env, value, &leaf.source), env);
	return leaf;
}

/* The stack's parts, as the leaves that they are of. */
static bool
parts_are(PaEnv *env, uint32_t n, const PaLeaf *leaves, const uint32_t *wanted)
{
	PaCombine  *plan;
	const PaDraft *draft;
	const PaStack *stack;
	bool		right;

	if (!CHECK_OK(pa_combine_plan(env, PA_RULE_DELTA, n, leaves, &plan, &draft), env) ||
		!CHECK_OK(pa_combine_stack(env, plan, 0, &stack), env))
		return false;
	right = stack->n_parts == n;
	for (uint32_t i = 0; right && i < n; i++)
		right = stack->parts[i].leaf == wanted[i];
	return right;
}

/* What settles it where the bytes are the same: dtype, scaling, the bits of the weights. */
UNIT_TEST(test_equal_bytes)
{
	static const char alpha2[] = "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2}";
	static const char alpha8[] = "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":8}";
	PaLeaf		leaves[] = {
		make_leaf(env, PA_BF16, 0, alpha2, 1),
		make_leaf(env, PA_F16, 0, alpha8, 1),
		make_leaf(env, PA_F16, 0, alpha2, -1),
		make_leaf(env, PA_F16, 0, alpha2, 0.5),
	};

	/* a negative weight has the larger bits */
	CHECK(parts_are(env, 4, leaves, (const uint32_t[]) {3, 2, 1, 0}));
	leaves[3].q = -1;
	leaves[2].p = 1;			/* the weight in a second sum */
	CHECK(parts_are(env, 4, leaves, (const uint32_t[]) {3, 2, 1, 0}));
	/* by bytes first, whatever else: that of 0 and of 1 */
	leaves[0] = make_leaf(env, PA_F32, 1, alpha2, 1);
	leaves[1] = make_leaf(env, PA_F32, 0, alpha2, 1);
	CHECK(leaves[0].source->adapter->tensors[0].sha256[0] < leaves[1].source->adapter->tensors[0].sha256[0]
			  ? parts_are(env, 2, leaves, (const uint32_t[]) {0, 1})
			  : parts_are(env, 2, leaves, (const uint32_t[]) {1, 0}));
}

UNIT_SUITE(combine_order, UNIT_CASE(test_splitting), UNIT_CASE(test_equal_bytes));
