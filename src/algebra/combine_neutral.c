/*
 * combine_neutral.c
 *	  The neutral value of an adapter: the same modules, dtypes and base model,
 *	  and no change to the weights.  It is what a sum comes to when every leaf's
 *	  weights are 0.  What it is says the kind (adapter/kind.h).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include "adapter/fault.h"
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

/* A dense tensor stays what it is, if that does not depend on whose neutral value it is. */
static PaStatus
check_dense(PaEnv *env, uint32_t n_leaves, const PaLeaf *leaves)
{
	PaCombine	all = {.n_leaves = n_leaves, .leaves = (PaLeaf *) leaves};
	PaKeyed		keyed;

	PA_TRY(pa_combine_keyed(env, &all, &keyed));
	for (size_t i = 0; i < keyed.n;)
	{
		size_t		end = pa_combine_key_end(&keyed, i);
		const PaKeyedRef *ref = &keyed.refs[i];

		PA_TRY(pa_check_cancel(env));
		if (ref->leaf == 0 && pa_combine_keyed_tensor(&all, ref)->role == PA_ROLE_DENSE &&
			!pa_combine_same_tensors(&all, ref, (uint32_t) (end - i)))
		{
			pa_fail(env, PA_ERR_MISMATCH, "dense tensor \"%.300s\" has no neutral value", ref->key);
			pa_detail(
				env,
				"Every weight of the expression is 0, and the tensor, which replaces the base model's, differs between the adapters.");
			pa_hint(env,
					"Leave it out of all adapters but the one whose tensor is to be kept, or of all: %s.",
					pa_drop_dense_call("a", ref->key).text);
			return PA_ERR_MISMATCH;
		}
		i = end;
	}
	pa_free(env, keyed.refs);
	return PA_OK;
}

/* The sum of a tensor: the kind's constant, or a dense tensor of leaf 0 as it is. */
static PaStatus
neutral_sum(PaEnv *env, const PaKindMethods *kind, const PaDraftTensor *tensor, PaCombineSum *sum)
{
	sum->constant = kind->neutral;
	if (tensor->role != PA_ROLE_DENSE)
		return PA_OK;
	PA_TRY(PA_NEW_ARRAY(env, 1, &sum->terms));
	sum->terms[sum->n_terms++] = (PaCombineTerm) {0, (uint32_t) tensor->tag, 1};
	sum->layout = PA_LAYOUT_COPY;
	return PA_OK;
}

PaStatus
pa_combine_neutral(PaEnv *env, PaCombine *plan, uint32_t n_leaves, const PaLeaf *leaves)
{
	const PaAdapter *adapter = leaves[0].source->adapter;
	const PaKindMethods *kind = pa_kind_methods(adapter->kind);
	PaDraft    *draft;

	PA_TRY(pa_adapter_require_arithmetic(env, adapter));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		if (adapter->tensors[i].role != PA_ROLE_DENSE)
			PA_TRY(pa_tensor_require_arithmetic(env, &adapter->tensors[i]));
	PA_TRY(check_dense(env, n_leaves, leaves));
	plan->leaves[0] = leaves[0];
	PA_TRY(pa_draft_of(env, adapter, &draft));
	if (kind->neutral_module != NULL)
		PA_TRY(neutral_product(env, kind, adapter, draft));
	plan->draft = *draft;
	plan->room = draft->n_tensors;
	PA_TRY(PA_NEW_ARRAY(env, draft->n_tensors, &plan->sums));
	for (uint32_t i = 0; i < draft->n_tensors; i++)
		PA_TRY(neutral_sum(env, kind, &draft->tensors[i], &plan->sums[i]));
	return PA_OK;
}
