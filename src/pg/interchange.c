/*
 * interchange.c
 *	  PEFT files and the readable form, in and out.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "engine/export.h"
#include "engine/import.h"
#include "engine/json_form.h"
#include "fmgr.h"
#include "funcapi.h"
#include "pg/parts.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(adapter_from_safetensors);
PG_FUNCTION_INFO_V1(adapter_to_safetensors);
PG_FUNCTION_INFO_V1(adapter_config);
PG_FUNCTION_INFO_V1(adapter_import_split);
PG_FUNCTION_INFO_V1(adapter_from_json);
PG_FUNCTION_INFO_V1(adapter_to_json);

/* An optional json argument; without text if it is null. */
static PaText
config_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? pa_text_of(NULL) : bridge_long_text_argument(PG_GETARG_DATUM(n));
}

/* UTF-8 as a text or json datum. */
static Datum
text_result(PaText utf8)
{
	char	   *s = bridge_to_server(utf8.text, utf8.length);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(s, (int) (s == utf8.text ? utf8.length : strlen(s))));
}

Datum
adapter_from_safetensors(PG_FUNCTION_ARGS)
{
	PaText		file;
	PaText		config;
	Bridge	   *bridge;
	PaBuf		out;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	file = bridge_bytes(PG_GETARG_BYTEA_PP(0));
	config = config_argument(fcinfo, 1);
	bridge = bridge_open();
	return bridge_return(bridge, pa_import_file(&bridge->env, file, config, false, VARHDRSZ, &out), &out);
}

Datum
adapter_to_safetensors(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaValue    *value = datum_value(bridge, PG_GETARG_DATUM(0));
	PaBuf		out;

	return bridge_return(bridge, pa_export_value(&bridge->env, value, PA_EXPORT_FILE, VARHDRSZ, &out), &out);
}

Datum
adapter_config(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaText		config;
	Datum		result;

	bridge_check(bridge,
				 pa_value_document(&bridge->env, datum_value(bridge, PG_GETARG_DATUM(0)), PA_DOCUMENT_CONFIG,
								   &config));
	result = text_result(config);
	bridge_close(bridge);
	return result;
}

Datum
adapter_import_split(PG_FUNCTION_ARGS)
{
	PaText		file;
	PaText		config;
	Bridge	   *bridge;
	PaSplit    *split;
	uint32_t	n;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		return (Datum) 0;
	file = bridge_bytes(PG_GETARG_BYTEA_PP(0));
	config = config_argument(fcinfo, 1);
	bridge = bridge_open();
	bridge_check(bridge,
				 pa_split_file(&bridge->env, file, config, parts_max_bytes(PG_GETARG_INT64(2)), &split, &n));
	parts_return(fcinfo, bridge, split, n);
	bridge_close(bridge);
	return (Datum) 0;
}

Datum
adapter_from_json(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaText		json = bridge_long_text_argument(PG_GETARG_DATUM(0));
	PaBuf		out;

	return bridge_return(bridge, pa_json_form_import(&bridge->env, json, VARHDRSZ, &out), &out);
}

Datum
adapter_to_json(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaBuf		out;
	Datum		result;

	bridge_check(bridge, pa_buf_init(&bridge->env, &out, 0, 1024));
	bridge_check(bridge, pa_json_form_export(&bridge->env, datum_value(bridge, PG_GETARG_DATUM(0)), &out));
	result = text_result(pa_text(out.data, out.length));
	pa_buf_release(&out);
	bridge_close(bridge);
	return result;
}
