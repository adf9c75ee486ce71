/*
 * transform.c
 *	  Operations on one value: adapter_scale, adapter_cast, adapter_select and
 *	  adapter_set_base_model.  Each is a draft, its description, a source and a
 *	  recipe node.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/transform.h"

#include <string.h>

#include "adapter/operation.h"
#include "algebra/transform.h"
#include "core/pattern.h"
#include "engine/operands.h"
#include "engine/result.h"

/* The result described, with the operand's tensor for each of its own in place of the draft's. */
static PaStatus
describe(PaEnv *env, PaValue *value, const PaDraft *draft, PaResult *result)
{
	PA_TRY(pa_result_describe(env, draft, 1, &value, result));
	for (uint32_t i = 0; i < result->adapter->n_tensors; i++)
		result->of[i] = (uint32_t) draft->tensors[result->of[i]].tag;
	return PA_OK;
}

PaStatus
pa_transform_scale(PaEnv *env, PaValue *value, double s, size_t reserve, PaBuf *out)
{
	PaDraft    *draft;
	PaResult	result;
	PaSource   *parent;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	PA_TRY(pa_scale_draft(env, pa_value_adapter(value), s, &draft));
	PA_TRY(describe(env, value, draft, &result));
	PA_TRY(pa_value_source(env, value, &parent));
	PA_TRY(pa_scale_source(env, parent, result.adapter, result.of, s, &source));
	PA_TRY(pa_operands_single(env, value, &operand));
	PA_TRY(pa_recipe_scale(env, &operand, s, &recipe));
	return pa_result_store(env, &result, source, recipe, 1, &operand, reserve, out);
}

PaStatus
pa_transform_cast(PaEnv *env, PaValue *value, const char *dtype, size_t reserve, PaBuf *out)
{
	PaDtype		to = pa_dtype_by_name_any_case(dtype, strlen(dtype));
	PaDraft    *draft;
	PaResult	result;
	PaSource   *parent;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	if (to == PA_DTYPE_INVALID)
	{
		pa_fail(env, PA_ERR_CONFIG, "unknown dtype \"%.64s\"", dtype);
		pa_hint(env, "The types that can be computed with are F64, F32, F16 and BF16.");
		return PA_ERR_CONFIG;
	}
	PA_TRY(pa_cast_draft(env, pa_value_adapter(value), to, &draft));
	PA_TRY(describe(env, value, draft, &result));
	PA_TRY(pa_value_source(env, value, &parent));
	PA_TRY(pa_cast_source(env, parent, result.adapter, result.of, &source));
	PA_TRY(pa_operands_single(env, value, &operand));
	PA_TRY(pa_recipe_cast(env, &operand, pa_dtype_name(to), &recipe));
	return pa_result_store(env, &result, source, recipe, 1, &operand, reserve, out);
}

PaStatus
pa_transform_plain(PaEnv *env, PaValue *value, int64_t rank, size_t reserve, PaBuf *out, bool *same)
{
	PaDraft    *draft;
	PaResult	result;
	PaSource   *parent;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	PA_TRY(pa_adapter_require_arithmetic(env, pa_value_adapter(value)));
	*same = pa_delta_form(pa_value_adapter(value)) != PA_DELTA_PRODUCT;
	if			(*same)
		return PA_OK;
	PA_TRY(pa_plain_draft(env, pa_value_adapter(value), (uint64_t) rank, &draft));
	PA_TRY(describe(env, value, draft, &result));
	PA_TRY(pa_value_source(env, value, &parent));
	PA_TRY(pa_plain_source(env, parent, result.adapter, result.of, &source));
	PA_TRY(pa_operands_single(env, value, &operand));
	PA_TRY(pa_recipe_plain(env, &operand, (uint64_t) rank, &recipe));
	return pa_result_store(env, &result, source, recipe, 1, &operand, reserve, out);
}

static PaStatus
match_modules(PaEnv *env, const PaAdapter *adapter, const char *pattern, bool invert, bool **keep)
{
	PaPattern  *compiled;

	PA_TRY(pa_pattern_compile(env, pattern, PA_PATTERN_WHOLE, &compiled));
	pa_pattern_share(compiled, adapter->n_modules);
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, keep));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		bool		matches;

		PA_TRY(pa_pattern_match(env, compiled, adapter->modules[i].path, &matches));
		(*keep)[i] = matches != invert;
	}
	pa_pattern_release(env, compiled);
	return PA_OK;
}

PaStatus
pa_transform_select(PaEnv *env, PaValue *value, const char *pattern, bool invert, size_t reserve, PaBuf *out)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	bool	   *keep;
	PaDraft    *draft;
	PaResult	result;
	PaSource   *parent;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	PA_TRY(pa_adapter_require_arithmetic(env, adapter));
	PA_TRY(match_modules(env, adapter, pattern, invert, &keep));
	PA_TRY(pa_select_draft(env, adapter, keep, &draft));
	PA_TRY(describe(env, value, draft, &result));
	PA_TRY(pa_value_source(env, value, &parent));
	PA_TRY(pa_source_subset(env, result.adapter, parent, result.of, &source));
	PA_TRY(pa_operands_single(env, value, &operand));
	PA_TRY(pa_recipe_select(env, &operand, pattern, invert, &recipe));
	return pa_result_store(env, &result, source, recipe, 1, &operand, reserve, out);
}

/* The same tensors under the same names and header: only the configuration says something else. */
static PaStatus
describe_renamed(PaEnv *env, PaValue *value, const char *base_model, const char *revision, PaResult *result)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	PaFileTensor *tensors;
	PaConfig	config;
	PaText		before;
	PaText		after;

	PA_TRY(pa_value_document(env, value, PA_DOCUMENT_CONFIG, &before));
	PA_TRY(pa_peft_config_rename(env, before, base_model, revision, &after));
	PA_TRY(pa_peft_config_read_as(env, after, adapter->kind, &config));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &tensors));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		tensors[i] = pa_safetensors_tensor(&adapter->tensors[i], 0);
	PA_TRY(pa_result_describe_as(env, &config, after, adapter->n_tensors, tensors, result));
	return pa_value_document(env, value, PA_DOCUMENT_HEADER, &result->documents.document[PA_DOCUMENT_HEADER]);
}

PaStatus
pa_transform_set_base_model(PaEnv *env, PaValue *value, const char *base_model, const char *revision,
							size_t reserve, PaBuf *out)
{
	PaResult	result;
	PaSource   *parent;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	PA_TRY(describe_renamed(env, value, base_model, revision, &result));
	PA_TRY(pa_value_source(env, value, &parent));
	PA_TRY(pa_source_subset(env, result.adapter, parent, result.of, &source));
	PA_TRY(pa_operands_single(env, value, &operand));
	PA_TRY(pa_recipe_set_base_model(env, &operand, base_model, revision, &recipe));
	return pa_result_store(env, &result, source, recipe, 1, &operand, reserve, out);
}
