/*
 * config_read.h
 *	  Readers of single members of an adapter_config.json, for every dialect.
 *
 * null and absent are the same, and never an error.  What is returned points
 * into the document, which lives until pa_env_reset.  A member of another type
 * is PA_ERR_CONFIG and named.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_CONFIG_READ_H
#define PA_CONFIG_READ_H

#include "interchange/peft_config.h"

/* The error for a member that is not what it has to be: wanted is "a string". */
extern PaStatus pa_config_wrong_type(PaEnv *env, const char *member, const char *wanted);

/* A string, or NULL; no control characters. */
extern PaStatus pa_config_read_string(PaEnv *env, const json_t *root, const char *member, const char **s);

/* true or false; false where it is absent. */
extern PaStatus pa_config_read_flag(PaEnv *env, const json_t *root, const char *member, bool *flag);

/* A list of names, in the document's order; *list is NULL where it is absent. */
extern PaStatus pa_config_read_names(PaEnv *env, const json_t *root, const char *member, const char ***list,
									 uint32_t *n);

/* What types that put something into layers share: fan_in_fan_out, modules_to_save, which modules. */
extern PaStatus pa_config_read_layers(PaEnv *env, const json_t *root, PaConfig *config);

#endif
