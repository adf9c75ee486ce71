/*
 * peft_factored.h
 *	  AdaLoRA, LoHa, LoKr and VeRA: from an adapter that is only stored and its
 *	  configuration to what its change to each weight is made of
 *	  (adapter/factored.h).  doc/algebra.md, "Conversion to LoRA".
 *
 * shapes is a JSON object from an expression for whole module paths to the shape of
 * the base weight, [out, in] or [out, in, kernel...], null for what the file tells
 * anyway; it says what the files of these types leave open.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_FACTORED_H
#define PA_PEFT_FACTORED_H

#include "adapter/factored.h"

/*
 * shapes.text may be NULL.  PA_ERR_UNSUPPORTED for other types, which names those
 * that it knows, and for what a LoRA cannot have; PA_ERR_CONFIG for members and
 * shapes that do not fit the tensors, PA_ERR_MISMATCH for tensors that do not fit
 * each other.
 */
extern PaStatus pa_peft_factored(PaEnv *env, PaText config, const PaAdapter *adapter, PaText shapes,
								 PaFactored **factored);

#endif
