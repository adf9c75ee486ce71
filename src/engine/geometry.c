/*
 * geometry.c
 *	  Geometry of one or two sums of deltas: the modules' products, added in path
 *	  order.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/geometry.h"

#include <math.h>

#include "lowrank/geometry.h"

static PaStatus
measure(PaEnv *env, const PaProducts *products, const char *path, PaModuleGeometry *result)
{
	*result = (PaModuleGeometry) {
		.path = path,
		.norm_d = pa_scaled_root(products->dd),
		.norm_e = pa_scaled_root(products->ee),
		.inner = pa_scaled_value(products->de),
		.distance = pa_scaled_root(products->xx),
		.cosine_distance = pa_products_cosine_distance(products),
	};
	if (isfinite(result->norm_d) && isfinite(result->norm_e) && isfinite(result->inner) &&
		isfinite(result->distance))
		return PA_OK;
	if (path != NULL)
		return pa_fail(env, PA_ERR_RANGE, "norm or inner product of module \"%.300s\" is out of range", path);
	return pa_fail(env, PA_ERR_RANGE, "norm or inner product is out of range");
}

PaStatus
pa_geometry_measure(PaEnv *env, const PaDeltaSum *d, const PaDeltaSum *e, PaModuleGeometry *total,
					uint32_t *n, PaModuleGeometry **modules)
{
	PaPlannedSum planned;
	const PaStack **stacks;
	PaModuleGeometry *rows;
	PaProducts	sum = {0};
	uint32_t	count = 0;

	PA_TRY(pa_delta_sum_plan(env, d, e, false, &planned));
	PA_TRY(pa_delta_sum_stacks(env, &planned, &stacks));
	PA_TRY(PA_NEW_ARRAY(env, planned.draft->facts.n_modules, &rows));
	for (uint32_t i = 0; i < planned.draft->facts.n_modules; i++)
	{
		PaProducts	products;

		if (stacks[i] == NULL)
			continue;
		PA_TRY(pa_geometry_module(env, stacks[i], planned.weights[0], planned.weights[1], PA_LOWRANK_BUDGET,
								  &products));
		pa_products_add(&sum, &products);
		if (modules != NULL)
			PA_TRY(measure(env, &products, stacks[i]->path, &rows[count++]));
	}
	if (modules != NULL)
	{
		*n = count;
		*modules = rows;
	}
	return measure(env, &sum, NULL, total);
}
