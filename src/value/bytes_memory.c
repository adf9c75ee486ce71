/*
 * bytes_memory.c
 *	  Stored bytes that are in memory as a whole, and the checked fetch that all
 *	  reading goes through.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value/value_impl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static PaStatus
memory_fetch(PaEnv *env, PaBytes *self, uint64_t offset, size_t length, const uint8_t **p)
{
	(void) env;
	(void) length;
	*p = ((PaMemoryBytes *) self)->p + offset;
	return PA_OK;
}

void
pa_bytes_from_memory(PaMemoryBytes *bytes, const void *p, size_t n)
{
	bytes->base.size = n;
	bytes->base.fetch = memory_fetch;
	bytes->base.release = NULL;
	bytes->p = p;
}

PaStatus
pa_value_damaged(PaEnv *env, const char *fmt, ...)
{
	char		detail[512];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	pa_fail(env, PA_ERR_CORRUPT, "stored value is damaged");
	pa_detail(env, "%s", detail);
	return PA_ERR_CORRUPT;
}

PaStatus
pa_value_fetch(PaEnv *env, PaBytes *bytes, uint64_t offset, uint64_t length, const uint8_t **p)
{
	if (offset > bytes->size || length > bytes->size - offset || length > SIZE_MAX / 2)
		return pa_value_damaged(env,
								"Bytes %" PRIu64 " and %" PRIu64 " more are needed, but there are %" PRIu64
								".",
								offset, length, bytes->size);
	return bytes->fetch(env, bytes, offset, (size_t) length, p);
}
