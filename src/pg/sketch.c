/*
 * sketch.c
 *	  adapter_sketch: a delta as a few numbers that an index of vectors can take.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/delta_argument.h"

#include "catalog/pg_type.h"
#include "engine/sketch.h"
#include "fmgr.h"
#include "utils/array.h"

PG_FUNCTION_INFO_V1(adapter_sketch);

Datum
adapter_sketch(PG_FUNCTION_ARGS)
{
	int			dims = PG_GETARG_INT32(1);
	Bridge	   *bridge = bridge_open();
	PaDeltaSum	sum;
	float	   *numbers;
	Datum	   *elements;
	ArrayType  *result;

	delta_argument(bridge, PG_GETARG_DATUM(0), &sum);
	bridge_check(bridge, pa_sketch_of_sum(&bridge->env, &sum, dims, PG_GETARG_INT64(2), &numbers));
	elements = palloc(sizeof(Datum) * dims);
	for (int i = 0; i < dims; i++)
		elements[i] = Float4GetDatum(numbers[i]);
	bridge_close(bridge);
	result = construct_array(elements, dims, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT);
	PG_RETURN_ARRAYTYPE_P(result);
}
