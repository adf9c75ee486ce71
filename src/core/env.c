/*
 * env.c
 *	  Memory, clean-ups, cancellation, hashing and errors of a PaEnv.
 *
 * Owned memory is a doubly linked list of blocks, each with a header in front
 * of what the caller gets, so that one pa_env_reset gives everything back and
 * no function needs a clean-up path.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/env.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/arith.h"
#include "core/utf8.h"

/* 16-byte alignment for what follows it. */
struct PaAllocation
{
	PaAllocation *newer;
	PaAllocation *older;
};

struct PaDeferred
{
	PaDeferred *older;
	void		(*clean)(void *arg);
	void	   *arg;
};

_Static_assert(sizeof(PaAllocation) % 16 == 0, "allocations must stay aligned");

void
pa_env_init(PaEnv *env, const PaHost *host)
{
	memset(env, 0, sizeof(*env));
	env->host = host;
}

void
pa_env_run_deferred(PaEnv *env)
{
	while (env->deferred != NULL)
	{
		PaDeferred *d = env->deferred;

		env->deferred = d->older;
		d->clean(d->arg);
	}
}

void
pa_env_reset(PaEnv *env)
{
	pa_env_run_deferred(env);
	while (env->allocations != NULL)
	{
		PaAllocation *a = env->allocations;

		env->allocations = a->older;
		env->host->release(env->host->state, a);
	}
}

/* n * size bytes that the PaEnv owns; NULL when the error is set. */
static void *
own(PaEnv *env, size_t n, size_t size, size_t *bytes)
{
	PaAllocation *a = NULL;
	uint64_t	asked;
	uint64_t	total;

	if (!pa_mul_u64(n, size, &asked))
	{
		pa_fail(env, PA_ERR_LIMIT, "array of %zu elements of %zu bytes is too large", n, size);
		return NULL;
	}
	if (pa_add_u64(asked, sizeof(PaAllocation), &total) && total <= SIZE_MAX / 2)
		a = env->host->alloc(env->host->state, (size_t) total);
	if (a == NULL)
	{
		pa_fail(env, PA_ERR_NOMEM, "out of memory");
		pa_detail(env, "Failed on a request of %zu bytes.", (size_t) asked);
		return NULL;
	}
	a->newer = NULL;
	a->older = env->allocations;
	if (a->older != NULL)
		a->older->newer = a;
	env->allocations = a;
	*bytes = (size_t) asked;
	return a + 1;
}

PaStatus
pa_alloc_raw(PaEnv *env, size_t n, size_t size, void *slot)
{
	size_t		bytes;
	void	   *p = own(env, n, size, &bytes);

	if (p == NULL)
		return env->error.code;
	memcpy(slot, &p, sizeof(p));
	return PA_OK;
}

PaStatus
pa_alloc(PaEnv *env, size_t n, size_t size, void *slot)
{
	size_t		bytes;
	void	   *p = own(env, n, size, &bytes);

	if (p == NULL)
		return env->error.code;
	memset(p, 0, bytes);
	memcpy(slot, &p, sizeof(p));
	return PA_OK;
}

PaStatus
pa_strndup(PaEnv *env, const char *s, size_t n, const char **copy)
{
	char	   *p = NULL;

	PA_TRY(PA_NEW_RAW(env, n + 1, &p));
	memcpy(p, s, n);
	p[n] = '\0';
	*copy = p;
	return PA_OK;
}

void
pa_free(PaEnv *env, void *p)
{
	PaAllocation *a;

	if (p == NULL)
		return;
	a = (PaAllocation *) p - 1;
	if (a->newer != NULL)
		a->newer->older = a->older;
	else
		env->allocations = a->older;
	if (a->older != NULL)
		a->older->newer = a->newer;
	env->host->release(env->host->state, a);
}

PaStatus
pa_defer(PaEnv *env, void (*clean)(void *arg), void *arg)
{
	PaDeferred *d = NULL;
	PaStatus	status = PA_NEW(env, &d);

	if (status != PA_OK)
	{
		clean(arg);
		return status;
	}
	d->clean = clean;
	d->arg = arg;
	d->older = env->deferred;
	env->deferred = d;
	return PA_OK;
}

PaStatus
pa_check_cancel(PaEnv *env)
{
	if (env->host->cancelled(env->host->state))
		return pa_fail(env, PA_ERR_CANCELLED, "cancelled");
	return PA_OK;
}

#define HASH_STEP ((size_t) 1024 * 1024)

static PaStatus
hash_result(PaEnv *env, bool ok)
{
	return ok ? PA_OK : pa_fail(env, PA_ERR_HOST, "could not compute SHA-256");
}

PaStatus
pa_hash_begin(PaEnv *env, PaHashSlot slot)
{
	return hash_result(env, env->host->hash_begin(env->host->state, slot));
}

PaStatus
pa_hash_update(PaEnv *env, PaHashSlot slot, const void *p, size_t n)
{
	const uint8_t *next = p;

	for (; n > HASH_STEP; n -= HASH_STEP, next += HASH_STEP)
	{
		PA_TRY(pa_check_cancel(env));
		PA_TRY(hash_result(env, env->host->hash_update(env->host->state, slot, next, HASH_STEP)));
	}
	return hash_result(env, env->host->hash_update(env->host->state, slot, next, n));
}

PaStatus
pa_hash_finish(PaEnv *env, PaHashSlot slot, uint8_t out[PA_SHA256_LENGTH])
{
	return hash_result(env, env->host->hash_finish(env->host->state, slot, out));
}

void
pa_hex(char out[2 * PA_SHA256_LENGTH + 1], const uint8_t digest[PA_SHA256_LENGTH])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < PA_SHA256_LENGTH; i++)
	{
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * PA_SHA256_LENGTH] = '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool
pa_unhex(uint8_t digest[PA_SHA256_LENGTH], const char *s, size_t n)
{
	if (n != 2 * PA_SHA256_LENGTH)
		return false;
	for (int i = 0; i < PA_SHA256_LENGTH; i++)
	{
		int			high = hex_value(s[2 * i]);
		int			low = hex_value(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		digest[i] = (uint8_t) (high << 4 | low);
	}
	return true;
}

/*
 * A text may quote bytes that nobody has checked yet, or be cut inside a
 * character, by a precision or by the end of the buffer; the host must be able
 * to rely on UTF-8.
 */
__attribute__((format(printf, 3, 0))) static void
format_text(char *out, size_t size, const char *fmt, va_list args)
{
	if (vsnprintf(out, size, fmt, args) < 0)
		out[0] = '\0';
	pa_utf8_clean(out);
}

PaStatus
pa_fail(PaEnv *env, PaStatus code, const char *fmt, ...)
{
	va_list		args;

	env->error.code = code;
	env->error.detail[0] = '\0';
	env->error.hint[0] = '\0';
	va_start(args, fmt);
	format_text(env->error.message, sizeof(env->error.message), fmt, args);
	va_end(args);
	return code;
}

void
pa_notice(PaEnv *env, PaNotice notice, const char *fmt, ...)
{
	char		message[2048];
	va_list		arguments;

	if (env->host->notice == NULL)
		return;
	va_start(arguments, fmt);
	format_text(message, sizeof(message), fmt, arguments);
	va_end(arguments);
	notice.message = message;
	env->host->notice(env->host->state, &notice);
}

void
pa_detail(PaEnv *env, const char *fmt, ...)
{
	va_list		args;

	va_start(args, fmt);
	format_text(env->error.detail, sizeof(env->error.detail), fmt, args);
	va_end(args);
}

void
pa_hint(PaEnv *env, const char *fmt, ...)
{
	va_list		args;

	va_start(args, fmt);
	format_text(env->error.hint, sizeof(env->error.hint), fmt, args);
	va_end(args);
}
