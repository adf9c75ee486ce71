/*
 * file.c
 *	  Files read and described.  See file.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/file.h"

#include <string.h>

#include "adapter/fault.h"
#include "adapter/kind.h"
#include "core/bytes.h"
#include "core/limits.h"
#include "engine/export.h"
#include "interchange/container_alpha.h"
#include "interchange/container_config.h"
#include "interchange/peft_dialect.h"
#include "interchange/peft_members.h"
#include "interchange/peft_selection.h"

static PaStatus
check_same_layout(PaEnv *env, const PaSafetensors *outer, const PaSafetensors *inner)
{
	bool		same = outer->n_tensors == inner->n_tensors;

	for (uint32_t i = 0; same && i < outer->n_tensors; i++)
	{
		const PaFileTensor *a = &outer->tensors[i];
		const PaFileTensor *b = &inner->tensors[i];

		same = strcmp(a->name, b->name) == 0 && a->dtype == b->dtype && a->ndim == b->ndim &&
			memcmp(a->shape, b->shape, (size_t) a->ndim * sizeof(a->shape[0])) == 0 && a->bytes == b->bytes &&
			a->offset == b->offset;
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

	if (file->inner_header.length > PA_MAX_HEADER_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "original header in the envelope has %zu bytes, more than %zu",
					   file->inner_header.length, PA_MAX_HEADER_BYTES);
	PA_TRY(pa_safetensors_read_header(env, file->inner_header, file->data_length, PA_ERR_FILE, &inner));
	if (pa_safetensors_is_envelope(&inner))
		return pa_fail(env, PA_ERR_FILE, "original header in the envelope is an envelope's");
	return check_same_layout(env, file, &inner);
}

/* Which configuration counts: the one inside an envelope, or the one beside a file. */
static PaStatus
choose_config(PaEnv *env, const PaSafetensors *file, bool envelope, bool require_envelope, PaText *config)
{
	if (!envelope && require_envelope)
	{
		pa_fail(env, PA_ERR_FILE, "safetensors file has no adapter configuration inside");
		pa_detail(env, "This form of an adapter needs the metadata key \"%s\".", PA_META_CONFIG);
		pa_hint(env, "Import a file and its adapter_config.json with adapter_from_safetensors().");
		return PA_ERR_FILE;
	}
	if (!envelope)
		return PA_OK;
	if (config->text != NULL)
	{
		pa_fail(env, PA_ERR_CONFIG, "file has a configuration inside and another one beside it");
		pa_hint(env, "Leave the configuration argument out for a file with the metadata key \"%s\".",
				PA_META_CONFIG);
		return PA_ERR_CONFIG;
	}
	if (file->config.text == NULL)
		return pa_fail(env, PA_ERR_FILE, "envelope has no metadata key \"%s\"", PA_META_CONFIG);
	*config = file->config;
	return PA_OK;
}

static PaStatus
refuse_no_config(PaEnv *env)
{
	pa_fail(env, PA_ERR_CONFIG, "adapter has no configuration");
	pa_detail(env, "The scaling of a LoRA adapter is in no tensor, so there is no default.");
	pa_hint(env, "Pass the text of adapter_config.json as the second argument.");
	return PA_ERR_CONFIG;
}

/* The reading of the file's names, and its configuration where it has none beside it. */
static PaStatus
find_container(PaEnv *env, const PaSafetensors *file, PaContainer *container, PaText *config)
{
	*container = PA_CONTAINER_PEFT;
	if (file->names.text != NULL && strcmp(file->names.text, PA_NAMES_DIFFUSION) == 0)
		*container = PA_CONTAINER_DIFFUSION;
	if (pa_safetensors_is_envelope(file))
		return PA_OK;
	if (config->text == NULL)
	{
		PA_TRY(pa_container_config(env, file, container, config));
		return config->text != NULL ? PA_OK : refuse_no_config(env);
	}
	if (file->names.text == NULL)
		*container = pa_container_of_names(file);
	return PA_OK;
}

/* By the type in the configuration, unless the envelope says that it was only stored. */
static PaStatus
read_by_kind(PaEnv *env, const PaSafetensors *file, PaText config, PaConfig *read)
{
	const PaKindMethods *kind;

	if (file->kind.text == NULL)
		return pa_peft_config_read(env, config, read);
	kind = pa_kind_by_name(file->kind.text);
	if (kind == NULL || kind->peft_type != NULL)
		return pa_fail_later(env, "The file has \"%s\" under the metadata key \"%s\".", file->kind.text,
							 PA_META_KIND);
	return pa_peft_config_read_as(env, config, kind->id, read);
}

/*
 * An envelope says whether wrappers are to be taken off: one that was written
 * before they were has paths as its names say them, and must keep its digest.
 */
static PaStatus
read_config(PaEnv *env, const PaSafetensors *file, PaText config, PaConfig *read)
{
	PA_TRY(read_by_kind(env, file, config, read));
	read->unwrap_names = !pa_safetensors_is_envelope(file) || file->names.text != NULL;
	if (file->names.text == NULL || strcmp(file->names.text, PA_NAMES_WRAPPED) == 0 ||
		strcmp(file->names.text, PA_NAMES_DIFFUSION) == 0)
		return PA_OK;
	return pa_fail_later(env, "The file has \"%.100s\" under the metadata key \"%s\".", file->names.text,
						 PA_META_NAMES);
}

PaStatus
pa_file_describe(PaEnv *env, PaOpenedFile *opened, PaText config)
{
	const PaSafetensors *file = &opened->file;
	PaResult   *result = &opened->result;
	const uint8_t **data;
	PaContainer container;

	PA_TRY(find_container(env, file, &container, &config));
	PA_TRY(read_config(env, file, config, &opened->config));
	if (pa_kind_methods(opened->config.kind)->delta == PA_DELTA_PRODUCT &&
		opened->config.container == PA_CONTAINER_PEFT)
		opened->config.container = container;
	PA_TRY(pa_result_describe_as(env, &opened->config, config, file->n_tensors, file->tensors, result));
	PA_TRY(pa_peft_check_selection(env, &opened->config, result->adapter));
	PA_TRY(PA_NEW_ARRAY(env, result->adapter->n_tensors, &data));
	for (uint32_t i = 0; i < result->adapter->n_tensors; i++)
		data[i] = file->data + file->tensors[result->of[i]].offset;
	if (opened->config.container != PA_CONTAINER_PEFT)
		PA_TRY(pa_alphas_check(env, result->adapter, data));
	return pa_source_from_memory(env, result->adapter, data, &opened->source);
}

/* The file of this header and data. */
static PaStatus
hash_file(PaEnv *env, PaText header, const uint8_t *data, uint64_t n, uint8_t sha256[PA_SHA256_LENGTH])
{
	uint8_t		length[8];

	pa_store_u64(length, header.length);
	PA_TRY(pa_hash_begin(env, PA_HASH_FILE));
	PA_TRY(pa_hash_update(env, PA_HASH_FILE, length, sizeof(length)));
	PA_TRY(pa_hash_update(env, PA_HASH_FILE, header.text, header.length));
	PA_TRY(pa_hash_update(env, PA_HASH_FILE, data, (size_t) n));
	return pa_hash_finish(env, PA_HASH_FILE, sha256);
}

/*
 * The recipe that came along, or the beginning of one: of the file that
 * adapter_to_safetensors gives, whether it came alone or in an envelope.
 */
static PaStatus
choose_recipe(PaEnv *env, const PaOpenedFile *opened, PaText *recipe)
{
	const PaSafetensors *st = &opened->file;
	uint8_t		sha256[PA_SHA256_LENGTH];
	PaText		header;

	if (st->recipe.text != NULL)
	{
		*recipe = st->recipe;
		return pa_recipe_check(env, st->recipe);
	}
	if (st->inner_header.text != NULL)
		PA_TRY(hash_file(env, st->inner_header, st->data, st->data_length, sha256));
	else if (pa_safetensors_is_envelope(st))
		PA_TRY(pa_export_canonical(env, opened->source, &header, sha256));
	else
		PA_TRY(hash_file(env, st->header, st->data, st->data_length, sha256));
	return pa_recipe_import(env, sha256, recipe);
}

/* One that tells nothing of its module but that it is changed. */
static const char *
usual_suffix(const PaPeftDialect *dialect)
{
	for (size_t i = 0; i < dialect->n_suffixes; i++)
		if (dialect->suffixes[i].module_flags == PA_MODULE_TARGET)
			return dialect->suffixes[i].text;
	return dialect->n_suffixes > 0 ? dialect->suffixes[0].text : "";
}

/* Is there something that is changed, or do the dense tensors alone make sense? */
static bool
is_accounted_for(const PaAdapter *adapter)
{
	if (pa_kind_methods(adapter->kind)->may_be_empty || adapter->n_saved_modules > 0 ||
		(adapter->bias != NULL && strcmp(adapter->bias, "none") != 0))
		return true;
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		if (adapter->modules[i].flags & PA_MODULE_TARGET)
			return true;
	return false;
}

/* Another program's file, or another program's configuration. */
static PaStatus
check_is_of_config(PaEnv *env, const PaOpenedFile *opened)
{
	const PaAdapter *adapter = opened->result.adapter;

	if (is_accounted_for(adapter))
		return PA_OK;
	return pa_container_refuse(env, &opened->file, pa_kind_methods(adapter->kind)->title);
}

/*
 * A file that has nothing of what the configuration says is another file, most
 * often the whole model's.  Dense tensors alone are an adapter only if the
 * configuration accounts for them; an envelope and the readable form are believed,
 * since a part of a split may be such a one.
 */
static PaStatus
check_is_adapter(PaEnv *env, const PaOpenedFile *opened)
{
	const PaAdapter *adapter = opened->result.adapter;

	if (is_accounted_for(adapter))
		return PA_OK;
	PA_TRY(check_is_of_config(env, opened));
	pa_fail(env, PA_ERR_CONFIG, "file has no tensor of %s adapter", pa_kind_methods(adapter->kind)->title);
	if (adapter->n_tensors > 0)
		pa_detail(
			env,
			"What it has, beginning with \"%.300s\", is dense, and the configuration has no modules_to_save for it.",
			adapter->tensors[0].name);
	pa_hint(env,
			"Names of its tensors end in \"%s\" or the like; PEFT's are in adapter_model.safetensors, and "
			"model.safetensors is a whole model.",
			usual_suffix(pa_container_dialect(opened->config.container, adapter->kind)));
	return PA_ERR_CONFIG;
}

/*
 * PEFT saves no empty head or embedding.  (In an envelope there can be one, which was
 * imported before this was asked.)
 */
static PaStatus
check_saved_tensors(PaEnv *env, const PaAdapter *adapter)
{
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		if (adapter->tensors[i].role == PA_ROLE_DENSE && adapter->tensors[i].elements == 0)
			return pa_peft_refuse_empty(env, &adapter->tensors[i]);
	return PA_OK;
}

/* What came in from outside for the first time: not a dump, nor a value that is there. */
PaStatus
pa_file_receive(PaEnv *env, const PaOpenedFile *opened)
{
	const PaResult *result = &opened->result;
	const char *names;

	PA_TRY(check_is_of_config(env, opened));
	PA_TRY(check_saved_tensors(env, result->adapter));
	/* what MLX's has beside the scaling is how it was trained */
	if (env->host->notice == NULL || opened->config.container == PA_CONTAINER_MLX)
		return PA_OK;
	PA_TRY(pa_peft_members_set(env, pa_peft_dialect(result->adapter->kind),
							   result->documents.document[PA_DOCUMENT_CONFIG], &names));
	if (names != NULL)
		pa_notice(env, (PaNotice) {.detail = "They are kept, and have no part in arithmetic."},
				  "adapter configuration has members that PEFT does not have: %s", names);
	return PA_OK;
}

PaStatus
pa_file_open(PaEnv *env, PaText file, PaText config, bool require_envelope, PaOpenedFile *opened)
{
	PaSafetensors *st = &opened->file;
	bool		envelope;

	memset(opened, 0, sizeof(*opened));
	PA_TRY(pa_safetensors_read(env, file, st));
	envelope = pa_safetensors_is_envelope(st);
	PA_TRY(choose_config(env, st, envelope, require_envelope, &config));
	if (st->inner_header.text != NULL)
		PA_TRY(check_inner_header(env, st));
	PA_TRY(pa_file_describe(env, opened, config));
	if (!envelope)
	{
		PA_TRY(check_is_adapter(env, opened));
		PA_TRY(pa_file_receive(env, opened));
	}
	opened->result.documents.document[PA_DOCUMENT_HEADER] = envelope ? st->inner_header : st->header;
	return choose_recipe(env, opened, &opened->recipe);
}
