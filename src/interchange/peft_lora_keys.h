/*
 * peft_lora_keys.h
 *	  rank_pattern and alpha_pattern of a composed configuration, in keys that old
 *	  readers take too.
 *
 * PEFT up to 0.14 looks for .*\.KEY$ and else for the key that is the path, so it
 * finds nothing by a key that begins with "^"; later versions look for
 * (.*\.)?(KEY)$.  A plain path is right in both, unless it would give another
 * module its value as well: then it is anchored and escaped.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_LORA_KEYS_H
#define PA_PEFT_LORA_KEYS_H

#include "interchange/peft_config.h"

/* A path that PEFT looks up (peft_lora_patterns.h), and its value. */
typedef struct PaKeyValue
{
	const char *path;
	double		value;
} PaKeyValue;

/*
 * Adds what PEFT must find for those whose value is not the usual one to the
 * object.  PA_ERR_LIMIT if that is more than a configuration may have.
 */
extern PaStatus pa_peft_keys_write(PaEnv *env, json_t *object, uint32_t n, const PaKeyValue *keys,
								   double usual);

#endif
