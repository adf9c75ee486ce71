/*
 * value_write.c
 *	  Writing a stored value in one pass over its tensors (doc/format.md).
 *
 * Everything in front of the data has a size that is known beforehand: room is
 * left for the header and the table of contents, and both are filled in when
 * the blocks are written.  One block is in memory at a time.
 *
 * An outline (PaHost.outline) has the blocks of small dense tensors alone: it is what
 * the value would be for whoever looks at its description.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <inttypes.h>
#include <string.h>

typedef struct Writer
{
	PaEnv	   *env;
	PaSource   *source;
	PaAdapter  *adapter;
	const PaDocuments *documents;
	PaBuf	   *out;
	size_t		start;			/* of the value in out */
	PaPlanes   *planes;
	PaExtent   *extents;
	PaLayout	layout;
} Writer;

static PaStatus
check_limits(PaEnv *env, const PaAdapter *adapter)
{
	if (adapter->raw_bytes <= PA_MAX_RAW_BYTES)
		return PA_OK;
	pa_fail(env, PA_ERR_LIMIT, "adapter has %" PRIu64 " bytes of tensors, more than the limit of %" PRIu64,
			adapter->raw_bytes, PA_MAX_RAW_BYTES);
	pa_detail(env, "The text of a larger value would not fit in 1 GB, and so could not be dumped.");
	pa_hint(env,
			"adapter_import_split cuts a file by modules into several adapters, adapter_split an adapter.");
	return PA_ERR_LIMIT;
}

static PaStatus
check_documents(PaEnv *env, const PaDocuments *documents)
{
	for (int i = 0; i < PA_DOCUMENT_COUNT; i++)
	{
		const char *name = pa_document_name((PaDocument) i);
		size_t		length = documents->document[i].length;

		if (documents->document[i].text == NULL && i == PA_DOCUMENT_HEADER)
			continue;
		if (documents->document[i].text == NULL || length == 0)
			return pa_fail(env, PA_ERR_INTERNAL, "adapter to be stored has no %s", name);
		if (length > pa_document_limit((PaDocument) i))
		{
			pa_fail(env, PA_ERR_LIMIT, "%s of the adapter has %zu bytes", name, length);
			pa_detail(env, "At most %zu bytes are allowed.", pa_document_limit((PaDocument) i));
			return PA_ERR_LIMIT;
		}
	}
	return PA_OK;
}

/* Note where a section begins; end_section completes it. */
static PaSection *
begin_section(Writer *w, PaSectionId id)
{
	w->layout.section[id].offset = w->out->length - w->start;
	return &w->layout.section[id];
}

static PaStatus
end_section(Writer *w, PaSection *section, size_t raw)
{
	size_t		stored = w->out->length - w->start - (size_t) section->offset;

	if (raw > UINT32_MAX || stored > raw)
		return pa_fail(w->env, PA_ERR_LIMIT, "description of the adapter has %zu bytes", raw);
	section->stored = (uint32_t) stored;
	section->raw = (uint32_t) raw;
	section->checksum = pa_checksum(w->out->data + w->start + section->offset, stored);
	return PA_OK;
}

/* Header and table of contents as room, the rest as it will be. */
static PaStatus
write_front(Writer *w)
{
	PaSection  *section;

	PA_TRY(pa_buf_zero(w->out, PA_VALUE_HEADER_BYTES));
	section = begin_section(w, PA_SECTION_FACTS);
	PA_TRY(pa_facts_write(w->out, w->adapter));
	PA_TRY(end_section(w, section, pa_facts_size(w->adapter)));
	section = begin_section(w, PA_SECTION_TOC);
	PA_TRY(pa_buf_zero(w->out, pa_toc_size(w->adapter)));
	PA_TRY(end_section(w, section, pa_toc_size(w->adapter)));
	for (int i = 0; i < PA_DOCUMENT_COUNT; i++)
	{
		size_t		length = w->documents->document[i].text != NULL ? w->documents->document[i].length : 0;
		size_t		stored;

		section = begin_section(w, (PaSectionId) (PA_SECTION_CONFIG + i));
		if (length > 0)
			PA_TRY(pa_document_encode(w->planes, w->documents->document[i].text, length, w->out, &stored));
		PA_TRY(end_section(w, section, length));
	}
	w->layout.data_offset = w->out->length - w->start;
	return PA_OK;
}

static PaStatus
write_tensor(Writer *w, uint32_t index, void *block)
{
	PaTensor   *tensor = &w->adapter->tensors[index];
	PaExtent   *extent = &w->extents[index];
	size_t		width = (size_t) pa_dtype_plane_width(tensor->dtype);

	extent->offset = w->out->length - w->start - w->layout.data_offset;
	PA_TRY(pa_hash_begin(w->env, PA_HASH_TENSOR));
	for (uint32_t k = 0; k < extent->n_blocks; k++)
	{
		size_t		n = pa_block_units(tensor, k);
		size_t		stored;

		PA_TRY(pa_check_cancel(w->env));
		PA_TRY(w->source->read(w->env, w->source, index, (uint64_t) k * PA_BLOCK_ELEMENTS, n, block));
		PA_TRY(pa_hash_update(w->env, PA_HASH_TENSOR, block, n * width));
		PA_TRY(pa_planes_encode(w->planes, block, n, tensor->dtype, w->out, &stored));
		extent->blocks[k].stored = (uint32_t) stored;
		extent->blocks[k].checksum = pa_checksum(w->out->data + w->out->length - stored, stored);
	}
	return pa_hash_finish(w->env, PA_HASH_TENSOR, tensor->sha256);
}

/* What the source does not tell is of the recipe, whose root has the operands' digests, and of the name. */
static PaStatus
outline_tensor(Writer *w, uint32_t index, const uint8_t made[PA_SHA256_LENGTH])
{
	PaTensor   *tensor = &w->adapter->tensors[index];
	bool		known;

	w->extents[index].offset = w->out->length - w->start - w->layout.data_offset;
	PA_TRY(pa_source_fingerprint(w->env, w->source, index, tensor->sha256, &known));
	if (known)
		return PA_OK;
	return pa_fingerprint_of(w->env, "made", tensor->name, strlen(tensor->name), made, tensor->sha256);
}

static PaStatus
outline_data(Writer *w, void *block)
{
	PaText		recipe = w->documents->document[PA_DOCUMENT_RECIPE];
	uint8_t		made[PA_SHA256_LENGTH];

	PA_TRY(pa_hash_begin(w->env, PA_HASH_TENSOR));
	PA_TRY(pa_hash_update(w->env, PA_HASH_TENSOR, recipe.text, recipe.length));
	PA_TRY(pa_hash_finish(w->env, PA_HASH_TENSOR, made));
	for (uint32_t i = 0; i < w->adapter->n_tensors; i++)
		if (pa_outline_has(&w->adapter->tensors[i]))
			PA_TRY(write_tensor(w, i, block));
		else
			PA_TRY(outline_tensor(w, i, made));
	return PA_OK;
}

static PaStatus
write_data(Writer *w)
{
	uint8_t    *block;

	PA_TRY(PA_NEW_RAW(w->env, (size_t) PA_BLOCK_ELEMENTS * 8, &block));
	if (w->env->host->outline)
		PA_TRY(outline_data(w, block));
	else
		for (uint32_t i = 0; i < w->adapter->n_tensors; i++)
			PA_TRY(write_tensor(w, i, block));
	w->layout.data_length = w->out->length - w->start - w->layout.data_offset;
	pa_free(w->env, block);
	return PA_OK;
}

/* Into the room that write_front has left: the buffer is turned back for it. */
static PaStatus
fill_toc(Writer *w)
{
	PaSection  *section = &w->layout.section[PA_SECTION_TOC];
	PaBuf		room = *w->out;

	room.length = w->start + (size_t) section->offset;
	room.capacity = room.length + section->raw;
	PA_TRY(pa_toc_write(&room, w->adapter, w->extents));
	section->checksum = pa_checksum(w->out->data + w->start + section->offset, section->stored);
	return PA_OK;
}

static PaStatus
fill_header(Writer *w)
{
	PaValueHeader *header = &w->layout.header;
	const PaText *document = w->documents->document;

	header->kind = w->adapter->kind;
	header->size = w->out->length - w->start;
	header->raw_bytes = w->adapter->raw_bytes;
	header->n_tensors = w->adapter->n_tensors;
	header->n_modules = w->adapter->n_modules;
	PA_TRY(pa_adapter_digest(w->env, w->adapter, header->digest));
	PA_TRY(pa_envelope_digest(w->env, header->digest, document[PA_DOCUMENT_RECIPE],
							  document[PA_DOCUMENT_CONFIG], document[PA_DOCUMENT_HEADER],
							  header->envelope_digest));
	pa_layout_write(&w->layout, w->out->data + w->start);
	return PA_OK;
}

static PaStatus
write_all(Writer *w)
{
	PA_TRY(check_limits(w->env, w->adapter));
	PA_TRY(check_documents(w->env, w->documents));
	/* what does not pass here would be written, and never be read again */
	PA_TRY(pa_adapter_check(w->env, w->adapter, PA_ERR_INTERNAL));
	PA_TRY(pa_planes_create(w->env, &w->planes));
	PA_TRY(pa_extents_make(w->env, w->adapter, &w->extents));
	PA_TRY(write_front(w));
	PA_TRY(write_data(w));
	PA_TRY(fill_toc(w));
	return fill_header(w);
}

PaStatus
pa_value_write(PaEnv *env, PaSource *source, PaAdapter *adapter, const PaDocuments *documents, PaBuf *out,
			   PaValueHeader *header)
{
	Writer		w = {
		.env = env,
		.source = source,
		.adapter = adapter,
		.documents = documents,
		.out = out,
		.start = out->length,
	};
	PaStatus	status = write_all(&w);

	if (status != PA_OK)
	{
		pa_buf_release(out);
		return status;
	}
	if (header != NULL)
		*header = w.layout.header;
	return PA_OK;
}

size_t
pa_value_bound(const PaAdapter *adapter, const PaDocuments *documents)
{
	size_t		bound = PA_VALUE_HEADER_BYTES;

	/* refused before anything is written: no reason to ask for that much memory */
	if (adapter->raw_bytes > PA_MAX_RAW_BYTES)
		return bound;
	bound += pa_facts_size(adapter) + pa_toc_size(adapter);
	for (int i = 0; i < PA_DOCUMENT_COUNT; i++)
		bound += documents->document[i].length;
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];
		int			width = pa_dtype_plane_width(tensor->dtype);

		/* each block has its own overhead, which does not depend on its length */
		bound += (size_t) tensor->bytes + (size_t) pa_tensor_blocks(tensor) * pa_planes_bound(0, width);
	}
	return bound;
}
