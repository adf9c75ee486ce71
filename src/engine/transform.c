/*
 * transform.c
 *	  Operations on one value: adapter_scale, adapter_cast, adapter_plain,
 *	  adapter_select, adapter_select_tensors, adapter_rename and
 *	  adapter_set_base_model.  Each is a draft, its description, a source and a
 *	  recipe node.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/transform.h"

#include <string.h>

#include "adapter/operation.h"
#include "adapter/role.h"
#include "algebra/transform.h"
#include "core/pattern.h"
#include "engine/operands.h"
#include "engine/result.h"
#include "engine/view.h"

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

	PA_TRY(pa_view_source(env, value, &parent));
	PA_TRY(pa_scale_draft(env, parent->adapter, s, &draft));
	PA_TRY(describe(env, value, draft, &result));
	PA_TRY(pa_scale_source(env, parent, result.adapter, result.of, s, &source));
	PA_TRY(pa_operands_single(env, value, &operand));
	PA_TRY(pa_recipe_scale(env, &operand, s, &recipe));
	return pa_result_store(env, &result, source, recipe, 1, &operand, reserve, out);
}

PaStatus
pa_transform_cast(PaEnv *env, PaValue *value, const char *dtype, size_t reserve, PaBuf *out)
{
	PaDtype		to = pa_dtype_by_name_any_case(dtype, strlen(dtype));
	uint64_t	vanished = 0;
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
	PA_TRY(pa_view_source(env, value, &parent));
	PA_TRY(pa_cast_draft(env, parent->adapter, to, &draft));
	PA_TRY(describe(env, value, draft, &result));
	PA_TRY(pa_cast_source(env, parent, result.adapter, result.of, &vanished, &source));
	PA_TRY(pa_operands_single(env, value, &operand));
	PA_TRY(pa_recipe_cast(env, &operand, pa_dtype_name(to), &recipe));
	PA_TRY(pa_result_store(env, &result, source, recipe, 1, &operand, reserve, out));
	/* each element was read once, by the one pass that writes */
	if (vanished > 0)
		pa_notice(env,
				  (PaNotice) {
					  .detail = "They are nearer to zero than to the smallest number of the type.",
					  .hint = "A wider type, or BF16, which has the range of F32, keeps them.",
				  },
				  "elements that were not zero and are zero in %s: %llu", pa_dtype_name(to),
				  (unsigned long long) vanished);
	return PA_OK;
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

	PA_TRY(pa_view_source(env, value, &parent));
	PA_TRY(pa_adapter_require_arithmetic(env, parent->adapter));
	*same = pa_delta_form(parent->adapter) != PA_DELTA_PRODUCT;
	if			(*same)
		return PA_OK;
	PA_TRY(pa_plain_draft(env, parent->adapter, (uint64_t) rank, &draft));
	PA_TRY(describe(env, value, draft, &result));
	PA_TRY(pa_plain_source(env, parent, result.adapter, result.of, &source));
	PA_TRY(pa_operands_single(env, value, &operand));
	PA_TRY(pa_recipe_plain(env, &operand, (uint64_t) rank, &recipe));
	return pa_result_store(env, &result, source, recipe, 1, &operand, reserve, out);
}

/* The tensors of the modules whose path matches, or does not. */
static PaStatus
match_modules(PaEnv *env, const PaAdapter *adapter, const char *pattern, bool invert, bool *keep)
{
	PaPattern  *compiled;
	bool	   *matches;

	PA_TRY(pa_pattern_compile(env, pattern, PA_PATTERN_WHOLE, &compiled));
	pa_pattern_share(compiled, adapter->n_modules);
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &matches));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		PA_TRY(pa_pattern_match(env, compiled, adapter->modules[i].path, &matches[i]));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		keep[i] = matches[adapter->tensors[i].module] != invert;
	pa_pattern_release(env, compiled);
	return PA_OK;
}

/* The tensors of the role (NULL: of any) whose key matches (NULL: any), or the others. */
static PaStatus
match_tensors(PaEnv *env, const PaAdapter *adapter, const PaTensorSelection *selection, bool *keep)
{
	const PaRoleRow *role = NULL;
	PaPattern  *compiled = NULL;

	if (selection->role != NULL)
		PA_TRY(pa_role_by_name(env, selection->role, &role));
	if (selection->tensors != NULL)
	{
		PA_TRY(pa_pattern_compile(env, selection->tensors, PA_PATTERN_WHOLE, &compiled));
		pa_pattern_share(compiled, adapter->n_tensors);
	}
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		bool		matches = role == NULL || adapter->tensors[i].role == role->id;

		PA_TRY(pa_check_cancel(env));
		if (matches && compiled != NULL)
			PA_TRY(pa_pattern_match(env, compiled, adapter->tensors[i].key, &matches));
		keep[i] = matches != selection->invert;
	}
	if (compiled != NULL)
		pa_pattern_release(env, compiled);
	return PA_OK;
}

/* Factors, bias and alpha of a module are one change: all of them or none. */
static PaStatus
check_undivided(PaEnv *env, const PaAdapter *adapter, const bool *keep)
{
	uint32_t   *first;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &first));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];
		uint32_t   *seen = &first[tensor->module];

		if (pa_role_is_keyed(tensor->role))
			continue;
		if (*seen == 0)
			*seen = i + 1;
		if (keep[i] == keep[*seen - 1])
			continue;
		pa_fail(env, PA_ERR_CONFIG, "selection divides the tensors of module \"%.300s\"",
				adapter->modules[tensor->module].path);
		pa_detail(env, "\"%.300s\" is %s, and \"%.300s\" is %s.", adapter->tensors[*seen - 1].key,
				  keep[*seen - 1] ? "selected" : "left out", tensor->key, keep[i] ? "selected" : "left out");
		pa_hint(env, "They are one change to the weights; adapter_select() selects whole modules.");
		return PA_ERR_CONFIG;
	}
	pa_free(env, first);
	return PA_OK;
}

/* The tensors that are kept, as they are. */
static PaStatus
store_kept(PaEnv *env, PaValue *value, PaSource *parent, const bool *keep, const PaOperand *operand,
		   PaText recipe, size_t reserve, PaBuf *out)
{
	PaDraft    *draft;
	PaResult	result;
	PaSource   *source;

	PA_TRY(pa_select_draft(env, parent->adapter, keep, &draft));
	PA_TRY(describe(env, value, draft, &result));
	PA_TRY(pa_source_subset(env, result.adapter, parent, result.of, &source));
	return pa_result_store(env, &result, source, recipe, 1, operand, reserve, out);
}

/* What operations that choose among tensors begin with. */
static PaStatus
open_parts(PaEnv *env, PaValue *value, PaSource **parent, bool **keep, PaOperand *operand)
{
	PA_TRY(pa_view_parts(env, value, parent));
	PA_TRY(pa_adapter_require_arithmetic(env, (*parent)->adapter));
	PA_TRY(PA_NEW_ARRAY(env, (*parent)->adapter->n_tensors, keep));
	return pa_operands_single(env, value, operand);
}

PaStatus
pa_transform_select(PaEnv *env, PaValue *value, const char *pattern, bool invert, size_t reserve, PaBuf *out)
{
	PaSource   *parent;
	bool	   *keep;
	PaOperand	operand;
	PaText		recipe;

	PA_TRY(open_parts(env, value, &parent, &keep, &operand));
	PA_TRY(match_modules(env, parent->adapter, pattern, invert, keep));
	PA_TRY(pa_recipe_select(env, &operand, pattern, invert, &recipe));
	return store_kept(env, value, parent, keep, &operand, recipe, reserve, out);
}

PaStatus
pa_transform_select_tensors(PaEnv *env, PaValue *value, const PaTensorSelection *selection, size_t reserve,
							PaBuf *out)
{
	PaSource   *parent;
	bool	   *keep;
	PaOperand	operand;
	PaText		recipe;

	PA_TRY(open_parts(env, value, &parent, &keep, &operand));
	PA_TRY(match_tensors(env, parent->adapter, selection, keep));
	PA_TRY(check_undivided(env, parent->adapter, keep));
	PA_TRY(pa_recipe_select_tensors(env, &operand, selection->tensors, selection->role, selection->invert,
									&recipe));
	return store_kept(env, value, parent, keep, &operand, recipe, reserve, out);
}

static PaStatus
new_paths(PaEnv *env, const PaAdapter *adapter, const char *pattern, const char *replacement,
		  const char ***paths)
{
	PaPattern  *compiled;
	bool		any = false;

	PA_TRY(pa_pattern_compile(env, pattern, PA_PATTERN_WHOLE, &compiled));
	pa_pattern_share(compiled, adapter->n_modules);
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, paths));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		bool		matches;

		(*paths)[i] = adapter->modules[i].path;
		PA_TRY(
			pa_pattern_expand(env, compiled, adapter->modules[i].path, replacement, &matches, &(*paths)[i]));
		any = any || matches;
	}
	pa_pattern_release(env, compiled);
	if (any)
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "no module of the adapter is renamed");
	if (adapter->n_modules > 0)
		pa_detail(env, "The pattern must match a whole module path, as \"%.300s\".",
				  adapter->modules[0].path);
	return PA_ERR_CONFIG;
}

/* A path can be one in every respect but that of names: PEFT would take it apart otherwise. */
static PaStatus
describe_new_paths(PaEnv *env, PaValue *value, const PaDraft *draft, PaResult *result)
{
	PaStatus	status = describe(env, value, draft, result);
	PaError		error = env->error;

	if (status != PA_ERR_INTERNAL && status != PA_ERR_FILE)
		return status;
	pa_fail(env, PA_ERR_CONFIG, "renamed modules cannot be told by PEFT's tensor names and configuration");
	pa_detail(env, "From their names it would be read: %s.", error.message);
	pa_hint(env, "Write the replacement so that each path is one that the base model can have.");
	return PA_ERR_CONFIG;
}

PaStatus
pa_transform_rename(PaEnv *env, PaValue *value, const char *pattern, const char *replacement, size_t reserve,
					PaBuf *out)
{
	const PaAdapter *adapter;
	const char **paths;
	PaDraft    *draft;
	PaResult	result;
	PaSource   *parent;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	PA_TRY(pa_view_parts(env, value, &parent));
	adapter = parent->adapter;
	PA_TRY(pa_adapter_require_arithmetic(env, adapter));
	PA_TRY(new_paths(env, adapter, pattern, replacement, &paths));
	PA_TRY(pa_rename_draft(env, adapter, paths, &draft));
	PA_TRY(describe_new_paths(env, value, draft, &result));
	PA_TRY(pa_source_subset(env, result.adapter, parent, result.of, &source));
	PA_TRY(pa_operands_single(env, value, &operand));
	PA_TRY(pa_recipe_rename(env, &operand, pattern, replacement, &recipe));
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
	config.container = pa_container_of(adapter);
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &tensors));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		tensors[i] = pa_safetensors_tensor(adapter, i, 0);
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
