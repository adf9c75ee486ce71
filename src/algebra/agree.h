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

/* Kind, base model and revision, fan_in_fan_out, lora_bias, target_parameters; else PA_ERR_MISMATCH. */
extern PaStatus pa_agree(PaEnv *env, const PaAdapter *a, const PaAdapter *b);

/* Role by role the tensors that a sum pairs must have one shape; else PA_ERR_MISMATCH. */
extern PaStatus pa_agree_shape(PaEnv *env, const PaTensor *a, const PaTensor *b);

#endif
