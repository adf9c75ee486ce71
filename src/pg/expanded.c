/*
 * expanded.c
 *	  The deferred expression of + - * / and adapter_lerp, of either space, as an
 *	  expanded object.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/expanded.h"

#include "engine/evaluate.h"
#include "fmgr.h"
#include "pg/slices.h"
#include "utils/memutils.h"

#define EXPANDED_ADAPTER_MAGIC 0x50414558

struct ExpandedAdapter
{
	ExpandedObjectHeader header;
	int			magic;
	Expression	expression;
	struct varlena *flat;		/* once evaluated */
};

static Size expanded_flat_size(ExpandedObjectHeader *header);
static void expanded_flatten(ExpandedObjectHeader *header, void *result, Size allocated);

static const ExpandedObjectMethods expanded_methods = {expanded_flat_size, expanded_flatten};

static ExpandedAdapter *
expanded_from_header(ExpandedObjectHeader *header)
{
	ExpandedAdapter *object = (ExpandedAdapter *) header;

	/* An expanded object of another type can only come from a broken catalog. */
	if (object->header.eoh_methods != &expanded_methods || object->magic != EXPANDED_ADAPTER_MAGIC)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("value is not an adapter"),
				 errdetail("It is an expanded object of another type.")));
	return object;
}

const Expression *
expanded_expression_of(Datum argument, PaSpace space)
{
	const Expression *expression;

	if (!VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(argument)))
		return NULL;
	expression = &expanded_from_header(DatumGetEOHP(argument))->expression;
	return expression->space == space ? expression : NULL;
}

/* The argument's value, whatever its form, as one leaf. */
static void
append_leaf(Bridge *bridge, Expression *expression, Datum argument)
{
	struct varlena *attr = (struct varlena *) DatumGetPointer(argument);
	PaValueHeader header;
	LeafRef		leaf;

	if (VARATT_IS_EXTERNAL_EXPANDED(attr))
		attr = expanded_evaluate(DatumGetEOHP(argument));
	slices_header(bridge, attr, &header);
	memcpy(leaf.digest, header.digest, PA_SHA256_LENGTH);
	memcpy(leaf.envelope_digest, header.envelope_digest, PA_SHA256_LENGTH);
	leaf.ref = attr;
	leaf.shared = NULL;
	expression_add_term(expression, pa_term_of_leaf(expression->space, expression_leaf(expression, &leaf)));
}

void
expression_append(Bridge *bridge, Expression *expression, Datum argument)
{
	const Expression *other = expanded_expression_of(argument, expression->space);

	if (other != NULL)
		expression_append_expression(expression, other);
	else
		append_leaf(bridge, expression, argument);
}

ExpandedAdapter *
expanded_create(PaSpace space)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "adapter expression",
												  ALLOCSET_SMALL_SIZES);
	ExpandedAdapter *object = MemoryContextAllocZero(context, sizeof(ExpandedAdapter));

	EOH_init_header(&object->header, &expanded_methods, context);
	object->magic = EXPANDED_ADAPTER_MAGIC;
	expression_init(&object->expression, space, context);
	return object;
}

Expression *
expanded_expression(ExpandedAdapter *object)
{
	return &object->expression;
}

Datum
expanded_datum(ExpandedAdapter *object)
{
	return EOHPGetRODatum(&object->header);
}

PaValue **
expression_open_leaves(Bridge *bridge, const Expression *expression)
{
	PaValue   **values = palloc(sizeof(PaValue *) * (expression->n_leaves + 1));

	for (uint32 i = 0; i < expression->n_leaves; i++)
	{
		const LeafRef *leaf = &expression->leaves[i];

		values[i] = slices_value(bridge, leaf->ref, expression->n_leaves);
		if (memcmp(pa_value_header(values[i])->digest, leaf->digest, PA_SHA256_LENGTH) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("an operand of the expression has changed since it was read"),
					 errhint("Evaluate expressions in the transaction that reads their operands.")));
	}
	return values;
}

struct varlena *
expression_evaluate(Bridge *bridge, const Expression *expression)
{
	PaValue   **values = expression_open_leaves(bridge, expression);
	PaBuf		out;
	int64_t		same_as;

	bridge_check(bridge,
				 pa_evaluate_terms(&bridge->env, expression->space, expression->n_leaves, values,
								   expression->n_terms, expression->terms, VARHDRSZ, &out, &same_as));
	if (same_as >= 0)
		return PG_DETOAST_DATUM_COPY(PointerGetDatum(expression->leaves[same_as].ref));
	return bridge_varlena(&out);
}

/*
 * The work is done in the object's own context: closing the bridge gives back
 * what the leaves took to open, and the result needs no copy.
 */
struct varlena *
expanded_evaluate(ExpandedObjectHeader *header)
{
	ExpandedAdapter *object = expanded_from_header(header);

	if (object->flat == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(header->eoh_context);
		Bridge	   *bridge = bridge_open();
		struct varlena *flat = expression_evaluate(bridge, &object->expression);

		bridge_close(bridge);
		MemoryContextSwitchTo(old);
		object->flat = flat;
	}
	return object->flat;
}

static Size
expanded_flat_size(ExpandedObjectHeader *header)
{
	return VARSIZE(expanded_evaluate(header));
}

static void
expanded_flatten(ExpandedObjectHeader *header, void *result, Size allocated)
{
	struct varlena *flat = expanded_evaluate(header);

	Assert(allocated == VARSIZE(flat));
	memcpy(result, flat, allocated);
}
