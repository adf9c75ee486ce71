/*
 * peft_lora_module.c
 *	  What a configuration says of one LoRA module: its r, alpha and scaling, by
 *	  the patterns as PEFT finds them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_lora.h"

#include <math.h>
#include <string.h>

#include "interchange/peft_path.h"

/* Is the name the whole path, or its end behind a dot? */
static bool
is_tail(const char *path, const char *name, size_t name_length)
{
	size_t		n = strlen(path);

	if (n < name_length || memcmp(path + n - name_length, name, name_length) != 0)
		return false;
	return n == name_length || path[n - name_length - 1] == '.';
}

const char *
pa_peft_parameter_of(const char *unwrapped, const char *parameter)
{
	const char *dot = strrchr(parameter, '.');

	if (dot == NULL)
		return parameter;
	return is_tail(unwrapped, parameter, (size_t) (dot - parameter)) ? dot + 1 : NULL;
}

/* PEFT's rule for target_modules; "all-linear" and the absent list depend on the model. */
static PaStatus
is_target_module(PaEnv *env, const json_t *target, const char *unwrapped, bool *is)
{
	PaPattern  *pattern;

	*is = false;
	if (json_is_string(target) && strcmp(json_string_value(target), "all-linear") == 0)
	{
		*is = true;
		return PA_OK;
	}
	if (json_is_string(target))
	{
		PA_TRY(pa_pattern_compile(env, json_string_value(target), PA_PATTERN_WHOLE, &pattern));
		return pa_pattern_match(env, pattern, unwrapped, is);
	}
	for (size_t i = 0; !*is && i < json_array_size(target); i++)
	{
		const json_t *name = json_array_get(target, i);

		*is = json_is_string(name) && is_tail(unwrapped, json_string_value(name), json_string_length(name));
	}
	return PA_OK;
}

PaStatus
pa_peft_config_is_parameter(PaEnv *env, PaConfig *config, const char *path, bool *is)
{
	const char *unwrapped;
	bool		bare = false;

	*is = false;
	if (config->n_target_parameters == 0)
		return PA_OK;
	PA_TRY(pa_peft_path_unwrapped(env, path, &unwrapped));
	for (uint32_t i = 0; i < config->n_target_parameters; i++)
	{
		/* a parameter's name alone does not tell its module */
		if (strchr(config->target_parameters[i], '.') == NULL)
			bare = true;
		else if (pa_peft_parameter_of(unwrapped, config->target_parameters[i]) != NULL)
			*is = true;
	}
	if (*is || !bare)
		return PA_OK;
	PA_TRY(is_target_module(env, config->target_modules, unwrapped, is));
	*is = !*is;
	return PA_OK;
}

/* The value of the first key that matches, in the document's order. */
static PaStatus
look_up(PaEnv *env, const PaPatternValue *patterns, uint32_t n, const char *key, double *value)
{
	for (uint32_t i = 0; i < n; i++)
	{
		bool		matches;

		if (patterns[i].literal != NULL)
			matches = strcmp(patterns[i].literal, key) == 0;
		else
			PA_TRY(pa_pattern_match(env, patterns[i].pattern, key, &matches));
		if (matches)
		{
			*value = patterns[i].value;
			return PA_OK;
		}
	}
	return PA_OK;
}

static PaStatus
look_up_both(PaEnv *env, const PaConfig *config, const char *key, double *r, double *alpha)
{
	*r = config->r;
	*alpha = config->alpha;
	PA_TRY(look_up(env, config->rank_patterns, config->n_rank_patterns, key, r));
	return look_up(env, config->alpha_patterns, config->n_alpha_patterns, key, alpha);
}

/* Which parameter a nested wrapper stands for cannot be told, so all must agree. */
static PaStatus
look_up_parameters(PaEnv *env, const PaConfig *config, const char *unwrapped, double *r, double *alpha)
{
	size_t		n = strlen(unwrapped);
	bool		found = false;

	for (uint32_t i = 0; i < config->n_target_parameters; i++)
	{
		const char *name = pa_peft_parameter_of(unwrapped, config->target_parameters[i]);
		double		other_r;
		double		other_alpha;
		char	   *key;

		if (name == NULL)
			continue;
		PA_TRY(PA_NEW_RAW(env, n + strlen(name) + 2, &key));
		memcpy(key, unwrapped, n);
		key[n] = '.';
		memcpy(key + n + 1, name, strlen(name) + 1);
		PA_TRY(look_up_both(env, config, key, &other_r, &other_alpha));
		pa_free(env, key);
		if (found && (other_r != *r || other_alpha != *alpha))
		{
			pa_fail(env, PA_ERR_UNSUPPORTED, "parameters of module \"%.300s\" have different ranks or alphas",
					unwrapped);
			pa_detail(env,
					  "PEFT's tensor names do not tell which parameter of a module "
					  "a tensor belongs to.");
			return PA_ERR_UNSUPPORTED;
		}
		found = true;
		*r = other_r;
		*alpha = other_alpha;
	}
	return PA_OK;
}

PaStatus
pa_peft_config_module(PaEnv *env, PaConfig *config, const char *path, double *r, double *alpha,
					  double *scaling)
{
	const char *unwrapped;
	bool		parameter;

	PA_TRY(pa_check_cancel(env));
	PA_TRY(pa_peft_path_unwrapped(env, path, &unwrapped));
	PA_TRY(pa_peft_config_is_parameter(env, config, path, &parameter));
	if (parameter)
		PA_TRY(look_up_parameters(env, config, unwrapped, r, alpha));
	else
		PA_TRY(look_up_both(env, config, unwrapped, r, alpha));
	*scaling = *alpha / (config->rslora ? sqrt(*r) : *r);
	return PA_OK;
}
