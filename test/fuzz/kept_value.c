/*
 * kept_value.c
 *	  See kept_value.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kept_value.h"

#include <string.h>

#include "engine/recompute.h"
#include "limited_host.h"

static void
release_kept(void *arg)
{
	pa_buf_release(&((KeptValue *) arg)->buf);
}

KeptValue *
keep_value(PaEnv *env, PaBuf *buf)
{
	KeptValue  *kept = NULL;

	limited_insist(PA_NEW(env, &kept) == PA_OK, "memory", env);
	kept->buf = *buf;
	limited_insist(pa_defer(env, release_kept, kept) == PA_OK, "memory", env);
	pa_bytes_from_memory(&kept->bytes, kept->buf.data, kept->buf.length);
	limited_insist(pa_value_open(env, &kept->bytes.base, &kept->value) == PA_OK, "a written value opens",
				   env);
	return kept;
}

void
check_recomputes(PaEnv *env, PaValue *made, uint32_t n, PaBytes **known)
{
	PaRecompute task = {.n_known = n, .known = known};
	PaBuf		buf;

	limited_insist(pa_value_document(env, made, PA_DOCUMENT_RECIPE, &task.recipe) == PA_OK, "recipe", env);
	limited_insist(pa_recompute_recipe(env, &task, 0, &buf) == PA_OK, "a recipe is recomputed", env);
	limited_insist(memcmp(pa_value_header(made)->envelope_digest,
						  pa_value_header(keep_value(env, &buf)->value)->envelope_digest,
						  PA_SHA256_LENGTH) == 0,
				   "envelope digest of a recomputed value", env);
}
