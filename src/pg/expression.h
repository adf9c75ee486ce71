/*
 * expression.h
 *	  A growing list of leaves, distinct by digest, and of terms over them: what
 *	  operators and aggregates build (recipe/terms.h says what it means).
 *
 * Everything lives in the expression's own memory context, but for whole
 * values.  A leaf is a reference: a TOAST pointer where the argument had one,
 * else a copy of the flat value, which all expressions that got it from each
 * other share (a + b + c makes two of them); and the digest that the value had
 * when the reference was taken.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_EXPRESSION_H
#define PA_PG_EXPRESSION_H

#include "pg/bridge.h"

#include "recipe/terms.h"

typedef struct LeafRef
{
	uint8		digest[PA_SHA256_LENGTH];
	uint8		envelope_digest[PA_SHA256_LENGTH];
	struct varlena *ref;
	struct SharedValue *shared; /* that ref is in; NULL: ref is the context's own, or an argument */
} LeafRef;

/* A growing list of leaves (distinct by digest) and terms. */
typedef struct Expression
{
	PaSpace		space;
	MemoryContext context;		/* of the refs and arrays */
	uint32		n_leaves;
	uint32		max_leaves;
	LeafRef    *leaves;
	struct leaf_index_hash *index;	/* digest to leaf; only for many leaves */
	size_t		n_terms;
	size_t		max_terms;
	PaTerm	   *terms;
	Size		held;			/* bytes of the references that are whole values */
} Expression;

/* Without leaves and terms; context takes what it will hold. */
extern void expression_init(Expression *expression, PaSpace space, MemoryContext context);

/* Append a copy of all terms of another expression of the same space. */
extern void expression_append_expression(Expression *expression, const Expression *other);

/* Append one term a leaf: the other's exact sums of weights divided by n. */
extern void expression_append_mean(Bridge *bridge, Expression *expression, const Expression *other, uint64 n);

/*
 * The index of the leaf with this digest; if it is new, its value is referred to
 * (in the expression's context).  Values of one digest can differ in recipe,
 * configuration text and header: the one with the smallest envelope digest is
 * referred to, so that the result does not depend on the order of the operands.
 */
extern uint32 expression_leaf(Expression *expression, const LeafRef *leaf);

/* The term's leaf is an index that expression_leaf gave. */
extern void expression_add_term(Expression *expression, PaTerm term);

/* A reference to the value that lives in the current context. */
extern struct varlena *leaf_reference(Datum argument);

#endif
