/*
 * transform_rename.c
 *	  adapter_rename: modules under other paths, tensors unchanged.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/transform.h"

#include <string.h>

#include "core/sort.h"
#include "core/strings.h"
#include "core/utf8.h"

typedef struct Renamed
{
	const char *path;
	uint32_t	module;			/* of the adapter */
} Renamed;

static int
compare_renamed(const void *a, const void *b, const void *context)
{
	(void) context;
	return strcmp(((const Renamed *) a)->path, ((const Renamed *) b)->path);
}

/* Components that are not empty: what a path in a model is. */
static bool
is_path(const char *path)
{
	size_t		n = strlen(path);

	return n <= PA_MAX_NAME_BYTES && pa_utf8_valid_name(path, n) && path[0] != '.' && path[n - 1] != '.' &&
		strstr(path, "..") == NULL;
}

static PaStatus
sort_modules(PaEnv *env, const PaAdapter *adapter, const char *const *paths, Renamed **sorted)
{
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, sorted));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		PA_TRY(pa_check_cancel(env));
		(*sorted)[i] = (Renamed) {paths[i], i};
		if (strcmp(paths[i], adapter->modules[i].path) == 0 || is_path(paths[i]))
			continue;
		pa_fail(env, PA_ERR_CONFIG, "module \"%.300s\" would be renamed to \"%.300s\", which is no path",
				adapter->modules[i].path, paths[i]);
		pa_detail(env, "A path is names with a dot between each two, of at most %d bytes.",
				  PA_MAX_NAME_BYTES);
		return PA_ERR_CONFIG;
	}
	PA_TRY(pa_sort(env, *sorted, adapter->n_modules, sizeof(Renamed), compare_renamed, NULL));
	for (uint32_t i = 1; i < adapter->n_modules; i++)
	{
		const Renamed *r = &(*sorted)[i];

		if (strcmp(r[-1].path, r->path) != 0)
			continue;
		pa_fail(env, PA_ERR_CONFIG, "modules \"%.300s\" and \"%.300s\" would both be \"%.300s\"",
				adapter->modules[r[-1].module].path, adapter->modules[r->module].path, r->path);
		pa_hint(env, "Write the replacement with what tells the paths apart, as \\1 for the first group.");
		return PA_ERR_CONFIG;
	}
	return PA_OK;
}

/* A key is the path of its module and what stands behind it, or the path alone. */
static PaStatus
rename_key(PaEnv *env, const char *key, const char *old, const char *path, const char **renamed)
{
	size_t		n = strlen(old);
	size_t		length = strlen(path);
	char	   *out;

	if (strncmp(key, old, n) != 0)
		return pa_fail(env, PA_ERR_INTERNAL, "tensor \"%.300s\" is not below module \"%.300s\"", key, old);
	if (key[n] == '\0' && strcmp(old, path) != 0 && strchr(path, '.') != NULL)
	{
		pa_fail(env, PA_ERR_CONFIG, "tensor \"%.300s\" cannot be renamed to \"%.300s\"", key, path);
		pa_detail(env, "It is in no module, so its name has no dot.");
		return PA_ERR_CONFIG;
	}
	PA_TRY(PA_NEW_RAW(env, length + strlen(key + n) + 1, &out));
	memcpy(out, path, length);
	strcpy(out + length, key + n);
	*renamed = out;
	return PA_OK;
}

/*
 * What was saved as a whole is an ancestor of the module, or itself: the same of
 * the new path, if that ends as the old one does below it; else the new path.
 */
static PaStatus
rename_saved(PaEnv *env, const PaAdapter *adapter, uint32_t module, const char *path, const char **saved)
{
	const char *old = adapter->modules[module].path;
	size_t		n = 0;

	*saved = NULL;
	do
	{
		size_t		tail;

		n += strcspn(old + n, ".");
		if (pa_find_string(adapter->saved_modules, adapter->n_saved_modules, old, n) < 0)
			continue;
		tail = strlen(old + n);
		if (strlen(path) > tail && strcmp(path + strlen(path) - tail, old + n) == 0)
			return pa_strndup(env, path, strlen(path) - tail, saved);
		*saved = path;
		return PA_OK;
	} while (old[n] != '\0' && old[++n] != '\0');
	return PA_OK;
}

static PaStatus
rename_saved_modules(PaEnv *env, const PaAdapter *adapter, const char *const *paths, PaAdapter *facts)
{
	uint32_t	n = 0;
	uint32_t	last = UINT32_MAX;

	if (adapter->n_saved_modules == 0)
		return PA_OK;
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &facts->saved_modules));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *t = &adapter->tensors[i];

		if (t->role != PA_ROLE_DENSE || t->module == last ||
			strcmp(adapter->modules[t->module].path, t->key) == 0)
			continue;
		last = t->module;
		PA_TRY(pa_check_cancel(env));
		PA_TRY(rename_saved(env, adapter, t->module, paths[t->module], &facts->saved_modules[n]));
		n += facts->saved_modules[n] != NULL;
	}
	facts->n_saved_modules = (uint32_t) pa_sort_distinct_strings(facts->saved_modules, n);
	return PA_OK;
}

PaStatus
pa_rename_draft(PaEnv *env, const PaAdapter *adapter, const char *const *paths, PaDraft **draft)
{
	PaDraft    *d;
	Renamed    *sorted;
	uint32_t   *moved;

	PA_TRY(sort_modules(env, adapter, paths, &sorted));
	PA_TRY(pa_draft_of(env, adapter, &d));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &moved));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		PaModule   *module = &d->facts.modules[i];

		*module = adapter->modules[sorted[i].module];
		pa_module_clear(module);
		module->path = sorted[i].path;
		moved[sorted[i].module] = i;
	}
	for (uint32_t i = 0; i < d->n_tensors; i++)
	{
		PaDraftTensor *tensor = &d->tensors[i];
		uint32_t	module = tensor->module;

		PA_TRY(pa_check_cancel(env));
		tensor->module = moved[module];
		if (tensor->key != NULL)
			PA_TRY(rename_key(env, tensor->key, adapter->modules[module].path, paths[module], &tensor->key));
	}
	PA_TRY(rename_saved_modules(env, adapter, paths, &d->facts));
	pa_free(env, sorted);
	pa_free(env, moved);
	*draft = d;
	return PA_OK;
}
