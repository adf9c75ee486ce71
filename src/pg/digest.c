/*
 * digest.c
 *	  A content digest as a bytea.  See digest.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/digest.h"

#include "core/env.h"

const uint8 *
digest_bytes(bytea *digest)
{
	if (VARSIZE_ANY_EXHDR(digest) != PA_SHA256_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("digest has %d bytes, not %d", (int) VARSIZE_ANY_EXHDR(digest), PA_SHA256_LENGTH)));
	return (const uint8 *) VARDATA_ANY(digest);
}

Datum
digest_datum(const uint8 *digest)
{
	bytea	   *result = palloc(VARHDRSZ + PA_SHA256_LENGTH);

	SET_VARSIZE(result, VARHDRSZ + PA_SHA256_LENGTH);
	memcpy(VARDATA(result), digest, PA_SHA256_LENGTH);
	return PointerGetDatum(result);
}
