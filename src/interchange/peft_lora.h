/*
 * peft_lora.h
 *	  LoRA's dialect: its members of a configuration, and what they say of one
 *	  module, as PEFT finds it.
 *
 * PEFT matches its patterns against the module's path before it wraps anything,
 * and for target_parameters against the path and the parameter's name.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_LORA_H
#define PA_PEFT_LORA_H

#include "interchange/peft_config.h"

/* Fills what is LoRA's in the configuration; r and lora_alpha have no default. */
extern PaStatus pa_peft_lora_read(PaEnv *env, const json_t *root, PaConfig *config);

/*
 * r and the alpha of this name, with their patterns; PA_ERR_CONFIG if one is
 * missing: types other than LoRA have them too.
 */
extern PaStatus pa_peft_read_scaling(PaEnv *env, const json_t *root, const char *alpha_member,
									 PaConfig *config);

/*
 * Explicit target_modules, the most frequent r and alpha, patterns for the rest
 * (peft_lora_keys.h).  PA_ERR_UNSUPPORTED where alpha and scaling are not of the form.
 */
extern PaStatus pa_peft_lora_write(PaEnv *env, json_t *root, const PaAdapter *facts);

/* A dialect's describe and check_described, for every container. */
extern PaStatus pa_peft_lora_describe(PaEnv *env, PaConfig *config, PaAdapter *adapter, double *ranks);
extern PaStatus pa_peft_lora_check_described(PaEnv *env, const PaAdapter *adapter, const double *ranks);

/* What a configuration says of a module. */
typedef struct PaLoraModule
{
	const char *path;			/* asked for; sorted */
	const char *named;			/* with wrappers, which PEFT may have matched; NULL: none */
	bool		parameter;		/* it is one of target_parameters */
	double		r;
	double		alpha;
	double		scaling;		/* by the configuration's form */
} PaLoraModule;

/*
 * By the patterns, as PEFT finds them.  All modules at once, so that each
 * pattern is compiled once and only one is held.  PA_ERR_LIMIT where the patterns
 * and modules are too many to be matched in a bounded time.  A value that a
 * pattern has for one of path and named alone counts; PA_ERR_UNSUPPORTED where
 * it has different ones for both.
 */
extern PaStatus pa_peft_config_modules(PaEnv *env, const PaConfig *config, uint32_t n, PaLoraModule *modules);

/*
 * A tensor that is carried as dense and is no parameter of the base model: beside
 * the factors of a module, or with a name of another method.
 */
extern bool pa_peft_lora_is_companion(const PaAdapter *adapter, const PaTensor *tensor);

#endif
