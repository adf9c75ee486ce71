/*
 * difference.c
 *	  Full fine-tuning as an adapter: tuned - base of two files of weights.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/bridge.h"

#include "engine/difference.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(adapter_difference);

Datum
adapter_difference(PG_FUNCTION_ARGS)
{
	PaText		tuned = bridge_bytes(PG_GETARG_BYTEA_PP(0));
	PaText		base = bridge_bytes(PG_GETARG_BYTEA_PP(1));
	PaText		config = bridge_long_text_argument(PG_GETARG_DATUM(2));
	const char *leave_out = PG_NARGS() > 3 ? bridge_text_argument(PG_GETARG_DATUM(3)) : NULL;
	Bridge	   *bridge = bridge_open();
	PaBuf		out;
	PaStatus	status = pa_difference_of_files(&bridge->env, tuned, base, config, leave_out, VARHDRSZ, &out);

	return bridge_return(bridge, status, &out);
}
