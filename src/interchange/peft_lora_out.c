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
#include "interchange/peft_lora_keys.h"
#include "interchange/peft_parameters.h"
#include "interchange/peft_path.h"

/* What the patterns need of a target module. */
typedef struct ModuleValues
{
	const PaModule *module;
	const char *unwrapped;		/* by which PEFT selects it */
	bool		part;			/* of another one, whose r and alpha PEFT gives it */
	double		r;
	double		alpha;
} ModuleValues;

typedef struct TargetPaths
{
	size_t		n;
	const char **path;
} TargetPaths;

/*
 * The r that stands in the configuration.  Where the factors stack experts the
 * tensor has a multiple of it, and alpha and scaling tell which.
 */
static PaStatus
module_values(PaEnv *env, const PaAdapter *facts, const PaModule *module, const TargetPaths *paths,
			  ModuleValues *v)
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
	return pa_peft_path_selected(env, paths->n, paths->path, module->path, &v->unwrapped, &v->part);
}

/*
 * Of n modules: those that are selected by themselves stay, at the beginning.  A part
 * must have what the whole layer has, for there is no way to write otherwise.
 */
static PaStatus
take_parts_out(PaEnv *env, ModuleValues *v, size_t *n)
{
	size_t		kept = 0;

	for (size_t i = 0; i < *n; i++)
	{
		const ModuleValues *whole = v + kept;

		PA_TRY(pa_check_cancel(env));
		if (!v[i].part)
		{
			v[kept++] = v[i];
			continue;
		}
		/* its path is the beginning of the part's, so it came before, and not long ago */
		do
			whole--;
		while (whole > v && strcmp(whole->unwrapped, v[i].unwrapped) != 0);
		if (whole->r == v[i].r && whole->alpha == v[i].alpha)
			continue;
		pa_fail(env, PA_ERR_UNSUPPORTED, "module \"%.300s\" has another rank or alpha than \"%.300s\"",
				v[i].module->path, whole->module->path);
		pa_detail(env, "PEFT wraps them as one layer, with one rank and one alpha.");
		pa_hint(env, "Truncate to a rank, not by energy, or leave the layer out with adapter_select().");
		return PA_ERR_UNSUPPORTED;
	}
	*n = kept;
	return PA_OK;
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

static double
value_of(const ModuleValues *v, bool alpha)
{
	return alpha ? v->alpha : v->r;
}

/* path.name, or the path alone for NULL. */
static PaStatus
path_of_parameter(PaEnv *env, const char *path, const char *name, const char **whole)
{
	size_t		n = strlen(path);
	char	   *p;

	*whole = path;
	if (name == NULL)
		return PA_OK;
	PA_TRY(PA_NEW_RAW(env, n + strlen(name) + 2, &p));
	memcpy(p, path, n);
	p[n] = '.';
	strcpy(p + n + 1, name);
	*whole = p;
	return PA_OK;
}

/* Every path that PEFT looks a module up by, with its value; keys NULL: only counts them. */
static PaStatus
make_keys(PaEnv *env, const PaParameters *parameters, const ModuleValues *v, size_t n_modules, bool alpha,
		  PaKeyValue *keys, uint32_t *n)
{
	*n = 0;
	for (size_t i = 0; i < n_modules; i++)
	{
		PaParameterWalk walk = {0};
		const char *name = NULL;
		bool		parameter = (v[i].module->flags & PA_MODULE_PARAMETER) != 0;

		PA_TRY(pa_check_cancel(env));
		while (!parameter || pa_peft_parameters_next(parameters, v[i].unwrapped, &walk, &name))
		{
			if (*n == PA_MAX_PATTERN_KEYS)
				return pa_fail(env, PA_ERR_LIMIT,
							   "modules of the adapter have more than %d parameters of target_parameters",
							   PA_MAX_PATTERN_KEYS);
			if (keys != NULL)
			{
				keys[*n].value = value_of(&v[i], alpha);
				PA_TRY(path_of_parameter(env, v[i].unwrapped, name, &keys[*n].path));
			}
			(*n)++;
			if (!parameter)
				break;
		}
	}
	return PA_OK;
}

/* r and rank_pattern, or lora_alpha and alpha_pattern. */
static PaStatus
set_values(PaEnv *env, json_t *root, const PaAdapter *facts, const ModuleValues *v, size_t n, bool alpha)
{
	json_t	   *object = pa_json_object();
	PaParameters parameters;
	PaKeyValue *keys;
	uint32_t	n_keys;
	double	   *values;
	double		usual;

	PA_TRY(pa_config_set(env, root, alpha ? "alpha_pattern" : "rank_pattern", object));
	PA_TRY(PA_NEW_ARRAY(env, n, &values));
	for (size_t i = 0; i < n; i++)
		values[i] = value_of(&v[i], alpha);
	usual = most_frequent(values, n);
	pa_free(env, values);
	PA_TRY(pa_config_set_number(env, root, alpha ? "lora_alpha" : "r", usual));
	PA_TRY(pa_peft_parameters(env, facts->n_target_parameters, facts->target_parameters, &parameters));
	PA_TRY(make_keys(env, &parameters, v, n, alpha, NULL, &n_keys));
	PA_TRY(PA_NEW_ARRAY(env, n_keys, &keys));
	PA_TRY(make_keys(env, &parameters, v, n, alpha, keys, &n_keys));
	PA_TRY(pa_peft_keys_write(env, object, n_keys, keys, usual));
	pa_free(env, keys);
	pa_free(env, parameters.list);
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
	TargetPaths paths = {0};

	PA_TRY(pa_config_set_layers(env, root, facts));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &v));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &targets));
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &paths.path));
	for (uint32_t i = 0; i < facts->n_modules; i++)
		if (pa_module_is_layer(&facts->modules[i]))
			paths.path[paths.n++] = facts->modules[i].path;
	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &others));
	for (uint32_t i = 0; i < facts->n_modules; i++)
	{
		const PaModule *module = &facts->modules[i];

		if (module->flags & PA_MODULE_TARGET)
			PA_TRY(module_values(env, facts, module, &paths, &v[n++]));
		if (pa_module_is_layer(module) && !v[n - 1].part)
			targets[n_targets++] = v[n - 1].unwrapped;
		else
			PA_TRY(pa_peft_path_unwrapped(env, module->path, &others[n_others++]));
	}
	PA_TRY(pa_config_set_selection(env, root, "target_modules", n_targets, targets, n_others, others));
	PA_TRY(take_parts_out(env, v, &n));
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
