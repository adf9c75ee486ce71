/*
 * recipe_impl.h
 *	  The grammar of recipe nodes as a table: the checker and the writer read
 *	  the same one.  Private to recipe_*.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_RECIPE_IMPL_H
#define PA_RECIPE_IMPL_H

#include "recipe/recipe.h"
#include "core/json.h"

#define PA_RECIPE_VERSION 2
#define PA_RECIPE_MAX_MEMBERS 8
#define PA_HEX_DOUBLE_BYTES 32

/*
 * What is kept of the operands while a recipe is put together: their nodes
 * until so much text was read, and their roots until they take so much.  Far
 * more than the 1 MiB that is written; doc/format.md has the rule.
 */
#define PA_RECIPE_READ_BYTES ((size_t) 16 * 1024 * 1024)
#define PA_RECIPE_ROOT_BYTES ((size_t) 4 * 1024 * 1024)

typedef enum PaMemberType
{
	PA_MEMBER_DIGEST,			/* 64 lower-case hexadecimal digits */
	PA_MEMBER_DIGESTS,			/* array of them, not empty */
	PA_MEMBER_WEIGHT,			/* hexadecimal float in a string */
	PA_MEMBER_OPTIONAL_WEIGHT,	/* or null */
	PA_MEMBER_TERMS,			/* array of {of, u, v}, not empty */
	PA_MEMBER_WEIGHTED_TERMS,	/* array of {of, w}, not empty */
	PA_MEMBER_DTYPE,			/* an arithmetic type's name */
	PA_MEMBER_TEXT,
	PA_MEMBER_OPTIONAL_TEXT,	/* or null */
	PA_MEMBER_BOOL,
	PA_MEMBER_COUNT,			/* integer, not negative */
	PA_MEMBER_OPTIONAL_COUNT,	/* or null */
	PA_MEMBER_OPTIONAL_INTEGER, /* of either sign, or null */
	PA_MEMBER_TOLERANCE			/* the string "tolerance": not bit for bit */
} PaMemberType;

typedef struct PaMemberForm
{
	const char *name;
	PaMemberType type;
} PaMemberForm;

typedef struct PaNodeForm
{
	const char *op;
	int			version;		/* of the first recipes that have it */
	int			n_members;
	PaMemberForm member[PA_RECIPE_MAX_MEMBERS];
} PaNodeForm;

/* NULL if op is no operation (or no string) */
extern const PaNodeForm *pa_recipe_form(const json_t *op);

/* The version of recipes that has the operation of a node in the text that pa_recipe_write gives it. */
extern int pa_recipe_text_version(const char *node);

/* The form of one item of a member that is an array of terms; NULL for other members */
extern const PaNodeForm *pa_recipe_term_form(PaMemberType type);

/* Story i of a member of nodes, which is a node or an array of several; NULL: there are no more. */
extern const json_t *pa_recipe_story(const json_t *stories, size_t i);

/* A parsed document against the grammar. */
extern PaStatus pa_recipe_check_document(PaEnv *env, const json_t *document);

/* Call visit for each digest that a checked node refers to; stops at a failure. */
typedef PaStatus (*PaRecipeVisit)(void *state, const char *digest);
extern PaStatus pa_recipe_references(const json_t *node, PaRecipeVisit visit, void *state);

/*
 * The text for a root node and its operands' recipes; PA_ERR_LIMIT if the root
 * alone is larger than a recipe may be.
 */
extern PaStatus pa_recipe_write(PaEnv *env, const json_t *root, uint32_t n_operands,
								const PaOperand *operands, PaText *recipe);

/* A node made by json_pack, released with the PaEnv. */
extern PaStatus pa_recipe_own(PaEnv *env, json_t *made, json_t **node);

/* PA_ERR_TEXT unless text is NULL or UTF-8 */
extern PaStatus pa_recipe_check_text(PaEnv *env, const char *text);

/* v as Python's float.hex() writes it; v is finite. */
extern void pa_hex_double(char out[PA_HEX_DOUBLE_BYTES], double v);

#endif
