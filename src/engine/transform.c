/*
 * transform.c
 *	  Operations on one value: adapter_scale, adapter_cast, adapter_select and
 *	  adapter_set_base_model.  Each is a draft, its description, a source and a
 *	  recipe node.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/transform.h"

#include <string.h>

#include "adapter/operation.h"
#include "core/pattern.h"
#include "engine/engine_impl.h"

/* A draft with one operand, described: from[i] is the operand's tensor of tensor i. */
typedef struct Described
{
	PaSource   *parent;
	PaAdapter  *adapter;
	uint32_t   *from;
	PaDocuments documents;
} Described;

static PaStatus
describe(PaEnv *env, PaValue *value, const PaDraft *draft, Described *result)
{
	memset(result, 0, sizeof(*result));
	PA_TRY(pa_peft_describe_draft(env, draft, NULL, 0,
								  &result->documents.document[PA_DOCUMENT_CONFIG].text,
								  &result->documents.document[PA_DOCUMENT_CONFIG].length,
								  &result->adapter, &result->from));
	for (uint32_t i = 0; i < result->adapter->n_tensors; i++)
		result->from[i] = (uint32_t) draft->tensors[result->from[i]].tag;
	return pa_value_source(env, value, &result->parent);
}

static PaStatus
store(PaEnv *env, Described *result, PaSource *source, const PaText *recipe, size_t reserve, PaBuf *out)
{
	pa_engine_set_document(&result->documents, PA_DOCUMENT_RECIPE, recipe->text, recipe->length);
	return pa_engine_store(env, source, result->adapter, &result->documents, reserve, out);
}

PaStatus
pa_engine_scale(PaEnv *env, PaValue *value, double s, size_t reserve, PaBuf *out)
{
	PaDraft    *draft;
	Described	result;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	PA_TRY(pa_scale_draft(env, pa_value_adapter(value), s, &draft));
	PA_TRY(describe(env, value, draft, &result));
	PA_TRY(pa_scale_source(env, result.parent, result.adapter, result.from, s, &source));
	PA_TRY(pa_engine_operand(env, value, &operand));
	PA_TRY(pa_recipe_scale(env, &operand, s, &recipe));
	return store(env, &result, source, &recipe, reserve, out);
}

PaStatus
pa_engine_cast(PaEnv *env, PaValue *value, const char *dtype, size_t dtype_length, size_t reserve, PaBuf *out)
{
	PaDtype		to = pa_dtype_by_name_any_case(dtype, dtype_length);
	PaDraft    *draft;
	Described	result;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	if (to == PA_DTYPE_INVALID)
	{
		pa_fail(env, PA_ERR_CONFIG, "unknown dtype \"%.*s\"", dtype_length < 64 ? (int) dtype_length : 64, dtype);
		pa_hint(env, "The types that can be computed with are F64, F32, F16 and BF16.");
		return PA_ERR_CONFIG;
	}
	PA_TRY(pa_cast_draft(env, pa_value_adapter(value), to, &draft));
	PA_TRY(describe(env, value, draft, &result));
	PA_TRY(pa_cast_source(env, result.parent, result.adapter, result.from, &source));
	PA_TRY(pa_engine_operand(env, value, &operand));
	PA_TRY(pa_recipe_cast(env, &operand, pa_dtype_name(to), &recipe));
	return store(env, &result, source, &recipe, reserve, out);
}

static PaStatus
match_modules(PaEnv *env, const PaAdapter *adapter, const char *pattern, bool invert, bool **keep)
{
	PaPattern  *compiled;

	PA_TRY(pa_pattern_compile(env, pattern, PA_PATTERN_WHOLE, &compiled));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, keep));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		bool		matches;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_pattern_match(env, compiled, adapter->modules[i].path, &matches));
		(*keep)[i] = matches != invert;
	}
	return PA_OK;
}

PaStatus
pa_engine_select(PaEnv *env, PaValue *value, const char *pattern, bool invert, size_t reserve, PaBuf *out)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	bool	   *keep;
	PaDraft    *draft;
	Described	result;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	PA_TRY(pa_adapter_require_arithmetic(env, adapter));
	PA_TRY(match_modules(env, adapter, pattern, invert, &keep));
	PA_TRY(pa_select_draft(env, adapter, keep, &draft));
	PA_TRY(describe(env, value, draft, &result));
	PA_TRY(pa_source_subset(env, result.adapter, result.parent, result.from, &source));
	PA_TRY(pa_engine_operand(env, value, &operand));
	PA_TRY(pa_recipe_select(env, &operand, pattern, invert, &recipe));
	return store(env, &result, source, &recipe, reserve, out);
}

/* The same tensors under the same names and header: only the configuration says something else. */
PaStatus
pa_engine_set_base_model(PaEnv *env, PaValue *value, const char *base_model,
						 const char *revision, size_t reserve, PaBuf *out)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	Described	result;
	PaFileTensor *tensors;
	PaConfig	config;
	PaText		before;
	PaText		after;
	PaText		header;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	memset(&result, 0, sizeof(result));
	PA_TRY(pa_value_document(env, value, PA_DOCUMENT_CONFIG, &before.text, &before.length));
	PA_TRY(pa_value_document(env, value, PA_DOCUMENT_HEADER, &header.text, &header.length));
	PA_TRY(pa_peft_config_rename(env, before.text, before.length, base_model, revision, &after.text, &after.length));
	PA_TRY(pa_peft_config_read(env, after.text, after.length, &config));
	PA_TRY(pa_engine_file_tensors(env, adapter, &tensors));
	PA_TRY(pa_peft_describe(env, &config, adapter->n_tensors, tensors, &result.adapter, &result.from));
	PA_TRY(pa_value_source(env, value, &result.parent));
	PA_TRY(pa_source_subset(env, result.adapter, result.parent, result.from, &source));
	pa_engine_set_document(&result.documents, PA_DOCUMENT_CONFIG, after.text, after.length);
	pa_engine_set_document(&result.documents, PA_DOCUMENT_HEADER, header.text, header.length);
	PA_TRY(pa_engine_operand(env, value, &operand));
	PA_TRY(pa_recipe_set_base_model(env, &operand, base_model, revision, &recipe));
	return store(env, &result, source, &recipe, reserve, out);
}
