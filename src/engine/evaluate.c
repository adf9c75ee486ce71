/*
 * evaluate.c
 *	  The value of a deferred expression: weights are totalled, the leaves put
 *	  in digest order, the sum planned, described and computed in one pass.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/engine_impl.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/kind.h"
#include "algebra/combine.h"

typedef struct Leaf
{
	PaValue    *value;
	const uint8_t *digest;
	uint32_t	index;			/* as the caller counts */
} Leaf;

static int
compare_leaves(const void *a, const void *b)
{
	return memcmp(((const Leaf *) a)->digest, ((const Leaf *) b)->digest, PA_SHA256_LENGTH);
}

static PaStatus
sort_leaves(PaEnv *env, uint32_t n, PaValue *const *values, Leaf **leaves)
{
	PA_TRY(PA_NEW_ARRAY(env, n, leaves));
	for (uint32_t i = 0; i < n; i++)
		(*leaves)[i] = (Leaf) {values[i], pa_value_header(values[i])->digest, i};
	qsort(*leaves, n, sizeof(Leaf), compare_leaves);
	for (uint32_t i = 1; i < n; i++)
		if (compare_leaves(&(*leaves)[i - 1], &(*leaves)[i]) == 0)
			return pa_fail(env, PA_ERR_INTERNAL, "expression has a leaf twice");
	return PA_OK;
}

/* The one leaf that is left, with the weights of a leaf alone: the sum is that leaf. */
static int64_t
only_leaf(PaSpace space, uint32_t n, const double *p, const double *q)
{
	const PaTerm alone = pa_term_of_leaf(space, 0);

	int64_t		only = -1;

	for (uint32_t i = 0; i < n; i++)
	{
		if (p[i] == 0 && q[i] == 0)
			continue;
		if (only >= 0 || p[i] != alone.u || q[i] != alone.v)
			return -1;
		only = i;
	}
	return only;
}

/* Where both spaces have one algebra, p has no meaning; so it cannot keep a leaf, or make it another one. */
static void
one_weight(uint32_t n, PaValue *const *leaves, double *p, const double *q)
{
	for (uint32_t i = 0; i < n; i++)
		if (pa_kind_methods(pa_value_adapter(leaves[i])->kind)->linear)
			p[i] = q[i];
}

static PaStatus
plan_sum(PaEnv *env, PaSpace space, uint32_t n, const Leaf *leaves, const double *p, const double *q,
		 PaCombine **plan, const PaDraft **draft)
{
	PaLeaf	   *in_order;

	PA_TRY(PA_NEW_ARRAY(env, n, &in_order));
	for (uint32_t i = 0; i < n; i++)
	{
		in_order[i].digest = leaves[i].digest;
		in_order[i].p = p[leaves[i].index];
		in_order[i].q = q[leaves[i].index];
		pa_value_borrow_decoder(leaves[i].value, leaves[0].value);
		PA_TRY(pa_value_source(env, leaves[i].value, &in_order[i].source));
	}
	return pa_combine_plan(env, space == PA_SPACE_DELTA ? PA_RULE_DELTA : PA_RULE_PARAMETER,
						   n, in_order, plan, draft);
}

static PaStatus
sum_recipe(PaEnv *env, PaSpace space, uint32_t n, const Leaf *leaves, size_t n_terms, const PaTerm *terms, PaText *recipe)
{
	PaOperand  *operands;
	PaTerm	   *written;
	uint32_t   *place;

	PA_TRY(PA_NEW_ARRAY(env, n, &operands));
	PA_TRY(PA_NEW_ARRAY(env, n, &place));
	PA_TRY(PA_NEW_ARRAY(env, n_terms, &written));
	for (uint32_t i = 0; i < n; i++)
	{
		operands[i] = pa_engine_one_of_many(leaves[i].value);
		place[leaves[i].index] = i;
	}
	for (size_t i = 0; i < n_terms; i++)
		written[i] = (PaTerm) {place[terms[i].leaf], terms[i].u, terms[i].v};
	if (space == PA_SPACE_DELTA)
		return pa_recipe_concatenate(env, n, operands, n_terms, written, recipe);
	return pa_recipe_combine(env, n, operands, n_terms, written, recipe);
}

PaStatus
pa_engine_evaluate(PaEnv *env, PaSpace space, uint32_t n_leaves, PaValue *const *leaves,
				   size_t n_terms, const PaTerm *terms,
				   size_t reserve, PaBuf *out, int64_t *same_as)
{
	Leaf	   *sorted;
	double	   *p;
	double	   *q;
	PaCombine  *plan;
	const PaDraft *draft;
	PaAdapter  *adapter;
	uint32_t   *draft_of;
	PaSource   *source;
	PaDocuments documents = {0};
	PaText		recipe;

	PA_TRY(PA_NEW_ARRAY(env, n_leaves, &p));
	PA_TRY(PA_NEW_ARRAY(env, n_leaves, &q));
	PA_TRY(pa_terms_total(env, terms, n_terms, n_leaves, p, q));
	if (space == PA_SPACE_PARAMETER)
		one_weight(n_leaves, leaves, p, q);
	*same_as = only_leaf(space, n_leaves, p, q);
	if (*same_as >= 0)
		return PA_OK;
	PA_TRY(sort_leaves(env, n_leaves, leaves, &sorted));
	PA_TRY(plan_sum(env, space, n_leaves, sorted, p, q, &plan, &draft));
	PA_TRY(pa_peft_describe_draft(env, draft, NULL, 0,
								  &documents.document[PA_DOCUMENT_CONFIG].text,
								  &documents.document[PA_DOCUMENT_CONFIG].length,
								  &adapter, &draft_of));
	PA_TRY(pa_combine_source(env, plan, adapter, draft_of, &source));
	PA_TRY(sum_recipe(env, space, n_leaves, sorted, n_terms, terms, &recipe));
	pa_engine_set_document(&documents, PA_DOCUMENT_RECIPE, recipe.text, recipe.length);
	return pa_engine_store(env, source, adapter, &documents, reserve, out);
}
