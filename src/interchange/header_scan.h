/*
 * header_scan.h
 *	  A look at a safetensors header before it is parsed.
 *
 * A JSON document in memory takes many times its text, so a header of some
 * megabytes of brackets or commas could take gigabytes.  This scan knows strings
 * and brackets only, allocates nothing, and refuses whatever cannot be a header:
 * so many tensors, dimensions or metadata entries, so much nesting, a minus sign
 * outside a string (JSON's -0 is an integer to one parser and a real to
 * another), values where a header has none.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_HEADER_SCAN_H
#define PA_HEADER_SCAN_H

#include "core/env.h"
#include "core/text.h"

/* Limits are PA_ERR_LIMIT, the rest is `code`. */
extern PaStatus pa_header_scan(PaEnv *env, PaText header, PaStatus code);

#endif
