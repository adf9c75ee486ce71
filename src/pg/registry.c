/*
 * registry.c
 *	  The hash that chains the registry's log: doc/registry.md, "Log".
 *
 * Everything that is hashed is bytes of its own making: numbers big-endian,
 * texts as UTF-8 whatever the database's encoding, null told from empty by its
 * length.  So no setting of a session and no server's version changes it.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(registry_entry_hash);
PG_FUNCTION_INFO_V1(registry_chain_next);

#define ENTRY_TAG "peftarith log 1" /* hashed with its NUL */
#define NULL_LENGTH PG_UINT32_MAX

static void
hash_bytes_of(pg_cryptohash_ctx *hash, const void *p, size_t n)
{
	if (pg_cryptohash_update(hash, p, n) < 0)
		elog(ERROR, "could not hash: %s", pg_cryptohash_error(hash));	/* cannot happen */
}

static void
hash_number(pg_cryptohash_ctx *hash, uint32 n)
{
	uint32		big = pg_hton32(n);

	hash_bytes_of(hash, &big, sizeof(big));
}

static void
hash_text(pg_cryptohash_ctx *hash, const text *t)
{
	const char *s = VARDATA_ANY(t);
	int			n = VARSIZE_ANY_EXHDR(t);
	char	   *utf8 = pg_server_to_any(s, n, PG_UTF8);

	/* A converted text is a new string; one that is UTF-8 already is itself. */
	if (utf8 != s)
		n = strlen(utf8);
	hash_number(hash, n);
	hash_bytes_of(hash, utf8, n);
	if (utf8 != s)
		pfree(utf8);
}

static void
hash_fields(pg_cryptohash_ctx *hash, ArrayType *fields)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(fields, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	hash_number(hash, n);
	for (int i = 0; i < n; i++)
	{
		text	   *t;

		if (nulls[i])
		{
			hash_number(hash, NULL_LENGTH);
			continue;
		}
		t = DatumGetTextPP(elements[i]);
		hash_text(hash, t);
		if ((Pointer) t != DatumGetPointer(elements[i]))
			pfree(t);
	}
}

/* What is not hashed must not vary: bounds other than 1..n would not show. */
static void
check_arguments(int64 position, const bytea *previous, ArrayType *fields)
{
	if (position < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("position of a log entry must be at least 1")));
	if (VARSIZE_ANY_EXHDR(previous) != PG_SHA256_DIGEST_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("hash of the entry before must have %d bytes", PG_SHA256_DIGEST_LENGTH)));
	if (ARR_NDIM(fields) > 1 || (ARR_NDIM(fields) == 1 && ARR_LBOUND(fields)[0] != 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("fields of a log entry must be an array of one dimension that begins at 1")));
}

static Datum
entry_hash(int64 position, const bytea *previous, const text *kind, ArrayType *fields)
{
	uint64		big = pg_hton64((uint64) position);
	bytea	   *result = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	pg_cryptohash_ctx *hash;

	check_arguments(position, previous, fields);
	hash = pg_cryptohash_create(PG_SHA256);
	if (hash == NULL || pg_cryptohash_init(hash) < 0)
		elog(ERROR, "could not begin a hash");	/* cannot happen */
	hash_bytes_of(hash, ENTRY_TAG, sizeof(ENTRY_TAG));
	hash_bytes_of(hash, &big, sizeof(big));
	hash_bytes_of(hash, VARDATA_ANY(previous), PG_SHA256_DIGEST_LENGTH);
	hash_text(hash, kind);
	hash_fields(hash, fields);
	SET_VARSIZE(result, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	if (pg_cryptohash_final(hash, (uint8 *) VARDATA(result), PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not finish a hash: %s", pg_cryptohash_error(hash));	/* cannot happen */
	pg_cryptohash_free(hash);
	PG_RETURN_BYTEA_P(result);
}

Datum
registry_entry_hash(PG_FUNCTION_ARGS)
{
	return entry_hash(PG_GETARG_INT64(0), PG_GETARG_BYTEA_PP(1), PG_GETARG_TEXT_PP(2),
					  PG_GETARG_ARRAYTYPE_P(3));
}

/* Arguments: the hash of the entry before, or null; position; where the chain begins; kind; fields. */
Datum
registry_chain_next(PG_FUNCTION_ARGS)
{
	for (int i = 1; i < 5; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("position, kind and fields of a log entry must not be null")));
	return entry_hash(PG_GETARG_INT64(1), PG_GETARG_BYTEA_PP(PG_ARGISNULL(0) ? 2 : 0), PG_GETARG_TEXT_PP(3),
					  PG_GETARG_ARRAYTYPE_P(4));
}
