/*
 * toc.c
 *	  The table of contents of a stored value (doc/format.md, "Table of
 *	  contents"): tensors, and where their blocks are.
 *
 * Its size follows from names and shapes alone, so the writer leaves room for
 * it and fills it in when the data are written.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <inttypes.h>
#include <string.h>

#include "adapter/fault.h"
#include "adapter/role.h"
#include "core/arith.h"
#include "core/bytes.h"

/* What a tensor takes besides name, dimensions and blocks. */
#define TENSOR_FIXED_BYTES (4 + 1 + 1 + 1 + 1 + 4 + PA_SHA256_LENGTH + 8 + 4)
#define BLOCK_BYTES (4 + 8)

_Static_assert(PA_BLOCK_ELEMENTS == 32768, "the number of blocks follows from it");
_Static_assert(PA_BOOL == 1 && PA_F16 == 6 && PA_BF16 == 7 && PA_F32 == 10 && PA_F64 == 11 && PA_C64 == 14 &&
				   PA_F8_E4M3 == 15 && PA_F6_E3M2 == 22,
			   "dtype ids are on disk");

size_t
pa_toc_size(const PaAdapter *adapter)
{
	size_t		size = 0;

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];

		size += TENSOR_FIXED_BYTES + strlen(tensor->name) + 8 * (size_t) tensor->ndim +
			BLOCK_BYTES * (size_t) pa_tensor_blocks(tensor);
	}
	return size;
}

PaStatus
pa_extents_make(PaEnv *env, const PaAdapter *adapter, PaExtent **result)
{
	uint64_t	total = 0;
	PaExtent   *extents;
	PaBlock    *blocks;

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		if (!pa_add_u64(total, pa_tensor_blocks(&adapter->tensors[i]), &total))
			return pa_fail(env, PA_ERR_LIMIT, "adapter has too many blocks");
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &extents));
	PA_TRY(PA_NEW_ARRAY(env, total, &blocks));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		extents[i].n_blocks = (uint32_t) pa_tensor_blocks(&adapter->tensors[i]);
		extents[i].blocks = blocks;
		blocks += extents[i].n_blocks;
	}
	*result = extents;
	return PA_OK;
}

static PaStatus
write_tensor(PaBuf *buf, const PaTensor *tensor, const PaExtent *extent)
{
	PA_TRY(pa_buf_str(buf, tensor->name));
	PA_TRY(pa_buf_u8(buf, (uint8_t) (tensor->key - tensor->name)));
	PA_TRY(pa_buf_u8(buf, (uint8_t) tensor->dtype));
	PA_TRY(pa_buf_u8(buf, (uint8_t) tensor->role));
	PA_TRY(pa_buf_u8(buf, (uint8_t) tensor->ndim));
	PA_TRY(pa_buf_u32(buf, tensor->module));
	for (int d = 0; d < tensor->ndim; d++)
		PA_TRY(pa_buf_u64(buf, tensor->shape[d]));
	PA_TRY(pa_buf_bytes(buf, tensor->sha256, PA_SHA256_LENGTH));
	PA_TRY(pa_buf_u64(buf, extent->offset));
	PA_TRY(pa_buf_u32(buf, extent->n_blocks));
	for (uint32_t k = 0; k < extent->n_blocks; k++)
	{
		PA_TRY(pa_buf_u32(buf, extent->blocks[k].stored));
		PA_TRY(pa_buf_u64(buf, extent->blocks[k].checksum));
	}
	return PA_OK;
}

PaStatus
pa_toc_write(PaBuf *buf, const PaAdapter *adapter, const PaExtent *extents)
{
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		PA_TRY(write_tensor(buf, &adapter->tensors[i], &extents[i]));
	return PA_OK;
}

static PaStatus
take_description(PaReader *r, PaTensor *tensor)
{
	uint8_t		prefix;
	uint8_t		dtype;
	uint8_t		role;
	uint8_t		ndim;
	const uint8_t *sha256 = NULL;

	PA_TRY(pa_take_str(r, PA_MAX_NAME_BYTES, &tensor->name));
	PA_TRY(pa_take_u8(r, &prefix));
	PA_TRY(pa_take_u8(r, &dtype));
	PA_TRY(pa_take_u8(r, &role));
	PA_TRY(pa_take_u8(r, &ndim));
	PA_TRY(pa_take_u32(r, &tensor->module));
	if (prefix >= strlen(tensor->name))
		return pa_fail(r->env, r->code, "tensor \"%s\" has no key behind its prefix", tensor->name);
	tensor->key = tensor->name + prefix;
	tensor->dtype = (PaDtype) dtype;
	tensor->role = (PaRole) role;
	tensor->ndim = ndim;
	if (dtype == 0)
		return pa_value_damaged(r->env, "Tensor \"%.200s\" has no type.", tensor->name);
	if (pa_dtype_bits(tensor->dtype) == 0)
		return pa_fail_later(r->env, "Tensor \"%.200s\" has type %d, which this version does not know.",
							 tensor->name, dtype);
	if (ndim > PA_MAX_NDIM)
		return pa_fail(r->env, r->code, "tensor \"%s\" has %u dimensions", tensor->name, ndim);
	for (int d = 0; d < ndim; d++)
		PA_TRY(pa_take_u64(r, &tensor->shape[d]));
	PA_TRY(pa_take(r, PA_SHA256_LENGTH, &sha256));
	memcpy(tensor->sha256, sha256, PA_SHA256_LENGTH);
	return pa_tensor_measure(r->env, tensor, r->code);
}

/*
 * Room for the blocks of all tensors, by the length of the section.  A table
 * that takes for blocks what later tensors need would go beyond it, and runs
 * out of bytes only after that: so the room is counted.
 */
typedef struct BlockRoom
{
	PaBlock    *next;
	size_t		left;
} BlockRoom;

static PaStatus
take_extent(PaReader *r, const PaTensor *tensor, PaExtent *extent, BlockRoom *room)
{
	PA_TRY(pa_take_u64(r, &extent->offset));
	PA_TRY(pa_take_u32(r, &extent->n_blocks));
	if (extent->n_blocks != pa_tensor_blocks(tensor) || extent->n_blocks > room->left)
		return pa_value_damaged(r->env, "Tensor \"%.200s\" has %u blocks instead of %" PRIu64 ".",
								tensor->name, extent->n_blocks, pa_tensor_blocks(tensor));
	extent->blocks = room->next;
	room->next += extent->n_blocks;
	room->left -= extent->n_blocks;
	for (uint32_t k = 0; k < extent->n_blocks; k++)
	{
		PaBlock    *block = &extent->blocks[k];

		PA_TRY(pa_take_u32(r, &block->stored));
		PA_TRY(pa_take_u64(r, &block->checksum));
		if (block->stored > pa_planes_bound(pa_block_units(tensor, k), pa_dtype_plane_width(tensor->dtype)))
			return pa_value_damaged(r->env, "Block %u of tensor \"%.200s\" has %u bytes.", k, tensor->name,
									block->stored);
		block->offset = extent->offset + extent->stored;
		extent->stored += block->stored;
	}
	return PA_OK;
}

/* So that the invariants of adapter.h can be checked: indices must be in range. */
static PaStatus
link_tensor(PaEnv *env, PaAdapter *adapter, uint32_t index)
{
	const PaTensor *tensor = &adapter->tensors[index];
	PaModule   *module;

	if (tensor->role == 0)
		return pa_value_damaged(env, "Tensor \"%.200s\" has no role.", tensor->name);
	if (pa_role(tensor->role) == NULL)
		return pa_fail_later(env, "Tensor \"%.200s\" has role %d, which this version does not know.",
							 tensor->name, (int) tensor->role);
	if (tensor->module >= adapter->n_modules)
		return pa_value_damaged(env, "Tensor \"%.200s\" has module %u of %u.", tensor->name, tensor->module,
								adapter->n_modules);
	module = &adapter->modules[tensor->module];
	if (!pa_role_is_keyed(tensor->role) && module->tensor[tensor->role] < 0)
		module->tensor[tensor->role] = index;
	return PA_OK;
}

static PaStatus
allocate(PaEnv *env, size_t n, PaValue *value, BlockRoom *room)
{
	size_t		n_tensors = value->layout.header.n_tensors;

	if (n_tensors > n / TENSOR_FIXED_BYTES)
		return pa_value_damaged(env, "A table of contents of %zu bytes has no room for %zu tensors.", n,
								n_tensors);
	PA_TRY(PA_NEW_ARRAY(env, n_tensors, &value->adapter.tensors));
	PA_TRY(PA_NEW_ARRAY(env, n_tensors, &value->extents));
	room->left = (n - n_tensors * TENSOR_FIXED_BYTES) / BLOCK_BYTES;
	PA_TRY(PA_NEW_ARRAY(env, room->left, &room->next));
	value->adapter.n_tensors = (uint32_t) n_tensors;
	return PA_OK;
}

PaStatus
pa_toc_read(PaEnv *env, const void *p, size_t n, PaValue *value)
{
	PaAdapter  *adapter = &value->adapter;
	BlockRoom	room = {NULL, 0};
	PaReader	r;
	uint64_t	at = 0;

	PA_TRY(allocate(env, n, value, &room));
	pa_reader_init(&r, env, p, n, PA_ERR_CORRUPT, "table of contents of the stored value");
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		PaTensor   *tensor = &adapter->tensors[i];
		PaExtent   *extent = &value->extents[i];

		PA_TRY(take_description(&r, tensor));
		PA_TRY(take_extent(&r, tensor, extent, &room));
		if (extent->offset != at || extent->stored > value->layout.data_length - at)
			return pa_value_damaged(env, "Data of tensor \"%.200s\" are not in their place.", tensor->name);
		at += extent->stored;
		PA_TRY(link_tensor(env, adapter, i));
		if (!pa_add_u64(adapter->raw_bytes, tensor->bytes, &adapter->raw_bytes))
			return pa_value_damaged(env, "The sizes of its tensors overflow.");
	}
	if (r.left != 0)
		return pa_value_damaged(env, "Its table of contents has %zu bytes too many.", r.left);
	if (at != value->layout.data_length)
		return pa_value_damaged(env, "Its data have %" PRIu64 " bytes that belong to no tensor.",
								value->layout.data_length - at);
	return PA_OK;
}
