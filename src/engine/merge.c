/*
 * merge.c
 *	  The merge methods on whole values.  See merge.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/merge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "algebra/merge.h"
#include "engine/engine_impl.h"

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
	[PA_MERGE_DARE_TIES] = {"dare_ties", PA_PRUNE_DROP, true}
};

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

typedef struct Leaf
{
	PaValue    *value;
	double		weight;
} Leaf;

static int
compare_bytes(const void *a, const void *b)
{
	return memcmp(a, b, PA_SHA256_LENGTH);
}

/* By digest, weight, and envelope digest, which settles whose recipe is taken. */
static int
compare_leaves(const void *a, const void *b)
{
	const Leaf *x = a;
	const Leaf *y = b;
	const PaValueHeader *hx = pa_value_header(x->value);
	const PaValueHeader *hy = pa_value_header(y->value);
	int			order = compare_bytes(hx->digest, hy->digest);

	if (order != 0)
		return order;
	if (x->weight != y->weight)
		return x->weight < y->weight ? -1 : 1;
	return compare_bytes(hx->envelope_digest, hy->envelope_digest);
}

static PaStatus
sort_leaves(PaEnv *env, uint32_t n, PaValue *const *values, const double *weights, Leaf **leaves)
{
	if (n == 0)
		return pa_fail(env, PA_ERR_CONFIG, "merge needs at least one adapter");
	PA_TRY(PA_NEW_ARRAY(env, n, leaves));
	for (uint32_t i = 0; i < n; i++)
	{
		if (!isfinite(weights[i]))
			return pa_fail(env, PA_ERR_RANGE, "weight is not finite: %g", weights[i]);
		/* -0 is 0: it must not depend on the order of equals which of the two is written */
		(*leaves)[i] = (Leaf) {values[i], weights[i] == 0 ? 0 : weights[i]};
	}
	qsort(*leaves, n, sizeof(Leaf), compare_leaves);
	return PA_OK;
}

static PaStatus
plan_merge(PaEnv *env, uint32_t n, const Leaf *leaves, PaCombine **plan, const PaDraft **draft)
{
	PaLeaf	   *in_order;

	PA_TRY(PA_NEW_ARRAY(env, n, &in_order));
	for (uint32_t i = 0; i < n; i++)
	{
		in_order[i].digest = pa_value_header(leaves[i].value)->digest;
		in_order[i].p = 0;
		in_order[i].q = leaves[i].weight;
		pa_value_borrow_decoder(leaves[i].value, leaves[0].value);
		PA_TRY(pa_value_source(env, leaves[i].value, &in_order[i].source));
	}
	PA_TRY(pa_merge_require(env, n, in_order));
	return pa_combine_plan(env, PA_RULE_MERGE, n, in_order, plan, draft);
}

/* One operand for each digest, by the smallest envelope digest; one term for each argument. */
static PaStatus
merge_recipe(PaEnv *env, uint32_t n, const Leaf *leaves, const PaMergeArguments *arguments, PaText *recipe)
{
	const Method *method = &methods[arguments->method];
	PaRecipeMerge node = {
		.method = method->name,
		.flavour = arguments->flavour,
		.density = arguments->density,
		.majority_sign = method->elects ? arguments->majority_sign : NULL,
		.seed = method->prune == PA_PRUNE_DROP ? &arguments->seed : NULL
	};
	PaValue   **distinct;
	PaOperand  *operands;
	PaTerm	   *terms;
	uint32_t	n_operands = 0;

	PA_TRY(PA_NEW_ARRAY(env, n, &distinct));
	PA_TRY(PA_NEW_ARRAY(env, n, &operands));
	PA_TRY(PA_NEW_ARRAY(env, n, &terms));
	for (uint32_t i = 0; i < n; i++)
	{
		const PaValueHeader *header = pa_value_header(leaves[i].value);
		const PaValueHeader *last = n_operands == 0 ? NULL : pa_value_header(distinct[n_operands - 1]);

		if (last == NULL || compare_bytes(last->digest, header->digest) != 0)
			distinct[n_operands++] = leaves[i].value;
		else if (compare_bytes(header->envelope_digest, last->envelope_digest) < 0)
			distinct[n_operands - 1] = leaves[i].value;
		terms[i] = (PaTerm) {n_operands - 1, 0, leaves[i].weight};
	}
	for (uint32_t i = 0; i < n_operands; i++)
		operands[i] = pa_engine_one_of_many(distinct[i]);
	return pa_recipe_merge(env, n_operands, operands, n, terms, &node, recipe);
}

PaStatus
pa_engine_merge(PaEnv *env, uint32_t n, PaValue *const *values, const double *weights,
				const PaMergeArguments *arguments, size_t reserve, PaBuf *out)
{
	PaMerge		merge;
	Leaf	   *leaves;
	PaCombine  *plan;
	const PaDraft *draft;
	PaAdapter  *adapter;
	uint32_t   *draft_of;
	PaSource   *source;
	PaDocuments documents = {0};
	PaText		recipe;

	PA_TRY(check_arguments(env, arguments, &merge));
	PA_TRY(sort_leaves(env, n, values, weights, &leaves));
	PA_TRY(plan_merge(env, n, leaves, &plan, &draft));
	PA_TRY(pa_peft_describe_draft(env, draft, NULL, 0,
								  &documents.document[PA_DOCUMENT_CONFIG].text,
								  &documents.document[PA_DOCUMENT_CONFIG].length,
								  &adapter, &draft_of));
	PA_TRY(pa_merge_source(env, plan, &merge, adapter, draft_of, &source));
	PA_TRY(merge_recipe(env, n, leaves, arguments, &recipe));
	pa_engine_set_document(&documents, PA_DOCUMENT_RECIPE, recipe.text, recipe.length);
	return pa_engine_store(env, source, adapter, &documents, reserve, out);
}
