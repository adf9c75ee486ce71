/*
 * evaluated.c
 *	  The ring of what this backend has evaluated.  See evaluated.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/evaluated.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "core/env.h"

/* More than are made between an evaluation and its commit; 32 kB. */
#define RING_LENGTH 1024

static uint8 ring[RING_LENGTH][PG_SHA256_DIGEST_LENGTH];
static uint32 n_noted;			/* until the ring is full */
static uint32 next_place;

/* A digest has one length, so the two cannot be confused. */
static void
hash_statement(const uint8 *digest, const char *root, size_t n, uint8 *out)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);

	if (hash == NULL || pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, digest, PA_SHA256_LENGTH) < 0 ||
		pg_cryptohash_update(hash, (const uint8 *) root, n) < 0 ||
		pg_cryptohash_final(hash, out, PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not hash");	/* cannot happen */
	pg_cryptohash_free(hash);
}

void
evaluated_note(const uint8 *digest, const char *root, size_t n)
{
	hash_statement(digest, root, n, ring[next_place]);
	next_place = (next_place + 1) % RING_LENGTH;
	n_noted = Min(n_noted + 1, RING_LENGTH);
}

bool
evaluated_here(const uint8 *digest, const char *root, size_t n)
{
	uint8		wanted[PG_SHA256_DIGEST_LENGTH];

	hash_statement(digest, root, n, wanted);
	for (uint32 i = 0; i < n_noted; i++)
		if (memcmp(ring[i], wanted, PG_SHA256_DIGEST_LENGTH) == 0)
			return true;
	return false;
}
