/*
 * store.c
 *	  The steps that end an operation: what a result remembers of its operands,
 *	  and the writing of the value.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/engine_impl.h"

#include <string.h>

#define HASH_STEP ((uint64_t) 1024 * 1024)

PaStatus
pa_engine_store(PaEnv *env, PaSource *source, PaAdapter *adapter,
				const PaDocuments *documents, size_t reserve, PaBuf *out)
{
	size_t		expected = reserve;
	PaStatus	status;

	/* What is too large is refused by the writer, before memory is asked for it. */
	if (adapter->raw_bytes <= PA_MAX_RAW_BYTES)
		expected += pa_value_bound(adapter, documents);
	PA_TRY(pa_buf_init(env, out, reserve, expected));
	status = pa_value_write(env, source, adapter, documents, out, NULL);
	if (status != PA_OK)
		pa_buf_release(out);
	return status;
}

PaStatus
pa_engine_operand(PaEnv *env, PaValue *value, PaOperand *operand)
{
	*operand = (PaOperand) {.digest = pa_value_header(value)->digest};
	return pa_value_document(env, value, PA_DOCUMENT_RECIPE, &operand->recipe.text, &operand->recipe.length);
}

static PaStatus
load_recipe(PaEnv *env, void *state, PaText *recipe)
{
	return pa_value_document(env, state, PA_DOCUMENT_RECIPE, &recipe->text, &recipe->length);
}

static void
release_recipe(PaEnv *env, void *state, const PaText *recipe)
{
	pa_value_release_document(env, state, recipe->text);
}

PaOperand
pa_engine_one_of_many(PaValue *value)
{
	static const PaRecipeLoader loader = {load_recipe, release_recipe};

	return (PaOperand) {.digest = pa_value_header(value)->digest, .loader = &loader, .state = value};
}

PaStatus
pa_engine_file_tensors(PaEnv *env, const PaAdapter *adapter, PaFileTensor **tensors)
{
	PaFileTensor *out;
	uint64_t	offset = 0;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &out));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];

		out[i].name = tensor->name;
		out[i].dtype = tensor->dtype;
		out[i].ndim = tensor->ndim;
		memcpy(out[i].shape, tensor->shape, sizeof(out[i].shape));
		out[i].bytes = tensor->bytes;
		out[i].offset = offset;
		offset += tensor->bytes;
	}
	*tensors = out;
	return PA_OK;
}

PaStatus
pa_engine_hash_bytes(PaEnv *env, PaHashSlot slot, const uint8_t *p, uint64_t n)
{
	for (uint64_t done = 0; done < n;)
	{
		uint64_t	step = n - done < HASH_STEP ? n - done : HASH_STEP;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_hash_update(env, slot, p + done, (size_t) step));
		done += step;
	}
	return PA_OK;
}
