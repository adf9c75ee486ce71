/*
 * peft_adalora.c
 *	  AdaLoRA: lora_B diag(lora_E) lora_A, whose rank was cut while it was trained.
 *	  The configuration's rank_pattern has for each module a list of booleans, one
 *	  for each of init_r ranks: those that are left are in the file.
 *
 * PEFT divides by the rank that a module began with, plus 1e-5, and where
 * lora_alpha is not positive multiplies by the rank that is left.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_factored_impl.h"

#include <math.h>
#include <string.h>

#include "interchange/config_read.h"

#define RANK_EPSILON 1e-5

enum
{
	PART_A,
	PART_B,
	PART_E
};

static const char *const suffixes[] = {".lora_A", ".lora_B", ".lora_E", NULL};

static const char *const rule = "lora_A of shape (r, in), lora_B (out, r) and lora_E (r, 1)";

/* What an AdaLoRA could have of LoRA's members and a plain LoRA would not. */
static const char *const refused[] = {"trainable_token_indices", "layer_replication", "target_parameters"};

static PaStatus
read(PaEnv *env, const json_t *root)
{
	const json_t *init_r = json_object_get(root, "init_r");
	double		r = json_number_value(init_r);

	if (!json_is_number(init_r) || !(r >= 0 && r <= (double) PA_MAX_DIMENSION && r == floor(r)))
		return pa_config_wrong_type(env, "init_r", "a whole number");
	if (!json_is_number(json_object_get(root, "lora_alpha")))
		return pa_config_wrong_type(env, "lora_alpha", "a number");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		const json_t *v = json_object_get(root, refused[i]);

		if (v == NULL || json_is_null(v) || (json_is_array(v) && json_array_size(v) == 0))
			continue;
		pa_fail(env, PA_ERR_UNSUPPORTED, "cannot convert AdaLoRA with %s to LoRA", refused[i]);
		pa_detail(env, "What it does is not the change of one weight by a product.");
		return PA_ERR_UNSUPPORTED;
	}
	return PA_OK;
}

/* How many ranks are left: those that the list has; init_r where there is no list. */
static PaStatus
rank_left(PaEnv *env, const PaFactoredParts *parts, double *rank)
{
	const json_t *pattern = json_object_get(parts->root, "rank_pattern");
	size_t		n = strlen(parts->path);
	const json_t *list = NULL;
	const char *key;
	json_t	   *v;

	if (pattern != NULL && !json_is_null(pattern) && !json_is_object(pattern))
		return pa_config_wrong_type(env, "rank_pattern", "an object");
	json_object_foreach((json_t *) pattern, key,
						v) if (strncmp(key, parts->path, n) == 0 &&
							   strncmp(key + n, suffixes[PART_E], strlen(suffixes[PART_E])) == 0) list = v;
	*rank = json_number_value(json_object_get(parts->root, "init_r"));
	if (list == NULL)
		return PA_OK;
	if (!json_is_array(list))
		return pa_config_wrong_type(env, "rank_pattern", "an object of lists of booleans");
	*rank = 0;
	for (size_t i = 0; i < json_array_size(list); i++)
	{
		if (!json_is_boolean(json_array_get(list, i)))
			return pa_config_wrong_type(env, "rank_pattern", "an object of lists of booleans");
		*rank += json_is_true(json_array_get(list, i));
	}
	return PA_OK;
}

static PaStatus
make_module(PaEnv *env, const PaFactoredParts *given, PaFactoredModule *module)
{
	PaFactoredParts parts = *given;
	const PaTensor *a = pa_factored_tensor(&parts, PART_A);
	const PaTensor *b = pa_factored_tensor(&parts, PART_B);
	const PaTensor *e = pa_factored_tensor(&parts, PART_E);
	double		alpha = json_number_value(json_object_get(parts.root, "lora_alpha"));
	double		init_r = json_number_value(json_object_get(parts.root, "init_r"));

	/* a module that has lost all its ranks is empty in one dimension */
	if (a == NULL || b == NULL || e == NULL || a->ndim != 2 || b->ndim != 2 || e->ndim != 2 ||
		b->shape[1] != a->shape[0] || e->shape[0] != a->shape[0] || e->shape[1] != 1 || a->shape[1] == 0 ||
		b->shape[0] == 0)
		return pa_factored_misfit(env, &parts, rule);
	PA_TRY(rank_left(env, &parts, &parts.r));
	PA_TRY(pa_factored_check_rank(env, &parts, a->shape[0]));
	*module = (PaFactoredModule) {
		.left = {pa_factored_matrix(&parts, PART_B), pa_factored_none(b->shape[0], 1)},
		.right = {pa_factored_matrix(&parts, PART_A), pa_factored_none(1, a->shape[1])},
		.diagonal = parts.part[PART_E],
		.rows = b->shape[0],
		.columns = a->shape[1],
		.scaling = (alpha > 0 ? alpha : parts.r) / (init_r + RANK_EPSILON),
	};
	return PA_OK;
}

const PaFactoredType pa_peft_adalora = {
	.peft_type = "ADALORA",
	.suffixes = suffixes,
	.bias = "lora_only",
	.fan_in_fan_out = true,
	.read = read,
	.module = make_module,
};
