/*
 * sketch.c
 *	  A planned sum of deltas, sketched module by module.  See sketch.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/sketch.h"

#include <math.h>

#include "algebra/sketch.h"

static PaStatus
sketch_modules(PaEnv *env, const PaPlannedSum *planned, PaSketch *sketch)
{
	const PaAdapter *facts = &planned->draft->facts;
	const PaStack **stacks;

	PA_TRY(pa_delta_sum_stacks(env, planned, &stacks));
	for (uint32_t i = 0; i < facts->n_modules; i++)
	{
		if (stacks[i] == NULL)
			continue;
		if (facts->modules[i].flags & PA_MODULE_PARAMETER)
			return pa_fail(env, PA_ERR_UNSUPPORTED, "sketch of target parameter \"%.300s\" is not supported",
						   facts->modules[i].path);
		PA_TRY(pa_sketch_add(env, sketch, stacks[i], planned->weights[0]));
	}
	return PA_OK;
}

PaStatus
pa_sketch_of_sum(PaEnv *env, const PaDeltaSum *sum, int64_t dims, int64_t seed, float **out)
{
	PaPlannedSum planned;
	PaSketch   *sketch;

	if (dims < 1 || dims > PA_MAX_SKETCH)
		return pa_fail(env, PA_ERR_CONFIG, "dims must be between 1 and %d", PA_MAX_SKETCH);
	PA_TRY(pa_delta_sum_plan(env, sum, NULL, false, &planned));
	PA_TRY(pa_sketch_begin(env, (uint32_t) dims, seed, &sketch));
	PA_TRY(sketch_modules(env, &planned, sketch));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) dims, out));
	for (int64_t i = 0; i < dims; i++)
	{
		(*out)[i] = (float) sketch->sums[i];
		if (!isfinite((*out)[i]))
			return pa_fail(env, PA_ERR_RANGE, "sketch is out of range of real");
	}
	return PA_OK;
}
