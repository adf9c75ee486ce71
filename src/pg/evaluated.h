/*
 * evaluated.h
 *	  What this backend has evaluated: the envelope digests of the last values
 *	  that operations made here, so that a registry can tell what it has seen
 *	  from what a file says of itself.
 *
 * An envelope digest covers the value and its recipe, so a value that is noted
 * was made, in this session, by the operation at the root of its recipe from
 * values with the digests that stand there.  Nothing that came in as a file, as
 * text, in binary or out of a table is noted, and nobody can write here.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_EVALUATED_H
#define PA_PG_EVALUATED_H

#include "pg/compat.h"

/* Envelope digests have PA_SHA256_LENGTH bytes. */
extern void evaluated_note(const uint8 *envelope_digest);
extern bool evaluated_here(const uint8 *envelope_digest);

#endif
