/*
 * delta_argument.c
 *	  Arguments as sums of deltas.  See delta_argument.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/delta_argument.h"

#include "pg/datum.h"
#include "pg/expanded.h"

static void
sum_of_expression(Bridge *bridge, const Expression *expression, PaDeltaSum *sum)
{
	double	   *unused = palloc(sizeof(double) * (expression->n_leaves + 1));

	sum->n = expression->n_leaves;
	sum->values = expression_open_leaves(bridge, expression);
	sum->weights = palloc(sizeof(double) * (expression->n_leaves + 1));
	bridge_check(bridge,
				 pa_terms_total(&bridge->env, expression->terms, expression->n_terms, expression->n_leaves,
								unused, sum->weights));
	pfree(unused);
}

void
delta_argument(Bridge *bridge, Datum argument, PaDeltaSum *sum)
{
	const Expression *expression = expanded_expression_of(argument, PA_SPACE_DELTA);

	if (expression != NULL)
	{
		sum_of_expression(bridge, expression, sum);
		return;
	}
	sum->n = 1;
	sum->values = palloc(sizeof(PaValue *));
	sum->weights = palloc(sizeof(double));
	sum->values[0] = datum_value(bridge, argument);
	sum->weights[0] = 1;
}
