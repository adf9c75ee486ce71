/*
 * json.c
 *	  The readable form of a small adapter, in and out.
 *
 * A value that comes from it remembers as its origin the file that it exports
 * as: so importing that file gives the same value with the same recipe.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/engine_impl.h"

#include <string.h>

#include "core/bytes.h"
#include "interchange/json_form.h"

/* SHA-256 of the canonical file */
static PaStatus
hash_canonical_file(PaEnv *env, const PaOpenedFile *opened, uint8_t sha256[PA_SHA256_LENGTH])
{
	const PaAdapter *adapter = opened->adapter;
	const char *header;
	size_t		length;
	uint32_t   *order;
	uint8_t		prefix[8];

	PA_TRY(pa_safetensors_canonical_header(env, adapter, &header, &length, &order));
	pa_store_u64(prefix, length);
	PA_TRY(pa_hash_begin(env, PA_HASH_FILE));
	PA_TRY(pa_hash_update(env, PA_HASH_FILE, prefix, sizeof(prefix)));
	PA_TRY(pa_hash_update(env, PA_HASH_FILE, header, length));
	for (uint32_t k = 0; k < adapter->n_tensors; k++)
	{
		const PaTensor *tensor = &adapter->tensors[order[k]];
		uint8_t    *raw;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(PA_NEW_RAW(env, (size_t) tensor->bytes, &raw));
		PA_TRY(opened->source->read(env, opened->source, order[k], 0, (size_t) pa_tensor_units(tensor), raw));
		PA_TRY(pa_hash_update(env, PA_HASH_FILE, raw, (size_t) tensor->bytes));
		pa_free(env, raw);
	}
	return pa_hash_finish(env, PA_HASH_FILE, sha256);
}

PaStatus
pa_engine_import_json(PaEnv *env, const char *text, size_t length, size_t reserve, PaBuf *out)
{
	PaOpenedFile opened;
	const char *config;
	size_t		config_length;
	uint8_t		sha256[PA_SHA256_LENGTH];
	PaText		recipe;

	memset(&opened, 0, sizeof(opened));
	PA_TRY(pa_json_form_read(env, text, length, &opened.file, &config, &config_length));
	PA_TRY(pa_engine_describe_file(env, &opened, config, config_length));
	PA_TRY(hash_canonical_file(env, &opened, sha256));
	PA_TRY(pa_recipe_import(env, sha256, &recipe));
	pa_engine_set_document(&opened.documents, PA_DOCUMENT_RECIPE, recipe.text, recipe.length);
	return pa_engine_store(env, opened.source, opened.adapter, &opened.documents, reserve, out);
}

PaStatus
pa_engine_export_json(PaEnv *env, PaValue *value, PaBuf *out)
{
	const char *config;
	size_t		length;
	PaSource   *source;
	PaStatus	status = pa_value_document(env, value, PA_DOCUMENT_CONFIG, &config, &length);

	if (status == PA_OK)
		status = pa_value_source(env, value, &source);
	if (status == PA_OK)
		status = pa_json_form_write(env, source, config, length, out);
	if (status != PA_OK)
		pa_buf_release(out);
	return status;
}
