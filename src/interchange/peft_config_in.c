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

#include <string.h>

#include "adapter/kind.h"
#include "interchange/config_read.h"
#include "interchange/mlx_config.h"
#include "interchange/peft_members.h"

static PaStatus
read_kind(PaEnv *env, const json_t *root, PaConfig *config)
{
	const char *type;

	PA_TRY(pa_config_read_string(env, root, "peft_type", &type));
	if (type == NULL)
	{
		pa_fail(env, PA_ERR_CONFIG, "adapter configuration has no peft_type");
		pa_hint(env, "Pass the text of the adapter_config.json that PEFT wrote.");
		return PA_ERR_CONFIG;
	}
	config->kind = pa_kind_by_peft_type(type)->id;
	return PA_OK;
}

static PaStatus
parse(PaEnv *env, PaText text, json_t **root)
{
	if (text.length > PA_MAX_CONFIG_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "adapter configuration of %zu bytes is larger than %zu",
					   text.length, PA_MAX_CONFIG_BYTES);
	return pa_json_parse(env, text, "adapter configuration", root);
}

static PaStatus
read_members(PaEnv *env, const json_t *root, PaConfig *config)
{
	const PaPeftDialect *dialect = pa_peft_dialect(config->kind);

	PA_TRY(pa_config_read_string(env, root, "base_model_name_or_path", &config->base_model));
	PA_TRY(pa_config_read_string(env, root, "revision", &config->base_revision));
	PA_TRY(pa_config_read_string(env, root, "task_type", &config->task_type));
	config->bias = "none";
	if (dialect->read != NULL)
		PA_TRY(dialect->read(env, root, config));
	PA_TRY(pa_peft_member_variant(env, dialect, root, &config->variant));
	if (config->variant != NULL)
		config->features |= PA_FEATURE_UNKNOWN_MEMBER;
	return PA_OK;
}

PaStatus
pa_peft_config_read(PaEnv *env, PaText text, PaConfig *config)
{
	json_t	   *root;

	memset(config, 0, sizeof(*config));
	PA_TRY(parse(env, text, &root));
	if (pa_mlx_config_is(root))
		return pa_mlx_config_read(env, root, config);
	PA_TRY(read_kind(env, root, config));
	return read_members(env, root, config);
}

PaStatus
pa_peft_config_read_as(PaEnv *env, PaText text, PaKind kind, PaConfig *config)
{
	json_t	   *root;

	memset(config, 0, sizeof(*config));
	PA_TRY(parse(env, text, &root));
	if (pa_mlx_config_is(root) && kind == pa_container_kind)
		return pa_mlx_config_read(env, root, config);
	PA_TRY(read_kind(env, root, config));
	config->kind = kind;
	return read_members(env, root, config);
}
