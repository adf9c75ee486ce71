/*
 * evaluated.c
 *	  The ring of what this backend has evaluated.  See evaluated.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/evaluated.h"

#include "utils/memutils.h"

/* More than are made between an evaluation and its commit. */
#define RING_LENGTH 1024

/* Of values that were made of more it is not known of which: so the ring has a bound, 24 MB. */
#define MAX_OPERANDS 128
#define MAX_ROOT 16384

#define IDENTITY_LENGTH (2 * PA_SHA256_LENGTH)

typedef struct Note
{
	uint8		value[IDENTITY_LENGTH];
	uint32		n_operands;
	uint8	   *operands;		/* the root stands behind them */
	size_t		n_root;
	int64		serial;			/* in order of time, from 1 */
} Note;

static Note ring[RING_LENGTH];
static MemoryContext memory;	/* of the operands */
static uint32 n_noted;			/* until the ring is full */
static uint32 next_place;
static int64 last_serial;

static void
copy_identity(uint8 *to, const PaIdentity *identity)
{
	memcpy(to, identity->digest, PA_SHA256_LENGTH);
	memcpy(to + PA_SHA256_LENGTH, identity->envelope_digest, PA_SHA256_LENGTH);
}

/* With the root behind them; NULL where there are too many, or one that was never a value of its own. */
static uint8 *
copy_operands(uint32 n, const PaIdentity *operands, const char *root, size_t n_root)
{
	uint8	   *copy;

	for (uint32 i = 0; i < n; i++)
		if (operands[i].envelope_digest == NULL)
			return NULL;
	if (n == 0 || n > MAX_OPERANDS || n_root > MAX_ROOT)
		return NULL;
	if (memory == NULL)
		memory = AllocSetContextCreate(TopMemoryContext, "adapters evaluated", ALLOCSET_SMALL_SIZES);
	copy = MemoryContextAlloc(memory, n * IDENTITY_LENGTH + n_root);
	for (uint32 i = 0; i < n; i++)
		copy_identity(copy + i * IDENTITY_LENGTH, &operands[i]);
	memcpy(copy + n * IDENTITY_LENGTH, root, n_root);
	return copy;
}

void
evaluated_note(const PaIdentity *value, const char *root, size_t n_root, uint32 n_operands,
			   const PaIdentity *operands)
{
	Note		note = {.n_operands = n_operands, .n_root = n_root, .serial = ++last_serial};
	Note	   *place = &ring[next_place];

	copy_identity(note.value, value);
	note.operands = copy_operands(n_operands, operands, root, n_root);
	if (note.operands == NULL)
		return;
	if (place->operands != NULL)
		pfree(place->operands);
	*place = note;
	next_place = (next_place + 1) % RING_LENGTH;
	n_noted = Min(n_noted + 1, RING_LENGTH);
}

bool
evaluated_operands(const PaIdentity *value, int64 before, EvaluatedOperands *found)
{
	uint8		wanted[IDENTITY_LENGTH];
	const Note *latest = NULL;

	copy_identity(wanted, value);
	for (uint32 i = 0; i < n_noted; i++)
		if (ring[i].serial < before && (latest == NULL || ring[i].serial > latest->serial) &&
			memcmp(ring[i].value, wanted, IDENTITY_LENGTH) == 0)
			latest = &ring[i];
	if (latest == NULL)
		return false;
	found->n = latest->n_operands;
	found->identities = latest->operands;
	found->root = (const char *) latest->operands + latest->n_operands * IDENTITY_LENGTH;
	found->n_root = latest->n_root;
	found->serial = latest->serial;
	return true;
}
