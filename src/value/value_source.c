/*
 * value_source.c
 *	  The weights of a stored value as a PaSource: block by block, each checked
 *	  and decoded when it is asked for.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <string.h>

#define NO_BLOCK UINT64_MAX

typedef struct StoredSource
{
	PaSource	base;
	PaValue    *value;
	uint64_t	cached;			/* index of the block in cache, or NO_BLOCK */
	uint8_t    *cache;			/* one decoded block; made when first needed */
} StoredSource;

static PaStatus
decode_block(PaEnv *env, PaValue *value, const PaTensor *tensor, uint64_t index, size_t units, void *raw)
{
	const Block *block = &value->blocks[index];
	const uint8_t *p = NULL;

	PA_TRY(pa_check_cancel(env));
	PA_TRY(value->bytes->fetch(env, value->bytes, value->header.data_offset + block->offset, block->stored, &p));
	if (pa_checksum(p, block->stored) != block->checksum)
		return value_damaged(env, "The checksum of a block of tensor \"%.100s\" does not match.", tensor->name);
	return pa_planes_decode(value->planes, p, block->stored, units, tensor->dtype, raw);
}

/* Units [skip, skip + n) of a block, by way of the cache. */
static PaStatus
read_part(PaEnv *env, StoredSource *source, const PaTensor *tensor, uint64_t index,
		  size_t units, size_t skip, size_t n, uint8_t *dst)
{
	size_t		width = (size_t) pa_dtype_plane_width(tensor->dtype);
	void	   *p;

	if (source->cache == NULL)
	{
		PA_TRY(pa_alloc_raw(env, (size_t) PA_BLOCK_ELEMENTS * 8, &p));
		source->cache = p;
	}
	if (source->cached != index)
	{
		source->cached = NO_BLOCK;
		PA_TRY(decode_block(env, source->value, tensor, index, units, source->cache));
		source->cached = index;
	}
	memcpy(dst, source->cache + skip * width, n * width);
	return PA_OK;
}

static PaStatus
stored_read(PaEnv *env, PaSource *self, uint32_t t, uint64_t first, size_t n, void *dst)
{
	StoredSource *source = (StoredSource *) self;
	const PaTensor *tensor = &self->adapter->tensors[t];
	const Extent *extent = &source->value->extents[t];
	size_t		width = (size_t) pa_dtype_plane_width(tensor->dtype);
	uint8_t    *out = dst;

	if (first > pa_tensor_units(tensor) || n > pa_tensor_units(tensor) - first)
		return pa_fail(env, PA_ERR_INTERNAL, "read beyond the end of tensor \"%s\"", tensor->name);
	PA_TRY(value_planes(env, source->value));
	while (n > 0)
	{
		uint64_t	b = first / PA_BLOCK_ELEMENTS;
		size_t		skip = (size_t) (first % PA_BLOCK_ELEMENTS);
		size_t		units = value_block_units(tensor, b);
		size_t		take = n < units - skip ? n : units - skip;

		if (take == units)
			PA_TRY(decode_block(env, source->value, tensor, extent->first + b, units, out));
		else
			PA_TRY(read_part(env, source, tensor, extent->first + b, units, skip, take, out));
		out += take * width;
		first += take;
		n -= take;
	}
	return PA_OK;
}

PaStatus
pa_value_source(PaEnv *env, PaValue *value, PaSource **result)
{
	void	   *p;
	StoredSource *source;

	PA_TRY(pa_alloc(env, sizeof(StoredSource), &p));
	source = p;
	source->base.adapter = &value->adapter;
	source->base.read = stored_read;
	source->value = value;
	source->cached = NO_BLOCK;
	*result = &source->base;
	return PA_OK;
}
