/*
 * config_write.h
 *	  Writers of single members of a composed adapter_config.json, for every
 *	  dialect.
 *
 * Fail with PA_ERR_NOMEM alone, but for a selection, which may also be too large
 * or be cancelled.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_CONFIG_WRITE_H
#define PA_CONFIG_WRITE_H

#include "adapter/adapter.h"
#include "core/json.h"

/* Sets a member; value is taken over, and NULL is "out of memory". */
extern PaStatus pa_config_set(PaEnv *env, json_t *object, const char *key, json_t *value);

/* An integral value as an integer, as people write lora_alpha. */
extern PaStatus pa_config_set_number(PaEnv *env, json_t *object, const char *key, double v);

/* A string, or null for NULL. */
extern PaStatus pa_config_set_text(PaEnv *env, json_t *root, const char *key, const char *s);

/* A list of strings. */
extern PaStatus pa_config_set_names(PaEnv *env, json_t *root, const char *key, uint32_t n,
									const char *const *names);

/*
 * Paths that a configuration selects.  PEFT takes the entries of a list as ends
 * of paths; where one of them would select one of the others, an expression says
 * the same without doubt.
 */
extern PaStatus pa_config_set_selection(PaEnv *env, json_t *root, const char *key, uint32_t n,
										const char *const *selected, uint32_t n_others,
										const char *const *others);

/* What types that put something into layers share: fan_in_fan_out, inference_mode, modules_to_save. */
extern PaStatus pa_config_set_layers(PaEnv *env, json_t *root, const PaAdapter *facts);

#endif
