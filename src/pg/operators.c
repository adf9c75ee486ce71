/*
 * operators.c
 *	  + - * / and adapter_lerp: they put terms together and compute nothing.
 *	  doc/algebra.md, "Terms".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/operators.h"

#include "pg/expanded.h"

PG_FUNCTION_INFO_V1(adapter_add);
PG_FUNCTION_INFO_V1(adapter_sub);
PG_FUNCTION_INFO_V1(adapter_neg);
PG_FUNCTION_INFO_V1(adapter_mul);
PG_FUNCTION_INFO_V1(adapter_mul_left);
PG_FUNCTION_INFO_V1(adapter_div);
PG_FUNCTION_INFO_V1(adapter_lerp);

typedef PaStatus (*TermsFunction)(PaEnv *env, PaTerm *terms, size_t n, double w);

/* Append an argument's terms and change them by a weight. */
static void
append_weighted(Bridge *bridge, Expression *expression, Datum argument, TermsFunction change, double w)
{
	size_t		before = expression->n_terms;

	expression_append(bridge, expression, argument);
	bridge_check(bridge, change(&bridge->env, expression->terms + before, expression->n_terms - before, w));
}

static Datum
weighted(PaSpace space, Datum argument, TermsFunction change, double w)
{
	Bridge	   *bridge = bridge_open();
	ExpandedAdapter *result = expanded_create(space);

	append_weighted(bridge, expanded_expression(result), argument, change, w);
	bridge_close(bridge);
	return expanded_datum(result);
}

static Datum
weighted_pair(PaSpace space, FunctionCallInfo fcinfo, TermsFunction change, double w_a, double w_b)
{
	Bridge	   *bridge = bridge_open();
	ExpandedAdapter *result = expanded_create(space);

	append_weighted(bridge, expanded_expression(result), PG_GETARG_DATUM(0), change, w_a);
	append_weighted(bridge, expanded_expression(result), PG_GETARG_DATUM(1), change, w_b);
	bridge_close(bridge);
	return expanded_datum(result);
}

Datum
operator_add(PaSpace space, FunctionCallInfo fcinfo)
{
	return weighted_pair(space, fcinfo, pa_terms_multiply, 1.0, 1.0);
}

Datum
operator_sub(PaSpace space, FunctionCallInfo fcinfo)
{
	return weighted_pair(space, fcinfo, pa_terms_multiply, 1.0, -1.0);
}

Datum
operator_neg(PaSpace space, FunctionCallInfo fcinfo)
{
	return weighted(space, PG_GETARG_DATUM(0), pa_terms_multiply, -1.0);
}

Datum
operator_mul(PaSpace space, FunctionCallInfo fcinfo)
{
	return weighted(space, PG_GETARG_DATUM(0), pa_terms_multiply, PG_GETARG_FLOAT8(1));
}

Datum
operator_mul_left(PaSpace space, FunctionCallInfo fcinfo)
{
	return weighted(space, PG_GETARG_DATUM(1), pa_terms_multiply, PG_GETARG_FLOAT8(0));
}

Datum
operator_div(PaSpace space, FunctionCallInfo fcinfo)
{
	return weighted(space, PG_GETARG_DATUM(0), pa_terms_divide, PG_GETARG_FLOAT8(1));
}

Datum
operator_lerp(PaSpace space, FunctionCallInfo fcinfo)
{
	double		t = PG_GETARG_FLOAT8(2);

	return weighted_pair(space, fcinfo, pa_terms_blend, 1.0 - t, t);
}

Datum
adapter_add(PG_FUNCTION_ARGS)
{
	return operator_add(PA_SPACE_PARAMETER, fcinfo);
}

Datum
adapter_sub(PG_FUNCTION_ARGS)
{
	return operator_sub(PA_SPACE_PARAMETER, fcinfo);
}

Datum
adapter_neg(PG_FUNCTION_ARGS)
{
	return operator_neg(PA_SPACE_PARAMETER, fcinfo);
}

Datum
adapter_mul(PG_FUNCTION_ARGS)
{
	return operator_mul(PA_SPACE_PARAMETER, fcinfo);
}

Datum
adapter_mul_left(PG_FUNCTION_ARGS)
{
	return operator_mul_left(PA_SPACE_PARAMETER, fcinfo);
}

Datum
adapter_div(PG_FUNCTION_ARGS)
{
	return operator_div(PA_SPACE_PARAMETER, fcinfo);
}

Datum
adapter_lerp(PG_FUNCTION_ARGS)
{
	return operator_lerp(PA_SPACE_PARAMETER, fcinfo);
}
