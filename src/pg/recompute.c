/*
 * recompute.c
 *	  Recipes read and evaluated again: what the registry is made from.
 *
 * A recipe comes as jsonb, from wherever: it is turned into text and checked
 * as an imported one is.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "access/htup_details.h"
#include "engine/recompute.h"
#include "fmgr.h"
#include "funcapi.h"
#include "pg/aggregate_state.h"
#include "pg/arrays.h"
#include "pg/digest.h"
#include "pg/evaluated.h"
#include "recipe/recipe_walk.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(adapter_recompute_transition);
PG_FUNCTION_INFO_V1(adapter_recompute_final);
PG_FUNCTION_INFO_V1(adapter_recompute_outline_final);
PG_FUNCTION_INFO_V1(adapter_recompute_needs);
PG_FUNCTION_INFO_V1(adapter_recipe_edges);
PG_FUNCTION_INFO_V1(adapter_evaluated_from);

/* jsonb as UTF-8. */
static PaText
recipe_text(Jsonb *recipe)
{
	char	   *text = JsonbToCString(NULL, &recipe->root, VARSIZE(recipe));

	return pa_text_of(bridge_to_utf8(text, strlen(text)));
}

/* An array of digests, nulls left out. */
static PaRecipeKnown
known_argument(FunctionCallInfo fcinfo, int n)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(n);
	PaRecipeKnown known = {0, NULL};
	uint8_t    *digests;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	elements = array_elements(array, &nulls, &count);
	digests = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) count + 1) * PA_SHA256_LENGTH);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			memcpy(digests + (Size) known.n++ * PA_SHA256_LENGTH, digest_bytes(DatumGetByteaPP(elements[i])),
				   PA_SHA256_LENGTH);
	known.digests = digests;
	return known;
}

static void
read_recipe(Bridge *bridge, FunctionCallInfo fcinfo, int n, PaRecipeGraph *graph)
{
	bridge_check(bridge, pa_recipe_read(&bridge->env, recipe_text(PG_GETARG_JSONB_P(n)), graph));
}

Datum
adapter_recompute_needs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	PaRecipeKnown known;
	PaRecipeGraph graph;
	Bridge	   *bridge;
	uint32_t   *needs;
	uint32_t	n;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	known = known_argument(fcinfo, 1);
	bridge = bridge_open();
	read_recipe(bridge, fcinfo, 0, &graph);
	bridge_check(bridge, pa_recipe_needs(&bridge->env, &graph, &known, &needs, &n));
	for (uint32_t i = 0; i < n; i++)
	{
		Datum		digest = digest_datum(graph.nodes[needs[i]].digest);
		bool		null = false;

		tuplestore_putvalues(result->setResult, result->setDesc, &digest, &null);
	}
	bridge_close(bridge);
	return (Datum) 0;
}

#define EDGES_COLUMNS 7

static void
edges_row(ReturnSetInfo *result, const PaRecipeGraph *graph, const PaRecipeEdge *edge, const uint8_t *digest)
{
	const PaRecipeNode *parent = &graph->nodes[edge->parent];
	const uint8_t *of = edge->of == 0 ? digest : graph->nodes[edge->of].digest;
	Datum		values[EDGES_COLUMNS] = {0};
	bool		nulls[EDGES_COLUMNS] = {false};

	nulls[0] = of == NULL;
	if (of != NULL)
		values[0] = digest_datum(of);
	values[1] = digest_datum(parent->digest);
	nulls[2] = nulls[3] = edge->weights != PA_EDGE_PARAMETER;
	nulls[4] = edge->weights != PA_EDGE_DELTA;
	values[2] = Float8GetDatum(edge->p);
	values[3] = values[4] = Float8GetDatum(edge->q);
	nulls[6] = edge->of == 0;
	values[6] = Int32GetDatum(graph->nodes[edge->of].number);
	values[5] = BoolGetDatum(pa_recipe_is_untold(graph, edge->parent));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Not strict: the recipe's own digest may be null. */
Datum
adapter_recipe_edges(PG_FUNCTION_ARGS)
{
	const uint8_t *digest = NULL;
	PaRecipeKnown known;
	PaRecipeGraph graph;
	Bridge	   *bridge;
	PaRecipeEdge *edges;
	size_t		n;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		return (Datum) 0;
	if (!PG_ARGISNULL(1))
		digest = digest_bytes(PG_GETARG_BYTEA_PP(1));
	known = known_argument(fcinfo, 2);
	bridge = bridge_open();
	read_recipe(bridge, fcinfo, 0, &graph);
	bridge_check(bridge, pa_recipe_edges(&bridge->env, &graph, digest, &known, &edges, &n));
	for (size_t i = 0; i < n; i++)
		edges_row((ReturnSetInfo *) fcinfo->resultinfo, &graph, &edges[i], digest);
	bridge_close(bridge);
	return (Datum) 0;
}

static Datum
operands_datum(const EvaluatedOperands *found)
{
	Datum	   *elements = palloc(found->n * sizeof(Datum));

	for (uint32 i = 0; i < found->n; i++)
		elements[i] = bytes_datum(found->identities + i * 2 * PA_SHA256_LENGTH, 2 * PA_SHA256_LENGTH);
	return PointerGetDatum(construct_array(elements, found->n, BYTEAOID, -1, false, TYPALIGN_INT));
}

/* Not strict: before may be null. */
Datum
adapter_evaluated_from(PG_FUNCTION_ARGS)
{
	EvaluatedOperands found;
	PaIdentity	value;
	TupleDesc	row;
	Datum		values[3] = {0};
	bool		nulls[3] = {false};
	bool		unknown[3] = {true, true, true};

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type is not a row type");	/* cannot happen */
	/* a row of nulls, which can be assigned to a record as it is */
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return HeapTupleGetDatum(heap_form_tuple(row, values, unknown));
	value.digest = digest_bytes(PG_GETARG_BYTEA_PP(0));
	value.envelope_digest = digest_bytes(PG_GETARG_BYTEA_PP(1));
	if (!evaluated_operands(&value, PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT64(2), &found))
		return HeapTupleGetDatum(heap_form_tuple(row, values, unknown));
	values[0] = operands_datum(&found);
	values[1] = DirectFunctionCall1(jsonb_in,
									CStringGetDatum(
										bridge_to_server(pnstrdup(found.root, found.n_root), found.n_root)));
	values[2] = Int64GetDatum(found.serial);
	return HeapTupleGetDatum(heap_form_tuple(row, values, nulls));
}

/* The aggregate's state, in the aggregate's context. */
typedef struct RecomputeState
{
	uint64		magic;
	MemoryContext context;
	struct varlena *recipe;		/* as the first row had it */
	bytea	   *without;		/* or NULL */
	bool		renormalize;
	size_t		n;
	size_t		max;
	Size		held;			/* bytes of the references that are whole values */
	struct varlena **values;
} RecomputeState;

#define RECOMPUTE_MAGIC UINT64CONST(0x50415245434f4d)

static RecomputeState *
recompute_state(FunctionCallInfo fcinfo)
{
	MemoryContext context = aggregate_context(fcinfo);
	RecomputeState *state;

	if (PG_ARGISNULL(0))
	{
		state = MemoryContextAllocZero(context, sizeof(RecomputeState));
		state->magic = RECOMPUTE_MAGIC;
		state->context = context;
		return state;
	}
	state = (RecomputeState *) PG_GETARG_POINTER(0);
	if (state->magic != RECOMPUTE_MAGIC)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument is not the state of adapter_recompute")));
	return state;
}

/* A copy of an argument as it stands, TOAST pointers included. */
static struct varlena *
copy_as_is(Datum argument)
{
	struct varlena *from = (struct varlena *) DatumGetPointer(argument);
	Size		size = VARSIZE_ANY(from);
	struct varlena *copy = palloc(size);

	memcpy(copy, from, size);
	return copy;
}

/* The same bytes, which need no look into TOAST if the forms are the same. */
static bool
same_bytes(struct varlena *a, struct varlena *b)
{
	struct varlena *x;
	struct varlena *y;

	if (VARSIZE_ANY(a) == VARSIZE_ANY(b) && memcmp(a, b, VARSIZE_ANY(a)) == 0)
		return true;
	x = pg_detoast_datum_packed(a);
	y = pg_detoast_datum_packed(b);
	return VARSIZE_ANY_EXHDR(x) == VARSIZE_ANY_EXHDR(y) &&
		memcmp(VARDATA_ANY(x), VARDATA_ANY(y), VARSIZE_ANY_EXHDR(x)) == 0;
}

static void
set_constants(RecomputeState *state, FunctionCallInfo fcinfo)
{
	state->recipe = copy_as_is(PG_GETARG_DATUM(1));
	if (!PG_ARGISNULL(3))
	{
		state->without = (bytea *) PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(3));
		(void) digest_bytes(state->without);
	}
	state->renormalize = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
}

static void
check_constants(const RecomputeState *state, FunctionCallInfo fcinfo)
{
	bool		same = (state->without == NULL) == PG_ARGISNULL(3) &&
		state->renormalize == (!PG_ARGISNULL(4) && PG_GETARG_BOOL(4)) &&
		same_bytes(state->recipe, (struct varlena *) DatumGetPointer(PG_GETARG_DATUM(1)));

	if (same && state->without != NULL)
		same = same_bytes((struct varlena *) state->without,
						  (struct varlena *) DatumGetPointer(PG_GETARG_DATUM(3)));
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("recipe, without and renormalize must be the same in every row")));
}

static void
add_value(RecomputeState *state, Datum value)
{
	if (state->n == state->max)
	{
		state->max = Max(16, 2 * state->max);
		if (state->values == NULL)
			state->values = palloc(state->max * sizeof(struct varlena *));
		else
			state->values = repalloc(state->values, state->max * sizeof(struct varlena *));
	}
	state->values[state->n] = leaf_reference(value);
	state->held += VARSIZE_ANY(state->values[state->n]);
	state->n++;
	aggregate_check_held(state->held);
}

/* Rows without a recipe do not count; one without a value says the rest. */
Datum
adapter_recompute_transition(PG_FUNCTION_ARGS)
{
	RecomputeState *state = recompute_state(fcinfo);
	MemoryContext old;

	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	if (state->recipe != NULL)
		check_constants(state, fcinfo);
	old = MemoryContextSwitchTo(state->context);
	if (state->recipe == NULL)
		set_constants(state, fcinfo);
	if (!PG_ARGISNULL(2))
		add_value(state, PG_GETARG_DATUM(2));
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

/* Does not change the state: a final function may be called again for a window frame. */
static PaRecompute
recompute_task(const RecomputeState *state, Bridge *bridge)
{
	PaRecompute task;

	task.recipe = recipe_text(DatumGetJsonbP(PointerGetDatum(state->recipe)));
	task.n_known = (uint32_t) state->n;
	task.known = palloc((state->n + 1) * sizeof(PaBytes *));
	for (size_t i = 0; i < state->n; i++)
		task.known[i] = datum_bytes_of(bridge, PointerGetDatum(state->values[i]), state->n);
	task.without = state->without != NULL ? digest_bytes(state->without) : NULL;
	task.renormalize = state->renormalize;
	return task;
}

Datum
adapter_recompute_final(PG_FUNCTION_ARGS)
{
	RecomputeState *state = recompute_state(fcinfo);
	PaRecompute task;
	Bridge	   *bridge;
	PaBuf		out;

	if (state->recipe == NULL)
		PG_RETURN_NULL();
	bridge = bridge_open();
	task = recompute_task(state, bridge);
	return bridge_return(bridge, pa_recompute_recipe(&bridge->env, &task, VARHDRSZ, &out), &out);
}

/* {"digest": ..., "made": [[digest, root], ...]}, {"obstacle": ...} or {"unknown": ...}: no error here. */
Datum
adapter_recompute_outline_final(PG_FUNCTION_ARGS)
{
	RecomputeState *state = recompute_state(fcinfo);
	PaRecompute task;
	Bridge	   *bridge;
	PaStatus	status;
	uint8_t		digest[PA_SHA256_LENGTH];
	char		hex[2 * PA_SHA256_LENGTH + 1];
	StringInfoData json;

	if (state->recipe == NULL)
		PG_RETURN_NULL();
	initStringInfo(&json);
	bridge = bridge_open();
	bridge_outline(bridge);
	task = recompute_task(state, bridge);
	status = pa_recompute_outline(&bridge->env, &task, digest);
	if (status == PA_ERR_NOMEM || status == PA_ERR_CANCELLED || status == PA_ERR_HOST ||
		status == PA_ERR_INTERNAL)
		bridge_check(bridge, status);
	if (status == PA_OK)
	{
		pa_hex(hex, digest);
		appendStringInfo(&json, "{\"digest\": \"%s\", \"made\": [%s]}", hex, bridge->outlines.data);
	}
	else
	{
		appendStringInfo(&json, "{\"%s\": ", status == PA_ERR_OUTLINE ? "unknown" : "obstacle");
		escape_json(&json, bridge->env.error.message);
		appendStringInfoChar(&json, '}');
	}
	bridge_close(bridge);
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(bridge_to_server(json.data, json.len))));
}
