/*
 * peft_lora_out.c
 *	  Writing LoRA's members of a composed configuration: doc/algebra.md, "The
 *	  composed configuration".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_lora.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "interchange/config_write.h"
#include "interchange/peft_parameters.h"
#include "interchange/peft_path.h"

/* What the patterns need of a target module. */
typedef struct ModuleValues
{
	const PaModule *module;
	const char *unwrapped;
	double		r;
	double		alpha;
} ModuleValues;

/* An integral value as an integer, as people write lora_alpha. */
static json_t *
number(double v)
{
	if (v == nearbyint(v) && fabs(v) < 9007199254740992.0 && !(v == 0 && signbit(v)))
		return json_integer((json_int_t) v);
	return json_real(v);
}

/*
 * The r that stands in the configuration.  Where the factors stack experts the
 * tensor has a multiple of it, and alpha and scaling tell which.
 */
static PaStatus
module_values(PaEnv *env, const PaAdapter *facts, const PaModule *module, ModuleValues *v)
{
	v->module = module;
	v->alpha = module->alpha;
	v->r = (double) module->rank;
	if (!isfinite(module->alpha) || !isfinite(module->scaling))
		return pa_fail(env, PA_ERR_UNSUPPORTED, "alpha of module \"%.300s\" is not finite", module->path);
	if (module->flags & PA_MODULE_PARAMETER)
	{
		v->r = module->alpha / module->scaling;
		v->r = nearbyint(facts->rslora ? v->r * v->r : v->r);
	}
	if (!(v->r >= 1 && v->r <= (double) module->rank))
		return pa_fail(env, PA_ERR_UNSUPPORTED, "alpha and scaling of module \"%.300s\" do not tell its rank",
					   module->path);
	return pa_peft_path_unwrapped(env, module->path, &v->unwrapped);
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/* The most frequent value; the smallest of several; 1 of none. */
static double
most_frequent(double *values, size_t n)
{
	double		best = 1;
	size_t		best_count = 0;
	size_t		count = 0;

	qsort(values, n, sizeof(double), compare_doubles);
	for (size_t i = 0; i < n; i++)
	{
		count = i > 0 && values[i] == values[i - 1] ? count + 1 : 1;
		if (count > best_count)
		{
			best = values[i];
			best_count = count;
		}
	}
	return best;
}

/* rank_pattern or alpha_pattern as it is written. */
typedef struct Patterns
{
	json_t	   *object;
	PaParameters parameters;
	size_t		bytes;			/* of the keys so far */
} Patterns;

static PaStatus
set_key(PaEnv *env, Patterns *to, const char *key, double value)
{
	PA_TRY(pa_check_cancel(env));
	to->bytes += strlen(key);
	if (to->bytes > PA_MAX_CONFIG_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "adapter configuration would be larger than %zu bytes",
					   PA_MAX_CONFIG_BYTES);
	return pa_config_set(env, to->object, key, number(value));
}

/* The pattern "^path\\.name" for a parameter of the module whose pattern this is. */
static PaStatus
set_parameter(PaEnv *env, Patterns *to, const char *module, const char *name, double value)
{
	size_t		n = strlen(module);
	const char *escaped;
	char	   *whole;

	PA_TRY(pa_pattern_escape(env, name, &escaped));
	PA_TRY(PA_NEW_RAW(env, n + strlen(escaped) + 2, &whole));
	memcpy(whole, module, n);
	memcpy(whole + n, "\\.", 2);
	strcpy(whole + n + 2, escaped + 1); /* without its "^" */
	PA_TRY(set_key(env, to, whole, value));
	pa_free(env, whole);
	pa_free(env, (void *) escaped);
	return PA_OK;
}

/* Every key that PEFT may look the module up by. */
static PaStatus
set_module(PaEnv *env, Patterns *to, const ModuleValues *v, double value)
{
	PaParameterWalk walk = {0};
	const char *key;
	const char *name;

	PA_TRY(pa_pattern_escape(env, v->unwrapped, &key));
	if (!(v->module->flags & PA_MODULE_PARAMETER))
		PA_TRY(set_key(env, to, key, value));
	else
		while (pa_peft_parameters_next(&to->parameters, v->unwrapped, &walk, &name))
			PA_TRY(set_parameter(env, to, key, name, value));
	pa_free(env, (void *) key);
	return PA_OK;
}

static PaStatus
set_values(PaEnv *env, json_t *root, const PaAdapter *facts, const ModuleValues *v, size_t n, bool alpha)
{
	Patterns	to = {.object = pa_json_object()};
	double	   *values;
	double		usual;

	PA_TRY(pa_config_set(env, root, alpha ? "alpha_pattern" : "rank_pattern", to.object));
	PA_TRY(pa_peft_parameters(env, facts->n_target_parameters, facts->target_parameters, &to.parameters));
	PA_TRY(PA_NEW_ARRAY(env, n, &values));
	for (size_t i = 0; i < n; i++)
		values[i] = alpha ? v[i].alpha : v[i].r;
	usual = most_frequent(values, n);
	pa_free(env, values);
	PA_TRY(pa_config_set(env, root, alpha ? "lora_alpha" : "r", number(usual)));
	for (size_t i = 0; i < n; i++)
	{
		double		value = alpha ? v[i].alpha : v[i].r;

		if (value != usual)
			PA_TRY(set_module(env, &to, &v[i], value));
	}
	pa_free(env, to.parameters.list);
	return PA_OK;
}

PaStatus
pa_peft_lora_write(PaEnv *env, json_t *root, const PaAdapter *facts)
{
	ModuleValues *v;
	size_t		n = 0;
	const char **targets;
	const char **others;
	uint32_t	n_targets = 0;
	uint32_t	n_others = 0;

	PA_TRY(pa_config_set_layers(env, root, facts));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &v));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &targets));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &others));
	for (uint32_t i = 0; i < facts->n_modules; i++)
	{
		const PaModule *module = &facts->modules[i];

		if (module->flags & PA_MODULE_TARGET)
			PA_TRY(module_values(env, facts, module, &v[n++]));
		if ((module->flags & PA_MODULE_TARGET) && !(module->flags & PA_MODULE_PARAMETER))
			targets[n_targets++] = v[n - 1].unwrapped;
		else
			PA_TRY(pa_peft_path_unwrapped(env, module->path, &others[n_others++]));
	}
	PA_TRY(pa_config_set_selection(env, root, "target_modules", n_targets, targets, n_others, others));
	PA_TRY(set_values(env, root, facts, v, n, false));
	PA_TRY(set_values(env, root, facts, v, n, true));
	pa_free(env, v);
	PA_TRY(pa_config_set(env, root, "bias", json_string(facts->bias)));
	PA_TRY(pa_config_set(env, root, "init_lora_weights", json_true()));
	PA_TRY(pa_config_set(env, root, "lora_dropout", json_real(0.0)));
	PA_TRY(pa_config_set(env, root, "use_dora", json_false()));
	PA_TRY(pa_config_set(env, root, "use_rslora", json_boolean(facts->rslora)));
	/* younger members only where they say something, for older versions of PEFT */
	if (facts->lora_bias)
		PA_TRY(pa_config_set(env, root, "lora_bias", json_true()));
	if (facts->n_target_parameters > 0)
		PA_TRY(pa_config_set_names(env, root, "target_parameters", facts->n_target_parameters,
								   facts->target_parameters));
	return PA_OK;
}
