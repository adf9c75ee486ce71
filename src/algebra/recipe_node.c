/*
 * recipe_node.c
 *	  The root node of each operation.
 *
 * Weights are written as Python's float.hex() writes them, by code of our own:
 * C's %a leaves the leading digit to the library, and the text of a recipe
 * must not depend on that.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/recipe_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algebra/terms.h"
#include "core/limits.h"
#include "core/utf8.h"

/* A term takes at least so much text: {"of":"...","u":"0x0.0p+0","v":"0x0.0p+0"} */
#define MIN_TERM_BYTES 103

void
pa_hex_double(char out[PA_HEX_DOUBLE_BYTES], double v)
{
	uint64_t	bits;
	const char *sign;
	int			exponent;
	unsigned long long fraction;

	memcpy(&bits, &v, sizeof(bits));
	sign = (bits >> 63) != 0 ? "-" : "";
	exponent = (int) ((bits >> 52) & 0x7ff);
	fraction = bits & UINT64_C(0xfffffffffffff);
	if (exponent == 0 && fraction == 0)
		snprintf(out, PA_HEX_DOUBLE_BYTES, "%s0x0.0p+0", sign);
	else if (exponent == 0)
		snprintf(out, PA_HEX_DOUBLE_BYTES, "%s0x0.%013llxp-1022", sign, fraction);
	else
		snprintf(out, PA_HEX_DOUBLE_BYTES, "%s0x1.%013llxp%+d", sign, fraction, exponent - 1023);
}

/* A node made by json_pack, released with the PaEnv. */
static PaStatus
own(PaEnv *env, json_t *made, json_t **node)
{
	PA_TRY(pa_json_own(env, made));
	*node = made;
	return PA_OK;
}

static PaStatus
check_text(PaEnv *env, const char *text)
{
	if (text != NULL && !pa_utf8_valid(text, strlen(text)))
		return pa_fail(env, PA_ERR_TEXT, "text is not valid UTF-8");
	return PA_OK;
}

PaStatus
pa_recipe_import(PaEnv *env, const uint8_t file_sha256[PA_SHA256_LENGTH], PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, file_sha256);
	PA_TRY(own(env, json_pack("{s:s,s:s}", "op", "import", "sha256", hex), &root));
	return pa_recipe_write(env, root, 0, NULL, recipe);
}

PaStatus
pa_recipe_scale(PaEnv *env, const PaOperand *of, double by, PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	char		weight[PA_HEX_DOUBLE_BYTES];
	json_t	   *root;

	pa_hex(hex, of->digest);
	pa_hex_double(weight, by);
	PA_TRY(own(env, json_pack("{s:s,s:s,s:s}", "op", "scale", "of", hex, "by", weight), &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_cast(PaEnv *env, const PaOperand *of, const char *dtype, PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(own(env, json_pack("{s:s,s:s,s:s}", "op", "cast", "of", hex, "dtype", dtype), &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_select(PaEnv *env, const PaOperand *of, const char *pattern, bool invert, PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(check_text(env, pattern));
	PA_TRY(own(env, json_pack("{s:s,s:s,s:s,s:b}", "op", "select", "of", hex,
							  "pattern", pattern, "invert", (int) invert), &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_set_base_model(PaEnv *env, const PaOperand *of, const char *base_model,
						 const char *revision, PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(check_text(env, base_model));
	PA_TRY(check_text(env, revision));
	PA_TRY(own(env, json_pack("{s:s,s:s,s:s?,s:s?}", "op", "set_base_model", "of", hex,
							  "base_model", base_model, "revision", revision), &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_split(PaEnv *env, const PaOperand *of, uint64_t max_bytes, uint32_t part, PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(own(env, json_pack("{s:s,s:s,s:I,s:I}", "op", "split", "of", hex,
							  "max_bytes", (json_int_t) max_bytes, "part", (json_int_t) part), &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

static int
compare_operands(const void *a, const void *b)
{
	return memcmp((*(const PaOperand *const *) a)->digest, (*(const PaOperand *const *) b)->digest,
				  PA_SHA256_LENGTH);
}

PaStatus
pa_recipe_union(PaEnv *env, uint32_t n, const PaOperand *operands, PaText *recipe)
{
	const PaOperand **sorted;
	PaOperand  *in_order;
	json_t	   *root;
	json_t	   *of;

	PA_TRY(pa_alloc_array(env, n, sizeof(PaOperand *), (void **) &sorted));
	PA_TRY(pa_alloc_array(env, n, sizeof(PaOperand), (void **) &in_order));
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = &operands[i];
	qsort(sorted, n, sizeof(PaOperand *), compare_operands);
	PA_TRY(own(env, json_pack("{s:s,s:[]}", "op", "union", "of"), &root));
	of = json_object_get(root, "of");
	for (uint32_t i = 0; i < n; i++)
	{
		char		hex[2 * PA_SHA256_LENGTH + 1];

		in_order[i] = *sorted[i];
		pa_hex(hex, in_order[i].digest);
		if (json_array_append_new(of, json_string(hex)) != 0)
			return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	}
	return pa_recipe_write(env, root, n, in_order, recipe);
}

typedef struct TermRef
{
	const uint8_t *digest;
	const PaRecipeTerm *term;
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
compare_terms(const void *a, const void *b)
{
	const TermRef *x = a;
	const TermRef *y = b;
	int			order = memcmp(x->digest, y->digest, PA_SHA256_LENGTH);

	if (order == 0)
		order = compare_doubles(x->term->u, y->term->u);
	if (order == 0)
		order = compare_doubles(x->term->v, y->term->v);
	return order;
}

static PaStatus
combine_root(PaEnv *env, const PaOperand *operands, size_t n_terms, const PaRecipeTerm *terms, json_t **root)
{
	TermRef    *refs;
	json_t	   *array;

	PA_TRY(pa_alloc_array(env, n_terms, sizeof(TermRef), (void **) &refs));
	for (size_t i = 0; i < n_terms; i++)
		refs[i] = (TermRef) {operands[terms[i].operand].digest, &terms[i]};
	qsort(refs, n_terms, sizeof(TermRef), compare_terms);
	PA_TRY(own(env, json_pack("{s:s,s:[]}", "op", "combine", "terms"), root));
	array = json_object_get(*root, "terms");
	for (size_t i = 0; i < n_terms; i++)
	{
		char		hex[2 * PA_SHA256_LENGTH + 1];
		char		u[PA_HEX_DOUBLE_BYTES];
		char		v[PA_HEX_DOUBLE_BYTES];

		pa_hex(hex, refs[i].digest);
		pa_hex_double(u, refs[i].term->u);
		pa_hex_double(v, refs[i].term->v);
		if (json_array_append_new(array, json_pack("{s:s,s:s,s:s}", "of", hex, "u", u, "v", v)) != 0)
			return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	}
	pa_free(env, refs);
	return PA_OK;
}

/* One term (leaf, p, q) for each leaf: another expression with the same value. */
static PaStatus
combine_totals(PaEnv *env, uint32_t n_operands, size_t n_terms, const PaRecipeTerm *terms, PaRecipeTerm **totals)
{
	PaTerm	   *copy;
	double	   *p;
	double	   *q;

	PA_TRY(pa_alloc_array(env, n_terms, sizeof(PaTerm), (void **) &copy));
	PA_TRY(pa_alloc_array(env, n_operands, sizeof(double), (void **) &p));
	PA_TRY(pa_alloc_array(env, n_operands, sizeof(double), (void **) &q));
	PA_TRY(pa_alloc_array(env, n_operands, sizeof(PaRecipeTerm), (void **) totals));
	for (size_t i = 0; i < n_terms; i++)
		copy[i] = (PaTerm) {terms[i].operand, terms[i].u, terms[i].v};
	PA_TRY(pa_terms_total(env, copy, n_terms, n_operands, p, q));
	for (uint32_t i = 0; i < n_operands; i++)
		(*totals)[i] = (PaRecipeTerm) {i, p[i], q[i]};
	pa_free(env, copy);
	return PA_OK;
}

PaStatus
pa_recipe_combine(PaEnv *env, uint32_t n_operands, const PaOperand *operands,
				  size_t n_terms, const PaRecipeTerm *terms, PaText *recipe)
{
	PaRecipeTerm *totals;
	json_t	   *root;
	PaStatus	status = PA_ERR_LIMIT;

	if (n_terms <= PA_MAX_RECIPE_BYTES / MIN_TERM_BYTES)
	{
		PA_TRY(combine_root(env, operands, n_terms, terms, &root));
		status = pa_recipe_write(env, root, n_operands, operands, recipe);
	}
	if (status != PA_ERR_LIMIT || n_operands > PA_MAX_RECIPE_BYTES / MIN_TERM_BYTES)
	{
		if (status == PA_ERR_LIMIT)
			pa_fail(env, PA_ERR_LIMIT, "expression has %u different adapters, too many for one recipe", n_operands);
		return status;
	}
	PA_TRY(combine_totals(env, n_operands, n_terms, terms, &totals));
	PA_TRY(combine_root(env, operands, n_operands, totals, &root));
	return pa_recipe_write(env, root, n_operands, operands, recipe);
}
