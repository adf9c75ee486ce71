/*
 * saved_modules.c
 *	  Which of the modules that operands save as a whole hold a dense tensor of
 *	  the result.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/saved_modules.h"

#include <string.h>

#include "core/strings.h"

/* The entry that holds the path: its shortest ancestor in the list, or itself; -1: none. */
static int64_t
find_holder(const char *const *list, size_t n, const char *path)
{
	size_t		length = 0;

	for (;;)
	{
		int64_t		found;

		length += strcspn(path + length, ".");
		found = pa_find_string(list, n, path, length);
		if (found >= 0 || path[length] == '\0')
			return found;
		length++;
	}
}

static PaStatus
collect_saved(PaEnv *env, uint32_t n, const PaAdapter *const *adapters, const char ***saved, size_t *n_saved)
{
	size_t		total = 0;
	const char **paths;

	for (uint32_t i = 0; i < n; i++)
		total += adapters[i]->n_saved_modules;
	PA_TRY(PA_NEW_ARRAY(env, total, &paths));
	total = 0;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < adapters[i]->n_saved_modules; k++)
			paths[total++] = adapters[i]->saved_modules[k];
	*saved = paths;
	*n_saved = pa_sort_distinct_strings(paths, total);
	return PA_OK;
}

PaStatus
pa_union_saved_modules(PaEnv *env, uint32_t n, const PaAdapter *const *adapters, PaDraft *draft)
{
	const char **saved;
	size_t		n_saved;
	bool	   *used;
	uint32_t	kept = 0;

	PA_TRY(collect_saved(env, n, adapters, &saved, &n_saved));
	PA_TRY(PA_NEW_ARRAY(env, n_saved, &used));
	for (uint32_t i = 0; i < draft->n_tensors; i++)
	{
		const PaDraftTensor *tensor = &draft->tensors[i];
		const char *path = draft->facts.modules[tensor->module].path;
		int64_t		holder;

		/* a tensor that is its own path has no module that could be saved */
		if (tensor->role != PA_ROLE_DENSE || strcmp(path, tensor->key) == 0)
			continue;
		holder = find_holder(saved, n_saved, path);
		if (holder >= 0)
			used[holder] = true;
	}
	for (size_t i = 0; i < n_saved; i++)
		if (used[i])
			saved[kept++] = saved[i];
	pa_free(env, used);
	draft->facts.n_saved_modules = kept;
	draft->facts.saved_modules = saved;
	return PA_OK;
}
