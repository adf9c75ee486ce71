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

/* Has the operation given the digest? */
extern bool evaluated_here(const uint8 *digest, const char *root, size_t n_root);

/*
 * The digest and the envelope digest of each operand that the value was made of,
 * 2 * PA_SHA256_LENGTH bytes each; NULL if that is not known.
 */
extern const uint8 *evaluated_operands(const PaIdentity *value, uint32 *n);

#endif
