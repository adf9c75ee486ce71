/*
 * recipe_node.c
 *	  The root node of each operation that takes values as they are;
 *	  recipe_terms.c has those over weighted terms.
 *
 * Weights are written as Python's float.hex() writes them, by code of our own:
 * C's %a leaves the leading digit to the library, and the text of a recipe
 * must not depend on that.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "recipe/recipe_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

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

PaStatus
pa_recipe_own(PaEnv *env, json_t *made, json_t **node)
{
	PA_TRY(pa_json_own(env, made));
	*node = made;
	return PA_OK;
}

PaStatus
pa_recipe_check_text(PaEnv *env, const char *text)
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
	PA_TRY(pa_recipe_own(env, json_pack("{s:s,s:s}", "op", "import", "sha256", hex), &root));
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
	PA_TRY(pa_recipe_own(env, json_pack("{s:s,s:s,s:s}", "op", "scale", "of", hex, "by", weight), &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_cast(PaEnv *env, const PaOperand *of, const char *dtype, PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(pa_recipe_own(env, json_pack("{s:s,s:s,s:s}", "op", "cast", "of", hex, "dtype", dtype), &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_plain(PaEnv *env, const PaOperand *of, uint64_t rank, PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(pa_recipe_own(env,
						 json_pack("{s:s,s:s,s:o}", "op", "plain", "of", hex, "rank",
								   rank > 0 ? json_integer((json_int_t) rank) : json_null()),
						 &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_select(PaEnv *env, const PaOperand *of, const char *pattern, bool invert, PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(pa_recipe_check_text(env, pattern));
	PA_TRY(pa_recipe_own(env,
						 json_pack("{s:s,s:s,s:s,s:b}", "op", "select", "of", hex, "pattern", pattern,
								   "invert", (int) invert),
						 &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_rename(PaEnv *env, const PaOperand *of, const char *pattern, const char *replacement,
				 PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(pa_recipe_check_text(env, pattern));
	PA_TRY(pa_recipe_check_text(env, replacement));
	PA_TRY(pa_recipe_own(env,
						 json_pack("{s:s,s:s,s:s,s:s}", "op", "rename", "of", hex, "pattern", pattern,
								   "replacement", replacement),
						 &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_select_tensors(PaEnv *env, const PaOperand *of, const char *tensors, const char *role, bool invert,
						 PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(pa_recipe_check_text(env, tensors));
	PA_TRY(pa_recipe_own(env,
						 json_pack("{s:s,s:s,s:s?,s:s?,s:b}", "op", "select_tensors", "of", hex, "tensors",
								   tensors, "role", role, "invert", (int) invert),
						 &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_to_lora(PaEnv *env, const PaOperand *of, const char *shapes, PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(pa_recipe_check_text(env, shapes));
	PA_TRY(
		pa_recipe_own(env, json_pack("{s:s,s:s,s:s?}", "op", "to_lora", "of", hex, "shapes", shapes), &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_extract(PaEnv *env, const PaOperand *of, const PaRecipeExtract *extract, PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	char		share[PA_HEX_DOUBLE_BYTES];
	uint64_t	rank = extract->rank;
	json_t	   *root;

	pa_hex(hex, of->digest);
	pa_hex_double(share, extract->energy);
	PA_TRY(pa_recipe_check_text(env, extract->embeddings));
	PA_TRY(pa_recipe_check_text(env, extract->library));
	PA_TRY(pa_recipe_own(env,
						 json_pack("{s:s,s:s,s:o,s:s?,s:b,s:s?,s:b,s:s,s:s}", "op", "extract", "of", hex,
								   "rank", rank > 0 ? json_integer((json_int_t) rank) : json_null(), "energy",
								   rank > 0 ? NULL : share, "drop_others", (int) extract->drop_others,
								   "embeddings", extract->embeddings, "fan_in_fan_out",
								   (int) extract->fan_in_fan_out, "numerics", "tolerance", "library",
								   extract->library),
						 &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_set_base_model(PaEnv *env, const PaOperand *of, const char *base_model, const char *revision,
						 PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(pa_recipe_check_text(env, base_model));
	PA_TRY(pa_recipe_check_text(env, revision));
	PA_TRY(pa_recipe_own(env,
						 json_pack("{s:s,s:s,s:s?,s:s?}", "op", "set_base_model", "of", hex, "base_model",
								   base_model, "revision", revision),
						 &root));
	return pa_recipe_write(env, root, 1, of, recipe);
}

PaStatus
pa_recipe_split(PaEnv *env, const PaOperand *of, uint64_t max_bytes, uint32_t part, PaText *recipe)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	json_t	   *root;

	pa_hex(hex, of->digest);
	PA_TRY(pa_recipe_own(env,
						 json_pack("{s:s,s:s,s:I,s:I}", "op", "split", "of", hex, "max_bytes",
								   (json_int_t) max_bytes, "part", (json_int_t) part),
						 &root));
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

	PA_TRY(PA_NEW_ARRAY(env, n, &sorted));
	PA_TRY(PA_NEW_ARRAY(env, n, &in_order));
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = &operands[i];
	qsort(sorted, n, sizeof(PaOperand *), compare_operands);
	PA_TRY(pa_recipe_own(env, json_pack("{s:s,s:[]}", "op", "union", "of"), &root));
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
