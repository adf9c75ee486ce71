/*
 * adapter.c
 *	  Names, sizes and look-ups of an adapter's parts.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/adapter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/arith.h"

bool
pa_same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

PaStatus
pa_tensor_measure(PaEnv *env, PaTensor *tensor, PaStatus code)
{
	uint64_t	elements = 1;
	uint64_t	bits;
	int			width = pa_dtype_bits(tensor->dtype);

	if (width == 0)
		return pa_fail(env, code, "tensor \"%s\" has an unknown dtype", tensor->name);
	if (tensor->ndim < 0 || tensor->ndim > PA_MAX_NDIM)
	{
		pa_fail(env, code, "tensor \"%s\" has %d dimensions", tensor->name, tensor->ndim);
		pa_detail(env, "At most %d dimensions are supported.", PA_MAX_NDIM);
		return code;
	}
	for (int i = 0; i < tensor->ndim; i++)
	{
		if (tensor->shape[i] > (uint64_t) PA_MAX_DIMENSION)
		{
			pa_fail(env, code, "tensor \"%s\" has a dimension of %" PRIu64, tensor->name, tensor->shape[i]);
			pa_detail(env, "A dimension is at most %" PRId64 ".", PA_MAX_DIMENSION);
			return code;
		}
		if (!pa_mul_u64(elements, tensor->shape[i], &elements))
			return pa_fail(env, code, "the shape of tensor \"%s\" overflows", tensor->name);
	}
	if (!pa_mul_u64(elements, (uint64_t) width, &bits))
		return pa_fail(env, code, "the size of tensor \"%s\" overflows", tensor->name);
	if (bits % 8 != 0)
	{
		pa_fail(env, code, "tensor \"%s\" does not fill its last byte", tensor->name);
		pa_detail(env, "%" PRIu64 " elements of type %s are %" PRIu64 " bits.", elements,
				  pa_dtype_name(tensor->dtype), bits);
		return code;
	}
	tensor->elements = elements;
	tensor->bytes = bits / 8;
	return PA_OK;
}

static int
compare_tensor(const void *name, const void *tensor)
{
	return strcmp(name, ((const PaTensor *) tensor)->name);
}

static int
compare_module(const void *path, const void *module)
{
	return strcmp(path, ((const PaModule *) module)->path);
}

int64_t
pa_adapter_find_tensor(const PaAdapter *adapter, const char *name)
{
	const PaTensor *found = NULL;

	if (adapter->n_tensors > 0)
		found = bsearch(name, adapter->tensors, adapter->n_tensors, sizeof(PaTensor), compare_tensor);
	return found != NULL ? found - adapter->tensors : -1;
}

int64_t
pa_adapter_find_module(const PaAdapter *adapter, const char *path)
{
	const PaModule *found = NULL;

	if (adapter->n_modules > 0)
		found = bsearch(path, adapter->modules, adapter->n_modules, sizeof(PaModule), compare_module);
	return found != NULL ? found - adapter->modules : -1;
}
