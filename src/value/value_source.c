/*
 * value_source.c
 *	  Tensors out of a stored value, block by block.
 *
 * A block that is wanted whole goes straight to the reader's buffer; parts of
 * one go by way of a cache of one block, so that reading forward in odd steps
 * decodes each block once.  Nothing but the blocks that are asked for is
 * fetched.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <inttypes.h>
#include <string.h>

typedef struct ValueSource
{
	PaSource	base;
	PaValue    *value;
	uint8_t    *cache;			/* one block; NULL until a part of one is asked for */
	bool		cache_filled;
	uint32_t	cache_tensor;
	uint64_t	cache_block;
} ValueSource;

#define CACHE_BYTES ((size_t) PA_BLOCK_ELEMENTS * 8)

static PaStatus
read_block(PaEnv *env, ValueSource *source, uint32_t tensor_index, uint64_t k, void *dst)
{
	PaValue    *value = source->value;
	const PaTensor *tensor = &value->adapter.tensors[tensor_index];
	const PaBlock *block = &value->extents[tensor_index].blocks[k];
	const uint8_t *stored = NULL;

	PA_TRY(pa_check_cancel(env));
	PA_TRY(pa_value_planes(env, value));
	PA_TRY(
		pa_value_fetch(env, value->bytes, value->layout.data_offset + block->offset, block->stored, &stored));
	if (pa_checksum(stored, block->stored) != block->checksum)
		return pa_value_damaged(env, "Block %" PRIu64 " of tensor \"%.200s\" does not have its checksum.", k,
								tensor->name);
	return pa_planes_decode(value->planes, stored, block->stored, pa_block_units(tensor, k), tensor->dtype,
							dst);
}

static PaStatus
fill_cache(PaEnv *env, ValueSource *source, uint32_t tensor, uint64_t k)
{
	if (source->cache_filled && source->cache_tensor == tensor && source->cache_block == k)
		return PA_OK;
	if (source->cache == NULL)
		PA_TRY(PA_NEW_RAW(env, CACHE_BYTES, &source->cache));
	source->cache_filled = false;
	PA_TRY(read_block(env, source, tensor, k, source->cache));
	source->cache_filled = true;
	source->cache_tensor = tensor;
	source->cache_block = k;
	return PA_OK;
}

static PaStatus
value_read(PaEnv *env, PaSource *self, uint32_t tensor_index, uint64_t first, size_t n, void *dst)
{
	ValueSource *source = (ValueSource *) self;
	const PaTensor *tensor;
	size_t		width;
	uint8_t    *out = dst;

	if (tensor_index >= self->adapter->n_tensors)
		return pa_fail(env, PA_ERR_INTERNAL, "no tensor %u to read", tensor_index);
	tensor = &self->adapter->tensors[tensor_index];
	if (env->host->outline && !pa_outline_has(tensor))
		return pa_fail(env, PA_ERR_OUTLINE, "elements of tensor \"%.300s\" are not known", tensor->name);
	if (first > pa_tensor_units(tensor) || n > pa_tensor_units(tensor) - first)
		return pa_fail(env, PA_ERR_INTERNAL, "read beyond the end of tensor \"%s\"", tensor->name);
	width = (size_t) pa_dtype_plane_width(tensor->dtype);
	while (n > 0)
	{
		uint64_t	k = first / PA_BLOCK_ELEMENTS;
		size_t		skip = (size_t) (first % PA_BLOCK_ELEMENTS);
		size_t		units = pa_block_units(tensor, k);
		size_t		step = units - skip < n ? units - skip : n;

		if (step == units)
			PA_TRY(read_block(env, source, tensor_index, k, out));
		else
		{
			PA_TRY(fill_cache(env, source, tensor_index, k));
			memcpy(out, source->cache + skip * width, step * width);
		}
		out += step * width;
		first += step;
		n -= step;
	}
	return PA_OK;
}

static PaStatus
value_fingerprint(PaEnv *env, PaSource *self, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH], bool *known)
{
	return pa_fingerprint_same(&self->adapter->tensors[tensor], out);
}

PaStatus
pa_value_source(PaEnv *env, PaValue *value, PaSource **result)
{
	ValueSource *source;

	PA_TRY(PA_NEW(env, &source));
	source->base.adapter = &value->adapter;
	source->base.read = value_read;
	source->base.fingerprint = value_fingerprint;
	source->value = value;
	*result = &source->base;
	return PA_OK;
}
