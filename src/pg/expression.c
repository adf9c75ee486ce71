/*
 * expression.c
 *	  Lists of leaves and terms.  See expression.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/expression.h"

#include "core/limits.h"
#include "fmgr.h"
#include "utils/memutils.h"

typedef struct LeafKey
{
	uint8		digest[PA_SHA256_LENGTH];
} LeafKey;

typedef struct LeafEntry
{
	LeafKey		key;
	uint32		leaf;
	char		status;
} LeafEntry;

/* A digest is as good a hash as any. */
static inline uint32
leaf_hash(LeafKey key)
{
	uint32		h;

	memcpy(&h, key.digest, sizeof(h));
	return h;
}

#define SH_PREFIX leaf_index
#define SH_ELEMENT_TYPE LeafEntry
#define SH_KEY_TYPE LeafKey
#define SH_KEY key
#define SH_HASH_KEY(tb, key) leaf_hash(key)
#define SH_EQUAL(tb, a, b) (memcmp(&(a), &(b), sizeof(LeafKey)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

void
expression_init(Expression *expression, PaSpace space, MemoryContext context)
{
	memset(expression, 0, sizeof(*expression));
	expression->space = space;
	expression->context = context;
}

static void
expression_grow(Expression *expression, size_t more_leaves, size_t more_terms)
{
	size_t		leaves = expression->n_leaves + more_leaves;
	size_t		terms = expression->n_terms + more_terms;

	if (terms > PA_MAX_TERMS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("expression has more than %d terms", PA_MAX_TERMS),
				 errhint("Store an intermediate result.")));
	if (leaves > expression->max_leaves)
	{
		size_t		n = Max(leaves, 2 * (size_t) expression->max_leaves);

		if (expression->leaves == NULL)
			expression->leaves = MemoryContextAlloc(expression->context, n * sizeof(LeafRef));
		else
			expression->leaves = repalloc(expression->leaves, n * sizeof(LeafRef));
		expression->max_leaves = (uint32) n;
	}
	if (terms > expression->max_terms)
	{
		size_t		n = Max(terms, 2 * expression->max_terms);

		if (expression->terms == NULL)
			expression->terms = MemoryContextAlloc(expression->context, n * sizeof(PaTerm));
		else
			expression->terms = repalloc(expression->terms, n * sizeof(PaTerm));
		expression->max_terms = n;
	}
}

/*
 * A value that expressions share.  Their contexts end in any order, so it is in
 * none of them; the callback of each gives it back.
 */
typedef struct SharedValue
{
	uint64		references;
	struct varlena *value;		/* behind this, in the same chunk */
} SharedValue;

typedef struct Hold
{
	MemoryContextCallback callback;
	SharedValue *shared;
} Hold;

static void
release_hold(void *arg)
{
	SharedValue *shared = ((Hold *) arg)->shared;

	if (shared != NULL && --shared->references == 0)
		pfree(shared);
}

/* Until the context ends; filled by the caller. */
static Hold *
make_hold(MemoryContext context)
{
	Hold	   *hold = MemoryContextAllocZero(context, sizeof(Hold));

	hold->callback.func = release_hold;
	hold->callback.arg = hold;
	MemoryContextRegisterResetCallback(context, &hold->callback);
	return hold;
}

static SharedValue *
share_value(MemoryContext context, struct varlena *value)
{
	Hold	   *hold = make_hold(context);
	struct varlena *flat = PG_DETOAST_DATUM(PointerGetDatum(value));
	Size		head = MAXALIGN(sizeof(SharedValue));
	SharedValue *shared = MemoryContextAllocHuge(TopMemoryContext, head + VARSIZE(flat));

	shared->references = 1;
	shared->value = (struct varlena *) ((char *) shared + head);
	memcpy(shared->value, flat, VARSIZE(flat));
	hold->shared = shared;
	if (flat != value)
		pfree(flat);
	return shared;
}

struct varlena *
leaf_reference(Datum argument)
{
	struct varlena *attr = (struct varlena *) DatumGetPointer(argument);

	if (VARATT_IS_EXTERNAL_ONDISK(attr))
	{
		Size		size = VARSIZE_EXTERNAL(attr);
		struct varlena *copy = palloc(size);

		memcpy(copy, attr, size);
		return copy;
	}
	return PG_DETOAST_DATUM_COPY(argument);
}

/* Past this many leaves looking them up one by one takes too long. */
#define MANY_LEAVES 32

static void
index_leaves(Expression *expression)
{
	expression->index = leaf_index_create(expression->context, 4 * MANY_LEAVES, NULL);
	for (uint32 i = 0; i < expression->n_leaves; i++)
	{
		bool		found;
		LeafKey		key;

		memcpy(key.digest, expression->leaves[i].digest, PA_SHA256_LENGTH);
		leaf_index_insert(expression->index, key, &found)->leaf = i;
	}
}

/* The leaf with this digest; a new number, and *found false, if there is none. */
static uint32
find_leaf(Expression *expression, const uint8 *digest, bool *found)
{
	LeafKey		key;
	LeafEntry  *entry;

	if (expression->index == NULL && expression->n_leaves == MANY_LEAVES)
		index_leaves(expression);
	if (expression->index == NULL)
	{
		for (uint32 i = 0; i < expression->n_leaves; i++)
		{
			*found = memcmp(expression->leaves[i].digest, digest, PA_SHA256_LENGTH) == 0;
			if			(*found)
				return i;
		}
		*found = false;
		return expression->n_leaves;
	}
	memcpy(key.digest, digest, PA_SHA256_LENGTH);
	entry = leaf_index_insert(expression->index, key, found);
	if (!*found)
		entry->leaf = expression->n_leaves;
	return entry->leaf;
}

/* Make a reference of the context's: a pointer copied, or a value shared. */
static void
take_reference(MemoryContext context, LeafRef *leaf)
{
	if (leaf->shared != NULL)
	{
		make_hold(context)->shared = leaf->shared;
		leaf->shared->references++;
	}
	else if (VARATT_IS_EXTERNAL_ONDISK(leaf->ref))
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		leaf->ref = leaf_reference(PointerGetDatum(leaf->ref));
		MemoryContextSwitchTo(old);
	}
	else
	{
		leaf->shared = share_value(context, leaf->ref);
		leaf->ref = leaf->shared->value;
	}
}

uint32
expression_leaf(Expression *expression, const LeafRef *leaf)
{
	bool		found;
	uint32		number = find_leaf(expression, leaf->digest, &found);
	LeafRef		kept = *leaf;

	if (found &&
		memcmp(expression->leaves[number].envelope_digest, leaf->envelope_digest, PA_SHA256_LENGTH) <= 0)
		return number;
	take_reference(expression->context, &kept);
	/* what is replaced stays until the context ends */
	if (found)
		expression->held -= VARSIZE_ANY(expression->leaves[number].ref);
	else
	{
		expression_grow(expression, 1, 0);
		expression->n_leaves++;
	}
	expression->leaves[number] = kept;
	expression->held += VARSIZE_ANY(kept.ref);
	return number;
}

void
expression_add_term(Expression *expression, PaTerm term)
{
	expression_grow(expression, 0, 1);
	expression->terms[expression->n_terms++] = term;
}

void
expression_append_expression(Expression *expression, const Expression *other)
{
	uint32	   *map = palloc(sizeof(uint32) * (other->n_leaves + 1));

	for (uint32 i = 0; i < other->n_leaves; i++)
		map[i] = expression_leaf(expression, &other->leaves[i]);
	expression_grow(expression, 0, other->n_terms);
	for (size_t i = 0; i < other->n_terms; i++)
	{
		PaTerm		term = other->terms[i];

		term.leaf = map[term.leaf];
		expression_add_term(expression, term);
	}
	pfree(map);
}

void
expression_append_mean(Bridge *bridge, Expression *expression, const Expression *other, uint64 n)
{
	double	   *p = palloc(sizeof(double) * (other->n_leaves + 1));
	double	   *q = palloc(sizeof(double) * (other->n_leaves + 1));

	bridge_check(bridge, pa_terms_mean(&bridge->env, other->terms, other->n_terms, other->n_leaves, n, p, q));
	for (uint32 i = 0; i < other->n_leaves; i++)
	{
		PaTerm		term = {0, p[i], q[i]};

		term.leaf = expression_leaf(expression, &other->leaves[i]);
		expression_add_term(expression, term);
	}
	pfree(p);
	pfree(q);
}
