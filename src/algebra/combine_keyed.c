/*
 * combine_keyed.c
 *	  The tensors that are paired by their keys: dense ones, which replace the
 *	  base model's and can only be mixed, and differences, which add up.
 *	  doc/algebra.md, "Evaluation" and "Differences".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include <math.h>
#include <string.h>

#include "core/fsum.h"
#include "core/sort.h"

/* Further from 1 than this, weights do not make a mixture of replacements. */
#define DENSE_TOLERANCE 1e-9

static int
compare_refs(const void *a, const void *b)
{
	const PaKeyedRef *x = a;
	const PaKeyedRef *y = b;
	int			order = strcmp(x->path, y->path);

	if (order == 0)
		order = strcmp(x->key, y->key);
	if (order != 0)
		return order;
	return x->leaf < y->leaf ? -1 : x->leaf > y->leaf;
}

static bool
same_key(const PaKeyedRef *a, const PaKeyedRef *b)
{
	return strcmp(a->key, b->key) == 0 && strcmp(a->path, b->path) == 0;
}

static size_t
count_keyed(const PaAdapter *adapter)
{
	size_t		n = 0;

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		n += pa_role_is_keyed(adapter->tensors[i].role);
	return n;
}

PaStatus
pa_combine_keyed(PaEnv *env, const PaCombine *plan, PaKeyed *keyed)
{
	size_t		n = 0;

	*keyed = (PaKeyed) {0};
	for (uint32_t i = 0; i < plan->n_leaves; i++)
		n += count_keyed(pa_combine_adapter(plan, i));
	PA_TRY(PA_NEW_ARRAY(env, n, &keyed->refs));
	for (uint32_t i = 0; i < plan->n_leaves; i++)
	{
		const PaAdapter *adapter = pa_combine_adapter(plan, i);

		PA_TRY(pa_check_cancel(env));
		for (uint32_t t = 0; t < adapter->n_tensors; t++)
			if (pa_role_is_keyed(adapter->tensors[t].role))
				keyed->refs[keyed->n++] = (PaKeyedRef) {adapter->modules[adapter->tensors[t].module].path,
														adapter->tensors[t].key, i, t};
	}
	PA_TRY(pa_sort(env, keyed->refs, n, sizeof(PaKeyedRef), compare_refs));
	for (size_t i = 0; i < n; i++)
		keyed->n_keys += i == 0 || !same_key(&keyed->refs[i - 1], &keyed->refs[i]);
	if (keyed->n_keys > PA_MAX_TENSORS)
		return pa_fail(env, PA_ERR_LIMIT, "adapter would have %zu tensors, more than %d", keyed->n_keys,
					   PA_MAX_TENSORS);
	return PA_OK;
}

/* A leaf has each key at most once. */
static PaStatus
check_distinct(PaEnv *env, const PaKeyedRef *refs, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		if (refs[i - 1].leaf == refs[i].leaf)
			return pa_fail(env, PA_ERR_MISMATCH,
						   "tensor \"%.300s\" is twice in an adapter, with different prefixes", refs[0].key);
	return PA_OK;
}

/* A replacement has no neutral value, so every leaf must have it. */
static PaStatus
check_dense_complete(PaEnv *env, const PaCombine *plan, const PaKeyedRef *refs, uint32_t n)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	uint32_t	leaf = 0;

	while (leaf < n && refs[leaf].leaf == leaf)
		leaf++;
	if (leaf == plan->n_leaves)
		return PA_OK;
	pa_hex(hex, plan->leaves[leaf].digest);
	pa_fail(env, PA_ERR_MISMATCH, "dense tensor \"%.300s\" is not in every adapter", refs[0].key);
	pa_detail(
		env,
		"The adapter with digest %.12s... does not have it; a dense tensor replaces the base model's, so it has no neutral value.",
		hex);
	pa_hint(env, "Leave its module out with adapter_select().");
	return PA_ERR_MISMATCH;
}

/* Replacements can only be mixed: the weights of B must sum to 1. */
static PaStatus
check_dense_weights(PaEnv *env, const PaCombine *plan, const char *key)
{
	PaFsum		sum;
	double		q;

	pa_fsum_init(&sum);
	for (uint32_t i = 0; i < plan->n_leaves; i++)
		pa_fsum_add(&sum, plan->leaves[i].q);
	q = pa_fsum_round(&sum);
	if (fabs(q - 1) <= DENSE_TOLERANCE)
		return PA_OK;
	pa_fail(env, PA_ERR_MISMATCH, "weights of dense tensor \"%.300s\" sum to %.17g, not 1", key, q);
	pa_detail(env,
			  "A dense tensor replaces the base model's, so only a mixture of replacements has a meaning.");
	pa_hint(env, "Leave its module out with adapter_select(), or use weights that sum to 1.");
	return PA_ERR_MISMATCH;
}

/* The n tensors of one key; a leaf that lacks a difference adds nothing. */
static PaStatus
plan_key(PaEnv *env, PaCombine *plan, const PaKeyedRef *refs, uint32_t n)
{
	const PaAdapter *adapter = pa_combine_adapter(plan, refs[0].leaf);
	const PaTensor *first = &adapter->tensors[refs[0].tensor];
	int64_t		module = pa_adapter_find_module(&plan->draft.facts, refs[0].path);
	PaDraftTensor *to;
	PaCombineSum *sum;

	if (module < 0)
		return pa_fail(env, PA_ERR_INTERNAL, "module of tensor \"%.300s\" is lost", first->name);
	PA_TRY(check_distinct(env, refs, n));
	if (first->role == PA_ROLE_DENSE)
	{
		PA_TRY(check_dense_complete(env, plan, refs, n));
		PA_TRY(check_dense_weights(env, plan, refs[0].key));
	}
	PA_TRY(pa_combine_add_sum(env, plan, (uint32_t) module, first, n, &to, &sum));
	for (uint32_t i = 0; i < n; i++)
		PA_TRY(pa_combine_add_term(env, to, sum, first, pa_combine_adapter(plan, refs[i].leaf), refs[i].leaf,
								   refs[i].tensor, plan->leaves[refs[i].leaf].q));
	if (plan->pairings[module].n_keyed++ == 0)
		plan->pairings[module].first_keyed = plan->draft.n_tensors - 1;
	return PA_OK;
}

PaStatus
pa_combine_plan_keyed(PaEnv *env, PaCombine *plan, const PaKeyed *keyed)
{
	for (size_t i = 0; i < keyed->n;)
	{
		size_t		end = i + 1;

		PA_TRY(pa_check_cancel(env));
		while (end < keyed->n && same_key(&keyed->refs[i], &keyed->refs[end]))
			end++;
		PA_TRY(plan_key(env, plan, &keyed->refs[i], (uint32_t) (end - i)));
		i = end;
	}
	pa_free(env, keyed->refs);
	return PA_OK;
}
