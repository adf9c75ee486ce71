/*
 * peft_selection.h
 *	  Whether PEFT would load what a file has: target_modules, exclude_modules and
 *	  layers_to_transform are in no digest, so they must not leave out a module.
 *
 * What depends on the model is not judged: an absent list and "all-linear".  A
 * module that is selected and not in the file changes nothing.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_SELECTION_H
#define PA_PEFT_SELECTION_H

#include "interchange/peft_config.h"

/* PA_ERR_CONFIG, with the first module that PEFT would leave out; and what patterns give. */
extern PaStatus pa_peft_check_selection(PaEnv *env, const PaConfig *config, const PaAdapter *adapter);

#endif
