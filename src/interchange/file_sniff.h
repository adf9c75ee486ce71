/*
 * file_sniff.h
 *	  Files that are not safetensors, recognised by their first bytes.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_FILE_SNIFF_H
#define PA_FILE_SNIFF_H

#include "core/env.h"

/*
 * PA_ERR_FILE that names the type and a way out if the bytes are of a known
 * other type; PA_OK if not.  For bytes that cannot be safetensors: some magics
 * are plausible header lengths.
 */
extern PaStatus pa_file_sniff(PaEnv *env, const uint8_t *p, size_t length);

#endif
