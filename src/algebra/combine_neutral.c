/*
 * combine_neutral.c
 *	  The neutral value of an adapter: the same modules, dtypes and base model,
 *	  and no change to the weights.  It is what a sum comes to when every leaf's
 *	  weights are 0.  What it is says the kind (adapter/kind.h).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include "adapter/operation.h"

/* Factors of rank 1, or what comes nearest to it in the layer. */
static PaStatus
neutral_product(PaEnv *env, const PaKindMethods *kind, const PaAdapter *adapter, PaDraft *draft)
{
	uint64_t   *divisor;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &divisor));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		if (adapter->modules[i].flags & PA_MODULE_TARGET)
			PA_TRY(kind->neutral_module(env, adapter, &adapter->modules[i], &draft->facts.modules[i],
										&divisor[i]));
	for (uint32_t i = 0; i < draft->n_tensors; i++)
	{
		PaDraftTensor *tensor = &draft->tensors[i];
		PaWeightRule weight = pa_role(tensor->role)->weight;

		if (weight == PA_WEIGHT_FACTOR_A)
			tensor->shape[0] = draft->facts.modules[tensor->module].rank;
		else if (weight == PA_WEIGHT_FACTOR_B)
			tensor->shape[1] /= divisor[tensor->module];
	}
	draft->facts.rslora = false;
	pa_free(env, divisor);
	return PA_OK;
}

PaStatus
pa_combine_neutral(PaEnv *env, PaCombine *plan, const PaAdapter *adapter)
{
	const PaKindMethods *kind = pa_kind_methods(adapter->kind);
	PaDraft    *draft;

	PA_TRY(pa_adapter_require_arithmetic(env, adapter));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];

		PA_TRY(pa_tensor_require_arithmetic(env, tensor));
		if (tensor->role != PA_ROLE_DENSE)
			continue;
		pa_fail(env, PA_ERR_MISMATCH, "dense tensor \"%.300s\" has no neutral value", tensor->key);
		pa_detail(env, "Every weight of the expression is 0, and a dense tensor replaces the base model's.");
		pa_hint(env, "Leave its module out with adapter_select().");
		return PA_ERR_MISMATCH;
	}
	PA_TRY(pa_draft_of(env, adapter, &draft));
	if (kind->neutral_module != NULL)
		PA_TRY(neutral_product(env, kind, adapter, draft));
	plan->draft = *draft;
	plan->room = draft->n_tensors;
	PA_TRY(PA_NEW_ARRAY(env, draft->n_tensors, &plan->sums));
	for (uint32_t i = 0; i < draft->n_tensors; i++)
		plan->sums[i].constant = kind->neutral;
	return PA_OK;
}
