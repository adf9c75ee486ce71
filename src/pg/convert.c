/*
 * convert.c
 *	  Other types of PEFT as LoRA.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "engine/to_lora.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(adapter_to_lora);

/* Not strict: null says nothing of the shapes of weights. */
Datum
adapter_to_lora(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;
	const char *shapes;
	PaBuf		out;
	PaStatus	status;
	bool		same = false;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	bridge = bridge_open();
	shapes = PG_ARGISNULL(1) ? NULL : bridge_text_argument(PG_GETARG_DATUM(1));
	status = pa_to_lora(&bridge->env, datum_value(bridge, PG_GETARG_DATUM(0)), shapes, VARHDRSZ, &out, &same);
	if (status != PA_OK || !same)
		return bridge_return(bridge, status, &out);
	bridge_close(bridge);
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}
