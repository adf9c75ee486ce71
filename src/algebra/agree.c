/*
 * agree.c
 *	  The refusals that need only facts: two adapters of different kinds or of
 *	  different base models have no sum (doc/algebra.md, "Refusals").  One place,
 *	  so that combining and union cannot drift apart.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/agree.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/kind.h"
#include "adapter/shape.h"

static PaStatus
agree_base(PaEnv *env, const char *what, const char *a, const char *b)
{
	if (pa_same_text(a, b))
		return PA_OK;
	pa_fail(env, PA_ERR_MISMATCH, "adapters have different %s: %s%.150s%s and %s%.150s%s", what,
			a ? "\"" : "", a ? a : "null", a ? "\"" : "",
			b ? "\"" : "", b ? b : "null", b ? "\"" : "");
	pa_detail(env, "Base models and revisions are compared exactly; null equals only null.");
	pa_hint(env, "If both names mean the same model, rename one with adapter_set_base_model().");
	return PA_ERR_MISMATCH;
}

static PaStatus
agree_flag(PaEnv *env, const char *name, bool a, bool b)
{
	if (a == b)
		return PA_OK;
	pa_fail(env, PA_ERR_MISMATCH, "adapters have different %s: %s and %s", name,
			a ? "true" : "false", b ? "true" : "false");
	pa_detail(env, "The same tensors mean different changes to the weights then.");
	return PA_ERR_MISMATCH;
}

static PaStatus
agree_target_parameters(PaEnv *env, const PaAdapter *a, const PaAdapter *b)
{
	bool		same = a->n_target_parameters == b->n_target_parameters;

	for (uint32_t i = 0; same && i < a->n_target_parameters; i++)
		same = strcmp(a->target_parameters[i], b->target_parameters[i]) == 0;
	if (same)
		return PA_OK;
	pa_fail(env, PA_ERR_MISMATCH, "adapters have different target_parameters");
	pa_detail(env, "One adapter names %u parameters, the other %u.",
			  a->n_target_parameters, b->n_target_parameters);
	return PA_ERR_MISMATCH;
}

PaStatus
pa_agree(PaEnv *env, const PaAdapter *a, const PaAdapter *b)
{
	if (a->kind != b->kind)
	{
		pa_fail(env, PA_ERR_MISMATCH, "adapters have different kinds: %s and %s",
				pa_kind_name(a->kind), pa_kind_name(b->kind));
		pa_detail(env, "Adapters are combined with adapters of their own kind.");
		return PA_ERR_MISMATCH;
	}
	PA_TRY(agree_base(env, "base models", a->base_model, b->base_model));
	PA_TRY(agree_base(env, "base model revisions", a->base_revision, b->base_revision));
	PA_TRY(agree_flag(env, "fan_in_fan_out", a->fan_in_fan_out, b->fan_in_fan_out));
	PA_TRY(agree_flag(env, "lora_bias", a->lora_bias, b->lora_bias));
	return agree_target_parameters(env, a, b);
}

PaStatus
pa_agree_shape(PaEnv *env, const PaTensor *a, const PaTensor *b)
{
	if (a->ndim == b->ndim && memcmp(a->shape, b->shape, (size_t) a->ndim * sizeof(a->shape[0])) == 0)
		return PA_OK;
	return pa_fail(env, PA_ERR_MISMATCH, "tensor \"%.300s\" has different shapes: %s and %s",
				   a->key, pa_shape_text(a).text, pa_shape_text(b).text);
}

/* Index of the first `length` bytes of path in a sorted list, or -1. */
static int64_t
find_text(const char *const *list, size_t n, const char *path, size_t length)
{
	size_t		low = 0;

	while (low < n)
	{
		size_t		middle = low + (n - low) / 2;
		int			order = strncmp(list[middle], path, length);

		if (order == 0 && list[middle][length] == '\0')
			return (int64_t) middle;
		if (order < 0)
			low = middle + 1;
		else
			n = middle;
	}
	return -1;
}

/* The entry that holds the path: its shortest ancestor in the list, or itself; -1: none. */
static int64_t
find_holder(const char *const *list, size_t n, const char *path)
{
	size_t		length = 0;

	for (;;)
	{
		int64_t		found;

		length += strcspn(path + length, ".");
		found = find_text(list, n, path, length);
		if (found >= 0 || path[length] == '\0')
			return found;
		length++;
	}
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static PaStatus
collect_saved(PaEnv *env, uint32_t n, const PaAdapter *const *adapters, const char ***saved, size_t *n_saved)
{
	size_t		total = 0;
	size_t		kept = 0;
	const char **paths;

	for (uint32_t i = 0; i < n; i++)
		total += adapters[i]->n_saved_modules;
	PA_TRY(PA_NEW_ARRAY(env, total, &paths));
	total = 0;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < adapters[i]->n_saved_modules; k++)
			paths[total++] = adapters[i]->saved_modules[k];
	qsort(paths, total, sizeof(char *), compare_texts);
	for (size_t i = 0; i < total; i++)
		if (kept == 0 || strcmp(paths[kept - 1], paths[i]) != 0)
			paths[kept++] = paths[i];
	*saved = paths;
	*n_saved = kept;
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
