/*
 * transform.c
 *	  Functions from one adapter to another: scale, cast, select, rename,
 *	  set_base_model, split; and the aggregate that puts parts together again.
 *	  Each evaluates its argument and is a recipe node of its own.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "adapter/role.h"
#include "engine/transform.h"
#include "engine/union.h"
#include "fmgr.h"
#include "funcapi.h"
#include "pg/aggregate_state.h"
#include "pg/parts.h"

PG_FUNCTION_INFO_V1(adapter_scale);
PG_FUNCTION_INFO_V1(adapter_cast);
PG_FUNCTION_INFO_V1(adapter_plain);
PG_FUNCTION_INFO_V1(adapter_select);
PG_FUNCTION_INFO_V1(adapter_rename);
PG_FUNCTION_INFO_V1(adapter_select_tensors);
PG_FUNCTION_INFO_V1(adapter_drop_dense);
PG_FUNCTION_INFO_V1(adapter_set_base_model);
PG_FUNCTION_INFO_V1(adapter_split);
PG_FUNCTION_INFO_V1(adapter_union_transition);
PG_FUNCTION_INFO_V1(adapter_union_final);

Datum
adapter_scale(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaValue    *value = datum_value(bridge, PG_GETARG_DATUM(0));
	PaBuf		out;

	return bridge_return(bridge, pa_transform_scale(&bridge->env, value, PG_GETARG_FLOAT8(1), VARHDRSZ, &out),
						 &out);
}

Datum
adapter_cast(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	const char *dtype = bridge_text_argument(PG_GETARG_DATUM(1));
	PaValue    *value = datum_value(bridge, PG_GETARG_DATUM(0));
	PaBuf		out;

	return bridge_return(bridge, pa_transform_cast(&bridge->env, value, dtype, VARHDRSZ, &out), &out);
}

/* Not strict: null is the largest rank of the adapter. */
Datum
adapter_plain(PG_FUNCTION_ARGS)
{
	int32		rank = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	Bridge	   *bridge;
	PaBuf		out;
	PaStatus	status;
	bool		same = false;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1) && rank < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("rank %d is out of range", rank),
				 errhint("It is a whole number from 1 on, or null for the largest rank of the adapter.")));
	bridge = bridge_open();
	status = pa_transform_plain(&bridge->env, datum_value(bridge, PG_GETARG_DATUM(0)), rank, VARHDRSZ, &out,
								&same);
	if (status != PA_OK || !same)
		return bridge_return(bridge, status, &out);
	bridge_close(bridge);
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

Datum
adapter_select(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaValue    *value = datum_value(bridge, PG_GETARG_DATUM(0));
	const char *pattern = bridge_text_argument(PG_GETARG_DATUM(1));
	bool		invert = PG_GETARG_BOOL(2);
	PaBuf		out;

	return bridge_return(bridge, pa_transform_select(&bridge->env, value, pattern, invert, VARHDRSZ, &out),
						 &out);
}

Datum
adapter_rename(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();
	PaValue    *value = datum_value(bridge, PG_GETARG_DATUM(0));
	const char *pattern = bridge_text_argument(PG_GETARG_DATUM(1));
	const char *replacement = bridge_text_argument(PG_GETARG_DATUM(2));
	PaBuf		out;

	return bridge_return(bridge,
						 pa_transform_rename(&bridge->env, value, pattern, replacement, VARHDRSZ, &out),
						 &out);
}

static Datum
select_tensors(Datum adapter, const PaTensorSelection *selection)
{
	Bridge	   *bridge = bridge_open();
	PaValue    *value = datum_value(bridge, adapter);
	PaBuf		out;

	return bridge_return(bridge, pa_transform_select_tensors(&bridge->env, value, selection, VARHDRSZ, &out),
						 &out);
}

/* Not strict: null is every name, and every role. */
Datum
adapter_select_tensors(PG_FUNCTION_ARGS)
{
	PaTensorSelection selection = {0};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1))
		selection.tensors = bridge_text_argument(PG_GETARG_DATUM(1));
	if (!PG_ARGISNULL(2))
		selection.role = bridge_text_argument(PG_GETARG_DATUM(2));
	selection.invert = PG_GETARG_BOOL(3);
	return select_tensors(PG_GETARG_DATUM(0), &selection);
}

/* Not strict: null is every dense tensor. */
Datum
adapter_drop_dense(PG_FUNCTION_ARGS)
{
	PaTensorSelection selection = {.role = pa_role_name(PA_ROLE_DENSE), .invert = true};

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1))
		selection.tensors = bridge_text_argument(PG_GETARG_DATUM(1));
	return select_tensors(PG_GETARG_DATUM(0), &selection);
}

/* Not strict: null names no base model. */
Datum
adapter_set_base_model(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;
	PaValue    *value;
	const char *base_model;
	const char *revision;
	PaBuf		out;
	PaStatus	status;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	bridge = bridge_open();
	value = datum_value(bridge, PG_GETARG_DATUM(0));
	base_model = PG_ARGISNULL(1) ? NULL : bridge_text_argument(PG_GETARG_DATUM(1));
	revision = PG_ARGISNULL(2) ? NULL : bridge_text_argument(PG_GETARG_DATUM(2));
	status = pa_transform_set_base_model(&bridge->env, value, base_model, revision, VARHDRSZ, &out);
	return bridge_return(bridge, status, &out);
}

Datum
adapter_split(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;
	PaSplit    *split;
	uint32_t	n;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	bridge = bridge_open();
	bridge_check(bridge,
				 pa_split_value(&bridge->env, datum_value(bridge, PG_GETARG_DATUM(0)),
								parts_max_bytes(PG_GETARG_INT64(1)), &split, &n));
	parts_return(fcinfo, bridge, split, n);
	bridge_close(bridge);
	return (Datum) 0;
}

/* The aggregate's state: references to the parts, in the aggregate's context. */
typedef struct UnionState
{
	uint64		magic;
	MemoryContext context;
	size_t		n;
	size_t		max;
	Size		held;			/* bytes of the references that are whole values */
	struct varlena **parts;
} UnionState;

#define UNION_MAGIC UINT64CONST(0x5041554e494f4e)

static UnionState *
union_state(FunctionCallInfo fcinfo)
{
	MemoryContext context = aggregate_context(fcinfo);
	UnionState *state;

	if (PG_ARGISNULL(0))
	{
		state = MemoryContextAllocZero(context, sizeof(UnionState));
		state->magic = UNION_MAGIC;
		state->context = context;
		return state;
	}
	state = (UnionState *) PG_GETARG_POINTER(0);
	if (state->magic != UNION_MAGIC)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument is not the state of adapter_union")));
	return state;
}

Datum
adapter_union_transition(PG_FUNCTION_ARGS)
{
	UnionState *state = union_state(fcinfo);
	MemoryContext old;

	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	old = MemoryContextSwitchTo(state->context);
	if (state->n == state->max)
	{
		state->max = Max(16, 2 * state->max);
		if (state->parts == NULL)
			state->parts = palloc(state->max * sizeof(struct varlena *));
		else
			state->parts = repalloc(state->parts, state->max * sizeof(struct varlena *));
	}
	state->parts[state->n] = leaf_reference(PG_GETARG_DATUM(1));
	state->held += VARSIZE_ANY(state->parts[state->n]);
	state->n++;
	aggregate_check_held(state->held);
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

/* Does not change the state: it may be called again for a window frame. */
Datum
adapter_union_final(PG_FUNCTION_ARGS)
{
	UnionState *state = union_state(fcinfo);
	Bridge	   *bridge;
	PaValue   **values;
	PaBuf		out;

	if (state->n == 0)
		PG_RETURN_NULL();
	bridge = bridge_open();
	values = palloc(state->n * sizeof(PaValue *));
	for (size_t i = 0; i < state->n; i++)
		values[i] = datum_value_of(bridge, PointerGetDatum(state->parts[i]), state->n);
	return bridge_return(bridge, pa_union_values(&bridge->env, (uint32_t) state->n, values, VARHDRSZ, &out),
						 &out);
}
