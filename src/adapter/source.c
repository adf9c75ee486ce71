/*
 * source.c
 *	  The two sources that compute nothing: tensors in memory, and some tensors
 *	  of another source.
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

static PaStatus
memory_read(PaEnv *env, PaSource *self, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	MemorySource *source = (MemorySource *) self;
	const PaTensor *t = &self->adapter->tensors[tensor];
	size_t		width = (size_t) pa_dtype_plane_width(t->dtype);

	if (first > pa_tensor_units(t) || n > pa_tensor_units(t) - first)
		return pa_fail(env, PA_ERR_INTERNAL, "read beyond the end of tensor \"%s\"", t->name);
	if (n > 0)
		memcpy(dst, source->data[tensor] + first * width, n * width);
	return PA_OK;
}

PaStatus
pa_source_from_memory(PaEnv *env, const PaAdapter *adapter, const uint8_t *const *data, PaSource **source)
{
	void	   *p;
	MemorySource *made;

	PA_TRY(pa_alloc(env, sizeof(MemorySource), &p));
	made = p;
	made->base.adapter = adapter;
	made->base.read = memory_read;
	made->data = data;
	*source = &made->base;
	return PA_OK;
}

typedef struct SubsetSource
{
	PaSource	base;
	PaSource   *parent;
	const uint32_t *from;
} SubsetSource;

static PaStatus
subset_read(PaEnv *env, PaSource *self, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	SubsetSource *source = (SubsetSource *) self;

	return source->parent->read(env, source->parent, source->from[tensor], first, n, dst);
}

PaStatus
pa_source_subset(PaEnv *env, const PaAdapter *adapter, PaSource *parent, const uint32_t *from, PaSource **source)
{
	void	   *p;
	SubsetSource *made;

	PA_TRY(pa_alloc(env, sizeof(SubsetSource), &p));
	made = p;
	made->base.adapter = adapter;
	made->base.read = subset_read;
	made->parent = parent;
	made->from = from;
	*source = &made->base;
	return PA_OK;
}
