/*
 * peft_describe_draft.c
 *	  From the draft of an operation's result to the adapter that is stored: its
 *	  names and configuration are written, and then read as if they came from a
 *	  file.
 *
 * So what is stored is what PEFT will read; and what it reads must be what the
 * operation meant, bit for bit.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft.h"

#include <string.h>

#include "adapter/kind.h"
#include "adapter/scaling.h"

static PaStatus
name_tensors(PaEnv *env, const PaDraft *draft, PaFileTensor **tensors)
{
	uint64_t	offset = 0;

	PA_TRY(PA_NEW_ARRAY(env, draft->n_tensors, tensors));
	for (uint32_t i = 0; i < draft->n_tensors; i++)
	{
		const PaDraftTensor *from = &draft->tensors[i];
		PaFileTensor *to = &(*tensors)[i];
		PaTensor	measured = {.dtype = from->dtype, .ndim = from->ndim};

		if (from->name != NULL)
			to->name = from->name;
		else
			PA_TRY(pa_peft_name_write(env, draft, from, &to->name));
		to->module = draft->facts.modules[from->module].path;
		measured.name = to->name;
		memcpy(measured.shape, from->shape, sizeof(measured.shape));
		PA_TRY(pa_tensor_measure(env, &measured, PA_ERR_LIMIT));
		to->dtype = from->dtype;
		to->ndim = from->ndim;
		memcpy(to->shape, from->shape, sizeof(to->shape));
		to->bytes = measured.bytes;
		to->offset = offset;
		offset += to->bytes;
	}
	return PA_OK;
}

static bool
same_list(const char *const *a, uint32_t n, const char *const *b, uint32_t m)
{
	if (n != m)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

static bool
same_facts(const PaAdapter *a, const PaAdapter *b)
{
	return a->kind == b->kind && pa_same_text(a->base_model, b->base_model) &&
		pa_same_text(a->base_revision, b->base_revision) && pa_same_text(a->task_type, b->task_type) &&
		pa_same_text(a->bias, b->bias) && a->features == b->features &&
		a->fan_in_fan_out == b->fan_in_fan_out && a->lora_bias == b->lora_bias &&
		same_list(a->target_parameters, a->n_target_parameters, b->target_parameters, b->n_target_parameters);
}

static PaStatus
check_module(PaEnv *env, const PaModule *meant, const PaModule *read)
{
	if (strcmp(meant->path, read->path) != 0 || meant->flags != read->flags ||
		((meant->flags & PA_MODULE_TARGET) && meant->rank != read->rank))
		return pa_fail(env, PA_ERR_INTERNAL, "module \"%.300s\" does not come back from its names",
					   meant->path);
	if (!(meant->flags & PA_MODULE_TARGET) || memcmp(&meant->scaling, &read->scaling, sizeof(double)) == 0)
		return PA_OK;
	pa_fail(env, PA_ERR_UNSUPPORTED,
			"scaling %.17g of module \"%.300s\" cannot be written in a configuration", meant->scaling,
			meant->path);
	pa_detail(env, "With rank %llu the nearest alpha, %.17g, gives a scaling of %.17g.",
			  (unsigned long long) meant->rank, meant->alpha, read->scaling);
	pa_hint(env, "adapter_scale(a, 1) brings an adapter's scalings into a form that can be written.");
	return PA_ERR_UNSUPPORTED;
}

/*
 * The alphas of this form; false if there is a scaling that it cannot have.  What
 * they are is a function of scalings and ranks, which the digest covers, and not
 * of the form that operands came in.
 */
static bool
spell_as(const PaAdapter *facts, bool rslora, PaModule *modules)
{
	bool		all = true;

	for (uint32_t i = 0; i < facts->n_modules; i++)
	{
		uint64_t	r = pa_config_rank(&facts->modules[i], facts->rslora);
		bool		exact;

		/* a rank that is not told is refused in writing */
		if (!(facts->modules[i].flags & PA_MODULE_TARGET) || r == 0)
			continue;
		modules[i].alpha = pa_alpha_for(modules[i].scaling, pa_alpha_divisor(r, rslora), &exact);
		all = all && exact;
	}
	return all;
}

PaStatus
pa_peft_spell_scalings(PaEnv *env, const PaDraft *draft, PaDraft *spelled)
{
	const PaAdapter *facts = &draft->facts;
	PaModule   *modules;

	*spelled = *draft;
	if (pa_kind_methods(facts->kind)->delta != PA_DELTA_PRODUCT)
		return PA_OK;
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &modules));
	memcpy(modules, facts->modules, facts->n_modules * sizeof(PaModule));
	spelled->facts.modules = modules;
	spelled->facts.rslora = !spell_as(facts, false, modules) && spell_as(facts, true, modules);
	if (!spelled->facts.rslora)
		(void) spell_as(facts, false, modules);
	return PA_OK;
}

static PaStatus
check_same(PaEnv *env, const PaAdapter *meant, const PaAdapter *read)
{
	if (meant->n_modules != read->n_modules || !same_facts(meant, read))
		return pa_fail(env, PA_ERR_INTERNAL, "facts of the result do not come back from its configuration");
	for (uint32_t i = 0; i < meant->n_modules; i++)
		PA_TRY(check_module(env, &meant->modules[i], &read->modules[i]));
	if (same_list(meant->saved_modules, meant->n_saved_modules, read->saved_modules, read->n_saved_modules))
		return PA_OK;
	pa_fail(env, PA_ERR_UNSUPPORTED, "modules_to_save of the result cannot be written in a configuration");
	pa_detail(
		env,
		"PEFT selects saved modules by the end of their names, and one of these names is the end of another.");
	return PA_ERR_UNSUPPORTED;
}

/*
 * Names that stay must tell the paths in one way, or an envelope could not say in
 * which.  Where some have lost their wrappers and others are of before wrappers
 * were taken off, the draft without its names gets PEFT's.
 */
static PaStatus
without_names(PaEnv *env, const PaDraft *draft, const PaAdapter *adapter, PaDraft *unnamed)
{
	bool		told;

	*unnamed = *draft;
	if (draft->spelling != NULL)
		return PA_OK;
	PA_TRY(pa_peft_names_tell(env, adapter, false, &told));
	if (!told)
		PA_TRY(pa_peft_names_tell(env, adapter, true, &told));
	if (told)
		return PA_OK;
	PA_TRY(PA_NEW_ARRAY(env, draft->n_tensors, &unnamed->tensors));
	for (uint32_t i = 0; i < draft->n_tensors; i++)
	{
		unnamed->tensors[i] = draft->tensors[i];
		unnamed->tensors[i].name = NULL;
	}
	return PA_OK;
}

static PaStatus
describe_once(PaEnv *env, const PaDraft *draft, PaText config, bool composed, PaAdapter **adapter,
			  uint32_t **draft_of)
{
	PaFileTensor *tensors;
	PaConfig	read;

	PA_TRY(name_tensors(env, draft, &tensors));
	PA_TRY(pa_peft_config_read(env, config, &read));
	read.composed = composed;
	if (draft->spelling != NULL)
		read.container = PA_CONTAINER_DIFFUSION;
	PA_TRY(pa_peft_describe(env, &read, draft->n_tensors, tensors, adapter, draft_of));
	return check_same(env, &draft->facts, *adapter);
}

static PaStatus
describe(PaEnv *env, const PaDraft *draft, PaText config, bool composed, PaAdapter **adapter,
		 uint32_t **draft_of)
{
	PaDraft		unnamed;

	PA_TRY(describe_once(env, draft, config, composed, adapter, draft_of));
	PA_TRY(without_names(env, draft, *adapter, &unnamed));
	if (unnamed.tensors == draft->tensors)
		return PA_OK;
	return describe_once(env, &unnamed, config, composed, adapter, draft_of);
}

PaStatus
pa_peft_describe_kept(PaEnv *env, const PaDraft *draft, PaText config, PaAdapter **adapter,
					  uint32_t **draft_of)
{
	return describe(env, draft, config, false, adapter, draft_of);
}

PaStatus
pa_peft_describe_draft(PaEnv *env, const PaDraft *draft, PaText *config, PaAdapter **adapter,
					   uint32_t **draft_of)
{
	PaDraft		spelled;

	PA_TRY(pa_peft_spell_scalings(env, draft, &spelled));
	PA_TRY(pa_peft_config_write(env, &spelled, config));
	return describe(env, &spelled, *config, true, adapter, draft_of);
}
