/*
 * value_write.c
 *	  Writing a stored value in one pass over the weights.
 *
 * All sections before the data have sizes that follow from the description, so
 * room is left for header and table of contents, the blocks are streamed behind
 * the documents, and the two are filled in when checksums and SHA-256 are known.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <string.h>

typedef struct Writer
{
	PaEnv	   *env;
	PaSource   *source;
	PaAdapter  *adapter;
	PaBuf	   *out;
	size_t		base;			/* where the value begins in out */
	PaPlanes   *planes;
	Header		header;
	Extent	   *extents;
	Block	   *blocks;
	uint8_t    *raw;			/* one block */
} Writer;

static size_t
toc_bound(const PaAdapter *adapter)
{
	size_t		n = 0;

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		n += strlen(adapter->tensors[i].name) + 64 + PA_SHA256_LENGTH + 8 * PA_MAX_NDIM +
			(size_t) value_block_count(&adapter->tensors[i]) * 12;
	return n;
}

size_t
pa_value_bound(const PaAdapter *adapter, const PaDocuments *documents)
{
	size_t		n = PA_VALUE_HEADER_BYTES + 4096 + toc_bound(adapter);

	for (uint32_t i = 0; i < adapter->n_modules; i++)
		n += strlen(adapter->modules[i].path) + 32;
	for (int i = 0; i < PA_DOCUMENT_COUNT; i++)
		n += documents->document[i].length;
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		n += (size_t) adapter->tensors[i].bytes + (size_t) value_block_count(&adapter->tensors[i]) * 32;
	return n;
}

static PaStatus
check_limits(PaEnv *env, const PaAdapter *adapter, const PaDocuments *documents)
{
	if (adapter->raw_bytes > PA_MAX_RAW_BYTES)
	{
		pa_fail(env, PA_ERR_LIMIT, "adapter of %llu bytes is larger than %llu",
				(unsigned long long) adapter->raw_bytes, (unsigned long long) PA_MAX_RAW_BYTES);
		pa_detail(env, "The text of a larger value could not be dumped.");
		pa_hint(env, "Import it in parts with adapter_import_split(), or cut it with adapter_split().");
		return PA_ERR_LIMIT;
	}
	if (documents->document[PA_DOCUMENT_CONFIG].length > PA_MAX_CONFIG_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "configuration of %zu bytes is longer than %zu",
					   documents->document[PA_DOCUMENT_CONFIG].length, PA_MAX_CONFIG_BYTES);
	if (documents->document[PA_DOCUMENT_HEADER].length > PA_MAX_HEADER_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "header of %zu bytes is longer than %zu",
					   documents->document[PA_DOCUMENT_HEADER].length, PA_MAX_HEADER_BYTES);
	if (documents->document[PA_DOCUMENT_RECIPE].length > PA_MAX_RECIPE_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "recipe of %zu bytes is longer than %zu",
					   documents->document[PA_DOCUMENT_RECIPE].length, PA_MAX_RECIPE_BYTES);
	return PA_OK;
}

static void
close_section(Writer *w, SectionId id, size_t start, size_t raw)
{
	Section    *s = &w->header.section[id];

	s->offset = start - w->base;
	s->stored = (uint32_t) (w->out->length - start);
	s->raw = (uint32_t) raw;
	s->checksum = pa_checksum(w->out->data + start, s->stored);
}

static PaStatus
write_documents(Writer *w, const PaDocuments *documents)
{
	static const PaDocument order[] = {PA_DOCUMENT_CONFIG, PA_DOCUMENT_HEADER, PA_DOCUMENT_RECIPE};

	for (int i = 0; i < PA_DOCUMENT_COUNT; i++)
	{
		size_t		start = w->out->length;
		size_t		length = documents->document[order[i]].length;
		size_t		stored;

		PA_TRY(pa_document_encode(w->planes, documents->document[order[i]].text, length, w->out, &stored));
		close_section(w, (SectionId) (SECTION_CONFIG + i), start, length);
	}
	return PA_OK;
}

static PaStatus
write_tensor(Writer *w, uint32_t t, uint64_t *block)
{
	PaTensor   *tensor = &w->adapter->tensors[t];
	size_t		width = (size_t) pa_dtype_plane_width(tensor->dtype);
	uint64_t	count = value_block_count(tensor);
	Extent	   *extent = &w->extents[t];

	extent->offset = w->out->length - w->base - w->header.data_offset;
	extent->first = *block;
	extent->count = (uint32_t) count;
	PA_TRY(pa_hash_begin(w->env, PA_HASH_TENSOR));
	for (uint64_t b = 0; b < count; b++)
	{
		size_t		units = value_block_units(tensor, b);
		size_t		stored;

		PA_TRY(pa_check_cancel(w->env));
		PA_TRY(w->source->read(w->env, w->source, t, b * PA_BLOCK_ELEMENTS, units, w->raw));
		PA_TRY(pa_hash_update(w->env, PA_HASH_TENSOR, w->raw, units * width));
		PA_TRY(pa_planes_encode(w->planes, w->raw, units, tensor->dtype, w->out, &stored));
		w->blocks[*block].stored = (uint32_t) stored;
		w->blocks[*block].checksum = pa_checksum(w->out->data + w->out->length - stored, stored);
		(*block)++;
	}
	return pa_hash_finish(w->env, PA_HASH_TENSOR, tensor->sha256);
}

/* The table of contents has its final size already; write it over the room left for it. */
static PaStatus
fill_toc(Writer *w, size_t start, size_t length)
{
	PaBuf		toc;
	PaStatus	status;

	PA_TRY(pa_buf_init(w->env, &toc, 0, length + 16));
	status = value_toc_write(&toc, w->adapter, w->extents, w->blocks);
	if (status == PA_OK && toc.length != length)
		status = pa_fail(w->env, PA_ERR_INTERNAL, "table of contents changed its size");
	if (status == PA_OK)
	{
		Section    *s = &w->header.section[SECTION_TOC];

		memcpy(w->out->data + start, toc.data, length);
		s->offset = start - w->base;
		s->stored = s->raw = (uint32_t) length;
		s->checksum = pa_checksum(toc.data, length);
	}
	pa_buf_release(&toc);
	return status;
}

static PaStatus
fill_header(Writer *w, const PaDocuments *documents)
{
	PaValueHeader *facts = &w->header.facts;

	facts->kind = w->adapter->kind;
	facts->size = w->out->length - w->base;
	facts->raw_bytes = w->adapter->raw_bytes;
	facts->n_tensors = w->adapter->n_tensors;
	facts->n_modules = w->adapter->n_modules;
	w->header.data_length = facts->size - w->header.data_offset;
	PA_TRY(pa_adapter_digest(w->env, w->adapter, facts->digest));
	PA_TRY(pa_envelope_digest(w->env, facts->digest,
							  documents->document[PA_DOCUMENT_RECIPE].text, documents->document[PA_DOCUMENT_RECIPE].length,
							  documents->document[PA_DOCUMENT_CONFIG].text, documents->document[PA_DOCUMENT_CONFIG].length,
							  documents->document[PA_DOCUMENT_HEADER].text, documents->document[PA_DOCUMENT_HEADER].length,
							  facts->envelope_digest));
	value_header_write(&w->header, w->out->data + w->base);
	return PA_OK;
}

/* Extents, a table for all blocks, one block of raw bytes. */
static PaStatus
prepare(Writer *w)
{
	uint64_t	n_blocks = 0;
	void	   *p;

	for (uint32_t i = 0; i < w->adapter->n_tensors; i++)
		n_blocks += value_block_count(&w->adapter->tensors[i]);
	PA_TRY(pa_alloc_array(w->env, w->adapter->n_tensors, sizeof(Extent), &p));
	w->extents = p;
	PA_TRY(pa_alloc_array(w->env, n_blocks, sizeof(Block), &p));
	w->blocks = p;
	for (uint32_t i = 0, first = 0; i < w->adapter->n_tensors; i++)
	{
		w->extents[i].count = (uint32_t) value_block_count(&w->adapter->tensors[i]);
		w->extents[i].first = first;
		first += w->extents[i].count;
	}
	PA_TRY(pa_alloc_raw(w->env, (size_t) PA_BLOCK_ELEMENTS * 8, &p));
	w->raw = p;
	return pa_planes_create(w->env, &w->planes);
}

static PaStatus
write_value(Writer *w, const PaDocuments *documents)
{
	size_t		start;
	size_t		toc;
	size_t		toc_length;
	uint64_t	block = 0;

	PA_TRY(check_limits(w->env, w->adapter, documents));
	PA_TRY(pa_adapter_check(w->env, w->adapter, PA_ERR_INTERNAL));
	PA_TRY(prepare(w));
	PA_TRY(pa_buf_zero(w->out, PA_VALUE_HEADER_BYTES));
	start = w->out->length;
	PA_TRY(pa_facts_write(w->out, w->adapter));
	close_section(w, SECTION_FACTS, start, w->out->length - start);
	toc = w->out->length;
	PA_TRY(value_toc_write(w->out, w->adapter, w->extents, w->blocks));
	toc_length = w->out->length - toc;
	PA_TRY(write_documents(w, documents));
	w->header.data_offset = w->out->length - w->base;
	for (uint32_t i = 0; i < w->adapter->n_tensors; i++)
		PA_TRY(write_tensor(w, i, &block));
	PA_TRY(fill_toc(w, toc, toc_length));
	return fill_header(w, documents);
}

PaStatus
pa_value_write(PaEnv *env, PaSource *source, PaAdapter *adapter,
			   const PaDocuments *documents, PaBuf *out, PaValueHeader *header)
{
	Writer		w;
	PaStatus	status;

	memset(&w, 0, sizeof(w));
	w.env = env;
	w.source = source;
	w.adapter = adapter;
	w.out = out;
	w.base = out->length;
	status = write_value(&w, documents);
	if (status != PA_OK)
		pa_buf_release(out);
	else if (header != NULL)
		*header = w.header.facts;
	return status;
}
