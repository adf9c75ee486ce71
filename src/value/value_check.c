/*
 * value_check.c
 *	  The deep check of a stored value: every block decodes, and every hash is
 *	  what the header and the table of contents say.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <string.h>

static PaStatus
check_tensor(PaEnv *env, PaSource *source, uint32_t index, void *block)
{
	const PaTensor *tensor = &source->adapter->tensors[index];
	size_t		width = (size_t) pa_dtype_plane_width(tensor->dtype);
	uint64_t	n_blocks = pa_tensor_blocks(tensor);
	uint8_t		sha256[PA_SHA256_LENGTH];

	PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
	for (uint64_t k = 0; k < n_blocks; k++)
	{
		size_t		n = pa_block_units(tensor, k);

		PA_TRY(source->read(env, source, index, k * PA_BLOCK_ELEMENTS, n, block));
		PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, block, n * width));
	}
	PA_TRY(pa_hash_finish(env, PA_HASH_TENSOR, sha256));
	if (memcmp(sha256, tensor->sha256, sizeof(sha256)) != 0)
		return pa_value_damaged(env, "Tensor \"%.200s\" does not have the SHA-256 that stands beside it.",
								tensor->name);
	return PA_OK;
}

static PaStatus
check_digests(PaEnv *env, PaValue *value)
{
	PaText		document[PA_DOCUMENT_COUNT];
	uint8_t		digest[PA_SHA256_LENGTH];

	PA_TRY(pa_adapter_digest(env, &value->adapter, digest));
	if (memcmp(digest, value->layout.header.digest, sizeof(digest)) != 0)
		return pa_value_damaged(env, "It does not have the digest that stands in its header.");
	for (int i = 0; i < PA_DOCUMENT_COUNT; i++)
		PA_TRY(pa_value_document(env, value, (PaDocument) i, &document[i]));
	PA_TRY(pa_envelope_digest(env, digest, document[PA_DOCUMENT_RECIPE], document[PA_DOCUMENT_CONFIG],
							  document[PA_DOCUMENT_HEADER], digest));
	if (memcmp(digest, value->layout.header.envelope_digest, sizeof(digest)) != 0)
		return pa_value_damaged(env, "It does not have the envelope digest that stands in its header.");
	return PA_OK;
}

PaStatus
pa_value_check(PaEnv *env, PaValue *value)
{
	PaSource   *source;
	uint8_t    *block;

	PA_TRY(pa_value_source(env, value, &source));
	PA_TRY(PA_NEW_RAW(env, (size_t) PA_BLOCK_ELEMENTS * 8, &block));
	for (uint32_t i = 0; i < value->adapter.n_tensors; i++)
		PA_TRY(check_tensor(env, source, i, block));
	PA_TRY(check_digests(env, value));
	pa_free(env, block);
	return PA_OK;
}
