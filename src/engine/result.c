/*
 * result.c
 *	  Description and writing of what an operation made.  See result.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/result.h"

#include "engine/dress.h"
#include "interchange/peft_kept.h"

/* Whose configuration says nothing that PEFT's would keep. */
static bool
is_mlx(const PaValue *value)
{
	return pa_container_of(pa_value_adapter(value)) == PA_CONTAINER_MLX;
}

/* One configuration at a time: operands may be very many. */
static PaStatus
keep_members(PaEnv *env, uint32_t n, PaValue *const *operands, PaText *text)
{
	PaKept		kept;

	PA_TRY(pa_peft_kept_begin(env, &kept));
	for (uint32_t i = 0; i < n; i++)
	{
		PaText		config;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_value_document(env, operands[i], PA_DOCUMENT_CONFIG, &config));
		PA_TRY(pa_peft_kept_add(env, &kept, pa_value_adapter(operands[i])->kind,
								is_mlx(operands[i]) ? pa_text_of("{}") : config));
		pa_value_release_document(env, operands[i], &config);
	}
	return pa_json_write(env, kept.members, PA_JSON_SORTED, text);
}

static PaStatus
find_spelling(PaEnv *env, uint32_t n, PaValue *const *operands, PaResult *result)
{
	const PaAdapter **adapters;

	PA_TRY(PA_NEW_ARRAY(env, n, &adapters));
	for (uint32_t i = 0; i < n; i++)
		adapters[i] = pa_value_adapter(operands[i]);
	result->spelling = pa_spelling_of_result(n, adapters);
	result->mlx = pa_containers_are_mlx(n, adapters);
	pa_free(env, adapters);
	return PA_OK;
}

PaStatus
pa_result_describe(PaEnv *env, const PaDraft *draft, uint32_t n, PaValue *const *operands, PaResult *result)
{
	PaDraft		keeping = *draft;

	*result = (PaResult) {0};
	PA_TRY(keep_members(env, n, operands, &keeping.kept));
	PA_TRY(find_spelling(env, n, operands, result));
	keeping.spelling = result->spelling;
	return pa_peft_describe_draft(env, &keeping, &result->documents.document[PA_DOCUMENT_CONFIG],
								  &result->adapter, &result->of);
}

PaStatus
pa_result_describe_kept(PaEnv *env, const PaDraft *draft, PaText config, PaResult *result)
{
	*result = (PaResult) {0};
	result->documents.document[PA_DOCUMENT_CONFIG] = config;
	return pa_peft_describe_kept(env, draft, config, &result->adapter, &result->of);
}

PaStatus
pa_result_describe_as(PaEnv *env, PaConfig *config, PaText text, uint32_t n, const PaFileTensor *tensors,
					  PaResult *result)
{
	*result = (PaResult) {0};
	result->documents.document[PA_DOCUMENT_CONFIG] = text;
	return pa_peft_describe(env, config, n, tensors, &result->adapter, &result->of);
}

static PaStatus
store(PaEnv *env, PaResult *result, PaSource *source, PaText recipe, size_t reserve, PaBuf *out,
	  PaValueHeader *header)
{
	PaDocuments *documents = &result->documents;
	size_t		expected = reserve;
	PaStatus	status;

	documents->document[PA_DOCUMENT_RECIPE] = recipe;
	/* What is too large is refused by the writer, before memory is asked for it; an outline is small. */
	if (result->adapter->raw_bytes <= PA_MAX_RAW_BYTES && !env->host->outline)
		expected += pa_value_bound(result->adapter, documents);
	PA_TRY(pa_buf_init(env, out, reserve, expected));
	status = pa_value_write(env, source, result->adapter, documents, out, header);
	if (status != PA_OK)
		pa_buf_release(out);
	return status;
}

static PaStatus
tell_host(PaEnv *env, const PaValueHeader *header, PaText recipe, uint32_t n, const PaOperand *operands)
{
	PaText		root = pa_recipe_root(recipe);
	PaIdentity	value = {header->digest, header->envelope_digest};
	PaIdentity *of;

	PA_TRY(PA_NEW_ARRAY(env, n, &of));
	for (uint32_t i = 0; i < n; i++)
		of[i] = (PaIdentity) {operands[i].digest, operands[i].envelope_digest};
	env->host->made(env->host->state, &value, root.text, root.length, n, of);
	pa_free(env, of);
	return PA_OK;
}

PaStatus
pa_result_store(PaEnv *env, PaResult *result, PaSource *source, PaText recipe, uint32_t n_operands,
				const PaOperand *operands, size_t reserve, PaBuf *out)
{
	PaValueHeader header;
	PaStatus	status = PA_OK;

	PA_TRY(pa_dress(env, result, &source));
	PA_TRY(store(env, result, source, recipe, reserve, out, &header));
	if (env->host->made != NULL)
		status = tell_host(env, &header, recipe, n_operands, operands);
	if (status != PA_OK)
		pa_buf_release(out);
	return status;
}

PaStatus
pa_result_store_imported(PaEnv *env, PaResult *result, PaSource *source, PaText recipe, size_t reserve,
						 PaBuf *out)
{
	return store(env, result, source, recipe, reserve, out, NULL);
}
