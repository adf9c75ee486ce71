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
#include "pg/aggregates.h"

#include "pg/aggregate_state.h"

PG_FUNCTION_INFO_V1(adapter_sum_transition);
PG_FUNCTION_INFO_V1(adapter_combine_transition);
PG_FUNCTION_INFO_V1(adapter_aggregate_combine);
PG_FUNCTION_INFO_V1(adapter_aggregate_serialize);
PG_FUNCTION_INFO_V1(adapter_aggregate_deserialize);
PG_FUNCTION_INFO_V1(adapter_sum_final);
PG_FUNCTION_INFO_V1(adapter_avg_final);

/* The state of a transition function's first argument, or a new one. */
static AggregateState *
transition_state(PaSpace space, FunctionCallInfo fcinfo)
{
	MemoryContext context = aggregate_context(fcinfo);
	AggregateState *state;

	if (PG_ARGISNULL(0))
		return aggregate_state_create(space, context);
	state = aggregate_state_check(PG_GETARG_POINTER(0));
	aggregate_check_space(state, space);
	return state;
}

Datum
aggregate_sum_transition(PaSpace space, FunctionCallInfo fcinfo)
{
	AggregateState *state = transition_state(space, fcinfo);

	if (!PG_ARGISNULL(1))
		aggregate_state_add(state, PG_GETARG_DATUM(1), 1.0);
	PG_RETURN_POINTER(state);
}

/* Rows without an adapter or without a weight do not count. */
Datum
aggregate_combine_transition(PaSpace space, FunctionCallInfo fcinfo)
{
	AggregateState *state = transition_state(space, fcinfo);

	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
		aggregate_state_add(state, PG_GETARG_DATUM(1), PG_GETARG_FLOAT8(2));
	PG_RETURN_POINTER(state);
}

Datum
adapter_sum_transition(PG_FUNCTION_ARGS)
{
	return aggregate_sum_transition(PA_SPACE_PARAMETER, fcinfo);
}

Datum
adapter_combine_transition(PG_FUNCTION_ARGS)
{
	return aggregate_combine_transition(PA_SPACE_PARAMETER, fcinfo);
}

/* A state that comes from a worker lives too short to be returned: there is always one to merge into. */
Datum
adapter_aggregate_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	AggregateState *state = PG_ARGISNULL(0) ? NULL : aggregate_state_check(PG_GETARG_POINTER(0));
	AggregateState *other = PG_ARGISNULL(1) ? NULL : aggregate_state_check(PG_GETARG_POINTER(1));

	if (state == NULL && other == NULL)
		PG_RETURN_NULL();
	if (state == NULL)
		state = aggregate_state_create(other->expression.space, context);
	if (other != NULL)
		aggregate_state_merge(state, other);
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
 * The value of a state, of the space that it has; mean divides the sums of weights by the number of rows.
 * It is evaluated here: PostgreSQL 15 flattens what a final function returns,
 * later versions need not, and a digest must not depend on the version.  The
 * state is left alone: it is used again for the next window frame.
 */
static Datum
final_value(FunctionCallInfo fcinfo, bool mean)
{
	AggregateState *state;
	Bridge	   *bridge;
	Expression	means;
	const Expression *expression;
	struct varlena *result;

	aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = aggregate_state_check(PG_GETARG_POINTER(0));
	if (state->rows == 0)
		PG_RETURN_NULL();
	expression = &state->expression;
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
