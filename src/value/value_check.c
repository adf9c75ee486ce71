/*
 * value_check.c
 *	  The deep check: every block decodes, every SHA-256, the digest and the
 *	  envelope digest are what the header and the table of contents say.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <string.h>

static PaStatus
check_tensor(PaEnv *env, PaSource *source, uint32_t t, uint8_t *raw)
{
	const PaTensor *tensor = &source->adapter->tensors[t];
	size_t		width = (size_t) pa_dtype_plane_width(tensor->dtype);
	uint8_t		sha256[PA_SHA256_LENGTH];

	PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
	for (uint64_t b = 0; b < value_block_count(tensor); b++)
	{
		size_t		units = value_block_units(tensor, b);

		PA_TRY(source->read(env, source, t, b * PA_BLOCK_ELEMENTS, units, raw));
		PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, raw, units * width));
	}
	PA_TRY(pa_hash_finish(env, PA_HASH_TENSOR, sha256));
	if (memcmp(sha256, tensor->sha256, PA_SHA256_LENGTH) != 0)
		return value_damaged(env, "The SHA-256 of tensor \"%.100s\" does not match.", tensor->name);
	return PA_OK;
}

PaStatus
pa_value_check(PaEnv *env, PaValue *value)
{
	PaSource   *source;
	void	   *raw;
	uint8_t		digest[PA_SHA256_LENGTH];
	struct
	{
		const char *text;
		size_t		length;
	}			document[PA_DOCUMENT_COUNT];

	PA_TRY(pa_value_source(env, value, &source));
	PA_TRY(pa_alloc_raw(env, (size_t) PA_BLOCK_ELEMENTS * 8, &raw));
	for (uint32_t i = 0; i < value->adapter.n_tensors; i++)
		PA_TRY(check_tensor(env, source, i, raw));
	PA_TRY(pa_adapter_digest(env, &value->adapter, digest));
	if (memcmp(digest, value->header.facts.digest, PA_SHA256_LENGTH) != 0)
		return value_damaged(env, "The digest does not match.");
	for (int i = 0; i < PA_DOCUMENT_COUNT; i++)
		PA_TRY(pa_value_document(env, value, (PaDocument) i, &document[i].text, &document[i].length));
	PA_TRY(pa_envelope_digest(env, digest,
							  document[PA_DOCUMENT_RECIPE].text, document[PA_DOCUMENT_RECIPE].length,
							  document[PA_DOCUMENT_CONFIG].text, document[PA_DOCUMENT_CONFIG].length,
							  document[PA_DOCUMENT_HEADER].text, document[PA_DOCUMENT_HEADER].length,
							  digest));
	if (memcmp(digest, value->header.facts.envelope_digest, PA_SHA256_LENGTH) != 0)
		return value_damaged(env, "The envelope digest does not match.");
	return PA_OK;
}
