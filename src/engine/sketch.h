/*
 * sketch.h
 *	  The sketch of a sum of deltas that was not evaluated.  doc/algebra.md,
 *	  "Sketch".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_SKETCH_H
#define PA_ENGINE_SKETCH_H

#include "engine/delta_sum.h"

/*
 * dims numbers in env memory, each rounded once.  dims outside 1..4096 is
 * PA_ERR_CONFIG, a number beyond float PA_ERR_RANGE.  Dense tensors do not
 * count.
 */
extern PaStatus pa_sketch_of_sum(PaEnv *env, const PaDeltaSum *sum, int64_t dims, int64_t seed, float **out);

#endif
