/*
 * state.c
 *	  Test module: a serialization function that damages what ours returns, as
 *	  the setting peftarith_test.damage says: "flip OFFSET BITS" or "cut LENGTH".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(damaged_serialize);

Datum damaged_serialize(PG_FUNCTION_ARGS);

Datum
damaged_serialize(PG_FUNCTION_ARGS)
{
	PGFunction	serialize = (PGFunction) load_external_function("peftarith", "adapter_aggregate_serialize",
																true, NULL);
	bytea	   *state = DatumGetByteaP(serialize(fcinfo));
	const char *damage = GetConfigOption("peftarith_test.damage", true, false);
	unsigned	a;
	unsigned	b;

	if (damage != NULL && sscanf(damage, "flip %u %u", &a, &b) == 2)
	{
		if (a < VARSIZE(state) - VARHDRSZ)
			VARDATA(state)[a] ^= (char) b;
	}
	else if (damage != NULL && sscanf(damage, "cut %u", &a) == 1)
		SET_VARSIZE(state, Min(VARSIZE(state), VARHDRSZ + a));
	PG_RETURN_BYTEA_P(state);
}
