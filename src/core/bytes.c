/*
 * bytes.c
 *	  The checked reader of bytes.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/bytes.h"

#include "core/utf8.h"

void
pa_reader_init(PaReader *r, PaEnv *env, const void *p, size_t n, PaStatus code, const char *subject)
{
	r->env = env;
	r->p = p;
	r->left = n;
	r->code = code;
	r->subject = subject;
}

PaStatus
pa_take(PaReader *r, size_t n, const uint8_t **p)
{
	if (n > r->left)
	{
		pa_fail(r->env, r->code, "%s is truncated", r->subject);
		pa_detail(r->env, "%zu bytes are needed where %zu are left.", n, r->left);
		return r->code;
	}
	*p = r->p;
	r->p += n;
	r->left -= n;
	return PA_OK;
}

PaStatus
pa_take_u8(PaReader *r, uint8_t *v)
{
	const uint8_t *p = NULL;

	PA_TRY(pa_take(r, 1, &p));
	*v = *p;
	return PA_OK;
}

PaStatus
pa_take_u16(PaReader *r, uint16_t *v)
{
	const uint8_t *p = NULL;

	PA_TRY(pa_take(r, 2, &p));
	*v = pa_load_u16(p);
	return PA_OK;
}

PaStatus
pa_take_u32(PaReader *r, uint32_t *v)
{
	const uint8_t *p = NULL;

	PA_TRY(pa_take(r, 4, &p));
	*v = pa_load_u32(p);
	return PA_OK;
}

PaStatus
pa_take_u64(PaReader *r, uint64_t *v)
{
	const uint8_t *p = NULL;

	PA_TRY(pa_take(r, 8, &p));
	*v = pa_load_u64(p);
	return PA_OK;
}

PaStatus
pa_take_f64(PaReader *r, double *v)
{
	uint64_t	bits;

	PA_TRY(pa_take_u64(r, &bits));
	memcpy(v, &bits, sizeof(bits));
	return PA_OK;
}

PaStatus
pa_take_str(PaReader *r, size_t max, const char **s)
{
	uint32_t	n;
	const uint8_t *p = NULL;

	PA_TRY(pa_take_u32(r, &n));
	if (n > max)
	{
		pa_fail(r->env, r->code, "%s has a string of %u bytes", r->subject, n);
		pa_detail(r->env, "At most %zu bytes are allowed there.", max);
		return r->code;
	}
	PA_TRY(pa_take(r, n, &p));
	if (memchr(p, 0, n) != NULL || !pa_utf8_valid((const char *) p, n))
		return pa_fail(r->env, r->code, "%s has a string that is not valid UTF-8", r->subject);
	return pa_strndup(r->env, (const char *) p, n, s);
}

PaStatus
pa_take_optstr(PaReader *r, size_t max, const char **s)
{
	uint8_t		present;

	PA_TRY(pa_take_u8(r, &present));
	*s = NULL;
	if (present > 1)
		return pa_fail(r->env, r->code, "%s has %u where 0 or 1 is expected", r->subject, present);
	return present ? pa_take_str(r, max, s) : PA_OK;
}
