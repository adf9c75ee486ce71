/*
 * transform_select.c
 *	  adapter_select and adapter_select_tensors: some of the tensors, unchanged, and
 *	  the modules that they are of.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/transform.h"

#include "algebra/saved_modules.h"

/* A module that only dense tensors are left of is no target any more. */
static PaModule
without_change(const PaModule *module)
{
	PaModule	left = {.path = module->path, .scaling = 1, .alpha = 1};

	pa_module_clear(&left);
	return left;
}

PaStatus
pa_select_draft(PaEnv *env, const PaAdapter *adapter, const bool *keep, PaDraft **draft)
{
	PaDraft    *d;
	uint32_t   *moved;
	bool	   *stays;
	bool	   *changes;
	uint32_t	n_modules = 0;
	uint32_t	n_tensors = 0;

	PA_TRY(pa_draft_of(env, adapter, &d));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &moved));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &stays));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &changes));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];

		stays[tensor->module] = stays[tensor->module] || keep[i];
		changes[tensor->module] = changes[tensor->module] || (keep[i] && tensor->role != PA_ROLE_DENSE);
	}
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		moved[i] = n_modules;
		if (stays[i])
			d->facts.modules[n_modules++] = changes[i] ? d->facts.modules[i]
													   : without_change(&d->facts.modules[i]);
	}
	if (n_modules == 0)
	{
		pa_fail(env, PA_ERR_CONFIG, "nothing of the adapter is selected");
		pa_detail(env,
				  "It has %u modules with %u tensors; an expression must match the whole path of a module, "
				  "or the whole name of a tensor.",
				  adapter->n_modules, adapter->n_tensors);
		pa_hint(env, "adapter_modules() lists the paths of modules and the tensors.");
		return PA_ERR_CONFIG;
	}
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		if (!keep[i])
			continue;
		d->tensors[n_tensors] = d->tensors[i];
		d->tensors[n_tensors].module = moved[adapter->tensors[i].module];
		n_tensors++;
	}
	d->facts.n_modules = n_modules;
	d->n_tensors = n_tensors;
	PA_TRY(pa_union_saved_modules(env, 1, &adapter, d));
	*draft = d;
	return PA_OK;
}
