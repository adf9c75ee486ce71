/*
 * evaluated.h
 *	  What this backend has evaluated: which operation on which values made which,
 *	  so that a registry can tell what it has seen from what a file says of
 *	  itself.
 *
 * What is noted was made, in this backend, by the operation at the root of a
 * recipe from the values that stand there.  Nothing that came in as a file, as
 * text, in binary or out of a table is noted, and nobody can write here.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_EVALUATED_H
#define PA_PG_EVALUATED_H

#include "pg/compat.h"

#include "core/env.h"

/* root is the n_root bytes of the node as recipes spell it.  An error of the server if it has no memory. */
extern void evaluated_note(const PaIdentity *value, const char *root, size_t n_root, uint32 n_operands,
						   const PaIdentity *operands);

/* Of what a value was made: 2 * PA_SHA256_LENGTH bytes for each operand, its digest and envelope digest. */
typedef struct EvaluatedOperands
{
	uint32		n;
	const uint8 *identities;
	const char *root;			/* of the recipe, in UTF-8 */
	size_t		n_root;
	int64		serial;			/* in order of time */
} EvaluatedOperands;

/*
 * The last time that the value was made with a lower serial: who follows operands
 * back in time comes to an end.  False if that is not known.  What is found stands
 * until the next value is made.
 */
extern bool evaluated_operands(const PaIdentity *value, int64 before, EvaluatedOperands *found);

#endif
