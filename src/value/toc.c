/*
 * toc.c
 *	  The table of contents: doc/format.md, "Table of contents".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <string.h>

#include "core/arith.h"
#include "core/bytes.h"

/* A tensor's entry without name, dimensions and blocks. */
#define SMALLEST_ENTRY (4 + 1 + 1 + 1 + 1 + 4 + PA_SHA256_LENGTH + 8 + 4)
#define BLOCK_ENTRY (4 + 8)

uint64_t
value_block_count(const PaTensor *tensor)
{
	return (pa_tensor_units(tensor) + PA_BLOCK_ELEMENTS - 1) / PA_BLOCK_ELEMENTS;
}

size_t
value_block_units(const PaTensor *tensor, uint64_t block)
{
	uint64_t	left = pa_tensor_units(tensor) - block * PA_BLOCK_ELEMENTS;

	return left < PA_BLOCK_ELEMENTS ? (size_t) left : PA_BLOCK_ELEMENTS;
}

static PaStatus
write_entry(PaBuf *out, const PaTensor *tensor, const Extent *extent, const Block *blocks)
{
	PA_TRY(pa_buf_str(out, tensor->name));
	PA_TRY(pa_buf_u8(out, (uint8_t) (tensor->key - tensor->name)));
	PA_TRY(pa_buf_u8(out, (uint8_t) tensor->dtype));
	PA_TRY(pa_buf_u8(out, (uint8_t) tensor->role));
	PA_TRY(pa_buf_u8(out, (uint8_t) tensor->ndim));
	PA_TRY(pa_buf_u32(out, tensor->module));
	for (int i = 0; i < tensor->ndim; i++)
		PA_TRY(pa_buf_u64(out, tensor->shape[i]));
	PA_TRY(pa_buf_bytes(out, tensor->sha256, PA_SHA256_LENGTH));
	PA_TRY(pa_buf_u64(out, extent->offset));
	PA_TRY(pa_buf_u32(out, extent->count));
	for (uint32_t i = 0; i < extent->count; i++)
	{
		PA_TRY(pa_buf_u32(out, blocks[extent->first + i].stored));
		PA_TRY(pa_buf_u64(out, blocks[extent->first + i].checksum));
	}
	return PA_OK;
}

PaStatus
value_toc_write(PaBuf *out, const PaAdapter *adapter, const Extent *extents, const Block *blocks)
{
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		PA_TRY(write_entry(out, &adapter->tensors[i], &extents[i], blocks));
	return PA_OK;
}

static PaStatus
read_tensor(PaReader *r, PaValue *value, PaTensor *tensor)
{
	uint8_t		prefix = 0;
	uint8_t		dtype = 0;
	uint8_t		role = 0;
	uint8_t		ndim = 0;
	const uint8_t *sha256 = NULL;

	PA_TRY(pa_take_str(r, PA_MAX_NAME_BYTES, &tensor->name));
	PA_TRY(pa_take_u8(r, &prefix));
	PA_TRY(pa_take_u8(r, &dtype));
	PA_TRY(pa_take_u8(r, &role));
	PA_TRY(pa_take_u8(r, &ndim));
	PA_TRY(pa_take_u32(r, &tensor->module));
	if (prefix >= strlen(tensor->name) || ndim > PA_MAX_NDIM || pa_dtype_bits((PaDtype) dtype) == 0 ||
		role == 0 || role >= PA_ROLE_COUNT || tensor->module >= value->adapter.n_modules)
		return value_damaged(r->env, "The entry of tensor \"%.100s\" is not valid.", tensor->name);
	tensor->key = tensor->name + prefix;
	tensor->dtype = (PaDtype) dtype;
	tensor->role = (PaRole) role;
	tensor->ndim = ndim;
	for (int i = 0; i < ndim; i++)
		PA_TRY(pa_take_u64(r, &tensor->shape[i]));
	PA_TRY(pa_tensor_measure(r->env, tensor, PA_ERR_CORRUPT));
	PA_TRY(pa_take(r, PA_SHA256_LENGTH, &sha256));
	memcpy(tensor->sha256, sha256, PA_SHA256_LENGTH);
	return PA_OK;
}

/* Room for more blocks; the count was checked against the bytes that are left. */
static PaStatus
grow_blocks(PaEnv *env, PaValue *value, uint64_t *capacity, uint32_t more)
{
	uint64_t	need = value->n_blocks + more;
	void	   *p;

	if (need <= *capacity)
		return PA_OK;
	if (need < 2 * *capacity)
		need = 2 * *capacity;
	PA_TRY(pa_alloc_array(env, need, sizeof(Block), &p));
	if (value->n_blocks > 0)
		memcpy(p, value->blocks, value->n_blocks * sizeof(Block));
	pa_free(env, value->blocks);
	value->blocks = p;
	*capacity = need;
	return PA_OK;
}

static PaStatus
read_blocks(PaReader *r, PaValue *value, const PaTensor *tensor, Extent *extent,
			uint64_t *capacity, uint64_t *end)
{
	PA_TRY(pa_take_u64(r, &extent->offset));
	PA_TRY(pa_take_u32(r, &extent->count));
	if (extent->count != value_block_count(tensor) || extent->count > r->left / BLOCK_ENTRY)
		return value_damaged(r->env, "Tensor \"%.100s\" has %u blocks.", tensor->name, extent->count);
	if (extent->offset != *end)
		return value_damaged(r->env, "The data of tensor \"%.100s\" are not where they should be.", tensor->name);
	PA_TRY(grow_blocks(r->env, value, capacity, extent->count));
	extent->first = value->n_blocks;
	for (uint32_t i = 0; i < extent->count; i++)
	{
		Block	   *block = &value->blocks[value->n_blocks];

		block->offset = *end;
		PA_TRY(pa_take_u32(r, &block->stored));
		PA_TRY(pa_take_u64(r, &block->checksum));
		if (!pa_add_u64(*end, block->stored, end) || *end > value->header.data_length)
			return value_damaged(r->env, "The blocks of tensor \"%.100s\" do not fit the data.", tensor->name);
		value->n_blocks++;
	}
	return PA_OK;
}

PaStatus
value_toc_read(PaEnv *env, PaValue *value, const uint8_t *bytes, size_t n)
{
	PaAdapter  *adapter = &value->adapter;
	PaReader	r;
	void	   *p;
	uint64_t	end = 0;
	uint64_t	capacity = 0;

	pa_reader_init(&r, env, bytes, n, PA_ERR_CORRUPT, "table of contents of the stored value");
	adapter->n_tensors = value->header.facts.n_tensors;
	if (adapter->n_tensors > n / SMALLEST_ENTRY)
		return value_damaged(env, "Its table of contents is too short for %u tensors.", adapter->n_tensors);
	PA_TRY(pa_alloc_array(env, adapter->n_tensors, sizeof(PaTensor), &p));
	adapter->tensors = p;
	PA_TRY(pa_alloc_array(env, adapter->n_tensors, sizeof(Extent), &p));
	value->extents = p;
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		PaTensor   *tensor = &adapter->tensors[i];

		PA_TRY(read_tensor(&r, value, tensor));
		PA_TRY(read_blocks(&r, value, tensor, &value->extents[i], &capacity, &end));
		if (tensor->role != PA_ROLE_DENSE)
			adapter->modules[tensor->module].tensor[tensor->role] = (int64_t) i;
		if (!pa_add_u64(adapter->raw_bytes, tensor->bytes, &adapter->raw_bytes))
			return value_damaged(env, "The sizes of its tensors overflow.");
	}
	if (r.left != 0 || end != value->header.data_length)
		return value_damaged(env, "Its table of contents does not cover its data.");
	return PA_OK;
}
