/*
 * digest.h
 *	  A digest as a bytea, in and out.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_DIGEST_H
#define PA_PG_DIGEST_H

#include "pg/compat.h"

/* Its PA_SHA256_LENGTH bytes, where they stand; another length is an error. */
extern const uint8 *digest_bytes(bytea *digest);

extern Datum digest_datum(const uint8 *digest);

/* Several digests in a row, or anything else: n bytes. */
extern Datum bytes_datum(const uint8 *p, size_t n);

#endif
