/*
 * merge.c
 *	  adapter_magnitude_prune, adapter_ties, adapter_dare_linear and
 *	  adapter_dare_ties.  Elements of type adapter_delta are taken as their
 *	  adapters: both types have one stored form.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "engine/merge.h"
#include "fmgr.h"
#include "pg/arrays.h"

PG_FUNCTION_INFO_V1(adapter_magnitude_prune);
PG_FUNCTION_INFO_V1(adapter_ties);
PG_FUNCTION_INFO_V1(adapter_dare_linear);
PG_FUNCTION_INFO_V1(adapter_dare_ties);

static double *
weights_argument(FunctionCallInfo fcinfo, int n_adapters)
{
	int			n;
	Datum	   *elements = array_elements_not_null(PG_GETARG_ARRAYTYPE_P(1), "weights must not contain nulls",
												   NULL, &n);
	double	   *weights = palloc(sizeof(double) * (n + 1));

	if (n != n_adapters)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("adapters and weights differ in number: %d and %d", n_adapters, n)));
	for (int i = 0; i < n; i++)
		weights[i] = DatumGetFloat8(elements[i]);
	return weights;
}

static Datum
merge(FunctionCallInfo fcinfo, const PaMergeArguments *arguments)
{
	int			n;
	Datum	   *elements = array_elements_not_null(PG_GETARG_ARRAYTYPE_P(0), "adapters must not contain nulls",
												   NULL, &n);
	double	   *weights = weights_argument(fcinfo, n);
	Bridge	   *bridge = bridge_open();
	PaValue   **values = palloc(sizeof(PaValue *) * (n + 1));
	PaBuf		out;
	PaStatus	status;

	for (int i = 0; i < n; i++)
		values[i] = datum_value_of(bridge, elements[i], n);
	status = pa_merge_values(&bridge->env, (uint32_t) n, values, weights, arguments, VARHDRSZ, &out);
	return bridge_return(bridge, status, &out);
}

Datum
adapter_magnitude_prune(PG_FUNCTION_ARGS)
{
	return merge(fcinfo,
				 &(PaMergeArguments) {
					 .method = PA_MERGE_MAGNITUDE_PRUNE,
					 .density = PG_GETARG_FLOAT8(2),
					 .flavour = bridge_text_argument(PG_GETARG_DATUM(3)),
				 });
}

Datum
adapter_ties(PG_FUNCTION_ARGS)
{
	return merge(fcinfo,
				 &(PaMergeArguments) {
					 .method = PA_MERGE_TIES,
					 .density = PG_GETARG_FLOAT8(2),
					 .flavour = bridge_text_argument(PG_GETARG_DATUM(3)),
					 .majority_sign = bridge_text_argument(PG_GETARG_DATUM(4)),
				 });
}

Datum
adapter_dare_linear(PG_FUNCTION_ARGS)
{
	return merge(fcinfo,
				 &(PaMergeArguments) {
					 .method = PA_MERGE_DARE_LINEAR,
					 .density = PG_GETARG_FLOAT8(2),
					 .seed = PG_GETARG_INT64(3),
					 .flavour = bridge_text_argument(PG_GETARG_DATUM(4)),
				 });
}

Datum
adapter_dare_ties(PG_FUNCTION_ARGS)
{
	return merge(fcinfo,
				 &(PaMergeArguments) {
					 .method = PA_MERGE_DARE_TIES,
					 .density = PG_GETARG_FLOAT8(2),
					 .seed = PG_GETARG_INT64(3),
					 .flavour = bridge_text_argument(PG_GETARG_DATUM(4)),
					 .majority_sign = bridge_text_argument(PG_GETARG_DATUM(5)),
				 });
}
