/*
 * agree.h
 *	  What two adapters must share before any of their tensors may meet.
 *	  Private to src/algebra.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_AGREE_H
#define PA_AGREE_H

#include "adapter/draft.h"

/* Kind, base model and revision; else PA_ERR_MISMATCH. */
extern PaStatus pa_agree(PaEnv *env, const PaAdapter *a, const PaAdapter *b);

/*
 * Of two adapters that agree: fan_in_fan_out, which says how a base weight is
 * stored and which PEFT corrects layer by layer when it loads, is set if both have it,
 * so that it depends on no order; lora_bias if one has it.
 */
extern void pa_agree_flags(PaAdapter *facts, const PaAdapter *other);

/* Two modules of one path: the parameters that they stand for; else PA_ERR_MISMATCH. */
extern PaStatus pa_agree_parameters(PaEnv *env, const PaModule *a, const PaModule *b);

/*
 * target_parameters of a result: the list that all adapters have, or, where they spell
 * them in different ways, the whole paths of what their modules stand for.
 */
extern PaStatus pa_union_parameters(PaEnv *env, uint32_t n, const PaAdapter *const *adapters,
									PaAdapter *facts);

/* Role by role the tensors that a sum pairs must have one shape; else PA_ERR_MISMATCH. */
extern PaStatus pa_agree_shape(PaEnv *env, const PaTensor *a, const PaTensor *b);

#endif
