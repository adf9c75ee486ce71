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

/* Every key that PEFT may look the module up by. */
static PaStatus
set_pattern(PaEnv *env, json_t *patterns, const PaAdapter *facts, const ModuleValues *v, double value)
{
	const char *key;

	PA_TRY(pa_pattern_escape(env, v->unwrapped, &key));
	if (!(v->module->flags & PA_MODULE_PARAMETER))
		return pa_config_set(env, patterns, key, number(value));
	for (uint32_t i = 0; i < facts->n_target_parameters; i++)
	{
		const char *name = pa_peft_parameter_of(v->unwrapped, facts->target_parameters[i]);
		const char *escaped;
		char	   *whole;

		if (name == NULL)
			continue;
		PA_TRY(pa_pattern_escape(env, name, &escaped));
		escaped++;				/* its "^" */
		PA_TRY(PA_NEW_RAW(env, strlen(key) + strlen(escaped) + 3, &whole));
		memcpy(whole, key, strlen(key));
		memcpy(whole + strlen(key), "\\.", 2);
		memcpy(whole + strlen(key) + 2, escaped, strlen(escaped) + 1);
		PA_TRY(pa_config_set(env, patterns, whole, number(value)));
		pa_free(env, whole);
	}
	return PA_OK;
}

static PaStatus
set_values(PaEnv *env, json_t *root, const PaAdapter *facts, const ModuleValues *v, size_t n, bool alpha)
{
	json_t	   *patterns = pa_json_object();
	double	   *values;
	double		usual;

	PA_TRY(pa_config_set(env, root, alpha ? "alpha_pattern" : "rank_pattern", patterns));
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
			PA_TRY(set_pattern(env, patterns, facts, &v[i], value));
	}
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
