/*
 * kept_value.h
 *	  Values that a fuzz target has made: opened, kept until pa_env_reset, and
 *	  made again from their recipes.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_KEPT_VALUE_H
#define PA_KEPT_VALUE_H

#include "value/value.h"

typedef struct KeptValue
{
	PaBuf		buf;
	PaMemoryBytes bytes;
	PaValue    *value;
} KeptValue;

/* Takes the buffer.  Aborts unless it holds a value. */
extern KeptValue *keep_value(PaEnv *env, PaBuf *buf);

/* Aborts unless the value's recipe over known values gives it again, envelope and all. */
extern void check_recomputes(PaEnv *env, PaValue *made, uint32_t n, PaBytes **known);

#endif
