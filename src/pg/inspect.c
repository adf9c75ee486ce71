/*
 * inspect.c
 *	  Looking into a value: what it is, its modules, one tensor, one delta.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "adapter/kind.h"
#include "catalog/pg_type.h"
#include "engine/delta.h"
#include "engine/inspect.h"
#include "fmgr.h"
#include "funcapi.h"
#include "pg/digest.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(adapter_kind);
PG_FUNCTION_INFO_V1(adapter_peft_type);
PG_FUNCTION_INFO_V1(adapter_base_model);
PG_FUNCTION_INFO_V1(adapter_rank);
PG_FUNCTION_INFO_V1(adapter_digest);
PG_FUNCTION_INFO_V1(adapter_envelope_digest);
PG_FUNCTION_INFO_V1(adapter_raw_size);
PG_FUNCTION_INFO_V1(adapter_recipe);
PG_FUNCTION_INFO_V1(adapter_check);
PG_FUNCTION_INFO_V1(adapter_modules);
PG_FUNCTION_INFO_V1(adapter_tensor);
PG_FUNCTION_INFO_V1(adapter_module_delta);

static text *
text_of(const char *utf8)
{
	return cstring_to_text(bridge_to_server(utf8, strlen(utf8)));
}

static PaValueHeader
header_argument(FunctionCallInfo fcinfo)
{
	PaValueHeader header;
	Bridge	   *bridge = bridge_open();

	datum_header(bridge, PG_GETARG_DATUM(0), &header);
	bridge_close(bridge);
	return header;
}

Datum
adapter_kind(PG_FUNCTION_ARGS)
{
	PaValueHeader header = header_argument(fcinfo);

	PG_RETURN_TEXT_P(cstring_to_text(pa_kind_name(header.kind)));
}

Datum
adapter_digest(PG_FUNCTION_ARGS)
{
	PaValueHeader header = header_argument(fcinfo);

	PG_RETURN_DATUM(digest_datum(header.digest));
}

Datum
adapter_envelope_digest(PG_FUNCTION_ARGS)
{
	PaValueHeader header = header_argument(fcinfo);

	PG_RETURN_DATUM(digest_datum(header.envelope_digest));
}

Datum
adapter_raw_size(PG_FUNCTION_ARGS)
{
	PaValueHeader header = header_argument(fcinfo);

	PG_RETURN_INT64((int64) header.raw_bytes);
}

Datum
adapter_peft_type(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	text	   *result = text_of(pa_peft_type(pa_value_adapter(datum_value(bridge, PG_GETARG_DATUM(0)))));

	bridge_close(bridge);
	PG_RETURN_TEXT_P(result);
}

Datum
adapter_base_model(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	const PaAdapter *adapter = pa_value_adapter(datum_value(bridge, PG_GETARG_DATUM(0)));
	text	   *result = adapter->base_model != NULL ? text_of(adapter->base_model) : NULL;

	bridge_close(bridge);
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}

/* Not strict: a null module asks for the largest rank. */
Datum
adapter_rank(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;
	const char *module = NULL;
	uint64_t	rank;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1))
		module = bridge_text_argument(PG_GETARG_DATUM(1));
	bridge = bridge_open();
	bridge_check(bridge,
				 pa_inspect_rank(&bridge->env, datum_value(bridge, PG_GETARG_DATUM(0)), module, &rank));
	bridge_close(bridge);
	if (rank == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32((int32) rank);
}

Datum
adapter_recipe(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaText		recipe;
	char	   *copy;

	bridge_check(bridge,
				 pa_value_document(&bridge->env, datum_value(bridge, PG_GETARG_DATUM(0)), PA_DOCUMENT_RECIPE,
								   &recipe));
	copy = bridge_to_server(pnstrdup(recipe.text, recipe.length), recipe.length);
	bridge_close(bridge);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(copy));
}

Datum
adapter_check(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();

	bridge_check(bridge, pa_value_check(&bridge->env, datum_value(bridge, PG_GETARG_DATUM(0))));
	bridge_close(bridge);
	PG_RETURN_BOOL(true);
}

static Datum
shape_array(const PaTensor *tensor)
{
	Datum		elements[PA_MAX_NDIM];

	for (int i = 0; i < tensor->ndim; i++)
		elements[i] = Int64GetDatum((int64) tensor->shape[i]);
	return PointerGetDatum(
		construct_array(elements, tensor->ndim, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

#define MODULES_COLUMNS 10

static void
modules_row(ReturnSetInfo *result, Bridge *bridge, PaValue *value, uint32_t i)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	const PaTensor *tensor = &adapter->tensors[i];
	const PaModule *module = &adapter->modules[tensor->module];
	Datum		values[MODULES_COLUMNS];
	bool		nulls[MODULES_COLUMNS] = {false};
	double		norm = 0;

	nulls[8] = !pa_dtype_is_arithmetic(tensor->dtype);
	if (!nulls[8])
		bridge_check(bridge, pa_inspect_norm(&bridge->env, value, i, &norm));
	nulls[5] = pa_delta_form(adapter) != PA_DELTA_PRODUCT || (module->flags & PA_MODULE_TARGET) == 0;
	values[0] = PointerGetDatum(text_of(module->path));
	values[1] = PointerGetDatum(cstring_to_text(pa_role_name(tensor->role)));
	values[2] = PointerGetDatum(text_of(tensor->name));
	values[3] = PointerGetDatum(cstring_to_text(pa_dtype_name(tensor->dtype)));
	values[4] = shape_array(tensor);
	values[5] = Float8GetDatum(module->scaling);
	values[6] = Int64GetDatum((int64) tensor->bytes);
	values[7] = Int64GetDatum((int64) pa_value_stored_bytes(value, i));
	values[8] = Float8GetDatum(norm);
	values[9] = digest_datum(tensor->sha256);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
adapter_modules(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;
	PaValue    *value;

	InitMaterializedSRF(fcinfo, 0);
	bridge = bridge_open();
	value = datum_value(bridge, PG_GETARG_DATUM(0));
	for (uint32_t i = 0; i < pa_value_adapter(value)->n_tensors; i++)
		modules_row((ReturnSetInfo *) fcinfo->resultinfo, bridge, value, i);
	bridge_close(bridge);
	return (Datum) 0;
}

/*
 * An array of doubles in this shape to be filled; flat if the shape has no or
 * more dimensions than an array can have.
 */
static ArrayType *
make_array(int ndim, const uint64_t *shape, uint64_t elements)
{
	Size		header;
	ArrayType  *array;
	bool		flat = ndim < 1 || ndim > MAXDIM;
	int			n = flat ? 1 : ndim;

	if (elements == 0)
		return construct_empty_array(FLOAT8OID);
	header = ARR_OVERHEAD_NONULLS(n);
	array = palloc0(header + elements * sizeof(double));
	SET_VARSIZE(array, header + elements * sizeof(double));
	array->ndim = n;
	array->elemtype = FLOAT8OID;
	for (int i = 0; i < n; i++)
	{
		ARR_DIMS(array)[i] = (int) (flat ? elements : shape[i]);
		ARR_LBOUND(array)[i] = 1;
	}
	return array;
}

Datum
adapter_tensor(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaValue    *value = datum_value(bridge, PG_GETARG_DATUM(0));
	const PaTensor *tensor;
	ArrayType  *array;

	bridge_check(bridge,
				 pa_inspect_measure(&bridge->env, value, bridge_text_argument(PG_GETARG_DATUM(1)), &tensor));
	array = make_array(tensor->ndim, tensor->shape, tensor->elements);
	if (tensor->elements > 0)
		bridge_check(bridge, pa_inspect_read(&bridge->env, value, tensor, (double *) ARR_DATA_PTR(array)));
	bridge_close(bridge);
	PG_RETURN_ARRAYTYPE_P(array);
}

Datum
adapter_module_delta(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaValue    *value = datum_value(bridge, PG_GETARG_DATUM(0));
	bool		fan_in_fan_out = PG_NARGS() > 2 && PG_GETARG_BOOL(2);
	PaDelta		delta;
	ArrayType  *array;

	bridge_check(bridge,
				 pa_delta_measure(&bridge->env, value, bridge_text_argument(PG_GETARG_DATUM(1)),
								  PG_NARGS() > 2 ? &fan_in_fan_out : NULL, &delta));
	array = make_array(delta.ndim, delta.shape, delta.elements);
	if (delta.elements > 0)
		bridge_check(bridge, pa_delta_read(&bridge->env, value, &delta, (double *) ARR_DATA_PTR(array)));
	bridge_close(bridge);
	PG_RETURN_ARRAYTYPE_P(array);
}
