/*
 * value_open.c
 *	  (bytes) -> checked view: header, facts, table of contents, documents on
 *	  request.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <string.h>

static PaStatus
memory_fetch(PaEnv *env, PaBytes *self, uint64_t offset, size_t length, const uint8_t **p)
{
	if (offset > self->size || length > self->size - offset)
		return pa_fail(env, PA_ERR_INTERNAL, "slice outside the value");
	*p = ((PaMemoryBytes *) self)->p + offset;
	return PA_OK;
}

void
pa_bytes_from_memory(PaMemoryBytes *bytes, const void *p, size_t n)
{
	bytes->base.size = n;
	bytes->base.fetch = memory_fetch;
	bytes->p = p;
}

/* A section's stored bytes, checksum checked; valid until the next fetch. */
static PaStatus
fetch_section(PaEnv *env, PaValue *value, SectionId id, const uint8_t **p)
{
	const Section *s = &value->header.section[id];

	PA_TRY(value->bytes->fetch(env, value->bytes, s->offset, s->stored, p));
	if (pa_checksum(*p, s->stored) != s->checksum)
		return value_damaged(env, "The checksum of section %d does not match.", (int) id);
	return PA_OK;
}

PaStatus
pa_value_open(PaEnv *env, PaBytes *bytes, PaValue **result)
{
	void	   *memory;
	PaValue    *value;
	const uint8_t *p = NULL;

	PA_TRY(pa_alloc(env, sizeof(PaValue), &memory));
	value = memory;
	value->bytes = bytes;
	PA_TRY(value_header_read(env, bytes, &value->header));
	PA_TRY(fetch_section(env, value, SECTION_FACTS, &p));
	PA_TRY(pa_facts_read(env, p, value->header.section[SECTION_FACTS].stored,
						 value->header.facts.kind, &value->adapter));
	if (value->adapter.n_modules != value->header.facts.n_modules)
		return value_damaged(env, "It has %u modules, its header says %u.",
							 value->adapter.n_modules, value->header.facts.n_modules);
	PA_TRY(fetch_section(env, value, SECTION_TOC, &p));
	PA_TRY(value_toc_read(env, value, p, value->header.section[SECTION_TOC].stored));
	if (value->adapter.raw_bytes != value->header.facts.raw_bytes)
		return value_damaged(env, "Its tensors have %llu bytes, its header says %llu.",
							 (unsigned long long) value->adapter.raw_bytes,
							 (unsigned long long) value->header.facts.raw_bytes);
	PA_TRY(pa_adapter_check(env, &value->adapter, PA_ERR_CORRUPT));
	*result = value;
	return PA_OK;
}

const PaValueHeader *
pa_value_header(const PaValue *value)
{
	return &value->header.facts;
}

const PaAdapter *
pa_value_adapter(const PaValue *value)
{
	return &value->adapter;
}

uint64_t
pa_value_stored_bytes(const PaValue *value, uint32_t tensor)
{
	const Extent *extent = &value->extents[tensor];
	uint64_t	sum = 0;

	for (uint32_t i = 0; i < extent->count; i++)
		sum += value->blocks[extent->first + i].stored;
	return sum;
}

PaStatus
value_planes(PaEnv *env, PaValue *value)
{
	return value->planes != NULL ? PA_OK : pa_planes_create(env, &value->planes);
}

PaStatus
pa_value_document(PaEnv *env, PaValue *value, PaDocument which, const char **text, size_t *length)
{
	static const SectionId section[PA_DOCUMENT_COUNT] = {
		[PA_DOCUMENT_CONFIG] = SECTION_CONFIG,
		[PA_DOCUMENT_HEADER] = SECTION_HEADER,
		[PA_DOCUMENT_RECIPE] = SECTION_RECIPE,
	};
	const Section *s = &value->header.section[section[which]];
	const uint8_t *p = NULL;
	void	   *raw;

	*text = NULL;
	*length = 0;
	PA_TRY(fetch_section(env, value, section[which], &p));
	if (s->raw == 0)
		return PA_OK;
	PA_TRY(value_planes(env, value));
	PA_TRY(pa_alloc_raw(env, (size_t) s->raw + 1, &raw));
	PA_TRY(pa_document_decode(value->planes, p, s->stored, raw, s->raw));
	((char *) raw)[s->raw] = '\0';
	*text = raw;
	*length = s->raw;
	return PA_OK;
}
