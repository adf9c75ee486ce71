/*
 * evaluated.h
 *	  What this backend has evaluated: which operation on which operands had which
 *	  digest, so that a registry can tell what it has seen from what a file says
 *	  of itself.
 *
 * What is noted was made, in this backend, by the operation at the root of a
 * recipe from values with the digests that stand there.  Nothing that came in as
 * a file, as text, in binary or out of a table is noted, and nobody can write
 * here.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_EVALUATED_H
#define PA_PG_EVALUATED_H

#include "pg/compat.h"

/*
 * A digest has PA_SHA256_LENGTH bytes, root is the n bytes of the node as recipes
 * spell it.  An error of the server if it cannot hash.
 */
extern void evaluated_note(const uint8 *digest, const char *root, size_t n);
extern bool evaluated_here(const uint8 *digest, const char *root, size_t n);

#endif
