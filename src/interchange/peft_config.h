/*
 * peft_config.h
 *	  PEFT's adapter_config.json: reading what arithmetic needs, and writing the
 *	  configuration of a composed adapter.
 *
 * Reading is strict where a wrong guess would change a result: every type has a
 * dialect (peft_dialect.h), the last one what no other has, and what arithmetic
 * needs must be there and of sane value.  Unknown members are kept in the text
 * and ignored, except those that are known to change what the tensors mean
 * (PA_FEATURE_*).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_CONFIG_H
#define PA_PEFT_CONFIG_H

#include "adapter/draft.h"
#include "core/json.h"
#include "core/pattern.h"
#include "interchange/container.h"

/*
 * A rank_pattern or alpha_pattern entry, in the document's order.  A key that is
 * "^" and an escaped path, or a plain one (plain_keys.h), as composed
 * configurations have them, is compared as text: there may be thousands.
 */
typedef struct PaPatternValue
{
	const char *key;
	const char *literal;		/* the path, or NULL: an expression */
	double		value;
} PaPatternValue;

/* Strings and lists point into the document, which lives until pa_env_reset. */
typedef struct PaConfig
{
	/* not of the document: whether wrappers are taken off names, and what was taken off */
	bool		unwrap_names;
	const char **named_paths;	/* of each module the path with its wrappers; NULL: it has none */
	bool		composed;		/* it was written by paths, not by names */

	/* nor these: how names are read, and whether the tensors' ranks are r and alpha */
	PaContainer container;
	bool		implied;
	bool		scaled;			/* every module has this scaling */
	double		scale;

	/* every dialect */
	PaKind		kind;
	const char *base_model;		/* NULL: null or absent */
	const char *base_revision;	/* NULL likewise */
	const char *task_type;		/* NULL likewise */

	/* LoRA and (IA)^3; which modules they change, as it stands; NULL if absent */
	const json_t *target_modules;
	const json_t *exclude_modules;
	const json_t *layers_to_transform;
	const json_t *layers_pattern;
	bool		fan_in_fan_out;
	uint32_t	n_modules_to_save;
	const char **modules_to_save;

	/* LoRA */
	const char *bias;			/* "none", "all", "lora_only"; others: "none" */
	uint32_t	features;		/* others: none */
	const char *variant;		/* the member that announces an unknown one; NULL: none */
	bool		lora_bias;
	bool		rslora;
	double		r;
	double		alpha;
	uint32_t	n_rank_patterns;
	PaPatternValue *rank_patterns;
	uint32_t	n_alpha_patterns;
	PaPatternValue *alpha_patterns;
	uint32_t	n_target_parameters;
	const char **target_parameters; /* sorted, distinct */

	/* (IA)^3: feedforward_modules as a list, matched as suffixes, or as one expression */
	uint32_t	n_feedforward;
	const char **feedforward;	/* NULL if absent, which is not the empty list */
	PaPattern  *feedforward_pattern;	/* or NULL */

	/* every other type */
	const char *opaque_type;	/* peft_type; NULL where another dialect reads it */
	uint8_t		settings[PA_SHA256_LENGTH]; /* doc/format.md, "Settings digest" */
} PaConfig;

/*
 * The configuration that the text is; what the type's dialect does not fill is
 * zero.  PA_ERR_UNSUPPORTED for a type that is not written as PEFT's are, PA_ERR_CONFIG for a member that is
 * missing or wrong, PA_ERR_LIMIT, and what pa_json_parse and patterns give.
 */
extern PaStatus pa_peft_config_read(PaEnv *env, PaText text, PaConfig *config);

/*
 * The same by the dialect of a kind, whatever the type: what was stored as opaque
 * stays so when a later version has a kind of its own for the type.
 */
extern PaStatus pa_peft_config_read_as(PaEnv *env, PaText text, PaKind kind, PaConfig *config);

/* The text for a draft; doc/algebra.md, "The composed configuration". */
extern PaStatus pa_peft_config_write(PaEnv *env, const PaDraft *draft, PaText *text);

/* The same text with base_model_name_or_path and revision replaced (NULL: null). */
extern PaStatus pa_peft_config_rename(PaEnv *env, PaText text, const char *base_model, const char *revision,
									  PaText *renamed);

#endif
