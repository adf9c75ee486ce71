/*
 * peft_config.h
 *	  PEFT's adapter_config.json: reading what arithmetic needs, and writing the
 *	  configuration of a composed adapter.
 *
 * Reading is strict where a wrong guess would change a result: peft_type must
 * be LORA or IA3, or DIFFERENCE, which is not PEFT's: of that nothing but the
 * base model, its revision and the task type are read; r and lora_alpha must be
 * numbers of sane value (alpha has no default: a configuration without it is an
 * error with a hint); unknown members are kept in the text and ignored, except
 * those that are known to change what the tensors mean (PA_FEATURE_*).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_CONFIG_H
#define PA_PEFT_CONFIG_H

#include "adapter/draft.h"
#include "core/json.h"
#include "core/pattern.h"

/*
 * A rank_pattern or alpha_pattern entry, in the document's order.  A key that is
 * "^" and an escaped path, as composed configurations have them, is compared as
 * text: there may be thousands.
 */
typedef struct PaPatternValue
{
	const char *key;
	const char *literal;		/* the path, or NULL: pattern */
	PaPattern  *pattern;
	double		value;
} PaPatternValue;

typedef struct PaConfig
{
	PaKind		kind;
	const char *base_model;
	const char *base_revision;
	const char *task_type;
	const char *bias;
	uint32_t	features;
	bool		fan_in_fan_out;
	bool		lora_bias;
	bool		rslora;
	double		r;
	double		alpha;
	uint32_t	n_rank_patterns;
	PaPatternValue *rank_patterns;
	uint32_t	n_alpha_patterns;
	PaPatternValue *alpha_patterns;
	uint32_t	n_modules_to_save;
	const char **modules_to_save;
	uint32_t	n_target_parameters;
	const char **target_parameters; /* sorted, distinct */
	const json_t *target_modules;	/* as it stands; NULL if absent */
	uint32_t	n_feedforward;	/* (IA)^3: list form, matched as suffixes ... */
	const char **feedforward;	/* NULL if absent, which is not the empty list */
	PaPattern  *feedforward_pattern;	/* ... or one expression */
} PaConfig;

extern PaStatus pa_peft_config_read(PaEnv *env, const char *text, size_t length, PaConfig *config);

/* r and alpha of one module by the patterns, as PEFT finds them; scaling by form. */
extern PaStatus pa_peft_config_module(PaEnv *env, PaConfig *config, const char *path,
									  double *r, double *alpha, double *scaling);

/* Is the LoRA module of this path one of target_parameters? */
extern PaStatus pa_peft_config_is_parameter(PaEnv *env, PaConfig *config, const char *path, bool *is);

/* The path as it was before PEFT wrapped layers: without ".base_layer" components. */
extern PaStatus pa_peft_unwrapped_path(PaEnv *env, const char *path, const char **unwrapped);

/* If a target parameter may stand in the module of this unwrapped path: its own name, else NULL. */
extern const char *pa_peft_parameter_of(const char *unwrapped, const char *parameter);

/*
 * The text for a draft: explicit target_modules, most frequent r and alpha,
 * escaped patterns for the rest; doc/algebra.md, "The composed configuration".
 */
extern PaStatus pa_peft_config_write(PaEnv *env, const PaDraft *draft, const char **text, size_t *length);

/* The same text with base_model_name_or_path and revision replaced (NULL: null). */
extern PaStatus pa_peft_config_rename(PaEnv *env, const char *text, size_t length,
									  const char *base_model, const char *revision,
									  const char **renamed, size_t *renamed_length);

#endif
