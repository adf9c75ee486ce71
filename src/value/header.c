/*
 * header.c
 *	  The fixed header of the stored form: doc/format.md, "Header, 256 bytes".
 *
 * Every access to a value begins here, so that bytes of another type, a damaged
 * page or a future version are found before anything else is believed.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "adapter/kind.h"
#include "core/bytes.h"

static const uint8_t magic[MAGIC_BYTES] = {0x89, 'P', 'A', 'D', 'P', '\r', '\n', 0x1A};

PaStatus
value_damaged(PaEnv *env, const char *detail,...)
{
	char		text[512];
	va_list		args;

	va_start(args, detail);
	vsnprintf(text, sizeof(text), detail, args);
	va_end(args);
	pa_fail(env, PA_ERR_CORRUPT, "stored adapter is damaged");
	pa_detail(env, "%s", text);
	return PA_ERR_CORRUPT;
}

static PaStatus
not_an_adapter(PaEnv *env, const char *detail)
{
	pa_fail(env, PA_ERR_CORRUPT, "value is not an adapter");
	pa_detail(env, "%s", detail);
	return PA_ERR_CORRUPT;
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* Sections follow the header and one another without gaps, then the data, to the end. */
static PaStatus
check_layout(PaEnv *env, const Header *header)
{
	uint64_t	offset = PA_VALUE_HEADER_BYTES;

	for (int i = 0; i < SECTION_COUNT; i++)
	{
		const Section *s = &header->section[i];

		if (s->offset != offset || s->stored > header->facts.size - offset)
			return value_damaged(env, "Section %d is not where it should be.", i);
		if (s->stored > s->raw || (i <= SECTION_TOC && s->stored != s->raw))
			return value_damaged(env, "Section %d has impossible lengths.", i);
		offset += s->stored;
	}
	if (header->data_offset != offset || header->data_length != header->facts.size - offset)
		return value_damaged(env, "The data section is not where it should be.");
	if (header->section[SECTION_CONFIG].raw > PA_MAX_CONFIG_BYTES ||
		header->section[SECTION_HEADER].raw > PA_MAX_HEADER_BYTES ||
		header->section[SECTION_RECIPE].raw > PA_MAX_RECIPE_BYTES)
		return value_damaged(env, "A section is longer than its limit.");
	if (header->facts.n_tensors > PA_MAX_TENSORS || header->facts.raw_bytes > PA_MAX_RAW_BYTES)
		return value_damaged(env, "It has %u tensors and %llu raw bytes.", header->facts.n_tensors,
							 (unsigned long long) header->facts.raw_bytes);
	return PA_OK;
}

static void
decode(const uint8_t *p, Header *header)
{
	header->facts.kind = (PaKind) p[HEADER_KIND];
	header->facts.size = pa_load_u64(p + HEADER_SIZE);
	header->facts.raw_bytes = pa_load_u64(p + HEADER_RAW_BYTES);
	header->facts.n_tensors = pa_load_u32(p + HEADER_N_TENSORS);
	header->facts.n_modules = pa_load_u32(p + HEADER_N_MODULES);
	for (int i = 0; i < SECTION_COUNT; i++)
	{
		const uint8_t *s = p + HEADER_SECTIONS + i * SECTION_BYTES;

		header->section[i].offset = pa_load_u64(s);
		header->section[i].stored = pa_load_u32(s + 8);
		header->section[i].raw = pa_load_u32(s + 12);
		header->section[i].checksum = pa_load_u64(s + 16);
	}
	header->data_offset = pa_load_u64(p + HEADER_DATA_OFFSET);
	header->data_length = pa_load_u64(p + HEADER_DATA_LENGTH);
	memcpy(header->facts.digest, p + HEADER_DIGEST, PA_SHA256_LENGTH);
	memcpy(header->facts.envelope_digest, p + HEADER_ENVELOPE_DIGEST, PA_SHA256_LENGTH);
}

PaStatus
value_header_read(PaEnv *env, PaBytes *bytes, Header *header)
{
	const uint8_t *p = NULL;

	if (bytes->size < PA_VALUE_HEADER_BYTES)
		return not_an_adapter(env, "It is shorter than the header of a stored adapter.");
	PA_TRY(bytes->fetch(env, bytes, 0, PA_VALUE_HEADER_BYTES, &p));
	if (memcmp(p + HEADER_MAGIC, magic, MAGIC_BYTES) != 0)
		return not_an_adapter(env, "It does not begin with the magic bytes of a stored adapter.");
	if (pa_load_u16(p + HEADER_VERSION) > PA_VALUE_VERSION)
	{
		pa_fail(env, PA_ERR_UNSUPPORTED, "stored adapter has format version %u", pa_load_u16(p + HEADER_VERSION));
		pa_detail(env, "This version of the extension reads version %d and earlier.", PA_VALUE_VERSION);
		pa_hint(env, "Install the version of the extension that wrote it, or a later one.");
		return PA_ERR_UNSUPPORTED;
	}
	if (pa_load_u64(p + HEADER_CHECKSUM) != pa_checksum(p, HEADER_CHECKSUM))
		return value_damaged(env, "The checksum of the header does not match.");
	if (pa_load_u16(p + HEADER_VERSION) != PA_VALUE_VERSION ||
		pa_load_u16(p + HEADER_LENGTH) != PA_VALUE_HEADER_BYTES ||
		!all_zero(p + HEADER_RESERVED_1, 3) || !all_zero(p + HEADER_RESERVED_2, 8))
		return value_damaged(env, "Reserved or constant fields of the header have other values.");
	decode(p, header);
	if (header->facts.size != bytes->size)
		return value_damaged(env, "It has %llu bytes, its header says %llu.",
							 (unsigned long long) bytes->size, (unsigned long long) header->facts.size);
	if (pa_kind_methods(header->facts.kind) == NULL)
		return value_damaged(env, "Its kind %d is not known.", (int) header->facts.kind);
	return check_layout(env, header);
}

PaStatus
pa_value_read_header(PaEnv *env, PaBytes *bytes, PaValueHeader *result)
{
	Header		header;

	PA_TRY(value_header_read(env, bytes, &header));
	*result = header.facts;
	return PA_OK;
}

void
value_header_write(const Header *header, uint8_t out[PA_VALUE_HEADER_BYTES])
{
	memset(out, 0, PA_VALUE_HEADER_BYTES);
	memcpy(out + HEADER_MAGIC, magic, MAGIC_BYTES);
	pa_store_u16(out + HEADER_VERSION, PA_VALUE_VERSION);
	pa_store_u16(out + HEADER_LENGTH, PA_VALUE_HEADER_BYTES);
	out[HEADER_KIND] = (uint8_t) header->facts.kind;
	pa_store_u64(out + HEADER_SIZE, header->facts.size);
	pa_store_u64(out + HEADER_RAW_BYTES, header->facts.raw_bytes);
	pa_store_u32(out + HEADER_N_TENSORS, header->facts.n_tensors);
	pa_store_u32(out + HEADER_N_MODULES, header->facts.n_modules);
	for (int i = 0; i < SECTION_COUNT; i++)
	{
		uint8_t    *s = out + HEADER_SECTIONS + i * SECTION_BYTES;

		pa_store_u64(s, header->section[i].offset);
		pa_store_u32(s + 8, header->section[i].stored);
		pa_store_u32(s + 12, header->section[i].raw);
		pa_store_u64(s + 16, header->section[i].checksum);
	}
	pa_store_u64(out + HEADER_DATA_OFFSET, header->data_offset);
	pa_store_u64(out + HEADER_DATA_LENGTH, header->data_length);
	memcpy(out + HEADER_DIGEST, header->facts.digest, PA_SHA256_LENGTH);
	memcpy(out + HEADER_ENVELOPE_DIGEST, header->facts.envelope_digest, PA_SHA256_LENGTH);
	pa_store_u64(out + HEADER_CHECKSUM, pa_checksum(out, HEADER_CHECKSUM));
}
