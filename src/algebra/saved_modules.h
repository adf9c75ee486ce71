/*
 * saved_modules.h
 *	  The modules that a result saves as a whole (PEFT's modules_to_save).
 *	  Private to src/algebra.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_SAVED_MODULES_H
#define PA_SAVED_MODULES_H

#include "adapter/draft.h"

/*
 * The saved modules of n adapters that hold a dense tensor of the draft: sorted,
 * distinct, none below another one (PEFT saves all that stands under one).  If the
 * draft has no task type, with the heads that PEFT saves for the adapters' tasks.
 */
extern PaStatus pa_union_saved_modules(PaEnv *env, uint32_t n, const PaAdapter *const *adapters,
									   PaDraft *draft);

#endif
