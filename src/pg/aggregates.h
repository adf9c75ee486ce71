/*
 * aggregates.h
 *	  The transition functions of the aggregates of either space, on the
 *	  arguments of the SQL function that calls.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_AGGREGATES_H
#define PA_PG_AGGREGATES_H

#include "pg/bridge.h"

#include "recipe/terms.h"
#include "fmgr.h"

/* sum, avg: state, adapter; a null adapter does not count. */
extern Datum aggregate_sum_transition(PaSpace space, FunctionCallInfo fcinfo);

/* adapter_combine: state, adapter, weight; neither may be null to count. */
extern Datum aggregate_combine_transition(PaSpace space, FunctionCallInfo fcinfo);

#endif
