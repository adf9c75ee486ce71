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

/*
 * By the configuration of a difference: what importing the canonical file of the result
 * would give.  leave_out is an expression for names of tensors that neither file is
 * asked for, or NULL; PA_ERR_CONFIG if none has such a name.
 */
extern PaStatus pa_difference_of_files(PaEnv *env, PaText tuned, PaText base, PaText config,
									   const char *leave_out, size_t reserve, PaBuf *out);

#endif
