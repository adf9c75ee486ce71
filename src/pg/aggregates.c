/*
 * aggregates.c
 *	  sum, avg and adapter_combine: the deferred expression of expanded.c, built
 *	  from rows.
 *
 * The state holds references and weights; nothing is decoded before the final
 * function, which evaluates the expression.  avg's weights are the exact sums
 * divided by the number of rows, rounded once, so it has one term a leaf.
 *
 * The functions are safe in parallel workers, and gain nothing there: what is
 * expensive comes after the rows have been seen.  The costs in the install
 * script say so to the planner.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/aggregate_state.h"

#include "fmgr.h"

PG_FUNCTION_INFO_V1(adapter_sum_transition);
PG_FUNCTION_INFO_V1(adapter_combine_transition);
PG_FUNCTION_INFO_V1(adapter_aggregate_combine);
PG_FUNCTION_INFO_V1(adapter_aggregate_serialize);
PG_FUNCTION_INFO_V1(adapter_aggregate_deserialize);
PG_FUNCTION_INFO_V1(adapter_sum_final);
PG_FUNCTION_INFO_V1(adapter_avg_final);

/* The state of an argument, or a new one. */
static AggregateState *
state_argument(FunctionCallInfo fcinfo, int n)
{
	MemoryContext context = aggregate_context(fcinfo);

	if (PG_ARGISNULL(n))
		return aggregate_state_create(context);
	return aggregate_state_check(PG_GETARG_POINTER(n));
}

Datum
adapter_sum_transition(PG_FUNCTION_ARGS)
{
	AggregateState *state = state_argument(fcinfo, 0);

	if (!PG_ARGISNULL(1))
		aggregate_state_add(state, PG_GETARG_DATUM(1), 1.0);
	PG_RETURN_POINTER(state);
}

/* Rows without an adapter or without a weight do not count. */
Datum
adapter_combine_transition(PG_FUNCTION_ARGS)
{
	AggregateState *state = state_argument(fcinfo, 0);

	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
		aggregate_state_add(state, PG_GETARG_DATUM(1), PG_GETARG_FLOAT8(2));
	PG_RETURN_POINTER(state);
}

Datum
adapter_aggregate_combine(PG_FUNCTION_ARGS)
{
	AggregateState *state = state_argument(fcinfo, 0);

	if (!PG_ARGISNULL(1))
		aggregate_state_merge(state, aggregate_state_check(PG_GETARG_POINTER(1)));
	PG_RETURN_POINTER(state);
}

Datum
adapter_aggregate_serialize(PG_FUNCTION_ARGS)
{
	aggregate_context(fcinfo);
	PG_RETURN_BYTEA_P(aggregate_state_serialize(aggregate_state_check(PG_GETARG_POINTER(0))));
}

Datum
adapter_aggregate_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);

	/* The result is merged into a longer-lived state at once. */
	aggregate_context(fcinfo);
	PG_RETURN_POINTER(aggregate_state_deserialize(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)));
}

/*
 * The value of a state; mean divides the sums of weights by the number of rows.
 * It is evaluated here: PostgreSQL 15 flattens what a final function returns,
 * later versions need not, and a digest must not depend on the version.  The
 * state is left alone: it is used again for the next window frame.
 */
static Datum
final_value(FunctionCallInfo fcinfo, bool mean)
{
	AggregateState *state = state_argument(fcinfo, 0);
	Bridge	   *bridge;
	Expression	means;
	const Expression *expression = &state->expression;
	struct varlena *result;

	if (state->rows == 0)
		PG_RETURN_NULL();
	bridge = bridge_open();
	if (mean)
	{
		expression_init(&means, expression->space, CurrentMemoryContext);
		expression_append_mean(bridge, &means, expression, state->rows);
		expression = &means;
	}
	result = expression_evaluate(bridge, expression);
	bridge_close(bridge);
	PG_RETURN_POINTER(result);
}

Datum
adapter_sum_final(PG_FUNCTION_ARGS)
{
	return final_value(fcinfo, false);
}

Datum
adapter_avg_final(PG_FUNCTION_ARGS)
{
	return final_value(fcinfo, true);
}
