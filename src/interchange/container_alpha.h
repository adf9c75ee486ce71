/*
 * container_alpha.h
 *	  Alpha tensors: one number, the scaling times r.  0 and a missing one mean r.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_CONTAINER_ALPHA_H
#define PA_CONTAINER_ALPHA_H

#include "interchange/container.h"

/*
 * Alpha and scaling of a target module by its alpha tensor, whose bytes these are.
 * PA_ERR_FILE for a dtype that is none of a number, for NaN and infinity.
 */
extern PaStatus pa_alpha_read(PaEnv *env, const PaTensor *tensor, const uint8_t *bytes, PaModule *module);

/*
 * Do the scalings, which the configuration says, agree with what the tensors say?
 * data[i] is tensor i.  PA_ERR_CONFIG with both numbers.
 */
extern PaStatus pa_alphas_check(PaEnv *env, const PaAdapter *adapter, const uint8_t *const *data);

/*
 * The number that says the module's scaling, and the dtype that holds it: F32, or F64
 * where F32 does not.  PA_ERR_UNSUPPORTED if no number does.
 */
extern PaStatus pa_alpha_make(PaEnv *env, const PaModule *module, double *alpha, PaDtype *dtype);

#endif
