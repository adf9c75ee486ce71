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

PG_FUNCTION_INFO_V1(adapter_eq);
PG_FUNCTION_INFO_V1(adapter_ne);
PG_FUNCTION_INFO_V1(adapter_lt);
PG_FUNCTION_INFO_V1(adapter_le);
PG_FUNCTION_INFO_V1(adapter_gt);
PG_FUNCTION_INFO_V1(adapter_ge);
PG_FUNCTION_INFO_V1(adapter_cmp);
PG_FUNCTION_INFO_V1(adapter_hash);
PG_FUNCTION_INFO_V1(adapter_hash_extended);

static int
compare_digests(FunctionCallInfo fcinfo)
{
	PaValueHeader a;
	PaValueHeader b;
	Bridge	   *bridge = bridge_open();

	datum_header(bridge, PG_GETARG_DATUM(0), &a);
	datum_header(bridge, PG_GETARG_DATUM(1), &b);
	bridge_close(bridge);
	return memcmp(a.digest, b.digest, PA_SHA256_LENGTH);
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
	Bridge	   *bridge = bridge_open();

	datum_header(bridge, PG_GETARG_DATUM(0), &header);
	bridge_close(bridge);
	return hash_any(header.digest, PA_SHA256_LENGTH);
}

Datum
adapter_hash_extended(PG_FUNCTION_ARGS)
{
	PaValueHeader header;
	Bridge	   *bridge = bridge_open();

	datum_header(bridge, PG_GETARG_DATUM(0), &header);
	bridge_close(bridge);
	return hash_any_extended(header.digest, PA_SHA256_LENGTH, PG_GETARG_INT64(1));
}
