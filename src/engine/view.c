/*
 * view.c
 *	  Values as arithmetic sees them.  See view.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/view.h"

#include "algebra/factored.h"
#include "interchange/container.h"

PaStatus
pa_view_source(PaEnv *env, PaValue *value, PaSource **source)
{
	const PaAdapter *factored;
	PaSource   *stored;
	uint32_t   *of;

	PA_TRY(pa_value_source(env, value, &stored));
	*source = stored;
	PA_TRY(pa_factored_adapter(env, pa_value_adapter(value), &factored, &of));
	if (factored == pa_value_adapter(value))
		return PA_OK;
	return pa_factored_source(env, stored, factored, of, source);
}

PaStatus
pa_view_parts(PaEnv *env, PaValue *value, PaSource **source)
{
	if (pa_container_of(pa_value_adapter(value)) == PA_CONTAINER_MLX)
		return pa_view_source(env, value, source);
	return pa_value_source(env, value, source);
}
