/*
 * aggregate_state.h
 *	  The state of the aggregates over adapters: an expression and the number of
 *	  rows, in the aggregate's context.
 *
 * A state begins with a magic number, which aggregate_state_check looks at: the
 * type "internal" says nothing of what it points to.  The serialized form goes
 * from a worker to its leader; it is checked like any other bytes (22P03).
 *
 * Stored values are held as references; what is held inline (computed operands)
 * is limited to AGGREGATE_MAX_HELD bytes a group.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_AGGREGATE_STATE_H
#define PA_PG_AGGREGATE_STATE_H

#include "pg/expanded.h"

#include "fmgr.h"

#define AGGREGATE_MAX_HELD ((Size) 512 * 1024 * 1024)

/* The context of the aggregate that calls, or an error if none does. */
extern MemoryContext aggregate_context(FunctionCallInfo fcinfo);

/* Error 54000 if more than AGGREGATE_MAX_HELD bytes of computed adapters are held. */
extern void aggregate_check_held(Size held);

typedef struct AggregateState
{
	uint64		magic;
	uint64		rows;			/* that have an adapter */
	Expression	expression;
} AggregateState;

/* No rows yet. */
extern AggregateState *aggregate_state_create(PaSpace space, MemoryContext context);

/* p, or error 22023 unless it is such a state. */
extern AggregateState *aggregate_state_check(void *p);

/* An error unless the state is of an aggregate of this space. */
extern void aggregate_check_space(const AggregateState *state, PaSpace space);

/* One row: the argument's terms times weight. */
extern void aggregate_state_add(AggregateState *state, Datum argument, double weight);

/* Another worker's rows; error 22023 unless it is of the same space. */
extern void aggregate_state_merge(AggregateState *state, const AggregateState *other);

/*
 * In the current context; inline values are copied, references to TOAST are not
 * followed.
 */
extern bytea *aggregate_state_serialize(const AggregateState *state);

/* In the current context; references point into fresh memory. */
extern AggregateState *aggregate_state_deserialize(const char *bytes, Size length);

#endif
