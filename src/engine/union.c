/*
 * union.c
 *	  adapter_union: adapters without a common module become one.  Tensors keep
 *	  their names.  Where all have one configuration text (the parts of a split)
 *	  it is kept; otherwise one is composed.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/union.h"

#include <string.h>

#include "adapter/operation.h"
#include "algebra/transform.h"
#include "engine/operands.h"
#include "engine/result.h"

/* The operands' configurations; without text if they do not have one in common. */
static PaStatus
common_config(PaEnv *env, const PaOperands *operands, PaText *config)
{
	PA_TRY(pa_value_document(env, operands->values[0], PA_DOCUMENT_CONFIG, config));
	for (uint32_t i = 1; i < operands->n; i++)
	{
		PaText		other;
		bool		same;

		PA_TRY(pa_value_document(env, operands->values[i], PA_DOCUMENT_CONFIG, &other));
		same = pa_text_equal(*config, other);
		pa_value_release_document(env, operands->values[i], &other);
		if (same)
			continue;
		*config = (PaText) {0};
		return PA_OK;
	}
	return PA_OK;
}

/* Are they parts of one split, by what their recipes say?  It only saves them from being compared. */
static PaStatus
are_parts(PaEnv *env, const PaOperands *operands, bool *are)
{
	static const char split[] = "{\"op\":\"split\",\"of\":\"";
	const size_t n = strlen(split) + 2 * PA_SHA256_LENGTH;
	char		first[sizeof(split) + 2 * PA_SHA256_LENGTH];

	*are = true;
	for (uint32_t i = 0; *are && i < operands->n; i++)
	{
		PaText		recipe;
		PaText		root;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_value_document(env, operands->values[i], PA_DOCUMENT_RECIPE, &recipe));
		root = pa_recipe_root(recipe);
		*are = root.length > n && memcmp(root.text, split, strlen(split)) == 0 &&
			(i == 0 || memcmp(root.text, first, n) == 0);
		if			(*are)
			memcpy(first, root.text, n);
		pa_value_release_document(env, operands->values[i], &recipe);
	}
	return PA_OK;
}

/*
 * Parts stay as they are, with their alphas and names; where some operands are of
 * another container, or MLX's configurations differ, all are taken as arithmetic sees
 * them, and get new names.
 */
static PaStatus
open_parts(PaEnv *env, PaOperands *operands, bool one_config, const PaAdapter ***adapters, bool *same)
{
	const PaAdapter **of;

	PA_TRY(PA_NEW_ARRAY(env, operands->n, &of));
	*adapters = of;
	for (uint32_t i = 0; i < operands->n; i++)
	{
		of[i] = pa_value_adapter(operands->values[i]);
		PA_TRY(pa_require(env, of[i], PA_OPERATION_PARTS));
	}
	*same = pa_containers_agree(operands->n, of) && (one_config || !pa_containers_are_mlx(operands->n, of));
	for (uint32_t i = 0; i < operands->n; i++)
	{
		if			(*same)
			PA_TRY(pa_value_source(env, operands->values[i], &operands->sources[i]));
		else
			of[i] = operands->sources[i]->adapter;
	}
	return PA_OK;
}

static void
forget_names(PaDraft *draft)
{
	for (uint32_t i = 0; i < draft->n_tensors; i++)
		draft->tensors[i].name = NULL;
}

static PaStatus
describe(PaEnv *env, const PaOperands *operands, const PaDraft *draft, PaText config, PaResult *result)
{
	if (config.text != NULL)
		return pa_result_describe_kept(env, draft, config, result);
	PA_TRY(pa_adapter_require_arithmetic(env, &draft->facts));
	return pa_result_describe(env, draft, operands->n, operands->values, result);
}

PaStatus
pa_union_values(PaEnv *env, uint32_t n, PaValue *const *values, size_t reserve, PaBuf *out)
{
	PaOperands	operands;
	const PaAdapter **adapters;
	PaDraft    *draft;
	PaResult	result;
	uint64_t   *tags;
	PaSource   *source;
	PaText		recipe;
	bool		parts;
	bool		same;
	PaText		config;

	if (n == 0)
		return pa_fail(env, PA_ERR_INTERNAL, "union of no adapters");
	PA_TRY(pa_operands_open(env, n, values, false, &operands));
	PA_TRY(common_config(env, &operands, &config));
	PA_TRY(open_parts(env, &operands, config.text != NULL, &adapters, &same));
	PA_TRY(pa_union_draft(env, n, adapters, &draft));
	if (same)
		draft->spelling = pa_spelling_of_result(n, adapters);
	else
		forget_names(draft);
	PA_TRY(are_parts(env, &operands, &parts));
	if (!parts)
		PA_TRY(pa_union_check_paths(env, n, adapters));
	PA_TRY(describe(env, &operands, draft, same ? config : (PaText) {0}, &result));
	PA_TRY(PA_NEW_ARRAY(env, result.adapter->n_tensors, &tags));
	for (uint32_t i = 0; i < result.adapter->n_tensors; i++)
		tags[i] = draft->tensors[result.of[i]].tag;
	PA_TRY(pa_union_source(env, n, operands.sources, result.adapter, tags, &source));
	PA_TRY(pa_recipe_union(env, n, operands.named, &recipe));
	return pa_result_store(env, &result, source, recipe, operands.n, operands.named, reserve, out);
}
