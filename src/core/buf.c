/*
 * buf.c
 *	  Growable output buffers; see buf.h for who owns the memory.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/arith.h"
#include "core/bytes.h"

static PaStatus
grow(PaBuf *buf, size_t capacity)
{
	PaEnv	   *env = buf->env;
	uint8_t    *data = env->host->alloc(env->host->state, capacity);

	if (data == NULL)
	{
		pa_fail(env, PA_ERR_NOMEM, "out of memory");
		pa_detail(env, "Failed on a request of %zu bytes.", capacity);
		return PA_ERR_NOMEM;
	}
	if (buf->data != NULL)
	{
		memcpy(data, buf->data, buf->length);
		env->host->release(env->host->state, buf->data);
	}
	buf->data = data;
	buf->capacity = capacity;
	return PA_OK;
}

PaStatus
pa_buf_init(PaEnv *env, PaBuf *buf, size_t reserve, size_t expected)
{
	buf->env = env;
	buf->data = NULL;
	buf->length = 0;
	buf->capacity = 0;
	if (expected < reserve + 16)
		expected = reserve + 16;
	PA_TRY(grow(buf, expected));
	memset(buf->data, 0, reserve);
	buf->length = reserve;
	return PA_OK;
}

PaStatus
pa_buf_room(PaBuf *buf, size_t n)
{
	uint64_t	need;
	size_t		capacity;

	if (buf->capacity - buf->length >= n)
		return PA_OK;
	if (!pa_add_u64(buf->length, n, &need) || need > SIZE_MAX / 4)
		return pa_fail(buf->env, PA_ERR_LIMIT, "output of more than %zu bytes", buf->length);
	capacity = buf->capacity + buf->capacity / 2;
	return grow(buf, need > capacity ? (size_t) need : capacity);
}

PaStatus
pa_buf_bytes(PaBuf *buf, const void *p, size_t n)
{
	PA_TRY(pa_buf_room(buf, n));
	if (n > 0)
		memcpy(buf->data + buf->length, p, n);
	buf->length += n;
	return PA_OK;
}

PaStatus
pa_buf_zero(PaBuf *buf, size_t n)
{
	PA_TRY(pa_buf_room(buf, n));
	memset(buf->data + buf->length, 0, n);
	buf->length += n;
	return PA_OK;
}

PaStatus
pa_buf_u8(PaBuf *buf, uint8_t v)
{
	return pa_buf_bytes(buf, &v, 1);
}

PaStatus
pa_buf_u16(PaBuf *buf, uint16_t v)
{
	uint8_t		b[2];

	pa_store_u16(b, v);
	return pa_buf_bytes(buf, b, sizeof(b));
}

PaStatus
pa_buf_u32(PaBuf *buf, uint32_t v)
{
	uint8_t		b[4];

	pa_store_u32(b, v);
	return pa_buf_bytes(buf, b, sizeof(b));
}

PaStatus
pa_buf_u64(PaBuf *buf, uint64_t v)
{
	uint8_t		b[8];

	pa_store_u64(b, v);
	return pa_buf_bytes(buf, b, sizeof(b));
}

PaStatus
pa_buf_f64(PaBuf *buf, double v)
{
	uint64_t	bits;

	memcpy(&bits, &v, sizeof(bits));
	return pa_buf_u64(buf, bits);
}

PaStatus
pa_buf_str(PaBuf *buf, const char *s)
{
	size_t		n = strlen(s);

	if (n > UINT32_MAX)
		return pa_fail(buf->env, PA_ERR_LIMIT, "string of %zu bytes is too long", n);
	PA_TRY(pa_buf_u32(buf, (uint32_t) n));
	return pa_buf_bytes(buf, s, n);
}

PaStatus
pa_buf_optstr(PaBuf *buf, const char *s)
{
	PA_TRY(pa_buf_u8(buf, s != NULL));
	return s != NULL ? pa_buf_str(buf, s) : PA_OK;
}

PaStatus
pa_buf_printf(PaBuf *buf, const char *fmt, ...)
{
	va_list		args;
	int			n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		return pa_fail(buf->env, PA_ERR_INTERNAL, "could not format text");
	PA_TRY(pa_buf_room(buf, (size_t) n + 1));
	va_start(args, fmt);
	vsnprintf((char *) buf->data + buf->length, (size_t) n + 1, fmt, args);
	va_end(args);
	buf->length += (size_t) n;
	return PA_OK;
}

void
pa_buf_release(PaBuf *buf)
{
	if (buf->data != NULL)
		buf->env->host->release(buf->env->host->state, buf->data);
	buf->data = NULL;
	buf->length = buf->capacity = 0;
}
