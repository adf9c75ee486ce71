/*
 * difference.c
 *	  Full fine-tuning as an adapter: tuned - base of two files of weights.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "engine/engine.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(adapter_difference);

static PaEngineFile
file_of(const bytea *file)
{
	return (PaEngineFile) {VARDATA_ANY(file), VARSIZE_ANY_EXHDR(file)};
}

Datum
adapter_difference(PG_FUNCTION_ARGS)
{
	PaEngineFile tuned = file_of(PG_GETARG_BYTEA_PP(0));
	PaEngineFile base = file_of(PG_GETARG_BYTEA_PP(1));
	size_t		length;
	const char *config = bridge_long_text_argument(PG_GETARG_DATUM(2), &length);
	Bridge	   *bridge = bridge_open();
	PaBuf		out;
	struct varlena *result;

	bridge_check(bridge, pa_engine_difference(&bridge->env, &tuned, &base, config, length, VARHDRSZ, &out));
	result = bridge_varlena(bridge, &out);
	bridge_close(bridge);
	PG_RETURN_POINTER(result);
}
