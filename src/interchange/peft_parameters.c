/*
 * peft_parameters.c
 *	  Parameters sorted by the module that they name, looked up by each end of a
 *	  path.  See peft_parameters.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_parameters.h"

#include <stdlib.h>
#include <string.h>

#include "core/strings.h"
#include "interchange/peft_path.h"

static int
compare_modules(const char *a, size_t n, const char *b, size_t m)
{
	int			order = memcmp(a, b, n < m ? n : m);

	if (order != 0)
		return order;
	return n < m ? -1 : n > m;
}

static int
compare_parameters(const void *a, const void *b)
{
	const PaParameter *x = a;
	const PaParameter *y = b;
	int			order;

	if (x->module == NULL || y->module == NULL)
		order = (x->module != NULL) - (y->module != NULL);
	else
		order = compare_modules(x->module, x->module_length, y->module, y->module_length);
	return order != 0 ? order : strcmp(x->name, y->name);
}

PaStatus
pa_peft_parameters(PaEnv *env, uint32_t n, const char *const *names, PaParameters *parameters)
{
	*parameters = (PaParameters) {.n = n};
	PA_TRY(PA_NEW_ARRAY(env, n, &parameters->list));
	for (uint32_t i = 0; i < n; i++)
	{
		const char *dot = strrchr(names[i], '.');
		PaParameter *p = &parameters->list[i];

		p->name = dot != NULL ? dot + 1 : names[i];
		p->module = dot != NULL ? names[i] : NULL;
		p->module_length = dot != NULL ? (size_t) (dot - names[i]) : 0;
		parameters->n_bare += dot == NULL;
	}
	if (n > 0)
		qsort(parameters->list, n, sizeof(PaParameter), compare_parameters);
	return PA_OK;
}

/* The first of those that name this module, or a later one; strictly: a later one. */
static uint32_t
first_of(const PaParameters *parameters, const char *module, bool strictly)
{
	size_t		length = strlen(module);
	uint32_t	low = parameters->n_bare;
	uint32_t	high = parameters->n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;
		const PaParameter *p = &parameters->list[middle];
		int			order = compare_modules(p->module, p->module_length, module, length);

		if (order < 0 || (strictly && order == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The parameters of the next end of the path: all of it, then what is behind each dot. */
static void
look_up(const PaParameters *parameters, PaParameterWalk *walk)
{
	const char *dot = strchr(walk->rest, '.');

	walk->next = first_of(parameters, walk->rest, false);
	walk->end = first_of(parameters, walk->rest, true);
	walk->last = dot == NULL;
	walk->rest = dot != NULL ? dot + 1 : walk->rest;
}

bool
pa_peft_parameters_next(const PaParameters *parameters, const char *unwrapped, PaParameterWalk *walk,
						const char **name)
{
	if (walk->rest == NULL)
		*walk = (PaParameterWalk) {.end = parameters->n_bare, .rest = unwrapped};
	while (walk->next == walk->end)
	{
		if (walk->last || parameters->n == parameters->n_bare)
			return false;
		look_up(parameters, walk);
	}
	*name = parameters->list[walk->next++].name;
	return true;
}

bool
pa_peft_parameters_have(const PaParameters *parameters, const char *unwrapped)
{
	PaParameterWalk walk = {.rest = unwrapped};
	const char *name;

	return pa_peft_parameters_next(parameters, unwrapped, &walk, &name);
}

static PaStatus
whole_path(PaEnv *env, const char *path, const char *name, const char **whole)
{
	size_t		n = strlen(path);
	char	   *p;

	PA_TRY(PA_NEW_RAW(env, n + strlen(name) + 2, &p));
	memcpy(p, path, n);
	p[n] = '.';
	strcpy(p + n + 1, name);
	*whole = p;
	return PA_OK;
}

static PaStatus
tell_module(PaEnv *env, const PaParameters *parameters, PaModule *module, uint32_t *left)
{
	const char *unwrapped;
	const char *name;
	uint32_t	n = 0;

	PA_TRY(pa_peft_path_unwrapped(env, module->path, &unwrapped));
	for (PaParameterWalk walk = {0}; pa_peft_parameters_next(parameters, unwrapped, &walk, &name);)
		n++;
	if (n > *left)
		return pa_fail(env, PA_ERR_LIMIT,
					   "modules of the adapter have more than %d parameters of target_parameters",
					   PA_MAX_PATTERN_KEYS);
	*left -= n;
	PA_TRY(PA_NEW_ARRAY(env, n, &module->parameters));
	for (PaParameterWalk walk = {0}; pa_peft_parameters_next(parameters, unwrapped, &walk, &name);)
		PA_TRY(whole_path(env, unwrapped, name, &module->parameters[module->n_parameters++]));
	module->n_parameters = (uint32_t) pa_sort_distinct_strings(module->parameters, module->n_parameters);
	return pa_check_cancel(env);
}

PaStatus
pa_peft_parameters_tell(PaEnv *env, const PaAdapter *adapter, PaModule *modules)
{
	PaParameters parameters;
	uint32_t	left = PA_MAX_PATTERN_KEYS;

	if (adapter->n_target_parameters == 0)
		return PA_OK;
	PA_TRY(pa_peft_parameters(env, adapter->n_target_parameters, adapter->target_parameters, &parameters));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		if (modules[i].flags & PA_MODULE_PARAMETER)
			PA_TRY(tell_module(env, &parameters, &modules[i], &left));
	pa_free(env, parameters.list);
	return PA_OK;
}
