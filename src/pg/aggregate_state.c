/*
 * aggregate_state.c
 *	  The state of the aggregates over adapters.  See aggregate_state.h.
 *
 * Serialized: u64 magic, u64 rows, u32 space, u32 leaves, u32 terms; for each
 * leaf 32 bytes digest, 32 bytes envelope digest, u32 length and the reference's bytes; for
 * each term u32 leaf, f64 u, f64 v.  Little-endian, read through the core's
 * checked reader.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/aggregate_state.h"

#include <math.h>

#include "access/detoast.h"
#include "catalog/pg_class.h"
#include "core/bytes.h"
#include "fmgr.h"
#include "utils/lsyscache.h"

#define AGGREGATE_MAGIC UINT64CONST(0x50415447535441)

AggregateState *
aggregate_state_create(PaSpace space, MemoryContext context)
{
	AggregateState *state = MemoryContextAllocZero(context, sizeof(AggregateState));

	state->magic = AGGREGATE_MAGIC;
	expression_init(&state->expression, space, context);
	return state;
}

AggregateState *
aggregate_state_check(void *p)
{
	AggregateState *state = p;

	if (state == NULL || state->magic != AGGREGATE_MAGIC)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument is not the state of an aggregate over adapters")));
	return state;
}

void
aggregate_check_space(const AggregateState *state, PaSpace space)
{
	if (state->expression.space != space)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument is the state of an aggregate of another space")));
}

MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("function is part of an aggregate and cannot be called directly")));
	return context;
}

void
aggregate_check_held(Size held)
{
	if (held > AGGREGATE_MAX_HELD)
		ereport(
			ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("aggregate holds more than %zu bytes of computed adapters", AGGREGATE_MAX_HELD),
			 errdetail(
				 "Adapters that are read from a table are held as references; computed ones as they are."),
			 errhint("Store the computed adapters in a table first.")));
}

void
aggregate_state_add(AggregateState *state, Datum argument, double weight)
{
	Expression *expression = &state->expression;
	size_t		before = expression->n_terms;
	Bridge	   *bridge = bridge_open();

	expression_append(bridge, expression, argument);
	bridge_check(bridge,
				 pa_terms_multiply(&bridge->env, expression->terms + before, expression->n_terms - before,
								   weight));
	bridge_close(bridge);
	aggregate_check_held(state->expression.held);
	state->rows++;
}

void
aggregate_state_merge(AggregateState *state, const AggregateState *other)
{
	aggregate_check_space(other, state->expression.space);
	expression_append_expression(&state->expression, &other->expression);
	aggregate_check_held(state->expression.held);
	state->rows += other->rows;
}

static PaStatus
write_state(PaBuf *out, const AggregateState *state)
{
	const Expression *expression = &state->expression;

	PA_TRY(pa_buf_u64(out, AGGREGATE_MAGIC));
	PA_TRY(pa_buf_u64(out, state->rows));
	PA_TRY(pa_buf_u32(out, expression->space));
	PA_TRY(pa_buf_u32(out, expression->n_leaves));
	PA_TRY(pa_buf_u32(out, (uint32) expression->n_terms));
	for (uint32 i = 0; i < expression->n_leaves; i++)
	{
		const LeafRef *leaf = &expression->leaves[i];

		PA_TRY(pa_buf_bytes(out, leaf->digest, PA_SHA256_LENGTH));
		PA_TRY(pa_buf_bytes(out, leaf->envelope_digest, PA_SHA256_LENGTH));
		PA_TRY(pa_buf_u32(out, VARSIZE_ANY(leaf->ref)));
		PA_TRY(pa_buf_bytes(out, leaf->ref, VARSIZE_ANY(leaf->ref)));
	}
	for (size_t i = 0; i < expression->n_terms; i++)
	{
		PA_TRY(pa_buf_u32(out, expression->terms[i].leaf));
		PA_TRY(pa_buf_f64(out, expression->terms[i].u));
		PA_TRY(pa_buf_f64(out, expression->terms[i].v));
	}
	return PA_OK;
}

bytea *
aggregate_state_serialize(const AggregateState *state)
{
	Bridge	   *bridge = bridge_open();
	PaBuf		out;
	bytea	   *result;

	bridge_check(bridge, pa_buf_init(&bridge->env, &out, VARHDRSZ, 1024 + state->expression.held));
	bridge_check(bridge, write_state(&out, state));
	result = (bytea *) bridge_varlena(&out);
	bridge_close(bridge);
	return result;
}

/* Bytes of a reference: a TOAST pointer, or a flat value with its length word. */
static bool
valid_reference(const uint8 *p, uint32 length)
{
	struct varlena *copy;
	bool		valid = false;

	if (length < VARHDRSZ)
		return false;
	copy = palloc(length);
	memcpy(copy, p, length);
	if (VARATT_IS_EXTERNAL(copy))
	{
		if (VARTAG_EXTERNAL(copy) == VARTAG_ONDISK &&
			length == VARHDRSZ_EXTERNAL + sizeof(struct varatt_external))
		{
			struct varatt_external pointer;

			VARATT_EXTERNAL_GET_POINTER(pointer, copy);
			valid = pointer.va_rawsize > (int32) VARHDRSZ &&
				VARATT_EXTERNAL_GET_EXTSIZE(pointer) <= (uint32) pointer.va_rawsize - VARHDRSZ &&
				get_rel_relkind(pointer.va_toastrelid) == RELKIND_TOASTVALUE;
		}
	}
	else if (VARATT_IS_4B_U(copy))
		valid = VARSIZE(copy) == length;
	pfree(copy);
	return valid;
}

static PaStatus
read_leaf(PaReader *r, Expression *expression)
{
	const uint8_t *digest = NULL;
	const uint8_t *envelope_digest = NULL;
	const uint8_t *p = NULL;
	uint32_t	length = 0;
	LeafRef		leaf;

	PA_TRY(pa_take(r, PA_SHA256_LENGTH, &digest));
	PA_TRY(pa_take(r, PA_SHA256_LENGTH, &envelope_digest));
	PA_TRY(pa_take_u32(r, &length));
	PA_TRY(pa_take(r, length, &p));
	if (!valid_reference(p, length))
		return pa_fail(r->env, r->code, "%s has a reference that is none", r->subject);
	memcpy(leaf.digest, digest, PA_SHA256_LENGTH);
	memcpy(leaf.envelope_digest, envelope_digest, PA_SHA256_LENGTH);
	leaf.ref = palloc(length);
	memcpy(leaf.ref, p, length);
	leaf.shared = NULL;
	if (expression_leaf(expression, &leaf) + 1 != expression->n_leaves)
		return pa_fail(r->env, r->code, "%s has a leaf twice", r->subject);
	return PA_OK;
}

static PaStatus
read_term(PaReader *r, Expression *expression)
{
	PaTerm		term = {0, 0, 0};

	PA_TRY(pa_take_u32(r, &term.leaf));
	PA_TRY(pa_take_f64(r, &term.u));
	PA_TRY(pa_take_f64(r, &term.v));
	if (term.leaf >= expression->n_leaves || !isfinite(term.u) || !isfinite(term.v) ||
		(expression->space == PA_SPACE_DELTA && term.u != 0))
		return pa_fail(r->env, r->code, "%s has a term that is not valid", r->subject);
	expression_add_term(expression, term);
	return PA_OK;
}

static PaStatus
read_state(PaReader *r, AggregateState *state)
{
	uint64_t	magic = 0;
	uint64_t	rows = 0;
	uint32_t	space = 0;
	uint32_t	n_leaves = 0;
	uint32_t	n_terms = 0;

	PA_TRY(pa_take_u64(r, &magic));
	PA_TRY(pa_take_u64(r, &rows));
	PA_TRY(pa_take_u32(r, &space));
	PA_TRY(pa_take_u32(r, &n_leaves));
	PA_TRY(pa_take_u32(r, &n_terms));
	if (magic != AGGREGATE_MAGIC)
		return pa_fail(r->env, r->code, "%s has other magic bytes", r->subject);
	if (space != PA_SPACE_PARAMETER && space != PA_SPACE_DELTA)
		return pa_fail(r->env, r->code, "%s is of no known space", r->subject);
	state->expression.space = (PaSpace) space;
	for (uint32 i = 0; i < n_leaves; i++)
		PA_TRY(read_leaf(r, &state->expression));
	for (uint32 i = 0; i < n_terms; i++)
		PA_TRY(read_term(r, &state->expression));
	if (r->left != 0)
		return pa_fail(r->env, r->code, "%s has %zu bytes too many", r->subject, r->left);
	state->rows = rows;
	return PA_OK;
}

AggregateState *
aggregate_state_deserialize(const char *bytes, Size length)
{
	Bridge	   *bridge = bridge_open();
	AggregateState *state = aggregate_state_create(PA_SPACE_PARAMETER, CurrentMemoryContext);
	PaReader	r;

	pa_reader_init(&r, &bridge->env, bytes, length, PA_ERR_FILE,
				   "serialized state of an aggregate over adapters");
	bridge_check(bridge, read_state(&r, state));
	bridge_close(bridge);
	return state;
}
