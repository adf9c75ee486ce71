/*
 * value_unpacked.c
 *	  See value_unpacked.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value_unpacked.h"

#include "codec/planes.h"
#include "core/bytes.h"
#include "value_seal.h"

#define HEADER 256
#define SECTION(i) (40 + 24 * (i))

static PaStatus
append_section(PaPlanes *planes, const PaBuf *from, int i, PaBuf *to)
{
	const uint8_t *section = from->data + SECTION(i);
	const uint8_t *p = from->data + pa_load_u64(section);
	uint32_t	stored = pa_load_u32(section + 8);
	uint32_t	raw = i < 2 ? pa_load_u32(section + 12) : stored;
	uint64_t	at = to->length;

	PA_TRY(pa_buf_zero(to, raw));
	if (raw > 0)
		PA_TRY(pa_document_decode(planes, p, stored, to->data + at, raw));
	pa_store_u64(to->data + SECTION(i), at);
	pa_store_u32(to->data + SECTION(i) + 8, raw);
	return PA_OK;
}

PaStatus
value_unpacked(PaEnv *env, PaBuf *buf)
{
	uint64_t	data = pa_load_u64(buf->data + 160);
	PaPlanes   *planes;
	PaBuf		out;

	PA_TRY(pa_planes_create(env, &planes));
	PA_TRY(pa_buf_init(env, &out, 0, buf->length));
	PA_TRY(pa_buf_bytes(&out, buf->data, HEADER));
	pa_store_u16(out.data + 8, 1);
	for (int i = 0; i < 5; i++)
		PA_TRY(append_section(planes, buf, i, &out));
	pa_store_u64(out.data + 160, out.length);
	PA_TRY(pa_buf_bytes(&out, buf->data + data, buf->length - (size_t) data));
	pa_store_u64(out.data + 16, out.length);
	value_seal(out.data, out.length, false);
	pa_planes_release(planes);
	pa_buf_release(buf);
	*buf = out;
	return PA_OK;
}
