/*
 * recipe_read.h
 *	  A recipe as a graph: nodes numbered, operands as numbers, and what its
 *	  members say without JSON.
 *
 * An operand is a term: in a sum in delta space u is 0 and v the weight, in no
 * sum both are 1.
 *
 * Node 0 is the root and has no digest; the next are all digests that the
 * recipe names, as operands or as nodes, in order.  A digest of which the recipe
 * tells several stories has the first in its place and the others behind all
 * digests, each led to by the one before; no operand leads there.  Nothing is
 * said about circles: a recipe is a claim, and who follows operands remembers
 * where it has been.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_RECIPE_READ_H
#define PA_RECIPE_READ_H

#include "recipe/recipe.h"

typedef struct PaRecipeNode
{
	uint8_t		digest[PA_SHA256_LENGTH];
	const char *op;				/* NULL: the recipe has the digest only */
	bool		weighted;		/* the operands are terms */
	bool		tolerance;		/* the operation is not bit for bit */
	uint32_t	n_operands;
	PaTerm	   *operands;		/* a leaf is the number of a node, not 0 */
	uint32_t	number;			/* of the story among those of its digest, from 0 */
	uint32_t	other;			/* the next story of the same digest; 0: there is none */
	const void *members;		/* for the functions below */
} PaRecipeNode;

typedef struct PaRecipeGraph
{
	uint32_t	n;				/* with all stories */
	uint32_t	n_digests;		/* node 0 and one for each digest */
	PaRecipeNode *nodes;
} PaRecipeGraph;

/*
 * A document that follows the grammar (pa_recipe_check's codes).  It may be
 * longer than the recipe of a value, up to 16 MiB: jsonb's text has spaces, and
 * a reader may have put several recipes together.
 */
extern PaStatus pa_recipe_read(PaEnv *env, PaText recipe, PaRecipeGraph *graph);

/* The number of the node with this digest; 0 if there is none. */
extern uint32_t pa_recipe_find(const PaRecipeGraph *graph, const uint8_t digest[PA_SHA256_LENGTH]);

/* No node, or an import: what it was made of is not said. */
extern bool pa_recipe_is_end(const PaRecipeNode *node);

/* No story of the digest says what it was made of. */
extern bool pa_recipe_is_untold(const PaRecipeGraph *graph, uint32_t node);

/* Does one say what the other does, to the letter? */
extern bool pa_recipe_same_story(const PaRecipeNode *a, const PaRecipeNode *b);

/* Members that the grammar requires of the node's operation: NULL and 0 for null. */
extern const char *pa_recipe_text(const PaRecipeNode *node, const char *member);
extern double pa_recipe_number(const PaRecipeNode *node, const char *member);	/* a weight */
extern int64_t pa_recipe_integer(const PaRecipeNode *node, const char *member); /* a count or integer */
extern bool pa_recipe_flag(const PaRecipeNode *node, const char *member);	/* true or false */

#endif
