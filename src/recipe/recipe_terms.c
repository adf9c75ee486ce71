/*
 * recipe_terms.c
 *	  The root node of the operations over weighted terms: combine, concatenate,
 *	  truncate and merge.
 *
 * A node of a sum that is too large for a recipe has one term for each leaf
 * instead: another expression with the same value.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "recipe/recipe_impl.h"

#include <string.h>

#include "core/limits.h"
#include "core/sort.h"

/* A term takes at least so much text: {"of":"...","w":"0x0.0p+0"} */
#define MIN_TERM_BYTES 88

/* A root and what its terms are made of. */
typedef struct TermsNode
{
	json_t	   *root;			/* its member terms is filled here */
	bool		weighted;		/* {of, w}, not {of, u, v} */
	bool		linear;			/* terms of one leaf may be added up */
	uint32_t	n_operands;
	const PaOperand *operands;
} TermsNode;

typedef struct TermRef
{
	const uint8_t *digest;
	double		u;				/* 0 if weighted */
	double		v;
} TermRef;

/* -0 before +0, so that the order is total */
static int
compare_doubles(double a, double b)
{
	if (a != b)
		return a < b ? -1 : 1;
	return (__builtin_signbit(a) ? 0 : 1) - (__builtin_signbit(b) ? 0 : 1);
}

static int
compare_terms(const void *a, const void *b, const void *context)
{
	const TermRef *x = a;
	const TermRef *y = b;
	int			order = memcmp(x->digest, y->digest, PA_SHA256_LENGTH);

	(void) context;
	if (order == 0)
		order = compare_doubles(x->u, y->u);
	if (order == 0)
		order = compare_doubles(x->v, y->v);
	return order;
}

static json_t *
term_item(const TermRef *ref, bool weighted)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	char		u[PA_HEX_DOUBLE_BYTES];
	char		v[PA_HEX_DOUBLE_BYTES];

	pa_hex(hex, ref->digest);
	pa_hex_double(v, ref->v);
	if (weighted)
		return json_pack("{s:s,s:s}", "of", hex, "w", v);
	pa_hex_double(u, ref->u);
	return json_pack("{s:s,s:s,s:s}", "of", hex, "u", u, "v", v);
}

/* The root's terms, in order. */
static PaStatus
set_terms(PaEnv *env, const TermsNode *node, size_t n_terms, const PaTerm *terms)
{
	TermRef    *refs;
	json_t	   *array = json_array();

	if (json_object_set_new(node->root, "terms", array) != 0)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	PA_TRY(PA_NEW_ARRAY(env, n_terms, &refs));
	for (size_t i = 0; i < n_terms; i++)
		refs[i] = (TermRef) {node->operands[terms[i].leaf].digest, node->weighted ? 0 : terms[i].u,
							 terms[i].v};
	PA_TRY(pa_sort(env, refs, n_terms, sizeof(TermRef), compare_terms, NULL));
	for (size_t i = 0; i < n_terms; i++)
		if (json_array_append_new(array, term_item(&refs[i], node->weighted)) != 0)
			return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	pa_free(env, refs);
	return PA_OK;
}

/* One term (leaf, p, q) for each leaf: another expression with the same value. */
static PaStatus
total_terms(PaEnv *env, uint32_t n_operands, size_t n_terms, const PaTerm *terms, PaTerm **totals)
{
	double	   *p;
	double	   *q;

	PA_TRY(PA_NEW_ARRAY(env, n_operands, &p));
	PA_TRY(PA_NEW_ARRAY(env, n_operands, &q));
	PA_TRY(PA_NEW_ARRAY(env, n_operands, totals));
	PA_TRY(pa_terms_total(env, terms, n_terms, n_operands, p, q));
	for (uint32_t i = 0; i < n_operands; i++)
		(*totals)[i] = (PaTerm) {i, p[i], q[i]};
	pa_free(env, p);
	pa_free(env, q);
	return PA_OK;
}

static PaStatus
write_terms(PaEnv *env, const TermsNode *node, size_t n_terms, const PaTerm *terms, PaText *recipe)
{
	PaTerm	   *totals;
	PaStatus	status = PA_ERR_LIMIT;

	if (n_terms <= PA_MAX_RECIPE_BYTES / MIN_TERM_BYTES)
	{
		PA_TRY(set_terms(env, node, n_terms, terms));
		status = pa_recipe_write(env, node->root, node->n_operands, node->operands, recipe);
	}
	if (status != PA_ERR_LIMIT)
		return status;
	if (!node->linear || node->n_operands > PA_MAX_RECIPE_BYTES / MIN_TERM_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "expression has %u different adapters, too many for one recipe",
					   node->n_operands);
	PA_TRY(total_terms(env, node->n_operands, n_terms, terms, &totals));
	PA_TRY(set_terms(env, node, node->n_operands, totals));
	return pa_recipe_write(env, node->root, node->n_operands, node->operands, recipe);
}

PaStatus
pa_recipe_combine(PaEnv *env, uint32_t n_operands, const PaOperand *operands, size_t n_terms,
				  const PaTerm *terms, PaText *recipe)
{
	TermsNode	node = {.linear = true, .n_operands = n_operands, .operands = operands};

	PA_TRY(pa_recipe_own(env, json_pack("{s:s}", "op", "combine"), &node.root));
	return write_terms(env, &node, n_terms, terms, recipe);
}

PaStatus
pa_recipe_concatenate(PaEnv *env, uint32_t n_operands, const PaOperand *operands, size_t n_terms,
					  const PaTerm *terms, PaText *recipe)
{
	TermsNode	node = {.weighted = true, .linear = true, .n_operands = n_operands, .operands = operands};

	PA_TRY(pa_recipe_own(env, json_pack("{s:s}", "op", "concatenate"), &node.root));
	return write_terms(env, &node, n_terms, terms, recipe);
}

PaStatus
pa_recipe_truncate(PaEnv *env, uint32_t n_operands, const PaOperand *operands, size_t n_terms,
				   const PaTerm *terms, uint64_t rank, double energy, const char *library, PaText *recipe)
{
	TermsNode	node = {.weighted = true, .linear = true, .n_operands = n_operands, .operands = operands};
	char		share[PA_HEX_DOUBLE_BYTES];

	PA_TRY(pa_recipe_check_text(env, library));
	pa_hex_double(share, energy);
	PA_TRY(pa_recipe_own(env,
						 json_pack("{s:s,s:o,s:s?,s:s,s:s}", "op", "truncate", "rank",
								   rank > 0 ? json_integer((json_int_t) rank) : json_null(), "energy",
								   rank > 0 ? NULL : share, "numerics", "tolerance", "library", library),
						 &node.root));
	return write_terms(env, &node, n_terms, terms, recipe);
}

PaStatus
pa_recipe_merge(PaEnv *env, uint32_t n_operands, const PaOperand *operands, size_t n_terms,
				const PaTerm *terms, const PaRecipeMerge *merge, PaText *recipe)
{
	TermsNode	node = {.weighted = true, .n_operands = n_operands, .operands = operands};
	char		density[PA_HEX_DOUBLE_BYTES];

	PA_TRY(pa_recipe_check_text(env, merge->method));
	PA_TRY(pa_recipe_check_text(env, merge->flavour));
	PA_TRY(pa_recipe_check_text(env, merge->majority_sign));
	pa_hex_double(density, merge->density);
	PA_TRY(pa_recipe_own(env,
						 json_pack("{s:s,s:s,s:s,s:s,s:s?,s:o}", "op", "merge", "method", merge->method,
								   "flavour", merge->flavour, "density", density, "majority_sign",
								   merge->majority_sign, "seed",
								   merge->seed != NULL ? json_integer(*merge->seed) : json_null()),
						 &node.root));
	return write_terms(env, &node, n_terms, terms, recipe);
}
