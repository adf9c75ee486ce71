/*
 * delta.c
 *	  The type adapter_delta: the algebra of the deltas.  doc/algebra.md, "Delta
 *	  space".
 *
 * The stored form is that of adapter, so input, output, comparison and what
 * comes after an aggregate's rows are shared.  What differs is the space of the
 * expressions that operators and aggregates make.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/expanded.h"

#include "fmgr.h"
#include "pg/aggregates.h"
#include "pg/operators.h"

PG_FUNCTION_INFO_V1(adapter_delta_cast);
PG_FUNCTION_INFO_V1(adapter_delta_add);
PG_FUNCTION_INFO_V1(adapter_delta_sub);
PG_FUNCTION_INFO_V1(adapter_delta_neg);
PG_FUNCTION_INFO_V1(adapter_delta_mul);
PG_FUNCTION_INFO_V1(adapter_delta_mul_left);
PG_FUNCTION_INFO_V1(adapter_delta_div);
PG_FUNCTION_INFO_V1(adapter_delta_lerp);
PG_FUNCTION_INFO_V1(adapter_delta_sum_transition);
PG_FUNCTION_INFO_V1(adapter_delta_combine_transition);

/*
 * Both casts: a flat value is the same in both types, whatever its form; an
 * expression is evaluated, because neither algebra is linear in the other's
 * weights.
 */
Datum
adapter_delta_cast(PG_FUNCTION_ARGS)
{
	Datum		argument = PG_GETARG_DATUM(0);

	if (VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(argument)))
		PG_RETURN_POINTER(expanded_evaluate(DatumGetEOHP(argument)));
	PG_RETURN_DATUM(argument);
}

Datum
adapter_delta_add(PG_FUNCTION_ARGS)
{
	return operator_add(PA_SPACE_DELTA, fcinfo);
}

Datum
adapter_delta_sub(PG_FUNCTION_ARGS)
{
	return operator_sub(PA_SPACE_DELTA, fcinfo);
}

Datum
adapter_delta_neg(PG_FUNCTION_ARGS)
{
	return operator_neg(PA_SPACE_DELTA, fcinfo);
}

Datum
adapter_delta_mul(PG_FUNCTION_ARGS)
{
	return operator_mul(PA_SPACE_DELTA, fcinfo);
}

Datum
adapter_delta_mul_left(PG_FUNCTION_ARGS)
{
	return operator_mul_left(PA_SPACE_DELTA, fcinfo);
}

Datum
adapter_delta_div(PG_FUNCTION_ARGS)
{
	return operator_div(PA_SPACE_DELTA, fcinfo);
}

Datum
adapter_delta_lerp(PG_FUNCTION_ARGS)
{
	return operator_lerp(PA_SPACE_DELTA, fcinfo);
}

Datum
adapter_delta_sum_transition(PG_FUNCTION_ARGS)
{
	return aggregate_sum_transition(PA_SPACE_DELTA, fcinfo);
}

Datum
adapter_delta_combine_transition(PG_FUNCTION_ARGS)
{
	return aggregate_combine_transition(PA_SPACE_DELTA, fcinfo);
}
