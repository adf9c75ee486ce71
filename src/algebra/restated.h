/*
 * restated.h
 *	  An adapter as arithmetic sees it: of each module two factors as PEFT has them.
 *
 * Containers of LoRA other than PEFT's (doc/format.md, "Containers") say the same in
 * other tensors, which a value keeps as they are.  Alpha tensors say the scaling
 * again, so they are left out; LoCon's middle factor is multiplied into A,
 * A'[p][i][k..] = sum over q of middle[p][q][k..] A[q][i], in double in order of q,
 * rounded once to F32 (F64 if one of the two is); MLX's factors are transposed.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_RESTATED_H
#define PA_RESTATED_H

#include "adapter/source.h"

/*
 * *restated is the adapter itself if there is nothing to restate; else of[i] is the
 * stored tensor of its tensor i.
 */
extern PaStatus pa_restated_adapter(PaEnv *env, const PaAdapter *stored, const PaAdapter **restated,
									uint32_t **of);

/* A whole tensor of two dimensions, read and transposed into out. */
extern PaStatus pa_restated_transpose(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t *out);

/* of is kept.  At most one factor A and one B of a changed module are in memory. */
extern PaStatus pa_restated_source(PaEnv *env, PaSource *stored, const PaAdapter *restated,
								   const uint32_t *of, PaSource **source);

#endif
