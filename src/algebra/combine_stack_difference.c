/*
 * combine_stack_difference.c
 *	  A module of differences in delta space: one stack for each of its tensors,
 *	  whose parts are the tensors that the sum pairs.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

static PaStatus
stack_tensor(PaEnv *env, const PaCombine *plan, const PaPairing *pairing, uint32_t index, PaStack **stack)
{
	const PaCombineSum *sum = &plan->sums[index];
	PaStack    *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(PA_NEW_ARRAY(env, sum->n_terms, &self->parts));
	self->path = pairing->module.path;
	self->key = plan->draft.tensors[index].key;
	self->groups = 1;
	self->n_parts = sum->n_terms;
	for (uint32_t i = 0; i < sum->n_terms; i++)
	{
		const PaLeaf *leaf = &plan->leaves[sum->terms[i].leaf];

		self->parts[i] = (PaStackPart) {
			.leaf = sum->terms[i].leaf,
			.source = leaf->source,
			.digest = leaf->digest,
			.factor_a = -1,
			.factor_b = -1,
			.bias = -1,
			.vector = -1,
			.difference = sum->terms[i].tensor,
			.scaling = 1,
		};
	}
	*stack = self;
	return PA_OK;
}

PaStatus
pa_combine_stack_differences(PaEnv *env, const PaCombine *plan, const PaPairing *pairing,
							 const PaStack **stack)
{
	*stack = NULL;
	/* from the last to the first, so that each knows the next */
	for (uint32_t i = pairing->n_keyed; i-- > 0;)
	{
		PaStack    *self;

		PA_TRY(stack_tensor(env, plan, pairing, pairing->first_keyed + i, &self));
		self->next = *stack;
		*stack = self;
	}
	return PA_OK;
}
