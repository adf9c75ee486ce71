/*
 * peft_lora_in.c
 *	  Reading LoRA's members of a configuration: what arithmetic needs, and what
 *	  makes arithmetic refuse.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_lora.h"

#include <math.h>
#include <string.h>

#include "core/strings.h"
#include "interchange/config_read.h"

/* Members that change what the tensors mean, and nothing else is asked of them. */
static const struct
{
	const char *member;
	uint32_t	feature;
} marks[] = {
	{"use_dora", PA_FEATURE_DORA},
	{"trainable_token_indices", PA_FEATURE_TRAINABLE_TOKENS},
	{"alora_invocation_tokens", PA_FEATURE_ALORA},
	{"layer_replication", PA_FEATURE_LAYER_REPLICATION},
	{"kasa_config", PA_FEATURE_KASA},
	{"use_qalora", PA_FEATURE_QALORA},
	{"use_bdlora", PA_FEATURE_BDLORA},
	{"arrow_config", PA_FEATURE_ARROW},
	{"monteclora_config", PA_FEATURE_MONTECLORA},
	{"velora_config", PA_FEATURE_VELORA},
};

/* Initialisations that leave the base model's weights as they are. */
static const char *const plain_initialisations[] = {"gaussian", "eva", "orthogonal", "mica"};

#define N_PLAIN (sizeof(plain_initialisations) / sizeof(plain_initialisations[0]))

/* null, false and the empty list are what PEFT writes for "not used" */
static bool
is_set(const json_t *v)
{
	if (v == NULL || json_is_null(v) || json_is_false(v))
		return false;
	return !(json_is_array(v) && json_array_size(v) == 0);
}

static uint32_t
read_features(const json_t *root)
{
	const json_t *init = json_object_get(root, "init_lora_weights");
	uint32_t	features = 0;
	bool		plain = !json_is_string(init);

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (is_set(json_object_get(root, marks[i].member)))
			features |= marks[i].feature;
	for (size_t i = 0; !plain && i < N_PLAIN; i++)
		plain = strcmp(json_string_value(init), plain_initialisations[i]) == 0;
	return plain ? features : features | PA_FEATURE_INITIALISATION;
}

/* r: a whole number; 16.0 is one.  what is the member, or its entry. */
static PaStatus
read_rank(PaEnv *env, const json_t *v, const char *what, double *r)
{
	if (json_is_number(v))
	{
		*r = json_number_value(v);
		if (*r >= 1 && *r <= (double) PA_MAX_DIMENSION && *r == floor(*r))
			return PA_OK;
		pa_fail(env, PA_ERR_CONFIG, "%s of the adapter configuration is %.15g", what, *r);
		pa_detail(env, "A rank is a whole number from 1 to %lld.", (long long) PA_MAX_DIMENSION);
		return PA_ERR_CONFIG;
	}
	return pa_config_wrong_type(env, what, "a whole number");
}

/* jansson refuses numbers that no double holds, so it is finite */
static PaStatus
read_alpha(PaEnv *env, const json_t *v, const char *what, double *alpha)
{
	if (!json_is_number(v))
		return pa_config_wrong_type(env, what, "a number");
	*alpha = json_number_value(v);
	return PA_OK;
}

static PaStatus
missing(PaEnv *env, const char *member, const char *alpha)
{
	pa_fail(env, PA_ERR_CONFIG, "adapter configuration has no %s", member);
	pa_detail(env, "The scaling of a module is %s / r, and no tensor tells it.", alpha);
	pa_hint(env, "Pass the whole text of the adapter_config.json that PEFT wrote.");
	return PA_ERR_CONFIG;
}

/* The path that "^" and escapes spell, or NULL if the key is any other expression. */
static PaStatus
literal_of(PaEnv *env, const char *key, const char **literal)
{
	char	   *out;

	*literal = NULL;
	if (*key++ != '^')
		return PA_OK;
	PA_TRY(PA_NEW_RAW(env, strlen(key) + 1, &out));
	*literal = out;
	while (pa_pattern_unescape(&key, out))
		out++;
	*out = '\0';
	if (*key != '\0')
	{
		pa_free(env, (void *) *literal);
		*literal = NULL;
	}
	return PA_OK;
}

static PaStatus
read_patterns(PaEnv *env, const json_t *root, const char *member,
			  PaStatus (*read_value)(PaEnv *, const json_t *, const char *, double *),
			  PaPatternValue **patterns, uint32_t *n)
{
	json_t	   *object = json_object_get(root, member);
	const char *key;
	json_t	   *v;
	PaPattern  *compiled;

	if (object == NULL || json_is_null(object))
		return PA_OK;
	if (!json_is_object(object))
		return pa_config_wrong_type(env, member, "an object");
	if (json_object_size(object) > PA_MAX_PATTERNS)
		return pa_fail(env, PA_ERR_LIMIT, "%s of the adapter configuration has %zu entries, more than %d",
					   member, json_object_size(object), PA_MAX_PATTERNS);
	PA_TRY(PA_NEW_ARRAY(env, json_object_size(object), patterns));
	json_object_foreach(object, key, v)
	{
		PaPatternValue *p = &(*patterns)[*n];

		PA_TRY(pa_check_cancel(env));
		p->key = key;
		PA_TRY(read_value(env, v, member, &p->value));
		PA_TRY(literal_of(env, key, &p->literal));
		(*n)++;
		if (p->literal != NULL)
			continue;
		/* only whether it can be: thousands of compiled expressions are too many to keep */
		PA_TRY(pa_pattern_compile(env, key, PA_PATTERN_KEY, &compiled));
		pa_pattern_release(env, compiled);
	}
	return PA_OK;
}

static PaStatus
read_bias(PaEnv *env, const json_t *root, PaConfig *config)
{
	PA_TRY(pa_config_read_string(env, root, "bias", &config->bias));
	if (config->bias == NULL)
		config->bias = "none";
	if (strcmp(config->bias, "none") == 0 || strcmp(config->bias, "all") == 0 ||
		strcmp(config->bias, "lora_only") == 0)
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "bias of the adapter configuration is \"%.100s\"", config->bias);
	pa_detail(env, "It may be none, all or lora_only.");
	return PA_ERR_CONFIG;
}

PaStatus
pa_peft_read_scaling(PaEnv *env, const json_t *root, const char *alpha_member, PaConfig *config)
{
	const json_t *r = json_object_get(root, "r");
	const json_t *alpha = json_object_get(root, alpha_member);

	if (r == NULL || json_is_null(r))
		return missing(env, "r", alpha_member);
	if (alpha == NULL || json_is_null(alpha))
		return missing(env, alpha_member, alpha_member);
	PA_TRY(read_rank(env, r, "r", &config->r));
	PA_TRY(read_alpha(env, alpha, alpha_member, &config->alpha));
	PA_TRY(read_patterns(env, root, "rank_pattern", read_rank, &config->rank_patterns,
						 &config->n_rank_patterns));
	return read_patterns(env, root, "alpha_pattern", read_alpha, &config->alpha_patterns,
						 &config->n_alpha_patterns);
}

PaStatus
pa_peft_lora_read(PaEnv *env, const json_t *root, PaConfig *config)
{
	PA_TRY(pa_config_read_layers(env, root, config));
	PA_TRY(pa_peft_read_scaling(env, root, "lora_alpha", config));
	PA_TRY(pa_config_read_flag(env, root, "use_rslora", &config->rslora));
	PA_TRY(pa_config_read_flag(env, root, "lora_bias", &config->lora_bias));
	PA_TRY(read_bias(env, root, config));
	PA_TRY(pa_config_read_names(env, root, "target_parameters", &config->target_parameters,
								&config->n_target_parameters));
	config->n_target_parameters = (uint32_t) pa_sort_distinct_strings(config->target_parameters,
																	  config->n_target_parameters);
	config->features = read_features(root);
	return PA_OK;
}
