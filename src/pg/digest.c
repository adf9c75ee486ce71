/*
 * digest.c
 *	  A digest as a bytea.  See digest.h.
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
bytes_datum(const uint8 *p, size_t n)
{
	bytea	   *result = palloc(VARHDRSZ + n);

	SET_VARSIZE(result, VARHDRSZ + n);
	memcpy(VARDATA(result), p, n);
	return PointerGetDatum(result);
}

Datum
digest_datum(const uint8 *digest)
{
	return bytes_datum(digest, PA_SHA256_LENGTH);
}
