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
 * Explicit target_modules, the most frequent r and alpha, escaped patterns for
 * the rest.  PA_ERR_UNSUPPORTED where alpha and scaling are not of the form.
 */
extern PaStatus pa_peft_lora_write(PaEnv *env, json_t *root, const PaAdapter *facts);

/* r and alpha of one module by the patterns, as PEFT finds them; scaling by form. */
extern PaStatus pa_peft_config_module(PaEnv *env, PaConfig *config, const char *path, double *r,
									  double *alpha, double *scaling);

/* Is the module of this path one of target_parameters? */
extern PaStatus pa_peft_config_is_parameter(PaEnv *env, PaConfig *config, const char *path, bool *is);

/* If a target parameter may stand in the module of this unwrapped path: its own name, else NULL. */
extern const char *pa_peft_parameter_of(const char *unwrapped, const char *parameter);

#endif
