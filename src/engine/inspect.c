/*
 * inspect.c
 *	  Rank, norm, elements.  See inspect.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/inspect.h"

#include <math.h>

#include "adapter/operation.h"
#include "kernel/kernel.h"

PaStatus
pa_inspect_rank(PaEnv *env, PaValue *value, const char *path, uint64_t *rank)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	int64_t		module;

	*rank = 0;
	if (path != NULL)
	{
		module = pa_adapter_find_module(adapter, path);
		if (module < 0)
			return pa_fail(env, PA_ERR_NOT_FOUND, "adapter has no module \"%.300s\"", path);
		*rank = adapter->modules[module].rank;
		return PA_OK;
	}
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		if (adapter->modules[i].rank > *rank)
			*rank = adapter->modules[i].rank;
	return PA_OK;
}

/* Visit a tensor block by block: visit(state, raw, n). */
typedef void (*Visit)(void *state, const PaTensor *tensor, const void *raw, size_t n);

static PaStatus
visit_blocks(PaEnv *env, PaSource *source, uint32_t tensor, Visit visit, void *state)
{
	const PaTensor *of = &source->adapter->tensors[tensor];
	double	   *raw;

	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &raw));
	for (uint64_t done = 0; done < of->elements;)
	{
		size_t		step = pa_block_step(of->elements - done);

		PA_TRY(pa_check_cancel(env));
		PA_TRY(source->read(env, source, tensor, done, step, raw));
		visit(state, of, raw, step);
		done += step;
	}
	pa_free(env, raw);
	return PA_OK;
}

static void
visit_squares(void *state, const PaTensor *tensor, const void *raw, size_t n)
{
	double	   *sum = state;

	*sum = pa_kernel_sum_squares(raw, tensor->dtype, n, *sum);
}

PaStatus
pa_inspect_norm(PaEnv *env, PaValue *value, uint32_t tensor, double *norm)
{
	double		sum = 0;
	PaSource   *source;

	PA_TRY(pa_tensor_require_arithmetic(env, &pa_value_adapter(value)->tensors[tensor]));
	PA_TRY(pa_value_source(env, value, &source));
	PA_TRY(visit_blocks(env, source, tensor, visit_squares, &sum));
	*norm = sqrt(sum);
	return PA_OK;
}

PaStatus
pa_inspect_measure(PaEnv *env, PaValue *value, const char *name, const PaTensor **tensor)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	int64_t		index = pa_adapter_find_tensor(adapter, name);

	if (index < 0)
	{
		pa_fail(env, PA_ERR_NOT_FOUND, "adapter has no tensor \"%.300s\"", name);
		pa_hint(env, "Tensors have the names that they have in the file.");
		return PA_ERR_NOT_FOUND;
	}
	PA_TRY(pa_tensor_require_arithmetic(env, &adapter->tensors[index]));
	if (adapter->tensors[index].elements > PA_MAX_ARRAY_ELEMENTS)
	{
		pa_fail(env, PA_ERR_LIMIT, "tensor \"%.300s\" has more than %llu elements", name,
				(unsigned long long) PA_MAX_ARRAY_ELEMENTS);
		pa_detail(env, "It has %llu.", (unsigned long long) adapter->tensors[index].elements);
		return PA_ERR_LIMIT;
	}
	*tensor = &adapter->tensors[index];
	return PA_OK;
}

static void
visit_widen(void *state, const PaTensor *tensor, const void *raw, size_t n)
{
	double	  **next = state;

	pa_kernel_widen(*next, raw, tensor->dtype, n);
	*next += n;
}

PaStatus
pa_inspect_read_from(PaEnv *env, PaSource *source, const PaTensor *tensor, double *out)
{
	return visit_blocks(env, source, (uint32_t) (tensor - source->adapter->tensors), visit_widen, &out);
}

PaStatus
pa_inspect_read(PaEnv *env, PaValue *value, const PaTensor *tensor, double *out)
{
	PaSource   *source;

	PA_TRY(pa_value_source(env, value, &source));
	return pa_inspect_read_from(env, source, tensor, out);
}
