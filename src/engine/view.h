/*
 * view.h
 *	  A stored value as arithmetic sees it (algebra/restated.h): what operations on
 *	  weights begin with.  Where tensors pass as they are, the value itself is asked.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_VIEW_H
#define PA_ENGINE_VIEW_H

#include "adapter/source.h"
#include "value/value.h"

/* source->adapter is the value's own where nothing is restated. */
extern PaStatus pa_view_source(PaEnv *env, PaValue *value, PaSource **source);

/*
 * What passes as it is: the value's own tensors, alphas and middle factors with
 * them; but of MLX's, which are written anew, the factors as PEFT has them.
 */
extern PaStatus pa_view_parts(PaEnv *env, PaValue *value, PaSource **source);

#endif
