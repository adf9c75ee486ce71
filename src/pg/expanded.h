/*
 * expanded.h
 *	  The deferred expression as an expanded object (utils/expandeddatum.h).
 *
 * An ExpandedAdapter is a multiset of terms over leaves (recipe/terms.h).  A
 * leaf is a reference: a TOAST pointer where the argument had one, else a copy
 * of the inline value; and the digest that the value had when the reference was
 * taken.  Nothing is computed until the object is flattened or looked into;
 * then the sum is evaluated once, and the flat value is kept for as long as the
 * object lives.  A reference that no longer leads to the value with its digest
 * is an error.
 *
 * Objects are never changed after they are made, so read-write and read-only
 * pointers are treated alike.  Everything lives in the object's own context.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_EXPANDED_H
#define PA_PG_EXPANDED_H

#include "pg/expression.h"

#include "utils/expandeddatum.h"
#include "value/value.h"

/*
 * Append the terms of an argument: those of an expression of the same space; or
 * the argument's value as one leaf (an expression of the other space is
 * evaluated: neither algebra is linear in the other's weights).
 */
extern void expression_append(Bridge *bridge, Expression *expression, Datum argument);

/* Open the leaves; one whose value has another digest by now is an error. */
extern PaValue **expression_open_leaves(Bridge *bridge, const Expression *expression);

/*
 * Open the leaves and evaluate; the result is made in the bridge's context.  A
 * leaf whose value has another digest by now is an error.
 */
extern struct varlena *expression_evaluate(Bridge *bridge, const Expression *expression);

/* A new object; its context is a child of the current one.  Fill the expression, then expanded_datum. */
typedef struct ExpandedAdapter ExpandedAdapter;

/* Without terms: the expression is still to be filled. */
extern ExpandedAdapter *expanded_create(PaSpace space);

/* NULL unless the argument is an expression of this space. */
extern const Expression *expanded_expression_of(Datum argument, PaSpace space);

/* The object's own, to be filled before expanded_datum. */
extern Expression *expanded_expression(ExpandedAdapter *object);

/* A read-only pointer to the object, to be returned. */
extern Datum expanded_datum(ExpandedAdapter *object);

/* The flat value; kept in the object. */
extern struct varlena *expanded_evaluate(ExpandedObjectHeader *header);

#endif
