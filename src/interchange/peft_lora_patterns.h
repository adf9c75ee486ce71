/*
 * peft_lora_patterns.h
 *	  rank_pattern and alpha_pattern, looked up as PEFT does.
 *
 * The first key of the document that matches, as an expression, the end of the
 * path; if none does, the key that is the path, whatever it is as an expression.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_LORA_PATTERNS_H
#define PA_PEFT_LORA_PATTERNS_H

#include "interchange/peft_config.h"

/* What is looked up: an unwrapped path, or with a target parameter path.parameter. */
typedef struct PaPatternKey
{
	const char *path;
	const char *parameter;		/* NULL: none */
} PaPatternKey;

/*
 * values[i] becomes that of keys[i], and stays as it is if there is none.
 * PA_ERR_LIMIT for more than PA_MAX_PATTERN_MATCHES pairs of an expression and a
 * key, and what patterns give.
 */
extern PaStatus pa_peft_patterns_look_up(PaEnv *env, uint32_t n_patterns, const PaPatternValue *patterns,
										 uint32_t n_keys, const PaPatternKey *keys, double *values);

#endif
