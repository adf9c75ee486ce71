/*
 * value_open.c
 *	  Opening stored bytes: header, facts and table of contents, each checked
 *	  before it is used, then all invariants of an adapter.  Data and documents
 *	  are not touched.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <inttypes.h>

static PaStatus
check_section(PaEnv *env, const PaSection *section, const uint8_t *p, const char *what)
{
	if (pa_checksum(p, section->stored) != section->checksum)
		return pa_value_damaged(env, "Its %s does not have the checksum that stands in the header.", what);
	return PA_OK;
}

/*
 * As it was written, which stays as long as the value.  The decoder is given back
 * before the next value is opened: of many that are open few are read at a time.
 */
static PaStatus
unpack(PaEnv *env, const PaSection *section, const uint8_t *p, const uint8_t **raw)
{
	uint8_t    *room;
	PaPlanes   *planes;

	*raw = p;
	if (section->stored == section->raw)
		return PA_OK;
	PA_TRY(PA_NEW_RAW(env, section->raw, &room));
	PA_TRY(pa_planes_create(env, &planes));
	PA_TRY(pa_document_decode(planes, p, section->stored, room, section->raw));
	pa_planes_release(planes);
	*raw = room;
	return PA_OK;
}

/* Facts and table of contents lie side by side: one fetch for both. */
static PaStatus
read_description(PaEnv *env, PaValue *value)
{
	const PaSection *facts = &value->layout.section[PA_SECTION_FACTS];
	const PaSection *toc = &value->layout.section[PA_SECTION_TOC];
	const uint8_t *p = NULL;
	const uint8_t *raw_facts;
	const uint8_t *raw_toc;

	PA_TRY(pa_value_fetch(env, value->bytes, facts->offset, (uint64_t) facts->stored + toc->stored, &p));
	PA_TRY(check_section(env, facts, p, "description"));
	PA_TRY(check_section(env, toc, p + facts->stored, "table of contents"));
	PA_TRY(unpack(env, facts, p, &raw_facts));
	PA_TRY(unpack(env, toc, p + facts->stored, &raw_toc));
	PA_TRY(pa_facts_read(env, raw_facts, facts->raw, value->layout.header.kind, &value->adapter));
	PA_TRY(pa_toc_read(env, raw_toc, toc->raw, value));
	if (raw_facts != p)
		pa_free(env, (void *) raw_facts);
	if (raw_toc != p + facts->stored)
		pa_free(env, (void *) raw_toc);
	return PA_OK;
}

PaStatus
pa_value_open(PaEnv *env, PaBytes *bytes, PaValue **result)
{
	PaValue    *value;

	/* there may be thousands, each with thousands of tensors */
	PA_TRY(pa_check_cancel(env));
	PA_TRY(PA_NEW(env, &value));
	value->bytes = bytes;
	PA_TRY(pa_layout_read(env, bytes, &value->layout));
	PA_TRY(read_description(env, value));
	if (value->adapter.n_modules != value->layout.header.n_modules)
		return pa_value_damaged(env, "It has %u modules where its header says %u.", value->adapter.n_modules,
								value->layout.header.n_modules);
	if (value->adapter.raw_bytes != value->layout.header.raw_bytes)
		return pa_value_damaged(env, "Its tensors have %" PRIu64 " bytes where its header says %" PRIu64 ".",
								value->adapter.raw_bytes, value->layout.header.raw_bytes);
	PA_TRY(pa_adapter_check(env, &value->adapter, PA_ERR_CORRUPT));
	*result = value;
	return PA_OK;
}

const PaValueHeader *
pa_value_header(const PaValue *value)
{
	return &value->layout.header;
}

void
pa_value_name_variant(PaValue *value, const char *variant)
{
	value->adapter.variant = variant;
}

PaModule *
pa_value_modules(PaValue *value)
{
	return value->adapter.modules;
}

const PaAdapter *
pa_value_adapter(const PaValue *value)
{
	return &value->adapter;
}

uint64_t
pa_value_stored_bytes(const PaValue *value, uint32_t tensor)
{
	return value->extents[tensor].stored;
}

PaStatus
pa_value_planes(PaEnv *env, PaValue *value)
{
	if (value->lender != NULL)
	{
		PA_TRY(pa_value_planes(env, value->lender));
		value->planes = value->lender->planes;
	}
	return value->planes != NULL ? PA_OK : pa_planes_create(env, &value->planes);
}

void
pa_value_borrow_decoder(PaValue *value, PaValue *lender)
{
	/* The same values may have lent to each other in another order: no circle. */
	while (lender->lender != NULL)
		lender = lender->lender;
	value->lender = value != lender ? lender : NULL;
}

PaStatus
pa_value_document(PaEnv *env, PaValue *value, PaDocument which, PaText *document)
{
	const PaSection *section = &value->layout.section[PA_SECTION_CONFIG + which];
	const uint8_t *stored = NULL;
	char	   *raw;

	*document = (PaText) {0};
	if (section->raw == 0)
		return PA_OK;
	PA_TRY(pa_value_planes(env, value));
	PA_TRY(pa_value_fetch(env, value->bytes, section->offset, section->stored, &stored));
	PA_TRY(check_section(env, section, stored, pa_document_name(which)));
	PA_TRY(PA_NEW_RAW(env, (size_t) section->raw + 1, &raw));
	PA_TRY(pa_document_decode(value->planes, stored, section->stored, raw, section->raw));
	raw[section->raw] = '\0';
	*document = pa_text(raw, section->raw);
	return PA_OK;
}

void
pa_value_release_document(PaEnv *env, PaValue *value, const PaText *document)
{
	pa_free(env, (void *) document->text);
	if (value->bytes->release != NULL)
		value->bytes->release(value->bytes);
}
