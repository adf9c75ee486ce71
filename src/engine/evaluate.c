/*
 * evaluate.c
 *	  Weights are totalled, the leaves opened in order of digest, the sum planned,
 *	  described and computed in one pass.  See evaluate.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/evaluate.h"

#include "adapter/kind.h"
#include "algebra/combine.h"
#include "engine/operands.h"
#include "engine/result.h"

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
plan_sum(PaEnv *env, PaSpace space, const PaOperands *operands, const double *p, const double *q,
		 PaCombine **plan, const PaDraft **draft)
{
	PaLeaf	   *leaves;

	PA_TRY(PA_NEW_ARRAY(env, operands->n, &leaves));
	for (uint32_t i = 0; i < operands->n; i++)
	{
		uint32_t	k = operands->place[i];

		leaves[k] = (PaLeaf) {
			.source = operands->sources[k],
			.digest = operands->named[k].digest,
			.p = p[i],
			.q = q[i],
		};
	}
	return pa_combine_plan(env, space == PA_SPACE_DELTA ? PA_RULE_DELTA : PA_RULE_PARAMETER, operands->n,
						   leaves, plan, draft);
}

static PaStatus
sum_recipe(PaEnv *env, PaSpace space, const PaOperands *operands, size_t n_terms, const PaTerm *terms,
		   PaText *recipe)
{
	PaTerm	   *written;

	PA_TRY(PA_NEW_ARRAY(env, n_terms, &written));
	for (size_t i = 0; i < n_terms; i++)
		written[i] = (PaTerm) {operands->place[terms[i].leaf], terms[i].u, terms[i].v};
	if (space == PA_SPACE_DELTA)
		return pa_recipe_concatenate(env, operands->n, operands->named, n_terms, written, recipe);
	return pa_recipe_combine(env, operands->n, operands->named, n_terms, written, recipe);
}

/* What has weight 0 has no say in the configuration either, unless there is nothing else. */
static PaStatus
describe(PaEnv *env, const PaOperands *operands, const double *p, const double *q, const PaDraft *draft,
		 PaResult *result)
{
	PaValue   **left;
	uint32_t	n = 0;
	bool	   *counts;

	PA_TRY(PA_NEW_ARRAY(env, operands->n, &left));
	PA_TRY(PA_NEW_ARRAY(env, operands->n, &counts));
	for (uint32_t i = 0; i < operands->n; i++)
		counts[operands->place[i]] = p[i] != 0 || q[i] != 0;
	for (uint32_t i = 0; i < operands->n; i++)
		if (counts[i])
			left[n++] = operands->values[i];
	if (n == 0)
		return pa_result_describe(env, draft, 1, operands->values, result);
	return pa_result_describe(env, draft, n, left, result);
}

PaStatus
pa_evaluate_terms(PaEnv *env, PaSpace space, uint32_t n_leaves, PaValue *const *leaves, size_t n_terms,
				  const PaTerm *terms, size_t reserve, PaBuf *out, int64_t *same_as)
{
	PaOperands	operands;
	double	   *p;
	double	   *q;
	PaCombine  *plan;
	const PaDraft *draft;
	PaResult	result;
	PaSource   *source;
	PaText		recipe;

	PA_TRY(PA_NEW_ARRAY(env, n_leaves, &p));
	PA_TRY(PA_NEW_ARRAY(env, n_leaves, &q));
	PA_TRY(pa_terms_total(env, terms, n_terms, n_leaves, p, q));
	if (space == PA_SPACE_PARAMETER)
		one_weight(n_leaves, leaves, p, q);
	*same_as = only_leaf(space, n_leaves, p, q);
	if (*same_as >= 0)
		return PA_OK;
	PA_TRY(pa_operands_open(env, n_leaves, leaves, true, &operands));
	if (operands.n != n_leaves)
		return pa_fail(env, PA_ERR_INTERNAL, "expression has a leaf twice");
	PA_TRY(plan_sum(env, space, &operands, p, q, &plan, &draft));
	PA_TRY(describe(env, &operands, p, q, draft, &result));
	PA_TRY(pa_combine_source(env, plan, result.adapter, result.of, &source));
	PA_TRY(sum_recipe(env, space, &operands, n_terms, terms, &recipe));
	return pa_result_store(env, &result, source, recipe, operands.n, operands.named, reserve, out);
}
