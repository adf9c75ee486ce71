/*
 * split.h
 *	  Cutting by module: a value, or a file that is larger than a value may be.
 *
 * The first step describes the whole and cuts it into consecutive parts of at
 * most max_bytes raw bytes; pa_split_part writes one of them.  A module that is
 * larger is PA_ERR_LIMIT.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_SPLIT_H
#define PA_ENGINE_SPLIT_H

#include "value/value.h"

typedef struct PaSplit PaSplit;

/* File and configuration as pa_import_file takes them; the file must stay. */
extern PaStatus pa_split_file(PaEnv *env, PaText file, PaText config, uint64_t max_bytes, PaSplit **split,
							  uint32_t *n_parts);
extern PaStatus pa_split_value(PaEnv *env, PaValue *value, uint64_t max_bytes, PaSplit **split,
							   uint32_t *n_parts);
extern PaStatus pa_split_part(PaEnv *env, PaSplit *split, uint32_t part, size_t reserve, PaBuf *out);

#endif
