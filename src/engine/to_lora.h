/*
 * to_lora.h
 *	  adapter_to_lora: an adapter whose change to a weight is a product of what it
 *	  has, as LoRA.  doc/algebra.md, "Conversion to LoRA".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_TO_LORA_H
#define PA_ENGINE_TO_LORA_H

#include "value/value.h"

/*
 * shapes: as pa_peft_factored has them, or NULL.  *same: the value is a LoRA, and
 * nothing is written.  PA_ERR_UNSUPPORTED for other kinds and types.
 */
extern PaStatus pa_to_lora(PaEnv *env, PaValue *value, const char *shapes, size_t reserve, PaBuf *out,
						   bool *same);

#endif
