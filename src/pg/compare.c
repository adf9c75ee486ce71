/*
 * compare.c
 *	  Equality, order and hash of adapters: those of their digests, bytewise.
 *
 * Only the header is read: one TOAST chunk of each argument.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(adapter_eq);
PG_FUNCTION_INFO_V1(adapter_ne);
PG_FUNCTION_INFO_V1(adapter_lt);
PG_FUNCTION_INFO_V1(adapter_le);
PG_FUNCTION_INFO_V1(adapter_gt);
PG_FUNCTION_INFO_V1(adapter_ge);
PG_FUNCTION_INFO_V1(adapter_cmp);
PG_FUNCTION_INFO_V1(adapter_hash);
PG_FUNCTION_INFO_V1(adapter_hash_extended);

/*
 * The headers of the first n arguments.  A sort calls its comparison in memory
 * that it keeps to the end, so this one gives back all that it takes.
 */
static void
read_headers(FunctionCallInfo fcinfo, int n, PaValueHeader *headers)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "adapter comparison",
											   ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	Bridge	   *bridge = bridge_open();

	for (int i = 0; i < n; i++)
		datum_header(bridge, PG_GETARG_DATUM(i), &headers[i]);
	bridge_close(bridge);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

static int
compare_digests(FunctionCallInfo fcinfo)
{
	PaValueHeader headers[2];

	read_headers(fcinfo, 2, headers);
	return memcmp(headers[0].digest, headers[1].digest, PA_SHA256_LENGTH);
}

Datum
adapter_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_digests(fcinfo) == 0);
}

Datum
adapter_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_digests(fcinfo) != 0);
}

Datum
adapter_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_digests(fcinfo) < 0);
}

Datum
adapter_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_digests(fcinfo) <= 0);
}

Datum
adapter_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_digests(fcinfo) > 0);
}

Datum
adapter_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_digests(fcinfo) >= 0);
}

Datum
adapter_cmp(PG_FUNCTION_ARGS)
{
	int			order = compare_digests(fcinfo);

	PG_RETURN_INT32(order < 0 ? -1 : order > 0);
}

Datum
adapter_hash(PG_FUNCTION_ARGS)
{
	PaValueHeader header;

	read_headers(fcinfo, 1, &header);
	return hash_any(header.digest, PA_SHA256_LENGTH);
}

Datum
adapter_hash_extended(PG_FUNCTION_ARGS)
{
	PaValueHeader header;

	read_headers(fcinfo, 1, &header);
	return hash_any_extended(header.digest, PA_SHA256_LENGTH, PG_GETARG_INT64(1));
}
