/*
 * import.c
 *	  A PEFT file with its configuration, or an envelope, which is such a file
 *	  with configuration, recipe and original header inside.
 *
 * Nothing in an envelope is believed: the digest is computed anew, and the
 * envelope digest that came along must be that of the result.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/import.h"

#include <string.h>

#include "engine/file.h"

/* Damage on the way: what was stored is not what was exported. */
static PaStatus
check_envelope_digest(PaEnv *env, const PaSafetensors *file, const uint8_t *stored, size_t length)
{
	PaMemoryBytes bytes;
	PaValueHeader header;
	uint8_t		given[PA_SHA256_LENGTH];
	char		hex[2 * PA_SHA256_LENGTH + 1];

	if (file->envelope_digest.text == NULL)
		return PA_OK;
	pa_bytes_from_memory(&bytes, stored, length);
	PA_TRY(pa_value_read_header(env, &bytes.base, &header));
	if (pa_unhex(given, file->envelope_digest.text, file->envelope_digest.length) &&
		memcmp(given, header.envelope_digest, sizeof(given)) == 0)
		return PA_OK;
	pa_hex(hex, header.envelope_digest);
	pa_fail(env, PA_ERR_FILE, "adapter does not have the envelope digest that came with it");
	pa_detail(env, "It has %s, and the file says \"%.100s\".", hex, file->envelope_digest.text);
	pa_hint(env, "The file was damaged or changed. Without the metadata key \"%s\" it is taken as it is.",
			PA_META_DIGEST);
	return PA_ERR_FILE;
}

PaStatus
pa_import_file(PaEnv *env, PaText file, PaText config, bool require_envelope, size_t reserve, PaBuf *out)
{
	PaOpenedFile opened;
	PaStatus	status;

	PA_TRY(pa_file_open(env, file, config, require_envelope, &opened));
	PA_TRY(pa_result_store_imported(env, &opened.result, opened.source, opened.recipe, reserve, out));
	status = check_envelope_digest(env, &opened.file, out->data + reserve, out->length - reserve);
	if (status != PA_OK)
		pa_buf_release(out);
	return status;
}
