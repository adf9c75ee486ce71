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

/*
 * What PEFT saves for a task by itself, whether modules_to_save names it or not
 * (files of before April 2024 do not): where the result has no task type, nobody
 * else would know of these heads.
 */
static const struct
{
	const char *task;
	const char *head;
} heads[] = {
	{"SEQ_CLS", "classifier"}, {"SEQ_CLS", "score"},		   {"TOKEN_CLS", "classifier"},
	{"TOKEN_CLS", "score"},	   {"QUESTION_ANS", "qa_outputs"},
};

/* The part of the path that ends in a component with this name; 0: none does. */
static size_t
end_of_component(const char *path, const char *name)
{
	size_t		n = strlen(name);

	for (const char *at = path; (at = strstr(at, name)) != NULL; at++)
		if ((at == path || at[-1] == '.') && (at[n] == '.' || at[n] == '\0'))
			return (size_t) (at - path) + n;
	return 0;
}

/* How much of the path is a head that an operand's task has saved; 0: nothing is. */
static size_t
head_length(uint32_t n, const PaAdapter *const *adapters, const char *path)
{
	for (uint32_t i = 0; i < n; i++)
		for (size_t k = 0; k < sizeof(heads) / sizeof(heads[0]); k++)
		{
			size_t		length = 0;

			if (adapters[i]->task_type != NULL && strcmp(adapters[i]->task_type, heads[k].task) == 0)
				length = end_of_component(path, heads[k].head);
			if (length > 0)
				return length;
		}
	return 0;
}

/* Heads that no list holds, added to it; returns to what is sorted and distinct. */
static PaStatus
add_heads(PaEnv *env, uint32_t n, const PaAdapter *const *adapters, const PaDraft *draft, const char ***saved,
		  size_t *n_saved)
{
	const char **all;
	size_t		total = *n_saved;

	if (draft->facts.task_type != NULL)
		return PA_OK;
	PA_TRY(PA_NEW_ARRAY(env, *n_saved + draft->n_tensors, &all));
	memcpy(all, *saved, *n_saved * sizeof(char *));
	for (uint32_t i = 0; i < draft->n_tensors; i++)
	{
		const PaModule *module = &draft->facts.modules[draft->tensors[i].module];
		size_t		length;

		PA_TRY(pa_check_cancel(env));
		if (draft->tensors[i].role != PA_ROLE_DENSE || (module->flags & PA_MODULE_TARGET) ||
			find_holder(*saved, *n_saved, module->path) >= 0)
			continue;
		length = head_length(n, adapters, module->path);
		if (length > 0)
			PA_TRY(pa_strndup(env, module->path, length, &all[total++]));
	}
	*saved = all;
	*n_saved = pa_sort_distinct_strings(all, total);
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
	PA_TRY(add_heads(env, n, adapters, draft, &saved, &n_saved));
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
