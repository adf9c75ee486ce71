/*
 * agree.c
 *	  The refusals that need only facts: two adapters of different kinds or of
 *	  different base models have no sum (doc/algebra.md, "Refusals").  One place,
 *	  so that combining and union cannot drift apart.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/agree.h"

#include <string.h>

#include "adapter/kind.h"
#include "adapter/shape.h"
#include "core/strings.h"

static PaStatus
agree_base(PaEnv *env, const char *what, const char *a, const char *b)
{
	if (pa_same_text(a, b))
		return PA_OK;
	pa_fail(env, PA_ERR_MISMATCH, "adapters have different %s: %s%.150s%s and %s%.150s%s", what,
			a ? "\"" : "", a ? a : "null", a ? "\"" : "", b ? "\"" : "", b ? b : "null", b ? "\"" : "");
	pa_detail(env, "Base models and revisions are compared exactly; null equals only null.");
	pa_hint(env, "If both names mean the same model, rename one with adapter_set_base_model().");
	return PA_ERR_MISMATCH;
}

static bool
same_list(uint32_t n, const char *const *a, uint32_t m, const char *const *b)
{
	if (n != m)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

PaStatus
pa_agree_parameters(PaEnv *env, const PaModule *a, const PaModule *b)
{
	if (same_list(a->n_parameters, a->parameters, b->n_parameters, b->parameters))
		return PA_OK;
	pa_fail(env, PA_ERR_MISMATCH, "module \"%.300s\" stands for other target_parameters in two adapters",
			a->path);
	pa_detail(env,
			  "One may stand for %u, beginning with \"%.200s\", the other for %u, beginning with \"%.200s\".",
			  a->n_parameters, a->n_parameters > 0 ? a->parameters[0] : "", b->n_parameters,
			  b->n_parameters > 0 ? b->parameters[0] : "");
	pa_hint(env, "Leave the module out of one of them with adapter_select().");
	return PA_ERR_MISMATCH;
}

static bool
same_parameters(uint32_t n, const PaAdapter *const *adapters)
{
	for (uint32_t i = 1; i < n; i++)
		if (!same_list(adapters[0]->n_target_parameters, adapters[0]->target_parameters,
					   adapters[i]->n_target_parameters, adapters[i]->target_parameters))
			return false;
	return true;
}

PaStatus
pa_union_parameters(PaEnv *env, uint32_t n, const PaAdapter *const *adapters, PaAdapter *facts)
{
	size_t		total = 0;
	const char **list;

	if (same_parameters(n, adapters))
		return PA_OK;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t m = 0; m < adapters[i]->n_modules; m++)
			total += adapters[i]->modules[m].n_parameters;
	PA_TRY(PA_NEW_ARRAY(env, total, &list));
	total = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		PA_TRY(pa_check_cancel(env));
		for (uint32_t m = 0; m < adapters[i]->n_modules; m++)
			for (uint32_t k = 0; k < adapters[i]->modules[m].n_parameters; k++)
				list[total++] = adapters[i]->modules[m].parameters[k];
	}
	facts->n_target_parameters = (uint32_t) pa_sort_distinct_strings(list, total);
	facts->target_parameters = list;
	return PA_OK;
}

static bool
have_forms(const PaAdapter *a, const PaAdapter *b, PaDeltaForm of_a, PaDeltaForm of_b)
{
	return pa_delta_form(a) == of_a && pa_delta_form(b) == of_b;
}

PaStatus
pa_agree(PaEnv *env, const PaAdapter *a, const PaAdapter *b)
{
	if (a->kind != b->kind)
	{
		pa_fail(env, PA_ERR_MISMATCH, "adapters have different kinds: %s and %s", pa_kind_name(a->kind),
				pa_kind_name(b->kind));
		pa_detail(env, "Adapters are combined with adapters of their own kind.");
		if (have_forms(a, b, PA_DELTA_TENSORS, PA_DELTA_PRODUCT) ||
			have_forms(b, a, PA_DELTA_TENSORS, PA_DELTA_PRODUCT))
			pa_hint(env, "adapter_extract() makes the nearest LoRA of a difference.");
		return PA_ERR_MISMATCH;
	}
	PA_TRY(agree_base(env, "base models", a->base_model, b->base_model));
	return agree_base(env, "base model revisions", a->base_revision, b->base_revision);
}

void
pa_agree_flags(PaAdapter *facts, const PaAdapter *other)
{
	facts->fan_in_fan_out = facts->fan_in_fan_out && other->fan_in_fan_out;
	facts->lora_bias = facts->lora_bias || other->lora_bias;
}

PaStatus
pa_agree_shape(PaEnv *env, const PaTensor *a, const PaTensor *b)
{
	if (a->ndim == b->ndim && memcmp(a->shape, b->shape, (size_t) a->ndim * sizeof(a->shape[0])) == 0)
		return PA_OK;
	return pa_fail(env, PA_ERR_MISMATCH, "tensor \"%.300s\" has different shapes: %s and %s", a->key,
				   pa_shape_text(a).text, pa_shape_text(b).text);
}
