/*
 * peft_lora_module.c
 *	  What a configuration says of LoRA modules: which are target_parameters, and
 *	  their r, alpha and scaling.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_lora.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "interchange/endings.h"
#include "interchange/peft_lora_patterns.h"
#include "interchange/peft_parameters.h"
#include "interchange/peft_path.h"

typedef struct Asked
{
	const PaConfig *config;
	PaParameters parameters;
	uint32_t	n;
	PaLoraModule *modules;
	const char **unwrapped;		/* by which PEFT selects each */
	bool		wrapped;		/* some have a named path */
	uint32_t	n_keys;
	PaPatternKey *keys;
	PaPatternKey *named;		/* the same with named paths; read if wrapped */
	uint32_t   *module_of;		/* of each key; keys of one module are neighbours */
} Asked;

/* PEFT's rule for target_modules as a list. */
static PaStatus
find_in_list(PaEnv *env, const json_t *target, Asked *asked)
{
	const char **names;
	uint32_t	n = 0;
	PaEndings	endings;

	PA_TRY(PA_NEW_ARRAY(env, json_array_size(target), &names));
	for (size_t i = 0; i < json_array_size(target); i++)
		if (json_is_string(json_array_get(target, i)))
			names[n++] = json_string_value(json_array_get(target, i));
	PA_TRY(pa_endings(env, n, names, &endings));
	for (uint32_t i = 0; i < asked->n; i++)
	{
		const char *path = asked->unwrapped[i];
		const char *named = asked->modules[i].named;

		PA_TRY(pa_check_cancel(env));
		asked->modules[i].parameter = asked->modules[i].parameter ||
			!(pa_endings_match(&endings, path, strlen(path), true) ||
			  (named != NULL && pa_endings_match(&endings, named, strlen(named), true)));
	}
	pa_endings_release(env, &endings);
	pa_free(env, names);
	return PA_OK;
}

static PaStatus
find_by_expression(PaEnv *env, const char *text, Asked *asked)
{
	PaPattern  *pattern;

	PA_TRY(pa_pattern_compile(env, text, PA_PATTERN_WHOLE, &pattern));
	pa_pattern_share(pattern, asked->n);
	for (uint32_t i = 0; i < asked->n; i++)
	{
		bool		is;

		if (asked->modules[i].parameter)
			continue;
		PA_TRY(pa_pattern_match(env, pattern, asked->unwrapped[i], &is));
		if (!is && asked->modules[i].named != NULL)
			PA_TRY(pa_pattern_match(env, pattern, asked->modules[i].named, &is));
		asked->modules[i].parameter = !is;
	}
	pa_pattern_release(env, pattern);
	return PA_OK;
}

/*
 * A parameter's name alone does not tell its module: then all that are not
 * target_modules are parameters.  "all-linear" and the absent list depend on the
 * model.
 */
static PaStatus
find_parameters(PaEnv *env, Asked *asked)
{
	const json_t *target = asked->config->target_modules;

	if (asked->parameters.n == 0)
		return PA_OK;
	for (uint32_t i = 0; i < asked->n; i++)
	{
		PA_TRY(pa_check_cancel(env));
		asked->modules[i].parameter = pa_peft_parameters_have(&asked->parameters, asked->unwrapped[i]);
	}
	if (asked->parameters.n_bare == 0)
		return PA_OK;
	if (!json_is_string(target))
		return find_in_list(env, target, asked);
	if (strcasecmp(json_string_value(target), "all-linear") == 0)
		return PA_OK;
	return find_by_expression(env, json_string_value(target), asked);
}

/* Fills the keys of each module; fill false: only counts them. */
static PaStatus
make_keys(PaEnv *env, Asked *asked, bool fill)
{
	uint32_t	n = 0;

	for (uint32_t i = 0; i < asked->n; i++)
	{
		PaParameterWalk walk = {0};
		const char *name = NULL;

		PA_TRY(pa_check_cancel(env));
		while (!asked->modules[i].parameter ||
			   pa_peft_parameters_next(&asked->parameters, asked->unwrapped[i], &walk, &name))
		{
			if (n == PA_MAX_PATTERN_KEYS)
				return pa_fail(env, PA_ERR_LIMIT,
							   "modules of the adapter have more than %d parameters of target_parameters",
							   PA_MAX_PATTERN_KEYS);
			if (fill)
			{
				asked->keys[n] = asked->named[n] = (PaPatternKey) {asked->unwrapped[i], name};
				if (asked->modules[i].named != NULL)
					asked->named[n].path = asked->modules[i].named;
				asked->module_of[n] = i;
			}
			n++;
			if (!asked->modules[i].parameter)
				break;
		}
	}
	asked->n_keys = n;
	return PA_OK;
}

/* Which parameter a nested wrapper stands for cannot be told, so all must agree. */
static PaStatus
take_values(PaEnv *env, Asked *asked, const double *r, const double *alpha)
{
	for (uint32_t k = 0; k < asked->n_keys; k++)
	{
		PaLoraModule *module = &asked->modules[asked->module_of[k]];
		bool		first = k == 0 || asked->module_of[k - 1] != asked->module_of[k];

		if (!first && (module->r != r[k] || module->alpha != alpha[k]))
		{
			pa_fail(env, PA_ERR_UNSUPPORTED, "parameters of module \"%.300s\" have different ranks or alphas",
					asked->keys[k].path);
			pa_detail(env,
					  "PEFT's tensor names do not tell which parameter of a module "
					  "a tensor belongs to.");
			return PA_ERR_UNSUPPORTED;
		}
		module->r = r[k];
		module->alpha = alpha[k];
		module->scaling = alpha[k] / (asked->config->rslora ? sqrt(r[k]) : r[k]);
	}
	return PA_OK;
}

/*
 * The values of one table.  PEFT has matched the paths of the model that it was
 * given, wrapped or not, and no file says which: a key that is for one of the two
 * paths was written for it, and where both have a key it must be one value.
 */
static PaStatus
look_up(PaEnv *env, const Asked *asked, uint32_t n_patterns, const PaPatternValue *patterns, double other,
		double **result)
{
	double	   *values;
	double	   *named;

	PA_TRY(PA_NEW_ARRAY(env, asked->n_keys, &values));
	PA_TRY(PA_NEW_ARRAY(env, asked->n_keys, &named));
	*result = values;
	for (uint32_t k = 0; k < asked->n_keys; k++)
		values[k] = named[k] = NAN;
	PA_TRY(pa_peft_patterns_look_up(env, n_patterns, patterns, asked->n_keys, asked->keys, values));
	if (asked->wrapped)
		PA_TRY(pa_peft_patterns_look_up(env, n_patterns, patterns, asked->n_keys, asked->named, named));
	for (uint32_t k = 0; k < asked->n_keys; k++)
	{
		if (isnan(values[k]))
			values[k] = named[k];
		if (isnan(values[k]))
			values[k] = other;
		else if (!isnan(named[k]) && named[k] != values[k])
		{
			pa_fail(env, PA_ERR_UNSUPPORTED,
					"module \"%.300s\" has two values in a pattern of its configuration",
					asked->keys[k].path);
			pa_detail(env, "It has %.15g by this path and %.15g as \"%.300s\".", values[k], named[k],
					  asked->named[k].path);
			pa_hint(env,
					"Write the key of the pattern so that it matches both paths, or only the right one.");
			return PA_ERR_UNSUPPORTED;
		}
	}
	pa_free(env, named);
	return PA_OK;
}

static PaStatus
look_up_values(PaEnv *env, Asked *asked)
{
	const PaConfig *config = asked->config;
	double	   *r;
	double	   *alpha;

	PA_TRY(look_up(env, asked, config->n_rank_patterns, config->rank_patterns, config->r, &r));
	PA_TRY(look_up(env, asked, config->n_alpha_patterns, config->alpha_patterns, config->alpha, &alpha));
	PA_TRY(take_values(env, asked, r, alpha));
	pa_free(env, r);
	pa_free(env, alpha);
	return PA_OK;
}

static PaStatus
find_paths(PaEnv *env, Asked *asked)
{
	PA_TRY(PA_NEW_ARRAY(env, asked->n, &asked->unwrapped));
	for (uint32_t i = 0; i < asked->n; i++)
	{
		PA_TRY(pa_check_cancel(env));
		asked->modules[i].parameter = false;
		asked->wrapped = asked->wrapped || asked->modules[i].named != NULL;
		PA_TRY(pa_peft_path_unwrapped(env, asked->modules[i].path, &asked->unwrapped[i]));
	}
	return PA_OK;
}

/* What PEFT wraps with a layer has that one's path; what is inside a wrapped parameter, its own. */
static PaStatus
find_parts(PaEnv *env, Asked *asked)
{
	const char **layers;
	uint32_t	n = 0;

	PA_TRY(PA_NEW_ARRAY(env, asked->n, &layers));
	for (uint32_t i = 0; i < asked->n; i++)
		if (!asked->modules[i].parameter)
			layers[n++] = asked->modules[i].path;
	for (uint32_t i = 0; i < asked->n; i++)
	{
		const char *selected;
		bool		part;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_peft_path_selected(env, n, layers, asked->modules[i].path, &selected, &part));
		if (!part)
			continue;
		asked->unwrapped[i] = selected;
		asked->modules[i].parameter = false;
	}
	pa_free(env, layers);
	return PA_OK;
}

PaStatus
pa_peft_config_modules(PaEnv *env, const PaConfig *config, uint32_t n, PaLoraModule *modules)
{
	Asked		asked = {.config = config, .n = n, .modules = modules};

	PA_TRY(find_paths(env, &asked));
	PA_TRY(
		pa_peft_parameters(env, config->n_target_parameters, config->target_parameters, &asked.parameters));
	PA_TRY(find_parameters(env, &asked));
	PA_TRY(find_parts(env, &asked));
	PA_TRY(make_keys(env, &asked, false));
	PA_TRY(PA_NEW_ARRAY(env, asked.n_keys, &asked.keys));
	PA_TRY(PA_NEW_ARRAY(env, asked.n_keys, &asked.named));
	PA_TRY(PA_NEW_ARRAY(env, asked.n_keys, &asked.module_of));
	PA_TRY(make_keys(env, &asked, true));
	PA_TRY(look_up_values(env, &asked));
	pa_free(env, asked.unwrapped);
	pa_free(env, asked.parameters.list);
	pa_free(env, asked.keys);
	pa_free(env, asked.named);
	pa_free(env, asked.module_of);
	return PA_OK;
}
