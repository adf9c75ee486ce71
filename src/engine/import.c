/*
 * import.c
 *	  From a file to a value: a PEFT file with its configuration, or an
 *	  envelope, which is such a file with configuration, recipe and original
 *	  header inside (doc/format.md, "Envelope").
 *
 * Nothing in an envelope is believed: the digest is computed anew, and the
 * envelope digest that came along must be that of the result; the inner header
 * must describe the same tensors at the same places, the recipe must follow its
 * grammar.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/engine_impl.h"

#include <string.h>

#include "adapter/kind.h"
#include "core/limits.h"

static PaStatus
check_same_layout(PaEnv *env, const PaSafetensors *outer, const PaSafetensors *inner)
{
	bool		same = outer->n_tensors == inner->n_tensors;

	for (uint32_t i = 0; same && i < outer->n_tensors; i++)
	{
		const PaFileTensor *a = &outer->tensors[i];
		const PaFileTensor *b = &inner->tensors[i];

		same = strcmp(a->name, b->name) == 0 && a->dtype == b->dtype && a->ndim == b->ndim &&
			memcmp(a->shape, b->shape, (size_t) a->ndim * sizeof(a->shape[0])) == 0 &&
			a->bytes == b->bytes && a->offset == b->offset;
	}
	if (same)
		return PA_OK;
	pa_fail(env, PA_ERR_FILE, "original header in the envelope describes other tensors");
	pa_detail(env, "The header under \"%s\" must list the same tensors at the same offsets.", PA_META_HEADER);
	return PA_ERR_FILE;
}

static PaStatus
check_inner_header(PaEnv *env, const PaSafetensors *file)
{
	PaSafetensors inner;

	if (file->inner_header_length > PA_MAX_HEADER_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "original header in the envelope has %zu bytes, more than %zu",
					   file->inner_header_length, PA_MAX_HEADER_BYTES);
	PA_TRY(pa_safetensors_read_header(env, file->inner_header, file->inner_header_length,
									  file->data_length, PA_ERR_FILE, &inner));
	if (inner.config != NULL || inner.recipe != NULL || inner.inner_header != NULL)
		return pa_fail(env, PA_ERR_FILE, "original header in the envelope is an envelope's");
	return check_same_layout(env, file, &inner);
}

/* Which configuration counts: the one inside an envelope, or the one beside a file. */
static PaStatus
choose_config(PaEnv *env, const PaSafetensors *file, bool envelope, bool require_envelope,
			  const char **config, size_t *length)
{
	if (!envelope && require_envelope)
	{
		pa_fail(env, PA_ERR_FILE, "safetensors file has no adapter configuration inside");
		pa_detail(env, "This form of an adapter needs the metadata key \"%s\".", PA_META_CONFIG);
		pa_hint(env, "Import a file and its adapter_config.json with adapter_from_safetensors().");
		return PA_ERR_FILE;
	}
	if (!envelope && *config == NULL)
	{
		pa_fail(env, PA_ERR_CONFIG, "adapter has no configuration");
		pa_detail(env, "The scaling of a LoRA adapter is in no tensor, so there is no default.");
		pa_hint(env, "Pass the text of adapter_config.json as the second argument.");
		return PA_ERR_CONFIG;
	}
	if (!envelope)
		return PA_OK;
	if (*config != NULL)
	{
		pa_fail(env, PA_ERR_CONFIG, "file has a configuration inside and another one beside it");
		pa_hint(env, "Leave the configuration argument out for a file with the metadata key \"%s\".", PA_META_CONFIG);
		return PA_ERR_CONFIG;
	}
	if (file->config == NULL)
		return pa_fail(env, PA_ERR_FILE, "envelope has no metadata key \"%s\"", PA_META_CONFIG);
	*config = file->config;
	*length = file->config_length;
	return PA_OK;
}

PaStatus
pa_engine_describe_file(PaEnv *env, PaOpenedFile *opened, const char *config, size_t config_length)
{
	const PaSafetensors *file = &opened->file;
	const uint8_t **data;
	uint32_t   *file_of;

	PA_TRY(pa_peft_config_read(env, config, config_length, &opened->config));
	PA_TRY(pa_peft_describe(env, &opened->config, file->n_tensors, file->tensors, &opened->adapter, &file_of));
	PA_TRY(PA_NEW_ARRAY(env, opened->adapter->n_tensors, &data));
	for (uint32_t i = 0; i < opened->adapter->n_tensors; i++)
		data[i] = file->data + file->tensors[file_of[i]].offset;
	PA_TRY(pa_source_from_memory(env, opened->adapter, data, &opened->source));
	pa_engine_set_document(&opened->documents, PA_DOCUMENT_CONFIG, config, config_length);
	return PA_OK;
}

/* The recipe that came along, or the beginning of one. */
static PaStatus
choose_recipe(PaEnv *env, const PaSafetensors *st, const void *file, size_t length, PaText *recipe)
{
	uint8_t		sha256[PA_SHA256_LENGTH];

	if (st->recipe != NULL)
	{
		recipe->text = st->recipe;
		recipe->length = st->recipe_length;
		return pa_recipe_check(env, st->recipe, st->recipe_length);
	}
	PA_TRY(pa_hash_begin(env, PA_HASH_FILE));
	PA_TRY(pa_engine_hash_bytes(env, PA_HASH_FILE, file, length));
	PA_TRY(pa_hash_finish(env, PA_HASH_FILE, sha256));
	return pa_recipe_import(env, sha256, recipe);
}

/*
 * A file that has nothing of what the configuration says is another file, most
 * often the whole model's.  Dense tensors alone are an adapter only if the
 * configuration accounts for them; an envelope is believed, since a part of a
 * split may be such a one.
 */
static PaStatus
check_is_adapter(PaEnv *env, const PaAdapter *adapter)
{
	const PaKindMethods *kind = pa_kind_methods(adapter->kind);

	if (kind->may_be_empty || adapter->n_saved_modules > 0 ||
		(adapter->bias != NULL && strcmp(adapter->bias, "none") != 0))
		return PA_OK;
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		if (adapter->modules[i].flags & PA_MODULE_TARGET)
			return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "file has no tensor of %s adapter", kind->title);
	if (adapter->n_tensors > 0)
		pa_detail(env, "What it has, beginning with \"%.300s\", is dense, and the configuration has no modules_to_save for it.",
				  adapter->tensors[0].name);
	pa_hint(env, "The adapter's tensors are in adapter_model.safetensors; model.safetensors is a whole model.");
	return PA_ERR_CONFIG;
}

PaStatus
pa_engine_open_file(PaEnv *env, const void *file, size_t length,
					const char *config, size_t config_length, bool require_envelope,
					PaOpenedFile *opened)
{
	PaSafetensors *st = &opened->file;
	PaText		recipe;
	bool		envelope;

	memset(opened, 0, sizeof(*opened));
	PA_TRY(pa_safetensors_read(env, file, length, st));
	envelope = st->config != NULL || st->recipe != NULL || st->inner_header != NULL;
	PA_TRY(choose_config(env, st, envelope, require_envelope, &config, &config_length));
	if (st->inner_header != NULL)
		PA_TRY(check_inner_header(env, st));
	PA_TRY(pa_engine_describe_file(env, opened, config, config_length));
	if (!envelope)
		PA_TRY(check_is_adapter(env, opened->adapter));
	if (st->inner_header != NULL)
		pa_engine_set_document(&opened->documents, PA_DOCUMENT_HEADER, st->inner_header, st->inner_header_length);
	else if (!envelope)
		pa_engine_set_document(&opened->documents, PA_DOCUMENT_HEADER, st->header, st->header_length);
	PA_TRY(choose_recipe(env, st, file, length, &recipe));
	pa_engine_set_document(&opened->documents, PA_DOCUMENT_RECIPE, recipe.text, recipe.length);
	return PA_OK;
}

/* Damage on the way: what was stored is not what was exported. */
static PaStatus
check_envelope_digest(PaEnv *env, const PaSafetensors *file, const uint8_t *stored, size_t length)
{
	PaMemoryBytes bytes;
	PaValueHeader header;
	uint8_t		given[PA_SHA256_LENGTH];
	char		hex[2 * PA_SHA256_LENGTH + 1];

	if (file->envelope_digest == NULL)
		return PA_OK;
	pa_bytes_from_memory(&bytes, stored, length);
	PA_TRY(pa_value_read_header(env, &bytes.base, &header));
	if (pa_unhex(given, file->envelope_digest, file->envelope_digest_length) &&
		memcmp(given, header.envelope_digest, sizeof(given)) == 0)
		return PA_OK;
	pa_hex(hex, header.envelope_digest);
	pa_fail(env, PA_ERR_FILE, "adapter does not have the envelope digest that came with it");
	pa_detail(env, "It has %s, and the file says \"%.100s\".", hex, file->envelope_digest);
	pa_hint(env, "The file was damaged or changed. Without the metadata key \"%s\" it is taken as it is.", PA_META_DIGEST);
	return PA_ERR_FILE;
}

PaStatus
pa_engine_import(PaEnv *env, const void *file, size_t length,
				 const char *config, size_t config_length, bool require_envelope,
				 size_t reserve, PaBuf *out)
{
	PaOpenedFile opened;
	PaStatus	status;

	PA_TRY(pa_engine_open_file(env, file, length, config, config_length, require_envelope, &opened));
	PA_TRY(pa_engine_store(env, opened.source, opened.adapter, &opened.documents, reserve, out));
	status = check_envelope_digest(env, &opened.file, out->data + reserve, out->length - reserve);
	if (status != PA_OK)
		pa_buf_release(out);
	return status;
}
