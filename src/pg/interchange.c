/*
 * interchange.c
 *	  PEFT files and the readable form, in and out.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "engine/engine.h"
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

/* An optional json argument as UTF-8; NULL if it is null. */
static const char *
config_argument(FunctionCallInfo fcinfo, int n, size_t *length)
{
	*length = 0;
	if (PG_ARGISNULL(n))
		return NULL;
	return bridge_long_text_argument(PG_GETARG_DATUM(n), length);
}

/* UTF-8 as a text or json datum. */
static Datum
text_result(const char *utf8, size_t length)
{
	char	   *s = bridge_to_server(utf8, length);

	if (s != utf8)
		length = strlen(s);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(s, (int) length));
}

Datum
adapter_from_safetensors(PG_FUNCTION_ARGS)
{
	bytea	   *file;
	const char *config;
	size_t		config_length;
	Bridge	   *bridge;
	PaBuf		out;
	struct varlena *result;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	file = PG_GETARG_BYTEA_PP(0);
	config = config_argument(fcinfo, 1, &config_length);
	bridge = bridge_open();
	bridge_check(bridge, pa_engine_import(&bridge->env, VARDATA_ANY(file), VARSIZE_ANY_EXHDR(file),
										  config, config_length, false, VARHDRSZ, &out));
	result = bridge_varlena(bridge, &out);
	bridge_close(bridge);
	PG_RETURN_POINTER(result);
}

Datum
adapter_to_safetensors(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaExport   *export;
	uint64_t	size;
	PaBuf		out;
	struct varlena *result;

	bridge_check(bridge, pa_engine_export(&bridge->env, datum_value(bridge, PG_GETARG_DATUM(0)),
										  PA_EXPORT_FILE, &export, &size));
	bridge_check(bridge, pa_buf_init(&bridge->env, &out, VARHDRSZ, VARHDRSZ + size));
	bridge_check(bridge, pa_engine_export_write(&bridge->env, export, &out));
	result = bridge_varlena(bridge, &out);
	bridge_close(bridge);
	PG_RETURN_POINTER(result);
}

Datum
adapter_config(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	const char *config;
	size_t		length;
	Datum		result;

	bridge_check(bridge, pa_value_document(&bridge->env, datum_value(bridge, PG_GETARG_DATUM(0)),
										   PA_DOCUMENT_CONFIG, &config, &length));
	result = text_result(config, length);
	bridge_close(bridge);
	return result;
}

Datum
adapter_import_split(PG_FUNCTION_ARGS)
{
	bytea	   *file;
	const char *config;
	size_t		config_length;
	Bridge	   *bridge;
	PaSplit    *split;
	uint32_t	n;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		return (Datum) 0;
	file = PG_GETARG_BYTEA_PP(0);
	config = config_argument(fcinfo, 1, &config_length);
	bridge = bridge_open();
	bridge_check(bridge, pa_engine_import_split(&bridge->env, VARDATA_ANY(file), VARSIZE_ANY_EXHDR(file),
												config, config_length,
												parts_max_bytes(PG_GETARG_INT64(2)), &split, &n));
	parts_return(fcinfo, bridge, split, n);
	bridge_close(bridge);
	return (Datum) 0;
}

Datum
adapter_from_json(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	size_t		length;
	const char *json = config_argument(fcinfo, 0, &length);
	PaBuf		out;
	struct varlena *result;

	bridge_check(bridge, pa_engine_import_json(&bridge->env, json, length, VARHDRSZ, &out));
	result = bridge_varlena(bridge, &out);
	bridge_close(bridge);
	PG_RETURN_POINTER(result);
}

Datum
adapter_to_json(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaBuf		out;
	Datum		result;

	bridge_check(bridge, pa_buf_init(&bridge->env, &out, 0, 1024));
	bridge_check(bridge, pa_engine_export_json(&bridge->env,
											   datum_value(bridge, PG_GETARG_DATUM(0)), &out));
	result = text_result((const char *) out.data, out.length);
	pa_buf_release(&out);
	bridge_close(bridge);
	return result;
}
