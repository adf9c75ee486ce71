/*
 * combine_keyed.c
 *	  The tensors that are paired by their keys: dense ones (combine_dense.c), and
 *	  differences, which add up.
 *	  doc/algebra.md, "Evaluation" and "Differences".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include <string.h>

#include "core/sort.h"

static int
compare_keys(const void *a, const void *b, const void *context)
{
	const PaKeyedRef *x = a;
	const PaKeyedRef *y = b;
	int			order = strcmp(x->path, y->path);

	(void) context;
	return order != 0 ? order : strcmp(x->key, y->key);
}

static bool
same_key(const PaKeyedRef *a, const PaKeyedRef *b)
{
	return strcmp(a->key, b->key) == 0 && strcmp(a->path, b->path) == 0;
}

size_t
pa_combine_key_end(const PaKeyed *keyed, size_t i)
{
	size_t		end = i + 1;

	while (end < keyed->n && same_key(&keyed->refs[i], &keyed->refs[end]))
		end++;
	return end;
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
	PA_TRY(pa_sort(env, keyed->refs, n, sizeof(PaKeyedRef), compare_keys, NULL));
	for (size_t i = 0; i < n; i = pa_combine_key_end(keyed, i))
		keyed->n_keys++;
	if (keyed->n_keys > PA_MAX_TENSORS)
		return pa_fail(env, PA_ERR_LIMIT, "adapter would have %zu tensors, more than %d", keyed->n_keys,
					   PA_MAX_TENSORS);
	return PA_OK;
}

/* A leaf has each key at most once; refs are in order of leaves. */
static PaStatus
check_distinct(PaEnv *env, const PaKeyedRef *refs, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		if (refs[i - 1].leaf == refs[i].leaf)
			return pa_fail(env, PA_ERR_MISMATCH,
						   "tensor \"%.300s\" is twice in an adapter, with different prefixes", refs[0].key);
	return PA_OK;
}

/* The n tensors of one key; a leaf that lacks a difference adds nothing. */
static PaStatus
plan_key(PaEnv *env, PaCombine *plan, PaKeyedRef *refs, uint32_t n)
{
	int64_t		module = pa_adapter_find_module(&plan->draft.facts, refs[0].path);
	const PaTensor *first = pa_combine_keyed_tensor(plan, &refs[0]);
	PaDraftTensor *to;
	PaCombineSum *sum;
	PaLayout	layout = PA_LAYOUT_SUM;

	if (module < 0)
		return pa_fail(env, PA_ERR_INTERNAL, "module of tensor \"%.300s\" is lost", first->name);
	PA_TRY(check_distinct(env, refs, n));
	if (first->role == PA_ROLE_DENSE)
		PA_TRY(pa_combine_dense(env, plan, refs, n, &layout));
	if (layout == PA_LAYOUT_COPY)
		n = 1;
	PA_TRY(pa_combine_order_keyed(env, plan, refs, n));
	PA_TRY(pa_combine_add_sum(env, plan, (uint32_t) module, first, n, &to, &sum));
	for (uint32_t i = 0; i < n; i++)
		PA_TRY(pa_combine_add_term(env, to, sum, first, pa_combine_adapter(plan, refs[i].leaf), refs[i].leaf,
								   refs[i].tensor, plan->leaves[refs[i].leaf].q));
	sum->layout = layout;
	if (plan->pairings[module].n_keyed++ == 0)
		plan->pairings[module].first_keyed = plan->draft.n_tensors - 1;
	return PA_OK;
}

PaStatus
pa_combine_plan_keyed(PaEnv *env, PaCombine *plan, const PaKeyed *keyed)
{
	for (size_t i = 0; i < keyed->n;)
	{
		size_t		end = pa_combine_key_end(keyed, i);

		PA_TRY(pa_check_cancel(env));
		PA_TRY(plan_key(env, plan, &keyed->refs[i], (uint32_t) (end - i)));
		i = end;
	}
	pa_free(env, keyed->refs);
	return PA_OK;
}
