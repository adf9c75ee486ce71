/*
 * slices.c
 *	  Flat values in memory, or by slices out of TOAST.
 *
 * Each detoast_attr_slice() opens the TOAST table and scans its index, so
 * sequential reading fetches a window at a time; the first fetch, and any that
 * jumps, takes just what is asked for, so that looking at a header costs one
 * chunk.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/slices.h"

#include "access/detoast.h"
#include "engine/open.h"
#include "fmgr.h"

/* Window of a sequential reader, and what the windows of values read side by side may take in all. */
#define READ_AHEAD ((uint64) 256 * 1024)
#define READ_AHEAD_BUDGET ((uint64) 64 * 1024 * 1024)

typedef struct SliceBytes
{
	PaBytes		base;
	Bridge	   *bridge;
	struct varlena *attr;		/* TOAST pointer */
	struct varlena *window;
	uint64		first;			/* offset of the window */
	uint64		length;
	uint64		next;			/* where a sequential reader would go on */
	uint64		ahead;			/* how far it reads ahead */
} SliceBytes;

/* Deferred to the end of the bridge: windows are large and its context may live on. */
static void
free_window(void *arg)
{
	SliceBytes *self = arg;

	if (self->window != NULL)
		pfree(self->window);
	self->window = NULL;
}

static void
slice_release(PaBytes *base)
{
	free_window(base);
}

static void
load_window(SliceBytes *self, uint64 offset, uint64 length)
{
	MemoryContext old = MemoryContextSwitchTo(self->bridge->context);

	free_window(self);
	self->window = detoast_attr_slice(self->attr, (int32) offset, (int32) length);
	self->first = offset;
	self->length = VARSIZE(self->window) - VARHDRSZ;
	MemoryContextSwitchTo(old);
}

static PaStatus
slice_fetch(PaEnv *env, PaBytes *base, uint64_t offset, size_t length, const uint8_t **p)
{
	SliceBytes *self = (SliceBytes *) base;
	volatile PaStatus status = PA_OK;

	if (offset > base->size || length > base->size - offset)
		return pa_fail(env, PA_ERR_INTERNAL, "slice outside the value");
	if (self->window == NULL || offset < self->first || offset + length > self->first + self->length)
	{
		uint64		want = length;

		if (offset == self->next && want < self->ahead)
			want = Min(self->ahead, base->size - offset);
		PG_TRY();
		{
			load_window(self, offset, want);
		}
		PG_CATCH();
		{
			bridge_keep_error(self->bridge);
			status = PA_ERR_HOST;
		}
		PG_END_TRY();
		if (status != PA_OK)
			return status;
		if (self->length < length)
			return pa_fail(env, PA_ERR_CORRUPT, "stored value is shorter than its TOAST pointer says");
	}
	self->next = offset + length;
	*p = (const uint8_t *) VARDATA(self->window) + (offset - self->first);
	return PA_OK;
}

static PaBytes *
memory_bytes(const void *p, size_t n)
{
	PaMemoryBytes *bytes = palloc(sizeof(PaMemoryBytes));

	pa_bytes_from_memory(bytes, p, n);
	return &bytes->base;
}

/* A value in TOAST as it is, uncompressed. */
static PaBytes *
slice_bytes(Bridge *bridge, struct varlena *attr, uint64 size, size_t n)
{
	SliceBytes *slices = palloc0(sizeof(SliceBytes));

	slices->base.size = size;
	slices->base.fetch = slice_fetch;
	slices->base.release = slice_release;
	slices->bridge = bridge;
	slices->attr = attr;
	slices->next = PG_UINT64_MAX;
	slices->ahead = Min(READ_AHEAD, READ_AHEAD_BUDGET / n);
	bridge_check(bridge, pa_defer(&bridge->env, free_window, slices));
	return &slices->base;
}

PaBytes *
slices_bytes(Bridge *bridge, struct varlena *flat, size_t n)
{
	if (VARATT_IS_EXTERNAL_ONDISK(flat))
	{
		struct varatt_external pointer;

		VARATT_EXTERNAL_GET_POINTER(pointer, flat);
		if (!VARATT_EXTERNAL_IS_COMPRESSED(pointer))
			return slice_bytes(bridge, flat, VARATT_EXTERNAL_GET_EXTSIZE(pointer), n);
	}
	if (VARATT_IS_EXTERNAL(flat) || VARATT_IS_COMPRESSED(flat))
		flat = detoast_attr(flat);
	return memory_bytes(VARDATA_ANY(flat), VARSIZE_ANY_EXHDR(flat));
}

PaValue *
slices_value(Bridge *bridge, struct varlena *flat, size_t n)
{
	PaValue    *value;

	bridge_check(bridge, pa_open_value(&bridge->env, slices_bytes(bridge, flat, n), &value));
	return value;
}

void
slices_header(Bridge *bridge, struct varlena *flat, PaValueHeader *header)
{
	bridge_check(bridge, pa_value_read_header(&bridge->env, slices_bytes(bridge, flat, 1), header));
}
