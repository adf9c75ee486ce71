/*
 * peft_config_in.c
 *	  Reading PEFT's adapter_config.json: the type, what all types have, and the
 *	  rest by the type's dialect.
 *
 * Members have the defaults of PEFT where a wrong guess cannot change a result.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_config.h"

#include <stdio.h>
#include <string.h>

#include "adapter/kind.h"
#include "interchange/config_read.h"
#include "interchange/peft_dialect.h"

static PaStatus
refuse_type(PaEnv *env, const char *type)
{
	char		known[256] = "";
	size_t		n = 0;

	for (size_t i = 0; pa_peft_dialects[i] != NULL && n < sizeof(known); i++)
		n += (size_t) snprintf(known + n, sizeof(known) - n, "%s%s", n > 0 ? ", " : "",
							   pa_kind_methods(pa_peft_dialects[i]->kind)->peft_type);
	pa_fail(env, PA_ERR_UNSUPPORTED, "adapters of type %.100s are not supported", type);
	pa_detail(env, "The types that are: %s.", known);
	return PA_ERR_UNSUPPORTED;
}

static PaStatus
read_kind(PaEnv *env, const json_t *root, PaConfig *config)
{
	const PaKindMethods *methods;
	const char *type;

	PA_TRY(pa_config_read_string(env, root, "peft_type", &type));
	if (type == NULL)
	{
		pa_fail(env, PA_ERR_CONFIG, "adapter configuration has no peft_type");
		pa_hint(env, "Pass the text of the adapter_config.json that PEFT wrote.");
		return PA_ERR_CONFIG;
	}
	methods = pa_kind_by_peft_type(type);
	if (methods == NULL || pa_peft_dialect(methods->id) == NULL)
		return refuse_type(env, type);
	config->kind = methods->id;
	return PA_OK;
}

PaStatus
pa_peft_config_read(PaEnv *env, const char *text, size_t length, PaConfig *config)
{
	const PaPeftDialect *dialect;
	json_t	   *root;

	memset(config, 0, sizeof(*config));
	if (length > PA_MAX_CONFIG_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "adapter configuration of %zu bytes is larger than %zu",
					   length, PA_MAX_CONFIG_BYTES);
	PA_TRY(pa_json_parse(env, text, length, "adapter configuration", &root));
	PA_TRY(read_kind(env, root, config));
	PA_TRY(pa_config_read_string(env, root, "base_model_name_or_path", &config->base_model));
	PA_TRY(pa_config_read_string(env, root, "revision", &config->base_revision));
	PA_TRY(pa_config_read_string(env, root, "task_type", &config->task_type));
	config->bias = "none";
	dialect = pa_peft_dialect(config->kind);
	return dialect->read != NULL ? dialect->read(env, root, config) : PA_OK;
}
