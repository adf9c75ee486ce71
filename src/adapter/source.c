/*
 * source.c
 *	  The two sources that compute nothing: tensors in memory, and some of
 *	  another source's tensors.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/source.h"

#include <string.h>

typedef struct MemorySource
{
	PaSource	base;
	const uint8_t *const *data;
} MemorySource;

typedef struct SubsetSource
{
	PaSource	base;
	PaSource   *parent;
	const uint32_t *from;
} SubsetSource;

PaStatus
pa_fingerprint_same(const PaTensor *of, uint8_t out[PA_SHA256_LENGTH])
{
	memcpy(out, of->sha256, PA_SHA256_LENGTH);
	return PA_OK;
}

PaStatus
pa_fingerprint_of(PaEnv *env, const char *what, const void *by, size_t n, const uint8_t of[PA_SHA256_LENGTH],
				  uint8_t out[PA_SHA256_LENGTH])
{
	PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, what, strlen(what) + 1));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, of, PA_SHA256_LENGTH));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, by, n));
	return pa_hash_finish(env, PA_HASH_TENSOR, out);
}

static PaStatus
check_range(PaEnv *env, const PaAdapter *adapter, uint32_t tensor, uint64_t first, size_t n)
{
	uint64_t	units;

	if (tensor >= adapter->n_tensors)
		return pa_fail(env, PA_ERR_INTERNAL, "no tensor %u to read", tensor);
	units = pa_tensor_units(&adapter->tensors[tensor]);
	if (first > units || n > units - first)
		return pa_fail(env, PA_ERR_INTERNAL, "read beyond the end of tensor \"%s\"",
					   adapter->tensors[tensor].name);
	return PA_OK;
}

static PaStatus
memory_read(PaEnv *env, PaSource *self, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	MemorySource *source = (MemorySource *) self;
	size_t		width;

	PA_TRY(check_range(env, self->adapter, tensor, first, n));
	width = (size_t) pa_dtype_plane_width(self->adapter->tensors[tensor].dtype);
	if (n > 0)
		memcpy(dst, source->data[tensor] + first * width, n * width);
	return PA_OK;
}

PaStatus
pa_source_from_memory(PaEnv *env, const PaAdapter *adapter, const uint8_t *const *data, PaSource **source)
{
	MemorySource *made;

	PA_TRY(PA_NEW(env, &made));
	made->base.adapter = adapter;
	made->base.read = memory_read;
	made->data = data;
	*source = &made->base;
	return PA_OK;
}

static PaStatus
subset_read(PaEnv *env, PaSource *self, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	SubsetSource *source = (SubsetSource *) self;

	PA_TRY(check_range(env, self->adapter, tensor, first, n));
	return source->parent->read(env, source->parent, source->from[tensor], first, n, dst);
}

static PaStatus
subset_fingerprint(PaEnv *env, PaSource *self, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH], bool *known)
{
	SubsetSource *source = (SubsetSource *) self;

	return pa_fingerprint_same(&source->parent->adapter->tensors[source->from[tensor]], out);
}

PaStatus
pa_source_subset(PaEnv *env, const PaAdapter *adapter, PaSource *parent, const uint32_t *from,
				 PaSource **source)
{
	SubsetSource *made;

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		if (from[i] >= parent->adapter->n_tensors ||
			parent->adapter->tensors[from[i]].dtype != adapter->tensors[i].dtype ||
			parent->adapter->tensors[from[i]].elements != adapter->tensors[i].elements)
			return pa_fail(env, PA_ERR_INTERNAL, "tensor \"%s\" is not one of the source",
						   adapter->tensors[i].name);
	PA_TRY(PA_NEW(env, &made));
	made->base.adapter = adapter;
	made->base.read = subset_read;
	made->base.fingerprint = subset_fingerprint;
	made->parent = parent;
	made->from = from;
	*source = &made->base;
	return PA_OK;
}
