/*
 * draw.c
 *	  The key of a stream of random draws.  See draw.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/draw.h"

#include "core/bytes.h"

/* A text with its NUL, so that no two lists of texts are the same bytes. */
static PaStatus
add_text(PaEnv *env, const char *text)
{
	return pa_hash_update(env, PA_HASH_FILE, text, strlen(text) + 1);
}

PaStatus
pa_draw_key(PaEnv *env, const char *purpose, int64_t seed, const char *path, const char *role,
			const uint8_t *hashes, size_t n_hashes, uint64_t *key)
{
	uint8_t		bytes[sizeof(uint64_t)];
	uint8_t		hash[PA_SHA256_LENGTH];

	pa_store_u64(bytes, (uint64_t) seed);
	PA_TRY(pa_hash_begin(env, PA_HASH_FILE));
	PA_TRY(add_text(env, "peftarith draw 1"));
	PA_TRY(add_text(env, purpose));
	PA_TRY(pa_hash_update(env, PA_HASH_FILE, bytes, sizeof(bytes)));
	PA_TRY(add_text(env, path));
	PA_TRY(add_text(env, role));
	if (n_hashes > 0)
		PA_TRY(pa_hash_update(env, PA_HASH_FILE, hashes, n_hashes * PA_SHA256_LENGTH));
	PA_TRY(pa_hash_finish(env, PA_HASH_FILE, hash));
	*key = pa_load_u64(hash);
	return PA_OK;
}
