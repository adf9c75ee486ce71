/*
 * difference.h
 *	  adapter_difference: tuned - base of two files of whole weights.
 *	  doc/algebra.md, "Differences".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_DIFFERENCE_H
#define PA_ENGINE_DIFFERENCE_H

#include "core/buf.h"
#include "core/text.h"

/* By the configuration of a difference: what importing the canonical file of the result would give. */
extern PaStatus pa_difference_of_files(PaEnv *env, PaText tuned, PaText base, PaText config, size_t reserve,
									   PaBuf *out);

#endif
