/*
 * fault.c
 *	  Errors about adapters that cannot be computed with, or read.  See fault.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

PaStatus
pa_fail_not_finite(PaEnv *env, const char *name, const uint8_t *digest)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];

	pa_fail(env, PA_ERR_RANGE, "tensor \"%.300s\" holds NaN or infinity", name);
	if (digest != NULL)
	{
		pa_hex(hex, digest);
		pa_detail(env, "The tensor belongs to the adapter with digest %.12s...", hex);
	}
	pa_hint(env, "Such an adapter can be stored and exported, but not computed with.");
	return PA_ERR_RANGE;
}

/* Is the name an expression for itself, and not long? */
static bool
can_quote(const char *key)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return key[strspn(key, plain)] == '\0' && strlen(key) <= 256;
}

/* A name that cannot be quoted: all dense tensors. */
PaCallText
pa_drop_dense_call(const char *adapter, const char *key)
{
	PaCallText	out;

	if (can_quote(key))
		snprintf(out.text, sizeof(out.text), "adapter_drop_dense(%s, '%s')", adapter, key);
	else
		snprintf(out.text, sizeof(out.text), "adapter_drop_dense(%s)", adapter);
	return out;
}

PaCallText
pa_leave_out_call(const char *key)
{
	PaCallText	out;

	snprintf(out.text, sizeof(out.text), "adapter_difference(tuned, base, config, '%s')",
			 can_quote(key) ? key : "...");
	return out;
}

PaStatus
pa_fail_overflow(PaEnv *env, const PaTensor *tensor)
{
	pa_fail(env, PA_ERR_RANGE, "tensor \"%.300s\" overflows %s", tensor->name, pa_dtype_name(tensor->dtype));
	if (tensor->dtype != PA_F64)
		pa_hint(env, "A wider type holds it: adapter_cast() converts an adapter.");
	return PA_ERR_RANGE;
}

PaStatus
pa_fail_later(PaEnv *env, const char *fmt, ...)
{
	char		detail[sizeof(env->error.detail)];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	pa_fail(env, PA_ERR_UNSUPPORTED, "adapter was written by a later version of the extension");
	pa_detail(env, "%s", detail);
	pa_hint(env, "Install the version of the extension that wrote it, or a later one.");
	return PA_ERR_UNSUPPORTED;
}
