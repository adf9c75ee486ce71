/*
 * header.c
 *	  The fixed header of a stored value (doc/format.md, "Header, 256 bytes").
 *
 * It is checked at every opening, before anything else of the value is looked
 * at: PostgreSQL's own faults (a column that changed its type, a torn page) are
 * found here and not in a decoder.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <inttypes.h>
#include <string.h>

#include "adapter/fault.h"
#include "adapter/kind.h"
#include "core/bytes.h"

static const uint8_t magic[8] = {0x89, 'P', 'A', 'D', 'P', 0x0D, 0x0A, 0x1A};

/* Offsets in the header. */
#define AT_VERSION 8
#define AT_HEADER_BYTES 10
#define AT_KIND 12
#define AT_RESERVED_1 13
#define AT_SIZE 16
#define AT_RAW_BYTES 24
#define AT_N_TENSORS 32
#define AT_N_MODULES 36
#define AT_SECTIONS 40
#define SECTION_BYTES 24
#define AT_DATA_OFFSET 160
#define AT_DATA_LENGTH 168
#define AT_DIGEST 176
#define AT_ENVELOPE_DIGEST 208
#define AT_RESERVED_2 240
#define AT_CHECKSUM 248

_Static_assert(sizeof(magic) == AT_VERSION, "magic comes first");
_Static_assert(AT_KIND + 1 == AT_RESERVED_1 && AT_RESERVED_1 + 3 == AT_SIZE, "kind and reserved bytes");
_Static_assert(AT_SECTIONS + PA_SECTION_COUNT * SECTION_BYTES == AT_DATA_OFFSET, "five sections");
_Static_assert(AT_DATA_LENGTH + 8 == AT_DIGEST, "digests follow the data");
_Static_assert(AT_DIGEST + PA_SHA256_LENGTH == AT_ENVELOPE_DIGEST, "digests have 32 bytes");
_Static_assert(AT_ENVELOPE_DIGEST + PA_SHA256_LENGTH == AT_RESERVED_2, "digests have 32 bytes");
_Static_assert(AT_CHECKSUM + 8 == PA_VALUE_HEADER_BYTES && PA_VALUE_HEADER_BYTES == 256,
			   "checksum comes last");
_Static_assert(PA_VALUE_VERSION == 2, "doc/format.md and test/golden know versions 1 and 2");
_Static_assert((int) PA_DOCUMENT_CONFIG == 0 &&
				   (int) PA_SECTION_CONFIG + (int) PA_DOCUMENT_HEADER == (int) PA_SECTION_HEADER &&
				   (int) PA_SECTION_CONFIG + (int) PA_DOCUMENT_RECIPE == (int) PA_SECTION_RECIPE,
			   "documents lie in their own order");

const char *
pa_document_name(PaDocument which)
{
	static const char *const names[PA_DOCUMENT_COUNT] = {[PA_DOCUMENT_CONFIG] = "configuration",
														 [PA_DOCUMENT_HEADER] = "original header",
														 [PA_DOCUMENT_RECIPE] = "recipe"};

	return names[which];
}

size_t
pa_document_limit(PaDocument which)
{
	switch (which)
	{
		case PA_DOCUMENT_CONFIG:
			return PA_MAX_CONFIG_BYTES;
		case PA_DOCUMENT_HEADER:
			return PA_MAX_HEADER_BYTES;
		case PA_DOCUMENT_RECIPE:
			return PA_MAX_RECIPE_BYTES;
		case PA_DOCUMENT_COUNT:
			break;
	}
	return 0;
}

/* The version before this one has no compressed facts and table of contents. */
static bool
is_packed(const PaLayout *layout)
{
	for (int i = 0; i < PA_SECTION_CONFIG; i++)
		if (layout->section[i].stored < layout->section[i].raw)
			return true;
	return false;
}

void
pa_layout_write(const PaLayout *layout, uint8_t out[PA_VALUE_HEADER_BYTES])
{
	const PaValueHeader *header = &layout->header;

	memset(out, 0, PA_VALUE_HEADER_BYTES);
	memcpy(out, magic, sizeof(magic));
	pa_store_u16(out + AT_VERSION, is_packed(layout) ? PA_VALUE_VERSION : PA_VALUE_VERSION - 1);
	pa_store_u16(out + AT_HEADER_BYTES, PA_VALUE_HEADER_BYTES);
	out[AT_KIND] = (uint8_t) header->kind;
	pa_store_u64(out + AT_SIZE, header->size);
	pa_store_u64(out + AT_RAW_BYTES, header->raw_bytes);
	pa_store_u32(out + AT_N_TENSORS, header->n_tensors);
	pa_store_u32(out + AT_N_MODULES, header->n_modules);
	for (int i = 0; i < PA_SECTION_COUNT; i++)
	{
		uint8_t    *p = out + AT_SECTIONS + i * SECTION_BYTES;

		pa_store_u64(p, layout->section[i].offset);
		pa_store_u32(p + 8, layout->section[i].stored);
		pa_store_u32(p + 12, layout->section[i].raw);
		pa_store_u64(p + 16, layout->section[i].checksum);
	}
	pa_store_u64(out + AT_DATA_OFFSET, layout->data_offset);
	pa_store_u64(out + AT_DATA_LENGTH, layout->data_length);
	memcpy(out + AT_DIGEST, header->digest, PA_SHA256_LENGTH);
	memcpy(out + AT_ENVELOPE_DIGEST, header->envelope_digest, PA_SHA256_LENGTH);
	pa_store_u64(out + AT_CHECKSUM, pa_checksum(out, AT_CHECKSUM));
}

/* Is it an adapter, and one that this code can read? */
static PaStatus
check_identity(PaEnv *env, const uint8_t *p)
{
	uint16_t	version = pa_load_u16(p + AT_VERSION);

	if (memcmp(p, magic, sizeof(magic)) != 0)
	{
		pa_fail(env, PA_ERR_CORRUPT, "value is not an adapter");
		pa_detail(env, "Its first bytes are %02x %02x %02x %02x instead of %02x %02x %02x %02x.", p[0], p[1],
				  p[2], p[3], magic[0], magic[1], magic[2], magic[3]);
		return PA_ERR_CORRUPT;
	}
	if (version > PA_VALUE_VERSION)
		return pa_fail_later(env, "It is stored in format %u; this version reads format %d and earlier ones.",
							 version, PA_VALUE_VERSION);
	if (version == 0)
		return pa_value_damaged(env, "Its header has format version 0.");
	if (pa_load_u16(p + AT_HEADER_BYTES) != PA_VALUE_HEADER_BYTES)
		return pa_value_damaged(env, "Its header says that it has %u bytes.",
								pa_load_u16(p + AT_HEADER_BYTES));
	if (pa_load_u64(p + AT_CHECKSUM) != pa_checksum(p, AT_CHECKSUM))
		return pa_value_damaged(env, "Its header does not have the checksum that stands in it.");
	for (int i = AT_RESERVED_1; i < AT_SIZE; i++)
		if (p[i] != 0)
			return pa_fail_later(env, "Byte %d of its header, which this version does not know, is %u.", i,
								 p[i]);
	if (pa_load_u64(p + AT_RESERVED_2) != 0)
		return pa_fail_later(env,
							 "Bytes %d to %d of its header, which this version does not know, are not zero.",
							 AT_RESERVED_2, AT_CHECKSUM - 1);
	return PA_OK;
}

static void
decode(const uint8_t *p, PaLayout *layout)
{
	PaValueHeader *header = &layout->header;

	layout->version = pa_load_u16(p + AT_VERSION);
	header->kind = (PaKind) p[AT_KIND];
	header->size = pa_load_u64(p + AT_SIZE);
	header->raw_bytes = pa_load_u64(p + AT_RAW_BYTES);
	header->n_tensors = pa_load_u32(p + AT_N_TENSORS);
	header->n_modules = pa_load_u32(p + AT_N_MODULES);
	for (int i = 0; i < PA_SECTION_COUNT; i++)
	{
		const uint8_t *s = p + AT_SECTIONS + i * SECTION_BYTES;

		layout->section[i].offset = pa_load_u64(s);
		layout->section[i].stored = pa_load_u32(s + 8);
		layout->section[i].raw = pa_load_u32(s + 12);
		layout->section[i].checksum = pa_load_u64(s + 16);
	}
	layout->data_offset = pa_load_u64(p + AT_DATA_OFFSET);
	layout->data_length = pa_load_u64(p + AT_DATA_LENGTH);
	memcpy(header->digest, p + AT_DIGEST, PA_SHA256_LENGTH);
	memcpy(header->envelope_digest, p + AT_ENVELOPE_DIGEST, PA_SHA256_LENGTH);
}

/* Facts, or table of contents. */
static bool
is_description(const PaLayout *layout, const PaSection *section)
{
	if (section->stored == section->raw)
		return true;
	return layout->version >= 2 && section->stored < section->raw && section->stored > 0 &&
		section->raw <= PA_MAX_PACKED_BYTES;
}

static bool
is_document(const PaSection *section, PaDocument which)
{
	return section->stored <= section->raw && section->raw <= pa_document_limit(which) &&
		(section->stored == 0) == (section->raw == 0) && (section->raw > 0 || which == PA_DOCUMENT_HEADER);
}

static PaStatus
check_section(PaEnv *env, const PaLayout *layout, int i)
{
	const PaSection *section = &layout->section[i];

	if (i < PA_SECTION_CONFIG ? is_description(layout, section)
							  : is_document(section, (PaDocument) (i - PA_SECTION_CONFIG)))
		return PA_OK;
	return pa_value_damaged(env, "Section %d has lengths %u and %u.", i, section->stored, section->raw);
}

/* Sections, then data, one behind the other, up to the end. */
static PaStatus
check_places(PaEnv *env, const PaLayout *layout, uint64_t size)
{
	uint64_t	at = PA_VALUE_HEADER_BYTES;

	if (layout->header.size != size)
		return pa_value_damaged(env, "It says that it has %" PRIu64 " bytes, but there are %" PRIu64 ".",
								layout->header.size, size);
	for (int i = 0; i < PA_SECTION_COUNT; i++)
	{
		const PaSection *section = &layout->section[i];

		if (section->offset != at || section->stored > size - at)
			return pa_value_damaged(env, "Section %d of %u bytes at %" PRIu64 " is not in its place.", i,
									section->stored, section->offset);
		PA_TRY(check_section(env, layout, i));
		at += section->stored;
	}
	if (layout->data_offset != at || layout->data_length != size - at)
		return pa_value_damaged(env, "Data of %" PRIu64 " bytes at %" PRIu64 " are not in their place.",
								layout->data_length, layout->data_offset);
	return PA_OK;
}

static PaStatus
check_numbers(PaEnv *env, const PaValueHeader *header)
{
	if (header->kind == 0)
		return pa_value_damaged(env, "It is of no kind.");
	if (pa_kind_methods(header->kind) == NULL)
		return pa_fail_later(env, "It is of kind %d, which this version does not know.", (int) header->kind);
	if (header->raw_bytes > PA_MAX_RAW_BYTES)
		return pa_value_damaged(env, "It has %" PRIu64 " raw bytes.", header->raw_bytes);
	if (header->n_tensors > PA_MAX_TENSORS || header->n_modules > header->n_tensors)
		return pa_value_damaged(env, "It has %u tensors and %u modules.", header->n_tensors,
								header->n_modules);
	return PA_OK;
}

PaStatus
pa_layout_read(PaEnv *env, PaBytes *bytes, PaLayout *layout)
{
	const uint8_t *p = NULL;

	if (bytes->size < PA_VALUE_HEADER_BYTES)
	{
		pa_fail(env, PA_ERR_CORRUPT, "value is not an adapter");
		pa_detail(env, "It has %" PRIu64 " bytes; the header alone has %d.", bytes->size,
				  PA_VALUE_HEADER_BYTES);
		return PA_ERR_CORRUPT;
	}
	PA_TRY(pa_value_fetch(env, bytes, 0, PA_VALUE_HEADER_BYTES, &p));
	PA_TRY(check_identity(env, p));
	decode(p, layout);
	PA_TRY(check_places(env, layout, bytes->size));
	return check_numbers(env, &layout->header);
}

PaStatus
pa_value_read_header(PaEnv *env, PaBytes *bytes, PaValueHeader *header)
{
	PaLayout	layout;

	PA_TRY(pa_layout_read(env, bytes, &layout));
	*header = layout.header;
	return PA_OK;
}
