/*
 * operators.c
 *	  + - * / and adapter_lerp: they put terms together and compute nothing.
 *	  doc/algebra.md, "Terms".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/expanded.h"

#include "fmgr.h"

PG_FUNCTION_INFO_V1(adapter_add);
PG_FUNCTION_INFO_V1(adapter_sub);
PG_FUNCTION_INFO_V1(adapter_neg);
PG_FUNCTION_INFO_V1(adapter_mul);
PG_FUNCTION_INFO_V1(adapter_mul_left);
PG_FUNCTION_INFO_V1(adapter_div);
PG_FUNCTION_INFO_V1(adapter_lerp);

typedef PaStatus (*TermsFunction) (PaEnv *env, PaTerm *terms, size_t n, double w);

/* Append an argument's terms and change them by a weight. */
static void
append_weighted(Bridge *bridge, Expression *expression, Datum argument, TermsFunction change, double w)
{
	size_t		before = expression->n_terms;

	expression_append(bridge, expression, argument);
	bridge_check(bridge, change(&bridge->env, expression->terms + before,
								expression->n_terms - before, w));
}

static Datum
weighted(Datum argument, TermsFunction change, double w)
{
	Bridge	   *bridge = bridge_open();
	ExpandedAdapter *result = expanded_create(PA_SPACE_PARAMETER);

	append_weighted(bridge, expanded_expression(result), argument, change, w);
	bridge_close(bridge);
	return expanded_datum(result);
}

static Datum
weighted_pair(Datum a, TermsFunction change_a, double w_a,
			  Datum b, TermsFunction change_b, double w_b)
{
	Bridge	   *bridge = bridge_open();
	ExpandedAdapter *result = expanded_create(PA_SPACE_PARAMETER);

	append_weighted(bridge, expanded_expression(result), a, change_a, w_a);
	append_weighted(bridge, expanded_expression(result), b, change_b, w_b);
	bridge_close(bridge);
	return expanded_datum(result);
}

Datum
adapter_add(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(weighted_pair(PG_GETARG_DATUM(0), pa_terms_multiply, 1.0,
								  PG_GETARG_DATUM(1), pa_terms_multiply, 1.0));
}

Datum
adapter_sub(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(weighted_pair(PG_GETARG_DATUM(0), pa_terms_multiply, 1.0,
								  PG_GETARG_DATUM(1), pa_terms_multiply, -1.0));
}

Datum
adapter_neg(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(weighted(PG_GETARG_DATUM(0), pa_terms_multiply, -1.0));
}

Datum
adapter_mul(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(weighted(PG_GETARG_DATUM(0), pa_terms_multiply, PG_GETARG_FLOAT8(1)));
}

Datum
adapter_mul_left(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(weighted(PG_GETARG_DATUM(1), pa_terms_multiply, PG_GETARG_FLOAT8(0)));
}

Datum
adapter_div(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(weighted(PG_GETARG_DATUM(0), pa_terms_divide, PG_GETARG_FLOAT8(1)));
}

Datum
adapter_lerp(PG_FUNCTION_ARGS)
{
	double		t = PG_GETARG_FLOAT8(2);

	PG_RETURN_DATUM(weighted_pair(PG_GETARG_DATUM(0), pa_terms_blend, 1.0 - t,
								  PG_GETARG_DATUM(1), pa_terms_blend, t));
}
