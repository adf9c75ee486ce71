/*
 * evaluated.c
 *	  The ring of what this backend has evaluated.  See evaluated.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/evaluated.h"

#include "core/env.h"

/* More than are made between an evaluation and its commit; a kilobyte holds 32. */
#define RING_LENGTH 1024

static uint8 ring[RING_LENGTH][PA_SHA256_LENGTH];
static uint32 n_noted;			/* until the ring is full */
static uint32 next_place;

void
evaluated_note(const uint8 *envelope_digest)
{
	memcpy(ring[next_place], envelope_digest, PA_SHA256_LENGTH);
	next_place = (next_place + 1) % RING_LENGTH;
	n_noted = Min(n_noted + 1, RING_LENGTH);
}

bool
evaluated_here(const uint8 *envelope_digest)
{
	for (uint32 i = 0; i < n_noted; i++)
		if (memcmp(ring[i], envelope_digest, PA_SHA256_LENGTH) == 0)
			return true;
	return false;
}
