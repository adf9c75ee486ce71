/*
 * difference.c
 *	  adapter_difference: two files of whole weights become one value, the one
 *	  that importing its own canonical file gives.
 *
 * The recipe names that file by its SHA-256, so the difference is computed
 * twice: once for the hash, once for the value.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/engine_impl.h"

#include <string.h>

#include "adapter/kind.h"
#include "algebra/difference.h"
#include "core/bytes.h"

/* Whole weights have the form of a difference: parameters by name. */
static PaStatus
open_weights(PaEnv *env, const PaEngineFile *from, const char *what, const char *config, size_t config_length,
			 PaOpenedFile *opened)
{
	memset(opened, 0, sizeof(*opened));
	PA_TRY(pa_safetensors_read(env, from->p, from->length, &opened->file));
	if (opened->file.config != NULL || opened->file.recipe != NULL || opened->file.inner_header != NULL)
	{
		pa_fail(env, PA_ERR_FILE, "file of the %s weights is an adapter's envelope", what);
		pa_hint(env, "Pass the model's weights, model.safetensors.");
		return PA_ERR_FILE;
	}
	return pa_engine_describe_file(env, opened, config, config_length);
}

static PaStatus
check_config(PaEnv *env, const char *config, size_t length)
{
	PaConfig	read;

	PA_TRY(pa_peft_config_read(env, config, length, &read));
	if (pa_kind_methods(read.kind)->delta == PA_DELTA_TENSORS)
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "peft_type of the configuration is not DIFFERENCE");
	pa_hint(env, "Files of adapters are imported with adapter_from_safetensors().");
	return PA_ERR_CONFIG;
}

/* The result's description: what is kept of tuned; from[i] is tuned's tensor for tensor i. */
static PaStatus
describe_kept(PaEnv *env, PaOpenedFile *tuned, const bool *keep, PaAdapter **adapter, uint32_t **from)
{
	PaFileTensor *tensors;
	uint32_t   *kept;
	uint32_t	n = 0;

	PA_TRY(pa_engine_file_tensors(env, tuned->adapter, &tensors));
	PA_TRY(PA_NEW_ARRAY(env, tuned->adapter->n_tensors, &kept));
	for (uint32_t i = 0; i < tuned->adapter->n_tensors; i++)
		if (keep[i])
		{
			tensors[n] = tensors[i];
			kept[n++] = i;
		}
	PA_TRY(pa_peft_describe(env, &tuned->config, n, tensors, adapter, from));
	for (uint32_t i = 0; i < n; i++)
		(*from)[i] = kept[(*from)[i]];
	return PA_OK;
}

static PaStatus
hash_tensor(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t *raw)
{
	const PaTensor *of = &source->adapter->tensors[tensor];
	size_t		n;

	for (uint64_t done = 0; done < of->elements; done += n)
	{
		n = pa_block_step(of->elements - done);
		PA_TRY(source->read(env, source, tensor, done, n, raw));
		PA_TRY(pa_hash_update(env, PA_HASH_FILE, raw, n * (size_t) pa_dtype_plane_width(of->dtype)));
	}
	return PA_OK;
}

/* The canonical file, which is not made, as the import that the value counts as. */
static PaStatus
file_documents(PaEnv *env, PaSource *source, PaDocuments *documents)
{
	const char *header;
	size_t		length;
	uint32_t   *order;
	uint8_t		length_word[8];
	uint8_t		sha256[PA_SHA256_LENGTH];
	uint8_t    *raw;
	PaText		recipe;

	PA_TRY(pa_safetensors_canonical_header(env, source->adapter, &header, &length, &order));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS * sizeof(double), &raw));
	pa_store_u64(length_word, length);
	PA_TRY(pa_hash_begin(env, PA_HASH_FILE));
	PA_TRY(pa_hash_update(env, PA_HASH_FILE, length_word, sizeof(length_word)));
	PA_TRY(pa_engine_hash_bytes(env, PA_HASH_FILE, (const uint8_t *) header, length));
	for (uint32_t k = 0; k < source->adapter->n_tensors; k++)
		PA_TRY(hash_tensor(env, source, order[k], raw));
	PA_TRY(pa_hash_finish(env, PA_HASH_FILE, sha256));
	pa_free(env, raw);
	PA_TRY(pa_recipe_import(env, sha256, &recipe));
	pa_engine_set_document(documents, PA_DOCUMENT_HEADER, header, length);
	pa_engine_set_document(documents, PA_DOCUMENT_RECIPE, recipe.text, recipe.length);
	return PA_OK;
}

PaStatus
pa_engine_difference(PaEnv *env, const PaEngineFile *tuned, const PaEngineFile *base,
					 const char *config, size_t config_length, size_t reserve, PaBuf *out)
{
	PaOpenedFile opened[2];
	PaDocuments documents = {0};
	PaAdapter  *adapter;
	uint32_t   *from;
	bool	   *keep;
	PaSource   *source;

	PA_TRY(check_config(env, config, config_length));
	PA_TRY(open_weights(env, tuned, "tuned", config, config_length, &opened[0]));
	PA_TRY(open_weights(env, base, "base", config, config_length, &opened[1]));
	PA_TRY(PA_NEW_ARRAY(env, opened[0].adapter->n_tensors, &keep));
	PA_TRY(pa_difference_check(env, opened[0].source, opened[1].source, keep));
	PA_TRY(describe_kept(env, &opened[0], keep, &adapter, &from));
	PA_TRY(pa_difference_source(env, opened[0].source, opened[1].source, adapter, from, &source));
	PA_TRY(file_documents(env, source, &documents));
	pa_engine_set_document(&documents, PA_DOCUMENT_CONFIG, config, config_length);
	return pa_engine_store(env, source, adapter, &documents, reserve, out);
}
