/*
 * view.c
 *	  Values as arithmetic sees them.  See view.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/view.h"

#include "algebra/restated.h"
#include "interchange/container.h"

PaStatus
pa_view_source(PaEnv *env, PaValue *value, PaSource **source)
{
	const PaAdapter *restated;
	PaSource   *stored;
	uint32_t   *of;

	PA_TRY(pa_value_source(env, value, &stored));
	*source = stored;
	PA_TRY(pa_restated_adapter(env, pa_value_adapter(value), &restated, &of));
	if (restated == pa_value_adapter(value))
		return PA_OK;
	return pa_restated_source(env, stored, restated, of, source);
}

PaStatus
pa_view_parts(PaEnv *env, PaValue *value, PaSource **source)
{
	if (pa_container_of(pa_value_adapter(value)) == PA_CONTAINER_MLX)
		return pa_view_source(env, value, source);
	return pa_value_source(env, value, source);
}
