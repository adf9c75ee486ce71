/*
 * combine_neutral.c
 *	  The neutral value of an adapter: the same modules, dtypes and base model,
 *	  and no change to the weights.  It is what a sum comes to when every leaf's
 *	  weights are 0.  LoRA: rank 1, zero factors, alpha 1; (IA)^3: ones;
 *	  differences: zeros.
 *
 * A grouped convolution cannot have rank 1: its rank is the number of groups,
 * and alpha equals it; stacked experts have rank 1 each.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include "adapter/scaling.h"

/* How many times the smallest rank of its layer the module's rank is. */
static uint64_t
neutral_divisor(const PaAdapter *adapter, const PaModule *module)
{
	if (module->flags & PA_MODULE_PARAMETER)
		return pa_config_rank(module, adapter->rslora);
	return adapter->tensors[module->tensor[PA_ROLE_FACTOR_B]].shape[1];
}

static PaStatus
neutral_module(PaEnv *env, const PaAdapter *adapter, uint32_t index, PaModule *module, uint64_t *divisor)
{
	const PaModule *from = &adapter->modules[index];

	*divisor = neutral_divisor(adapter, from);
	if (*divisor == 0 || from->rank % *divisor != 0)
		return pa_fail(env, PA_ERR_MISMATCH, "module \"%.300s\" has no neutral value", from->path);
	module->rank = from->rank / *divisor;
	module->scaling = 1;
	module->alpha = from->flags & PA_MODULE_PARAMETER ? 1 : (double) module->rank;
	return PA_OK;
}

static PaStatus
neutral_lora(PaEnv *env, const PaAdapter *adapter, PaDraft *draft)
{
	uint64_t   *divisor;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &divisor));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		if (adapter->modules[i].flags & PA_MODULE_TARGET)
			PA_TRY(neutral_module(env, adapter, i, &draft->facts.modules[i], &divisor[i]));
	for (uint32_t i = 0; i < draft->n_tensors; i++)
	{
		PaDraftTensor *tensor = &draft->tensors[i];

		if (tensor->role == PA_ROLE_FACTOR_A)
			tensor->shape[0] = draft->facts.modules[tensor->module].rank;
		else if (tensor->role == PA_ROLE_FACTOR_B)
			tensor->shape[1] /= divisor[tensor->module];
	}
	draft->facts.rslora = false;
	pa_free(env, divisor);
	return PA_OK;
}

PaStatus
pa_combine_neutral(PaEnv *env, PaCombine *plan, const PaAdapter *adapter)
{
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
	if (adapter->kind == PA_KIND_LORA)
		PA_TRY(neutral_lora(env, adapter, draft));
	plan->draft = *draft;
	plan->room = draft->n_tensors;
	PA_TRY(PA_NEW_ARRAY(env, draft->n_tensors, &plan->sums));
	for (uint32_t i = 0; i < draft->n_tensors; i++)
		plan->sums[i].constant = adapter->kind == PA_KIND_IA3 ? 1 : 0;
	return PA_OK;
}
