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

static PaStatus
agree_target_parameters(PaEnv *env, const PaAdapter *a, const PaAdapter *b)
{
	bool		same = a->n_target_parameters == b->n_target_parameters;

	for (uint32_t i = 0; same && i < a->n_target_parameters; i++)
		same = strcmp(a->target_parameters[i], b->target_parameters[i]) == 0;
	if (same)
		return PA_OK;
	pa_fail(env, PA_ERR_MISMATCH, "adapters have different target_parameters");
	pa_detail(env, "One adapter names %u parameters, the other %u.", a->n_target_parameters,
			  b->n_target_parameters);
	return PA_ERR_MISMATCH;
}

PaStatus
pa_agree(PaEnv *env, const PaAdapter *a, const PaAdapter *b)
{
	if (a->kind != b->kind)
	{
		pa_fail(env, PA_ERR_MISMATCH, "adapters have different kinds: %s and %s", pa_kind_name(a->kind),
				pa_kind_name(b->kind));
		pa_detail(env, "Adapters are combined with adapters of their own kind.");
		return PA_ERR_MISMATCH;
	}
	PA_TRY(agree_base(env, "base models", a->base_model, b->base_model));
	PA_TRY(agree_base(env, "base model revisions", a->base_revision, b->base_revision));
	return agree_target_parameters(env, a, b);
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
