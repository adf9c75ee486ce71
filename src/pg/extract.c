/*
 * extract.c
 *	  LoRA out of what full fine-tuning has done.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "engine/extract.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(adapter_extract);
PG_FUNCTION_INFO_V1(adapter_extract_int2);
PG_FUNCTION_INFO_V1(adapter_extract_int8);
PG_FUNCTION_INFO_V1(adapter_extract_energy);

/* Not strict: null for embeddings means the usual names. */
static bool
lacks_argument(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(4);
}

static Datum
extract(FunctionCallInfo fcinfo, Bridge *bridge, PaKeep keep)
{
	PaExtractArguments arguments = {
		.keep = keep,
		.drop_others = PG_GETARG_BOOL(2),
		.embeddings = PG_ARGISNULL(3) ? NULL : bridge_text_argument(PG_GETARG_DATUM(3)),
		.fan_in_fan_out = PG_GETARG_BOOL(4),
	};
	PaValue    *value = datum_value(bridge, PG_GETARG_DATUM(0));
	PaBuf		out;

	return bridge_return(bridge, pa_extract(&bridge->env, value, &arguments, VARHDRSZ, &out), &out);
}

/* Every type of whole numbers is a rank, as in lowrank.c. */
static Datum
extract_rank(FunctionCallInfo fcinfo, int64 rank)
{
	Bridge	   *bridge = bridge_open();
	PaKeep		keep;

	bridge_check(bridge, pa_lowrank_keep_rank(&bridge->env, rank, &keep));
	return extract(fcinfo, bridge, keep);
}

Datum
adapter_extract(PG_FUNCTION_ARGS)
{
	if (lacks_argument(fcinfo))
		PG_RETURN_NULL();
	return extract_rank(fcinfo, PG_GETARG_INT32(1));
}

Datum
adapter_extract_int2(PG_FUNCTION_ARGS)
{
	if (lacks_argument(fcinfo))
		PG_RETURN_NULL();
	return extract_rank(fcinfo, PG_GETARG_INT16(1));
}

Datum
adapter_extract_int8(PG_FUNCTION_ARGS)
{
	if (lacks_argument(fcinfo))
		PG_RETURN_NULL();
	return extract_rank(fcinfo, PG_GETARG_INT64(1));
}

Datum
adapter_extract_energy(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;
	PaKeep		keep;

	if (lacks_argument(fcinfo))
		PG_RETURN_NULL();
	bridge = bridge_open();
	bridge_check(bridge, pa_lowrank_keep_energy(&bridge->env, PG_GETARG_FLOAT8(1), &keep));
	return extract(fcinfo, bridge, keep);
}
