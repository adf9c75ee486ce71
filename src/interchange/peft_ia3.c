/*
 * peft_ia3.c
 *	  (IA)^3's dialect: one vector a module, and which modules are feedforward.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_dialect.h"

#include <string.h>

#include "interchange/config_read.h"
#include "interchange/config_write.h"
#include "interchange/endings.h"
#include "interchange/peft_path.h"

static const PaPeftSuffix suffixes[] = {
	{".ia3_l", PA_ROLE_VECTOR, PA_MODULE_TARGET, 0},
};

static const char *const own_components[] = {"ia3_l"};

static PaStatus
read_members(PaEnv *env, const json_t *root, PaConfig *config)
{
	const json_t *v = json_object_get(root, "feedforward_modules");

	PA_TRY(pa_config_read_layers(env, root, config));
	if (json_is_string(v))
		return pa_pattern_compile(env, json_string_value(v), PA_PATTERN_WHOLE, &config->feedforward_pattern);
	return pa_config_read_names(env, root, "feedforward_modules", &config->feedforward,
								&config->n_feedforward);
}

static PaStatus
write_members(PaEnv *env, json_t *root, const PaAdapter *facts)
{
	const char **targets;		/* feedforward or not */
	const char **feedforward;
	const char **plain;
	const char **dense;
	uint32_t	n_targets = 0;
	uint32_t	n_feedforward = 0;
	uint32_t	n_plain = 0;
	uint32_t	n_dense = 0;

	PA_TRY(pa_config_set_layers(env, root, facts));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &targets));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &feedforward));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &plain));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &dense));
	for (uint32_t i = 0; i < facts->n_modules; i++)
	{
		const PaModule *module = &facts->modules[i];

		if (module->flags & PA_MODULE_TARGET)
			targets[n_targets++] = module->path;
		else
			dense[n_dense++] = module->path;
		if (module->flags & PA_MODULE_FEEDFORWARD)
			feedforward[n_feedforward++] = module->path;
		else if (module->flags & PA_MODULE_TARGET)
			plain[n_plain++] = module->path;
	}
	PA_TRY(pa_config_set_selection(env, root, "target_modules", n_targets, targets, n_dense, dense));
	PA_TRY(pa_config_set_selection(env, root, "feedforward_modules", n_feedforward, feedforward, n_plain,
								   plain));
	return pa_config_set(env, root, "init_ia3_weights", json_true());
}

/* PEFT's rule; where the configuration is silent, a lying vector tells. */
static PaStatus
is_feedforward(PaEnv *env, const PaConfig *config, const PaEndings *endings, const PaTensor *vector,
			   const char *path, bool *is)
{
	if (config->feedforward_pattern != NULL)
		return pa_pattern_match(env, config->feedforward_pattern, path, is);
	if (config->feedforward == NULL)
		*is = vector->ndim == 2 && vector->shape[0] == 1 && vector->shape[1] != 1;
	else
		*is = pa_endings_match(endings, path, strlen(path), false);
	return PA_OK;
}

static PaStatus
describe(PaEnv *env, PaConfig *config, PaAdapter *adapter, double *ranks)
{
	PaEndings	endings;

	(void) ranks;				/* there are none */
	PA_TRY(pa_endings(env, config->n_feedforward, config->feedforward, &endings));
	if (config->feedforward_pattern != NULL)
		pa_pattern_share(config->feedforward_pattern, adapter->n_modules);
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		PaModule   *module = &adapter->modules[i];
		int64_t		vector = module->tensor[PA_ROLE_VECTOR];
		bool		is;

		if (!(module->flags & PA_MODULE_TARGET))
			continue;
		PA_TRY(pa_check_cancel(env));
		PA_TRY(is_feedforward(env, config, &endings, &adapter->tensors[vector], module->path, &is));
		if (is)
			module->flags |= PA_MODULE_FEEDFORWARD;
		if (is || config->named_paths[i] == NULL)
			continue;
		PA_TRY(is_feedforward(env, config, &endings, &adapter->tensors[vector], config->named_paths[i], &is));
		if (is)
			module->flags |= PA_MODULE_FEEDFORWARD;
	}
	pa_endings_release(env, &endings);
	return PA_OK;
}

/* IA3Config's. */
static const char *const members[] = {"auto_mapping",
									  "base_model_name_or_path",
									  "exclude_modules",
									  "fan_in_fan_out",
									  "feedforward_modules",
									  "inference_mode",
									  "init_ia3_weights",
									  "modules_to_save",
									  "peft_type",
									  "peft_version",
									  "revision",
									  "target_modules",
									  "task_type",
									  NULL};

const PaPeftDialect pa_peft_ia3 = {
	.kind = PA_KIND_IA3,
	.suffixes = suffixes,
	.n_suffixes = sizeof(suffixes) / sizeof(suffixes[0]),
	.keyed = {.role = PA_ROLE_DENSE, .prefixed = true, .path = pa_peft_path_of_dense},
	.own_components = own_components,
	.n_own_components = sizeof(own_components) / sizeof(own_components[0]),
	.forms = ".ia3_l",
	.family = "ia3_",
	.members = members,
	.read = read_members,
	.write = write_members,
	.describe = describe,
};
