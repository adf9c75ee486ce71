/*
 * union.h
 *	  adapter_union: adapters without a common module become one.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_UNION_H
#define PA_ENGINE_UNION_H

#include "value/value.h"

/* In any order, with the same result.  A module that two of them have is PA_ERR_MISMATCH. */
extern PaStatus pa_union_values(PaEnv *env, uint32_t n, PaValue *const *values, size_t reserve, PaBuf *out);

#endif
