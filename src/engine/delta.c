/*
 * delta.c
 *	  What a module adds to the base weight, as PEFT adds it: s B A for LoRA,
 *	  l - 1 for (IA)^3 (which multiplies by l).
 *
 * Each element is s * (B[i][0] A[0][j] + B[i][1] A[1][j] + ...): products and
 * sums in double, in the order of the rank, the scaling last.  The bias of
 * lora_bias is no part of it.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/delta.h"

#include <string.h>

#include "adapter/operation.h"
#include "core/arith.h"
#include "engine/inspect.h"
#include "engine/view.h"

static const PaTensor *
tensor_of(const PaAdapter *adapter, uint32_t module, PaRole role)
{
	int64_t		index = adapter->modules[module].tensor[role];

	return index < 0 ? NULL : &adapter->tensors[index];
}

static PaStatus
check_elements(PaEnv *env, const char *what, const char *path, uint64_t elements)
{
	if (elements <= PA_MAX_ARRAY_ELEMENTS)
		return PA_OK;
	pa_fail(env, PA_ERR_LIMIT, "%s of module \"%.300s\" has more than %llu elements", what, path,
			(unsigned long long) PA_MAX_ARRAY_ELEMENTS);
	pa_detail(env, "It has %llu.", (unsigned long long) elements);
	return PA_ERR_LIMIT;
}

/* Shape of s B A: (out, in), (in, out) where the base weight is transposed, a convolution's kernel. */
static PaStatus
product_shape(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaDelta *delta)
{
	const PaTensor *a = tensor_of(adapter, delta->module, PA_ROLE_FACTOR_A);
	const PaTensor *b = tensor_of(adapter, delta->module, PA_ROLE_FACTOR_B);

	if (module->flags & PA_MODULE_PARAMETER)
		return pa_fail(env, PA_ERR_UNSUPPORTED, "delta of target parameter \"%.300s\" is not supported",
					   module->path);
	if (module->rank == 0 || b->shape[1] != module->rank)
		return pa_fail(env, PA_ERR_UNSUPPORTED, "delta of grouped convolution \"%.300s\" is not supported",
					   module->path);
	PA_TRY(check_elements(env, "factor A", module->path, a->elements));
	PA_TRY(check_elements(env, "factor B", module->path, b->elements));
	delta->ndim = a->ndim;
	memcpy(delta->shape, a->shape, sizeof(delta->shape));
	delta->shape[0] = b->shape[0];
	delta->transposed = a->ndim == 2 && ((module->flags & PA_MODULE_EMBEDDING) || delta->transposed);
	if (delta->transposed)
	{
		delta->shape[0] = a->shape[1];
		delta->shape[1] = b->shape[0];
	}
	return PA_OK;
}

/* What has no delta as one array. */
static PaStatus
check_one_delta(PaEnv *env, const PaAdapter *adapter, const PaModule *module)
{
	if (!(module->flags & PA_MODULE_TARGET))
	{
		pa_fail(env, PA_ERR_NOT_FOUND, "module \"%.300s\" has no delta", module->path);
		pa_detail(env, "Its tensors replace those of the base model.");
		return PA_ERR_NOT_FOUND;
	}
	return pa_require(env, adapter, PA_OPERATION_DELTA);
}

static PaStatus
delta_shape(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaDelta *delta)
{
	const PaTensor *vector;

	switch (pa_delta_form(adapter))
	{
		case PA_DELTA_PRODUCT:
			return product_shape(env, adapter, module, delta);
		case PA_DELTA_VECTOR:
			vector = tensor_of(adapter, delta->module, PA_ROLE_VECTOR);
			delta->ndim = vector->ndim;
			memcpy(delta->shape, vector->shape, sizeof(delta->shape));
			return PA_OK;
		case PA_DELTA_TENSORS:
		case PA_DELTA_NONE:
			break;
	}
	return pa_fail(env, PA_ERR_INTERNAL, "module \"%.300s\" has no delta", module->path);
}

PaStatus
pa_delta_measure(PaEnv *env, PaValue *value, const char *path, const bool *fan_in_fan_out, PaDelta *delta)
{
	const PaAdapter *adapter;
	PaSource   *source;
	int64_t		index;
	const PaModule *module;

	PA_TRY(pa_view_source(env, value, &source));
	adapter = source->adapter;
	index = pa_adapter_find_module(adapter, path);
	if (index < 0)
		return pa_fail(env, PA_ERR_NOT_FOUND, "adapter has no module \"%.300s\"", path);
	module = &adapter->modules[index];
	PA_TRY(check_one_delta(env, adapter, module));
	for (int role = 1; role < PA_SINGLE_ROLES; role++)
		if (module->tensor[role] >= 0)
			PA_TRY(pa_tensor_require_arithmetic(env, &adapter->tensors[module->tensor[role]]));
	memset(delta, 0, sizeof(*delta));
	delta->module = (uint32_t) index;
	delta->transposed = fan_in_fan_out != NULL ? *fan_in_fan_out : adapter->fan_in_fan_out;
	PA_TRY(delta_shape(env, adapter, module, delta));
	delta->elements = 1;
	for (int i = 0; i < delta->ndim; i++)
		if (!pa_mul_u64(delta->elements, delta->shape[i], &delta->elements))
			delta->elements = UINT64_MAX;
	return check_elements(env, "delta", path, delta->elements);
}

/* out (rows x columns) = s * B (rows x r) A (r x columns), or transposed */
static PaStatus
multiply(PaEnv *env, const double *a, const double *b, uint64_t rows, uint64_t r, uint64_t columns, double s,
		 bool transpose, double *out)
{
	double	   *row;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) columns, &row));
	for (uint64_t i = 0; i < rows; i++)
	{
		for (uint64_t k = 0; k < r; k++)
		{
			double		factor = b[i * r + k];
			const double *other = a + k * columns;

			if (k % 64 == 0 || columns >= PA_BLOCK_ELEMENTS)
				PA_TRY(pa_check_cancel(env));
			if (k == 0)
				for (uint64_t j = 0; j < columns; j++)
					row[j] = factor * other[j];
			else
				for (uint64_t j = 0; j < columns; j++)
					row[j] += factor * other[j];
		}
		for (uint64_t j = 0; j < columns; j++)
			out[transpose ? j * rows + i : i * columns + j] = s * row[j];
	}
	pa_free(env, row);
	return PA_OK;
}

static PaStatus
read_factor(PaEnv *env, PaSource *source, const PaTensor *tensor, double **out)
{
	PA_TRY(PA_NEW_ARRAY(env, (size_t) tensor->elements, out));
	return pa_inspect_read_from(env, source, tensor, *out);
}

static PaStatus
read_product(PaEnv *env, PaSource *source, const PaDelta *delta, double *out)
{
	const PaAdapter *adapter = source->adapter;
	const PaModule *module = &adapter->modules[delta->module];
	const PaTensor *a = tensor_of(adapter, delta->module, PA_ROLE_FACTOR_A);
	const PaTensor *b = tensor_of(adapter, delta->module, PA_ROLE_FACTOR_B);
	double	   *a_data;
	double	   *b_data;

	PA_TRY(read_factor(env, source, a, &a_data));
	PA_TRY(read_factor(env, source, b, &b_data));
	PA_TRY(multiply(env, a_data, b_data, b->shape[0], module->rank, a->elements / module->rank,
					module->scaling, delta->transposed, out));
	pa_free(env, a_data);
	pa_free(env, b_data);
	return PA_OK;
}

PaStatus
pa_delta_read(PaEnv *env, PaValue *value, const PaDelta *delta, double *out)
{
	const PaAdapter *adapter;
	PaSource   *source;

	PA_TRY(pa_view_source(env, value, &source));
	adapter = source->adapter;
	switch (pa_delta_form(adapter))
	{
		case PA_DELTA_PRODUCT:
			return read_product(env, source, delta, out);
		case PA_DELTA_VECTOR:
			PA_TRY(pa_inspect_read_from(env, source, tensor_of(adapter, delta->module, PA_ROLE_VECTOR), out));
			for (uint64_t i = 0; i < delta->elements; i++)
				out[i] = out[i] - 1;
			return PA_OK;
		case PA_DELTA_TENSORS:
		case PA_DELTA_NONE:
			break;
	}
	return pa_fail(env, PA_ERR_INTERNAL, "a module without a delta");
}
