/*
 * merge.c
 *	  The merge methods on whole values.  See merge.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/merge.h"

#include <math.h>
#include <string.h>

#include "algebra/merge.h"
#include "core/sort.h"
#include "engine/operands.h"
#include "engine/result.h"

typedef struct Method
{
	const char *name;			/* in the recipe */
	PaPrune		prune;
	bool		elects;
} Method;

static const Method methods[] = {
	[PA_MERGE_MAGNITUDE_PRUNE] = {"magnitude_prune", PA_PRUNE_TOP, false},
	[PA_MERGE_TIES] = {"ties", PA_PRUNE_TOP, true},
	[PA_MERGE_DARE_LINEAR] = {"dare_linear", PA_PRUNE_DROP, false},
	[PA_MERGE_DARE_TIES] = {"dare_ties", PA_PRUNE_DROP, true},
};

PaStatus
pa_merge_method_by_name(PaEnv *env, const char *name, PaMergeMethod *method)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i].name, name) == 0)
		{
			*method = (PaMergeMethod) i;
			return PA_OK;
		}
	return pa_fail(env, PA_ERR_CONFIG, "unknown merge method \"%.64s\"", name);
}

static PaStatus
check_election(PaEnv *env, const char *majority_sign, PaElection *election)
{
	if (strcmp(majority_sign, "total") == 0)
		*election = PA_ELECT_TOTAL;
	else if (strcmp(majority_sign, "frequency") == 0)
		*election = PA_ELECT_FREQUENCY;
	else
	{
		pa_fail(env, PA_ERR_CONFIG, "unknown majority_sign \"%.64s\"", majority_sign);
		pa_hint(env, "It is \"total\" or \"frequency\".");
		return PA_ERR_CONFIG;
	}
	return PA_OK;
}

static PaStatus
check_arguments(PaEnv *env, const PaMergeArguments *arguments, PaMerge *merge)
{
	const Method *method = &methods[arguments->method];

	if (strcmp(arguments->flavour, "peft") != 0)
	{
		pa_fail(env, PA_ERR_CONFIG, "unknown flavour \"%.64s\"", arguments->flavour);
		pa_hint(env, "The flavours are: \"peft\".");
		return PA_ERR_CONFIG;
	}
	if (!(arguments->density > 0 && arguments->density <= 1))
	{
		pa_fail(env, PA_ERR_CONFIG, "density %g is out of range", arguments->density);
		pa_hint(env, "It is the share of the entries that is kept: greater than 0, at most 1.");
		return PA_ERR_CONFIG;
	}
	*merge = (PaMerge) {method->prune, PA_ELECT_NONE, arguments->density, arguments->seed};
	if (!method->elects)
		return PA_OK;
	return check_election(env, arguments->majority_sign, &merge->election);
}

static PaStatus
check_weights(PaEnv *env, uint32_t n, const double *weights)
{
	if (n == 0)
		return pa_fail(env, PA_ERR_CONFIG, "merge needs at least one adapter");
	for (uint32_t i = 0; i < n; i++)
		if (!isfinite(weights[i]))
			return pa_fail(env, PA_ERR_RANGE, "weight is not finite: %g", weights[i]);
	return PA_OK;
}

/* One term for each argument, in order of digest and weight. */
static int
compare_terms(const void *a, const void *b, const void *context)
{
	const PaTerm *x = a;
	const PaTerm *y = b;

	(void) context;
	if (x->leaf != y->leaf)
		return x->leaf < y->leaf ? -1 : 1;
	return x->v < y->v ? -1 : x->v > y->v;
}

static PaStatus
make_terms(PaEnv *env, uint32_t n, const double *weights, const PaOperands *operands, PaTerm **terms)
{
	PA_TRY(PA_NEW_ARRAY(env, n, terms));
	for (uint32_t i = 0; i < n; i++)
	{
		/* -0 is 0: it must not depend on the order of equals which of the two is written */
		(*terms)[i] = (PaTerm) {operands->place[i], 0, weights[i] == 0 ? 0 : weights[i]};
	}
	return pa_sort(env, *terms, n, sizeof(PaTerm), compare_terms, NULL);
}

static PaStatus
plan_merge(PaEnv *env, const PaOperands *operands, uint32_t n, const PaTerm *terms, PaCombine **plan,
		   const PaDraft **draft)
{
	PaLeaf	   *leaves;

	PA_TRY(PA_NEW_ARRAY(env, n, &leaves));
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	k = terms[i].leaf;

		leaves[i] = (PaLeaf) {
			.source = operands->sources[k],
			.digest = operands->named[k].digest,
			.q = terms[i].v,
		};
	}
	PA_TRY(pa_merge_require(env, n, leaves));
	return pa_combine_plan(env, PA_RULE_MERGE, n, leaves, plan, draft);
}

static PaStatus
merge_recipe(PaEnv *env, const PaOperands *operands, uint32_t n, const PaTerm *terms,
			 const PaMergeArguments *arguments, PaText *recipe)
{
	const Method *method = &methods[arguments->method];
	PaRecipeMerge node = {
		.method = method->name,
		.flavour = arguments->flavour,
		.density = arguments->density,
		.majority_sign = method->elects ? arguments->majority_sign : NULL,
		.seed = method->prune == PA_PRUNE_DROP ? &arguments->seed : NULL,
	};

	return pa_recipe_merge(env, operands->n, operands->named, n, terms, &node, recipe);
}

PaStatus
pa_merge_values(PaEnv *env, uint32_t n, PaValue *const *values, const double *weights,
				const PaMergeArguments *arguments, size_t reserve, PaBuf *out)
{
	PaMerge		merge;
	PaOperands	operands;
	PaTerm	   *terms;
	PaCombine  *plan;
	const PaDraft *draft;
	PaResult	result;
	PaSource   *source;
	PaText		recipe;

	PA_TRY(check_arguments(env, arguments, &merge));
	PA_TRY(check_weights(env, n, weights));
	PA_TRY(pa_operands_open(env, n, values, true, &operands));
	PA_TRY(make_terms(env, n, weights, &operands, &terms));
	PA_TRY(plan_merge(env, &operands, n, terms, &plan, &draft));
	PA_TRY(pa_result_describe(env, draft, operands.n, operands.values, &result));
	PA_TRY(pa_merge_source(env, plan, &merge, result.adapter, result.of, &source));
	PA_TRY(merge_recipe(env, &operands, n, terms, arguments, &recipe));
	return pa_result_store(env, &result, source, recipe, operands.n, operands.named, reserve, out);
}
