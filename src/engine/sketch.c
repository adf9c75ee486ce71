/*
 * sketch.c
 *	  Leaves in digest order, paired module by module, sketched.  See sketch.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "algebra/combine.h"
#include "algebra/sketch.h"

static int
compare_leaves(const void *a, const void *b)
{
	return memcmp(((const PaLeaf *) a)->digest, ((const PaLeaf *) b)->digest, PA_SHA256_LENGTH);
}

/* The source without its dense tensors: they say nothing about a change, so their weights are free. */
static PaStatus
leave_out_dense(PaEnv *env, PaSource *parent, PaSource **source)
{
	const PaAdapter *whole = parent->adapter;
	PaAdapter  *rest;
	uint32_t   *from;

	PA_TRY(pa_alloc(env, sizeof(PaAdapter), (void **) &rest));
	PA_TRY(pa_alloc_array(env, whole->n_modules, sizeof(PaModule), (void **) &rest->modules));
	PA_TRY(pa_alloc_array(env, whole->n_tensors, sizeof(PaTensor), (void **) &rest->tensors));
	PA_TRY(pa_alloc_array(env, whole->n_tensors, sizeof(uint32_t), (void **) &from));
	memcpy(rest->modules, whole->modules, whole->n_modules * sizeof(PaModule));
	{
		PaModule   *modules = rest->modules;
		PaTensor   *tensors = rest->tensors;

		*rest = *whole;
		rest->modules = modules;
		rest->tensors = tensors;
	}
	rest->n_tensors = 0;
	for (uint32_t t = 0; t < whole->n_tensors; t++)
	{
		const PaTensor *tensor = &whole->tensors[t];

		if (tensor->role == PA_ROLE_DENSE)
			continue;
		rest->modules[tensor->module].tensor[tensor->role] = rest->n_tensors;
		from[rest->n_tensors] = t;
		rest->tensors[rest->n_tensors++] = *tensor;
	}
	return pa_source_subset(env, rest, parent, from, source);
}

static PaStatus
plan_sum(PaEnv *env, const PaDeltaSum *sum, PaCombine **plan, const PaDraft **draft)
{
	PaLeaf	   *leaves;

	PA_TRY(pa_alloc_array(env, sum->n, sizeof(PaLeaf), (void **) &leaves));
	for (uint32_t i = 0; i < sum->n; i++)
	{
		PaSource   *whole;

		leaves[i].digest = pa_value_header(sum->values[i])->digest;
		leaves[i].q = sum->weights[i];
		if (i > 0)
			pa_value_borrow_decoder(sum->values[i], sum->values[0]);
		PA_TRY(pa_value_source(env, sum->values[i], &whole));
		PA_TRY(leave_out_dense(env, whole, &leaves[i].source));
	}
	qsort(leaves, sum->n, sizeof(PaLeaf), compare_leaves);
	return pa_combine_plan(env, PA_RULE_DELTA, sum->n, leaves, plan, draft);
}

static PaStatus
sketch_modules(PaEnv *env, const PaCombine *plan, const PaDraft *draft, PaSketch *sketch)
{
	uint32_t	n_leaves;
	const PaLeaf *leaves = pa_combine_leaves(plan, &n_leaves);
	double	   *weights;

	PA_TRY(pa_alloc_array(env, n_leaves, sizeof(double), (void **) &weights));
	for (uint32_t i = 0; i < n_leaves; i++)
		weights[i] = leaves[i].q;
	for (uint32_t m = 0; n_leaves > 0 && m < draft->facts.n_modules; m++)
	{
		const PaStack *stack;

		PA_TRY(pa_check_cancel(env));
		if (draft->facts.modules[m].flags & PA_MODULE_PARAMETER)
			return pa_fail(env, PA_ERR_UNSUPPORTED, "sketch of target parameter \"%.300s\" is not supported", draft->facts.modules[m].path);
		PA_TRY(pa_combine_stack(env, plan, m, &stack));
		if (stack != NULL)
			PA_TRY(pa_sketch_add(env, sketch, stack, weights));
	}
	return PA_OK;
}

PaStatus
pa_engine_sketch(PaEnv *env, const PaDeltaSum *sum, int64_t dims, int64_t seed, float **out)
{
	PaCombine  *plan;
	const PaDraft *draft;
	PaSketch   *sketch;

	if (dims < 1 || dims > PA_MAX_SKETCH)
		return pa_fail(env, PA_ERR_CONFIG, "dims must be between 1 and %d", PA_MAX_SKETCH);
	PA_TRY(plan_sum(env, sum, &plan, &draft));
	PA_TRY(pa_sketch_begin(env, (uint32_t) dims, seed, &sketch));
	PA_TRY(sketch_modules(env, plan, draft, sketch));
	PA_TRY(pa_alloc_array(env, (size_t) dims, sizeof(float), (void **) out));
	for (int64_t i = 0; i < dims; i++)
	{
		(*out)[i] = (float) sketch->sums[i];
		if (!isfinite((*out)[i]))
			return pa_fail(env, PA_ERR_RANGE, "sketch is out of range of real");
	}
	return PA_OK;
}
