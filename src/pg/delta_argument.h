/*
 * delta_argument.h
 *	  An argument of type adapter or adapter_delta as a sum of deltas: what the
 *	  functions over deltas take, without evaluating the sum.
 *
 * An expression in delta space gives its leaves with the totals of their
 * weights; everything else (a stored value of either type, an expression in
 * parameter space, evaluated) is one leaf with weight 1.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_DELTA_ARGUMENT_H
#define PA_PG_DELTA_ARGUMENT_H

#include "pg/bridge.h"

#include "engine/delta_sum.h"

/* The leaves are opened; they stay valid as long as the bridge is open and the argument lives. */
extern void delta_argument(Bridge *bridge, Datum argument, PaDeltaSum *sum);

#endif
