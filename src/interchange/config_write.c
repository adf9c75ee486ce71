/*
 * config_write.c
 *	  Writers of single members of a composed adapter_config.json.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/config_write.h"

#include <math.h>
#include <string.h>

#include "core/pattern.h"
#include "interchange/endings.h"

PaStatus
pa_config_set(PaEnv *env, json_t *object, const char *key, json_t *value)
{
	if (value == NULL || json_object_set_new(object, key, value) != 0)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	return PA_OK;
}

static PaStatus
append(PaEnv *env, json_t *array, json_t *value)
{
	if (value == NULL || json_array_append_new(array, value) != 0)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	return PA_OK;
}

PaStatus
pa_config_set_number(PaEnv *env, json_t *object, const char *key, double v)
{
	bool		whole = v == nearbyint(v) && fabs(v) < 9007199254740992.0 && !(v == 0 && signbit(v));

	return pa_config_set(env, object, key, whole ? json_integer((json_int_t) v) : json_real(v));
}

PaStatus
pa_config_set_text(PaEnv *env, json_t *root, const char *key, const char *s)
{
	return pa_config_set(env, root, key, s != NULL ? json_string(s) : json_null());
}

PaStatus
pa_config_set_names(PaEnv *env, json_t *root, const char *key, uint32_t n, const char *const *names)
{
	json_t	   *array = json_array();

	PA_TRY(pa_config_set(env, root, key, array));
	for (uint32_t i = 0; i < n; i++)
		PA_TRY(append(env, array, json_string(names[i])));
	return PA_OK;
}

/* One expression that matches these paths and no other. */
static PaStatus
set_expression(PaEnv *env, json_t *root, const char *key, const char *const *paths, uint32_t n)
{
	PaBuf		buf;
	PaStatus	status;

	PA_TRY(pa_buf_init(env, &buf, 0, 256));
	status = PA_OK;
	for (uint32_t i = 0; status == PA_OK && i < n; i++)
	{
		const char *escaped;

		status = pa_pattern_escape(env, paths[i], &escaped);
		if (status == PA_OK)
			status = pa_buf_printf(&buf, "%s%s", i > 0 ? "|" : "", escaped + 1);
		if (status == PA_OK)
			pa_free(env, (void *) escaped);
	}
	if (status == PA_OK)
		status = pa_config_set(env, root, key, json_stringn((const char *) buf.data, buf.length));
	pa_buf_release(&buf);
	return status;
}

PaStatus
pa_config_set_selection(PaEnv *env, json_t *root, const char *key, uint32_t n, const char *const *selected,
						uint32_t n_others, const char *const *others)
{
	PaEndings	endings;
	bool		doubt = false;

	PA_TRY(pa_endings(env, n, selected, &endings));
	for (uint32_t i = 0; !doubt && i < n_others; i++)
	{
		PA_TRY(pa_check_cancel(env));
		doubt = pa_endings_match(&endings, others[i], strlen(others[i]), false);
	}
	pa_endings_release(env, &endings);
	if (doubt)
		return set_expression(env, root, key, selected, n);
	return pa_config_set_names(env, root, key, n, selected);
}

PaStatus
pa_config_set_layers(PaEnv *env, json_t *root, const PaAdapter *facts)
{
	PA_TRY(pa_config_set(env, root, "fan_in_fan_out", json_boolean(facts->fan_in_fan_out)));
	PA_TRY(pa_config_set(env, root, "inference_mode", json_true()));
	if (facts->n_saved_modules == 0)
		return pa_config_set(env, root, "modules_to_save", json_null());
	return pa_config_set_names(env, root, "modules_to_save", facts->n_saved_modules, facts->saved_modules);
}
