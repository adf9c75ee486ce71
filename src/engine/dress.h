/*
 * dress.h
 *	  A result in another container than PEFT's: with the alpha tensors and the
 *	  header's metadata that its files have (doc/format.md, "Containers").
 *
 * Operations compute factors, and alphas follow from the scalings, so they are put in
 * when the result is written, and MLX's factors are transposed; MLX has one scaling,
 * so a result with several keeps PEFT's names.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_DRESS_H
#define PA_ENGINE_DRESS_H

#include "engine/result.h"

/*
 * Completes the result, whose draft's names have a spelling of a container: *source
 * becomes one of all its tensors.  Else nothing is done.  PA_ERR_UNSUPPORTED for a
 * scaling that no alpha tells.
 */
extern PaStatus pa_dress(PaEnv *env, PaResult *result, PaSource **source);

#endif
