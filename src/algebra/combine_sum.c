/*
 * combine_sum.c
 *	  The plan grows: a draft tensor and the sum that it stands for come together,
 *	  and with each term the draft tensor's dtype, and a stack's shape, widen.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include <math.h>
#include <string.h>

#include "algebra/agree.h"

PaStatus
pa_combine_add_sum(PaEnv *env, PaCombine *plan, uint32_t module, const PaTensor *like, uint32_t n,
				   PaDraftTensor **tensor, PaCombineSum **sum)
{
	uint32_t	k = plan->draft.n_tensors;

	if (k == plan->room)
		return pa_fail(env, PA_ERR_INTERNAL, "plan has more than %zu tensors", plan->room);
	*tensor = &plan->draft.tensors[k];
	*sum = &plan->sums[k];
	pa_draft_tensor_of(*tensor, like, k);
	(*tensor)->module = module;
	**sum = (PaCombineSum) {.layout = PA_LAYOUT_SUM, .groups = 1};
	PA_TRY(PA_NEW_ARRAY(env, n, &(*sum)->terms));
	plan->draft.n_tensors++;
	return PA_OK;
}

/* A stack's factor in one of its dimensions is as long as its parts together. */
static PaStatus
extend_stack(PaEnv *env, PaDraftTensor *to, const PaCombineSum *sum, const PaTensor *first,
			 const PaTensor *of)
{
	int			along = sum->layout == PA_LAYOUT_ROWS ? 0 : 1;
	PaTensor	like = *of;

	like.shape[along] = first->shape[along];
	if (like.ndim != first->ndim ||
		memcmp(like.shape, first->shape, (size_t) like.ndim * sizeof(like.shape[0])) != 0)
		return pa_agree_shape(env, first, of);
	if (sum->n_terms > 0)
		to->shape[along] += of->shape[along];
	return PA_OK;
}

PaStatus
pa_combine_add_term(PaEnv *env, PaDraftTensor *to, PaCombineSum *sum, const PaTensor *first,
					const PaAdapter *adapter, uint32_t leaf, uint32_t tensor, double c)
{
	const PaTensor *of = &adapter->tensors[tensor];

	if (sum->layout == PA_LAYOUT_SUM)
		PA_TRY(pa_agree_shape(env, first, of));
	else
		PA_TRY(extend_stack(env, to, sum, first, of));
	if (!isfinite(c))
		return pa_fail(env, PA_ERR_RANGE, "weight of tensor \"%.300s\" is out of range", of->name);
	to->dtype = pa_dtype_wider(to->dtype, of->dtype);
	sum->terms[sum->n_terms++] = (PaCombineTerm) {leaf, tensor, c};
	return PA_OK;
}
