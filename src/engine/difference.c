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
#include "engine/difference.h"

#include <string.h>

#include "adapter/kind.h"
#include "algebra/difference.h"
#include "core/pattern.h"
#include "engine/export.h"
#include "engine/file.h"
#include "interchange/peft_path.h"

/* Takes the tensors with these names out of the list of a file; *n counts them. */
static PaStatus
take_out(PaEnv *env, const char *pattern, PaSafetensors *file, uint32_t *n)
{
	PaPattern  *compiled;
	uint32_t	kept = 0;

	PA_TRY(pa_pattern_compile(env, pattern, PA_PATTERN_WHOLE, &compiled));
	pa_pattern_share(compiled, file->n_tensors);
	for (uint32_t i = 0; i < file->n_tensors; i++)
	{
		const char *name = file->tensors[i].name;
		bool		matches;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_pattern_match(env, compiled, name + pa_peft_path_prefix(name), &matches));
		if (matches)
			(*n)++;
		else
			file->tensors[kept++] = file->tensors[i];
	}
	file->n_tensors = kept;
	pa_pattern_release(env, compiled);
	return PA_OK;
}

/* Whole weights have the form of a difference: parameters by name. */
static PaStatus
open_weights(PaEnv *env, PaText file, const char *what, PaText config, const char *leave_out, uint32_t *n_out,
			 PaOpenedFile *opened)
{
	memset(opened, 0, sizeof(*opened));
	PA_TRY(pa_safetensors_read(env, file, &opened->file));
	if (pa_safetensors_is_envelope(&opened->file))
	{
		pa_fail(env, PA_ERR_FILE, "file of the %s weights is an adapter's envelope", what);
		pa_hint(env, "Pass the model's weights, model.safetensors.");
		return PA_ERR_FILE;
	}
	if (leave_out != NULL)
		PA_TRY(take_out(env, leave_out, &opened->file, n_out));
	return pa_file_describe(env, opened, config);
}

static PaStatus
check_config(PaEnv *env, PaText config)
{
	PaConfig	read;

	PA_TRY(pa_peft_config_read(env, config, &read));
	if (pa_kind_methods(read.kind)->delta == PA_DELTA_TENSORS)
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "peft_type of the configuration is not DIFFERENCE");
	pa_hint(env, "Files of adapters are imported with adapter_from_safetensors().");
	return PA_ERR_CONFIG;
}

/* What is kept of tuned, and as the index of tuned's tensor for each tensor. */
static PaStatus
describe_kept(PaEnv *env, PaOpenedFile *tuned, const bool *keep, PaResult *result)
{
	const PaAdapter *whole = tuned->result.adapter;
	PaFileTensor *tensors;
	uint32_t   *kept;
	uint32_t	n = 0;

	PA_TRY(PA_NEW_ARRAY(env, whole->n_tensors, &tensors));
	PA_TRY(PA_NEW_ARRAY(env, whole->n_tensors, &kept));
	for (uint32_t i = 0; i < whole->n_tensors; i++)
		if (keep[i])
		{
			tensors[n] = pa_safetensors_tensor(whole, i, 0);
			kept[n++] = i;
		}
	PA_TRY(pa_result_describe_as(env, &tuned->config, tuned->result.documents.document[PA_DOCUMENT_CONFIG], n,
								 tensors, result));
	for (uint32_t i = 0; i < n; i++)
		result->of[i] = kept[result->of[i]];
	return PA_OK;
}

PaStatus
pa_difference_of_files(PaEnv *env, PaText tuned, PaText base, PaText config, const char *leave_out,
					   size_t reserve, PaBuf *out)
{
	uint32_t	n_out = 0;
	PaOpenedFile opened[2];
	PaResult	result;
	bool	   *keep;
	PaSource   *source;
	uint8_t		sha256[PA_SHA256_LENGTH];
	PaText		recipe;

	PA_TRY(check_config(env, config));
	PA_TRY(open_weights(env, tuned, "tuned", config, leave_out, &n_out, &opened[0]));
	PA_TRY(open_weights(env, base, "base", config, leave_out, &n_out, &opened[1]));
	if (leave_out != NULL && n_out == 0)
	{
		pa_fail(env, PA_ERR_CONFIG, "no tensor of the weights has a name that is to be left out");
		pa_detail(env, "An expression must match the whole name of a tensor, as \"lm_head.weight\".");
		return PA_ERR_CONFIG;
	}
	PA_TRY(PA_NEW_ARRAY(env, opened[0].result.adapter->n_tensors, &keep));
	PA_TRY(pa_difference_check(env, opened[0].source, opened[1].source, keep));
	PA_TRY(describe_kept(env, &opened[0], keep, &result));
	PA_TRY(pa_difference_source(env, opened[0].source, opened[1].source, result.adapter, result.of, &source));
	PA_TRY(pa_export_canonical(env, source, &result.documents.document[PA_DOCUMENT_HEADER], sha256));
	PA_TRY(pa_recipe_import(env, sha256, &recipe));
	return pa_result_store_imported(env, &result, source, recipe, reserve, out);
}
