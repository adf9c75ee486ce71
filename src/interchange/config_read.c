/*
 * config_read.c
 *	  Readers of single members of an adapter_config.json.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/config_read.h"

#include "core/utf8.h"

PaStatus
pa_config_wrong_type(PaEnv *env, const char *member, const char *wanted)
{
	return pa_fail(env, PA_ERR_CONFIG, "%s of the adapter configuration is not %s", member, wanted);
}

PaStatus
pa_config_read_string(PaEnv *env, const json_t *root, const char *member, const char **s)
{
	const json_t *v = json_object_get(root, member);

	*s = NULL;
	if (v == NULL || json_is_null(v))
		return PA_OK;
	if (!json_is_string(v))
		return pa_config_wrong_type(env, member, "a string");
	*s = json_string_value(v);
	if (json_string_length(v) > 0 && !pa_utf8_valid_name(*s, json_string_length(v)))
		return pa_fail(env, PA_ERR_CONFIG, "%s of the adapter configuration has a control character", member);
	return PA_OK;
}

PaStatus
pa_config_read_flag(PaEnv *env, const json_t *root, const char *member, bool *flag)
{
	const json_t *v = json_object_get(root, member);

	*flag = json_is_true(v);
	if (v == NULL || json_is_null(v) || json_is_boolean(v))
		return PA_OK;
	return pa_config_wrong_type(env, member, "true or false");
}

PaStatus
pa_config_read_names(PaEnv *env, const json_t *root, const char *member, const char ***list, uint32_t *n)
{
	const json_t *v = json_object_get(root, member);
	size_t		size = json_array_size(v);

	*list = NULL;
	*n = 0;
	if (v == NULL || json_is_null(v))
		return PA_OK;
	if (!json_is_array(v))
		return pa_config_wrong_type(env, member, "a list of strings");
	if (size > PA_MAX_PATTERNS)
		return pa_fail(env, PA_ERR_LIMIT, "%s of the adapter configuration has %zu entries, more than %d",
					   member, size, PA_MAX_PATTERNS);
	PA_TRY(PA_NEW_ARRAY(env, size, list));
	for (size_t i = 0; i < size; i++)
	{
		const json_t *entry = json_array_get(v, i);
		size_t		length = json_string_length(entry);

		if (!json_is_string(entry))
			return pa_config_wrong_type(env, member, "a list of strings");
		(*list)[i] = json_string_value(entry);
		if (length > PA_MAX_NAME_BYTES || !pa_utf8_valid_name((*list)[i], length))
			return pa_fail(env, PA_ERR_CONFIG,
						   "%s of the adapter configuration has an entry that is not a name", member);
	}
	*n = (uint32_t) size;
	return PA_OK;
}

PaStatus
pa_config_read_layers(PaEnv *env, const json_t *root, PaConfig *config)
{
	config->target_modules = json_object_get(root, "target_modules");
	config->exclude_modules = json_object_get(root, "exclude_modules");
	config->layers_to_transform = json_object_get(root, "layers_to_transform");
	config->layers_pattern = json_object_get(root, "layers_pattern");
	PA_TRY(pa_config_read_flag(env, root, "fan_in_fan_out", &config->fan_in_fan_out));
	return pa_config_read_names(env, root, "modules_to_save", &config->modules_to_save,
								&config->n_modules_to_save);
}
