/*
 * delta_sum.c
 *	  The plan of one or two sums of deltas over the union of their leaves.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/delta_sum.h"

#include <string.h>

/* The leaves of both sums; one that both have becomes one with two weights. */
static PaStatus
collect(PaEnv *env, const PaDeltaSum *d, const PaDeltaSum *e, PaPlannedSum *sum)
{
	uint32_t	n_e = e != NULL ? e->n : 0;
	uint32_t	n = d->n + n_e;
	PaValue   **values;

	PA_TRY(PA_NEW_ARRAY(env, n, &values));
	for (uint32_t i = 0; i < n; i++)
		values[i] = i < d->n ? d->values[i] : e->values[i - d->n];
	PA_TRY(pa_operands_open(env, n, values, true, &sum->operands));
	PA_TRY(PA_NEW_ARRAY(env, n, &sum->given[0]));
	PA_TRY(PA_NEW_ARRAY(env, n, &sum->given[1]));
	for (uint32_t i = 0; i < d->n; i++)
		sum->given[0][sum->operands.place[i]] += d->weights[i];
	for (uint32_t i = 0; i < n_e; i++)
		sum->given[1][sum->operands.place[d->n + i]] += e->weights[i];
	pa_free(env, values);
	return PA_OK;
}

/* The adapter without its dense tensors, which have no delta. */
static PaStatus
without_dense(PaEnv *env, PaSource *source, PaSource **result)
{
	PaAdapter  *adapter;
	uint32_t   *from;

	PA_TRY(PA_NEW(env, &adapter));
	*adapter = *source->adapter;
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &adapter->tensors));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &from));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &adapter->modules));
	memcpy(adapter->modules, source->adapter->modules, adapter->n_modules * sizeof(PaModule));
	adapter->n_tensors = 0;
	for (uint32_t i = 0; i < source->adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &source->adapter->tensors[i];

		if (tensor->role == PA_ROLE_DENSE)
			continue;
		if (!pa_role_is_keyed(tensor->role))
			adapter->modules[tensor->module].tensor[tensor->role] = adapter->n_tensors;
		from[adapter->n_tensors] = i;
		adapter->tensors[adapter->n_tensors++] = *tensor;
	}
	return pa_source_subset(env, adapter, source, from, result);
}

static PaStatus
make_leaves(PaEnv *env, const PaPlannedSum *sum, bool dense, PaLeaf **leaves)
{
	PA_TRY(PA_NEW_ARRAY(env, sum->operands.n, leaves));
	for (uint32_t i = 0; i < sum->operands.n; i++)
	{
		PaLeaf	   *leaf = &(*leaves)[i];

		leaf->digest = sum->operands.named[i].digest;
		leaf->p = sum->given[1][i];
		leaf->q = sum->given[0][i];
		leaf->source = sum->operands.sources[i];
		if (!dense)
			PA_TRY(without_dense(env, leaf->source, &leaf->source));
	}
	return PA_OK;
}

/* The weights of the leaves that the plan kept. */
static PaStatus
keep_weights(PaEnv *env, PaPlannedSum *sum)
{
	const PaLeaf *kept = pa_combine_leaves(sum->plan, &sum->n_leaves);

	PA_TRY(PA_NEW_ARRAY(env, sum->n_leaves, &sum->weights[0]));
	PA_TRY(PA_NEW_ARRAY(env, sum->n_leaves, &sum->weights[1]));
	for (uint32_t i = 0; i < sum->n_leaves; i++)
	{
		sum->weights[0][i] = kept[i].q;
		sum->weights[1][i] = kept[i].p;
	}
	return PA_OK;
}

PaStatus
pa_delta_sum_plan(PaEnv *env, const PaDeltaSum *d, const PaDeltaSum *e, bool dense, PaPlannedSum *sum)
{
	PaLeaf	   *leaves;

	*sum = (PaPlannedSum) {0};
	PA_TRY(collect(env, d, e, sum));
	PA_TRY(make_leaves(env, sum, dense, &leaves));
	PA_TRY(pa_combine_plan(env, PA_RULE_DELTA, sum->operands.n, leaves, &sum->plan, &sum->draft));
	return keep_weights(env, sum);
}

PaStatus
pa_delta_sum_stacks(PaEnv *env, const PaPlannedSum *sum, const PaStack ***stacks)
{
	PA_TRY(PA_NEW_ARRAY(env, sum->draft->facts.n_modules, stacks));
	for (uint32_t i = 0; sum->n_leaves > 0 && i < sum->draft->facts.n_modules; i++)
		PA_TRY(pa_combine_stack(env, sum->plan, i, &(*stacks)[i]));
	return PA_OK;
}
