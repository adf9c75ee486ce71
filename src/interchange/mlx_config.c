/*
 * mlx_config.c
 *	  MLX's configurations, both ways.  See mlx_config.h.
 *
 * mlx-lm has {"lora_parameters": {"rank", "scale", "dropout", "keys"}} and the base
 * model as "model"; mlx-vlm has rank and alpha alone, and alpha / rank is the scaling.
 * Early versions of mlx-lm had both and multiplied scale with alpha / rank, later ones
 * read scale alone: so both are only taken where the two agree.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/mlx_config.h"

#include <math.h>
#include <string.h>

#include "core/strings.h"
#include "interchange/config_read.h"
#include "interchange/config_write.h"

static const json_t *
parameters_of(const json_t *root)
{
	const json_t *parameters = json_object_get(root, "lora_parameters");

	return json_is_object(parameters) ? parameters : root;
}

bool
pa_mlx_config_is(const json_t *root)
{
	const json_t *type = json_object_get(root, "peft_type");

	if (type != NULL && !json_is_null(type))
		return false;
	return json_is_object(json_object_get(root, "lora_parameters")) ||
		json_is_string(json_object_get(root, "fine_tune_type")) ||
		(json_is_number(json_object_get(root, "rank")) && json_is_number(json_object_get(root, "alpha")));
}

static PaStatus
read_type(PaEnv *env, const json_t *root, PaConfig *config)
{
	const char *type;

	PA_TRY(pa_config_read_string(env, root, "fine_tune_type", &type));
	if (type == NULL || strcmp(type, "lora") == 0)
		return PA_OK;
	if (strcmp(type, "dora") == 0)
	{
		config->features = PA_FEATURE_DORA;
		return PA_OK;
	}
	pa_fail(env, PA_ERR_UNSUPPORTED, "MLX's fine_tune_type \"%.100s\" is not LoRA", type);
	pa_hint(env, "Weights of full fine-tuning are imported with adapter_difference().");
	return PA_ERR_UNSUPPORTED;
}

static PaStatus
read_number(PaEnv *env, const json_t *parameters, const char *member, double *v)
{
	const json_t *number = json_object_get(parameters, member);

	*v = NAN;
	if (number == NULL || json_is_null(number))
		return PA_OK;
	if (!json_is_number(number))
		return pa_config_wrong_type(env, member, "a number");
	*v = json_number_value(number);
	return PA_OK;
}

static PaStatus
read_scale(PaEnv *env, const json_t *root, PaConfig *config)
{
	const json_t *parameters = parameters_of(root);
	double		rank;
	double		scale;
	double		alpha;

	PA_TRY(read_number(env, parameters, "rank", &rank));
	PA_TRY(read_number(env, parameters, "scale", &scale));
	PA_TRY(read_number(env, parameters, "alpha", &alpha));
	config->scaled = true;
	config->scale = isnan(scale) ? alpha / rank : scale;
	if (!isfinite(config->scale))
	{
		pa_fail(env, PA_ERR_CONFIG, "MLX's configuration does not tell the scaling");
		pa_detail(env, "It is scale of lora_parameters, or alpha and rank.");
		return PA_ERR_CONFIG;
	}
	if (isnan(scale) || isnan(alpha) || alpha == rank)
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "MLX's configuration has scale %.15g and alpha %.15g with rank %.15g", scale,
			alpha, rank);
	pa_detail(env,
			  "Early versions of mlx-lm multiplied scale with alpha / rank, later ones do not read alpha.");
	pa_hint(env, "Pass the configuration with scale as it was meant, and without alpha.");
	return PA_ERR_CONFIG;
}

PaStatus
pa_mlx_config_read(PaEnv *env, const json_t *root, PaConfig *config)
{
	config->kind = pa_container_kind;
	config->container = PA_CONTAINER_MLX;
	config->bias = "none";
	PA_TRY(pa_config_read_string(env, root, "model", &config->base_model));
	PA_TRY(pa_config_read_string(env, root, "revision", &config->base_revision));
	PA_TRY(read_type(env, root, config));
	return read_scale(env, root, config);
}

bool
pa_mlx_config_can(const PaAdapter *adapter)
{
	const PaModule *first = NULL;

	if (adapter->task_type != NULL || adapter->fan_in_fan_out || adapter->lora_bias ||
		adapter->features != 0 || adapter->n_target_parameters > 0 || adapter->n_saved_modules > 0 ||
		strcmp(adapter->bias, "none") != 0)
		return false;
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		const PaModule *module = &adapter->modules[i];
		int64_t		a = module->tensor[PA_ROLE_FACTOR_A];

		if (!(module->flags & PA_MODULE_TARGET))
			continue;
		first = first != NULL ? first : module;
		if (module->flags != PA_MODULE_TARGET || a < 0 || adapter->tensors[a].ndim != 2 ||
			module->scaling != first->scaling)
			return false;
	}
	return first != NULL && isfinite(first->scaling);
}

/* What mlx-lm compares with the names below a layer, and with whole names outside of layers. */
static const char *
key_of(const char *path)
{
	for (const char *s = strstr(path, "layers."); s != NULL; s = strstr(s + 1, "layers."))
	{
		size_t		digits = strspn(s + strlen("layers."), "0123456789");
		const char *end = s + strlen("layers.") + digits;

		if (digits > 0 && *end == '.' && (s == path || s[-1] == '.'))
			return end + 1;
	}
	return path;
}

static PaStatus
set_parameters(PaEnv *env, const PaAdapter *adapter, json_t *parameters)
{
	const char **keys;
	uint32_t	n = 0;
	uint64_t	rank = 0;
	double		scale = 1;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &keys));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		const PaModule *module = &adapter->modules[i];

		if (!(module->flags & PA_MODULE_TARGET))
			continue;
		keys[n++] = key_of(module->path);
		rank = module->rank > rank ? module->rank : rank;
		scale = module->scaling;
	}
	n = (uint32_t) pa_sort_distinct_strings(keys, n);
	PA_TRY(pa_config_set(env, parameters, "rank", json_integer((json_int_t) rank)));
	PA_TRY(pa_config_set(env, parameters, "scale", json_real(scale)));
	PA_TRY(pa_config_set(env, parameters, "dropout", json_real(0.0)));
	PA_TRY(pa_config_set_names(env, parameters, "keys", n, keys));
	pa_free(env, keys);
	return PA_OK;
}

PaStatus
pa_mlx_config_write(PaEnv *env, const PaAdapter *adapter, PaText *text)
{
	json_t	   *root = pa_json_object();
	json_t	   *parameters = pa_json_object();

	PA_TRY(pa_json_own(env, root));
	PA_TRY(pa_config_set(env, root, "lora_parameters", parameters));
	PA_TRY(set_parameters(env, adapter, parameters));
	PA_TRY(pa_config_set(env, root, "fine_tune_type", json_string("lora")));
	PA_TRY(pa_config_set(env, root, "num_layers", json_integer(-1)));
	PA_TRY(pa_config_set_text(env, root, "model", adapter->base_model));
	if (adapter->base_revision != NULL)
		PA_TRY(pa_config_set_text(env, root, "revision", adapter->base_revision));
	return pa_json_write(env, root, PA_JSON_PRETTY, text);
}
