/*
 * to_lora.c
 *	  Conversion to LoRA.  See to_lora.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/to_lora.h"

#include "adapter/kind.h"
#include "algebra/factored.h"
#include "engine/operands.h"
#include "engine/result.h"
#include "interchange/peft_factored.h"

static PaStatus
refuse_kind(PaEnv *env, const PaAdapter *adapter)
{
	pa_fail(env, PA_ERR_UNSUPPORTED, "adapter of kind %s cannot be converted to LoRA",
			pa_kind_name(adapter->kind));
	pa_detail(env, "Its change to a weight is no product of two small factors.");
	if (pa_delta_form(adapter) == PA_DELTA_TENSORS)
		pa_hint(env, "adapter_extract(a, rank) makes the nearest LoRA of a rank of it.");
	return PA_ERR_UNSUPPORTED;
}

/* Which module or tensor each of the result's tensors is. */
static PaStatus
tags_of(PaEnv *env, const PaDraft *draft, const PaResult *result, uint64_t **tags)
{
	PA_TRY(PA_NEW_ARRAY(env, result->adapter->n_tensors, tags));
	for (uint32_t i = 0; i < result->adapter->n_tensors; i++)
		(*tags)[i] = draft->tensors[result->of[i]].tag;
	return PA_OK;
}

PaStatus
pa_to_lora(PaEnv *env, PaValue *value, const char *shapes, size_t reserve, PaBuf *out, bool *same)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	PaText		config;
	PaFactored *factored;
	PaDraft    *draft;
	PaResult	result;
	uint64_t   *tags;
	PaSource   *parent;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	*same = pa_delta_form(adapter) == PA_DELTA_PRODUCT;
	if			(*same)
		return PA_OK;
	if (pa_delta_form(adapter) != PA_DELTA_NONE)
		return refuse_kind(env, adapter);
	PA_TRY(pa_value_document(env, value, PA_DOCUMENT_CONFIG, &config));
	PA_TRY(pa_peft_factored(env, config, adapter, pa_text_of(shapes), &factored));
	PA_TRY(pa_factored_draft(env, adapter, factored, &draft));
	PA_TRY(pa_result_describe(env, draft, 1, &value, &result));
	PA_TRY(tags_of(env, draft, &result, &tags));
	PA_TRY(pa_value_source(env, value, &parent));
	PA_TRY(pa_factored_source(env, parent, result.adapter, factored, tags, &source));
	PA_TRY(pa_operands_single(env, value, &operand));
	PA_TRY(pa_recipe_to_lora(env, &operand, shapes, &recipe));
	return pa_result_store(env, &result, source, recipe, 1, &operand, reserve, out);
}
