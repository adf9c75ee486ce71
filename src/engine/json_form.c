/*
 * json_form.c
 *	  The readable form of a small adapter, in and out.
 *
 * A value that comes from it remembers as its origin the file that it exports
 * as: so importing that file gives the same value with the same recipe.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/json_form.h"

#include <string.h>

#include "engine/export.h"
#include "engine/file.h"
#include "interchange/json_form.h"

PaStatus
pa_json_form_import(PaEnv *env, PaText text, size_t reserve, PaBuf *out)
{
	PaOpenedFile opened;
	PaText		config;
	PaText		header;
	uint8_t		sha256[PA_SHA256_LENGTH];

	memset(&opened, 0, sizeof(opened));
	PA_TRY(pa_json_form_read(env, text, &opened.file, &config));
	PA_TRY(pa_file_describe(env, &opened, config));
	PA_TRY(pa_file_receive(env, &opened));
	PA_TRY(pa_export_canonical(env, opened.source, &header, sha256));
	PA_TRY(pa_recipe_import(env, sha256, &opened.recipe));
	return pa_result_store_imported(env, &opened.result, opened.source, opened.recipe, reserve, out);
}

PaStatus
pa_json_form_export(PaEnv *env, PaValue *value, PaBuf *out)
{
	PaText		config;
	PaSource   *source;
	PaStatus	status = pa_value_document(env, value, PA_DOCUMENT_CONFIG, &config);

	if (status == PA_OK)
		status = pa_value_source(env, value, &source);
	if (status == PA_OK)
		status = pa_json_form_write(env, source, config, out);
	if (status != PA_OK)
		pa_buf_release(out);
	return status;
}
