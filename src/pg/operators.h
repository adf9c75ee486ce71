/*
 * operators.h
 *	  The operators of either space, on the arguments of the SQL function that
 *	  calls: they put terms together and compute nothing.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_OPERATORS_H
#define PA_PG_OPERATORS_H

#include "pg/bridge.h"

#include "recipe/terms.h"
#include "fmgr.h"

extern Datum operator_add(PaSpace space, FunctionCallInfo fcinfo);	/* a + b */
extern Datum operator_sub(PaSpace space, FunctionCallInfo fcinfo);	/* a - b */
extern Datum operator_neg(PaSpace space, FunctionCallInfo fcinfo);	/* - a */
extern Datum operator_mul(PaSpace space, FunctionCallInfo fcinfo);	/* a * w */
extern Datum operator_mul_left(PaSpace space, FunctionCallInfo fcinfo); /* w * a */
extern Datum operator_div(PaSpace space, FunctionCallInfo fcinfo);	/* a / w; 22012 for 0 */
extern Datum operator_lerp(PaSpace space, FunctionCallInfo fcinfo); /* (1 - t) a + t b */

#endif
