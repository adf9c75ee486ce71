/*
 * value_seal.c
 *	  See value_seal.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value_seal.h"

#include <string.h>

#include "codec/planes.h"
#include "core/bytes.h"

#define HEADER 256
#define SECTION(i) (40 + 24 * (i))

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void
reshape_header(uint8_t *p, size_t n)
{
	static const uint8_t begin[12] = {0x89, 'P', 'A', 'D', 'P', 13, 10, 26, 1, 0, 0, 1};
	bool		packed = p[8] == 2;
	uint64_t	at = HEADER;

	memcpy(p, begin, sizeof(begin));
	p[8] = packed ? 2 : 1;
	memset(p + 13, 0, 3);
	memset(p + 240, 0, 8);
	pa_store_u64(p + 16, n);
	for (int i = 0; i < 5; i++)
	{
		uint8_t    *s = p + SECTION(i);
		uint32_t	stored = (uint32_t) least(pa_load_u32(s + 8), n - at);

		pa_store_u64(s, at);
		pa_store_u32(s + 8, stored);
		if (i < 2 && !packed)
			pa_store_u32(s + 12, stored);
		at += stored;
	}
	pa_store_u64(p + 160, at);
	pa_store_u64(p + 168, n - at);
}

/* The blocks of the tensors, as long as the table makes sense. */
static void
seal_blocks(uint8_t *toc, size_t n, const uint8_t *data, size_t data_length, bool reshape)
{
	size_t		at = 0;
	uint64_t	used = 0;

	while (n - at >= 4)
	{
		uint64_t	skip = 4 + (uint64_t) pa_load_u32(toc + at);
		uint32_t	blocks;

		if (skip > n - at || n - at - skip < 8)
			return;
		at += skip + 8;
		skip = 8 * (uint64_t) toc[at - 5] + 32;
		if (skip > n - at || n - at - skip < 12)
			return;
		at += skip;
		if (reshape)
			pa_store_u64(toc + at, used);
		used = pa_load_u64(toc + at);
		blocks = pa_load_u32(toc + at + 8);
		at += 12;
		for (uint32_t k = 0; k < blocks; k++)
		{
			uint32_t	stored;

			if (n - at < 12 || used > data_length)
				return;
			stored = pa_load_u32(toc + at);
			if (reshape)
				pa_store_u32(toc + at, stored = (uint32_t) least(stored, data_length - used));
			if (stored > data_length - used)
				return;
			pa_store_u64(toc + at + 4, pa_checksum(data + used, stored));
			used += stored;
			at += 12;
		}
	}
}

void
value_seal(uint8_t *p, size_t n, bool reshape)
{
	uint64_t	data;

	if (n < HEADER)
		return;
	if (reshape)
		reshape_header(p, n);
	data = pa_load_u64(p + 160);
	for (int i = 0; i < 5; i++)
	{
		uint8_t    *s = p + SECTION(i);
		uint64_t	offset = pa_load_u64(s);
		uint32_t	stored = pa_load_u32(s + 8);

		if (offset > n || stored > n - offset)
			continue;
		/* a compressed table has its blocks' checksums inside */
		if (i == 1 && data <= n && stored == pa_load_u32(s + 12))
			seal_blocks(p + offset, stored, p + data, n - data, reshape);
		pa_store_u64(s + 16, pa_checksum(p + offset, stored));
	}
	pa_store_u64(p + 248, pa_checksum(p, 248));
}
