/*
 * draft.c
 *	  Drafts that begin as an adapter that is there.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/draft.h"

#include <string.h>

PaStatus
pa_draft_of(PaEnv *env, const PaAdapter *adapter, PaDraft **draft)
{
	PaDraft    *d;

	PA_TRY(PA_NEW(env, &d));
	d->facts = *adapter;
	d->facts.tensors = NULL;
	d->facts.n_tensors = 0;
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &d->facts.modules));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		d->facts.modules[i] = adapter->modules[i];
		pa_module_clear(&d->facts.modules[i]);
	}
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &d->tensors));
	d->n_tensors = adapter->n_tensors;
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		pa_draft_tensor_of(&d->tensors[i], &adapter->tensors[i], i);
	*draft = d;
	return PA_OK;
}

void
pa_draft_tensor_of(PaDraftTensor *draft, const PaTensor *tensor, uint64_t tag)
{
	memset(draft, 0, sizeof(*draft));
	draft->module = tensor->module;
	draft->role = tensor->role;
	draft->key = pa_role_is_keyed(tensor->role) ? tensor->key : NULL;
	draft->dtype = tensor->dtype;
	draft->ndim = tensor->ndim;
	memcpy(draft->shape, tensor->shape, sizeof(draft->shape));
	draft->tag = tag;
}
