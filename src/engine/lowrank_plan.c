/*
 * lowrank_plan.c
 *	  The plan of one or two sums of deltas over the union of their leaves.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/lowrank_impl.h"

#include <stdlib.h>
#include <string.h>

static int
compare_summands(const void *a, const void *b)
{
	return memcmp(pa_value_header(((const PaSummand *) a)->value)->digest,
				  pa_value_header(((const PaSummand *) b)->value)->digest, PA_SHA256_LENGTH);
}

/* The leaves of both, in digest order; one that both have becomes one with two weights. */
static PaStatus
collect(PaEnv *env, const PaDeltaSum *d, const PaDeltaSum *e, PaPlannedSum *sum)
{
	uint32_t	n = 0;
	uint32_t	kept = 0;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) d->n + (e != NULL ? e->n : 0), &sum->summands));
	for (uint32_t i = 0; i < d->n; i++)
		sum->summands[n++] = (PaSummand) {d->values[i], {d->weights[i], 0}};
	for (uint32_t i = 0; e != NULL && i < e->n; i++)
		sum->summands[n++] = (PaSummand) {e->values[i], {0, e->weights[i]}};
	qsort(sum->summands, n, sizeof(PaSummand), compare_summands);
	for (uint32_t i = 0; i < n; i++)
	{
		if (kept == 0 || compare_summands(&sum->summands[kept - 1], &sum->summands[i]) != 0)
			sum->summands[kept++] = sum->summands[i];
		else
			for (int w = 0; w < 2; w++)
				sum->summands[kept - 1].weight[w] += sum->summands[i].weight[w];
	}
	sum->n_summands = kept;
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
	PA_TRY(PA_NEW_ARRAY(env, sum->n_summands, leaves));
	for (uint32_t i = 0; i < sum->n_summands; i++)
	{
		PaSummand  *summand = &sum->summands[i];
		PaLeaf	   *leaf = &(*leaves)[i];
		bool		counts = summand->weight[0] != 0 || summand->weight[1] != 0;

		leaf->digest = pa_value_header(summand->value)->digest;
		leaf->q = dense ? summand->weight[0] : counts ? 1 : 0;
		leaf->tag = i;
		pa_value_borrow_decoder(summand->value, sum->summands[0].value);
		PA_TRY(pa_value_source(env, summand->value, &leaf->source));
		if (!dense)
			PA_TRY(without_dense(env, leaf->source, &leaf->source));
	}
	return PA_OK;
}

PaStatus
pa_engine_plan_sum(PaEnv *env, const PaDeltaSum *d, const PaDeltaSum *e, bool dense, PaPlannedSum *sum)
{
	PaLeaf	   *leaves;
	const PaLeaf *kept;

	*sum = (PaPlannedSum) {0};
	PA_TRY(collect(env, d, e, sum));
	PA_TRY(make_leaves(env, sum, dense, &leaves));
	PA_TRY(pa_combine_plan(env, PA_RULE_DELTA, sum->n_summands, leaves, &sum->plan, &sum->draft));
	kept = pa_combine_leaves(sum->plan, &sum->n_leaves);
	for (int w = 0; w < 2; w++)
	{
		PA_TRY(PA_NEW_ARRAY(env, sum->n_leaves, &sum->weights[w]));
		for (uint32_t i = 0; i < sum->n_leaves; i++)
			sum->weights[w][i] = sum->summands[kept[i].tag].weight[w];
	}
	return PA_OK;
}

PaStatus
pa_engine_stacks(PaEnv *env, const PaPlannedSum *sum, const PaStack ***stacks)
{
	PA_TRY(PA_NEW_ARRAY(env, sum->draft->facts.n_modules, stacks));
	for (uint32_t i = 0; sum->n_leaves > 0 && i < sum->draft->facts.n_modules; i++)
		PA_TRY(pa_combine_stack(env, sum->plan, i, &(*stacks)[i]));
	return PA_OK;
}
