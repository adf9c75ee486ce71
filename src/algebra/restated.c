/*
 * restated.c
 *	  Two factors of each module.  See restated.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/restated.h"

#include <string.h>

#include "adapter/fault.h"
#include "kernel/kernel.h"

/* A whole tensor that was made: blocks of a transposed or folded one are of all of the stored one. */
typedef struct Made
{
	int64_t		tensor;			/* of the restated adapter; -1: none */
	uint8_t    *data;
} Made;

typedef struct Restated
{
	PaSource	base;
	PaSource   *stored;
	const uint32_t *of;
	Made		made[2];		/* a factor A, a factor B: they are read in turns */
} Restated;

static bool
is_restated(const PaAdapter *adapter)
{
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		if (pa_role_is_restated(adapter->tensors[i].role))
			return true;
	return false;
}

static const PaTensor *
middle_of(const PaAdapter *adapter, const PaTensor *tensor)
{
	int64_t		middle = adapter->modules[tensor->module].tensor[PA_ROLE_MIDDLE];

	return middle < 0 ? NULL : &adapter->tensors[middle];
}

static PaDtype
folded_dtype(PaDtype a, PaDtype middle)
{
	/* what cannot be computed with is refused by its name */
	if (!pa_dtype_is_arithmetic(a))
		return a;
	if (!pa_dtype_is_arithmetic(middle))
		return middle;
	return a == PA_F64 || middle == PA_F64 ? PA_F64 : PA_F32;
}

/* Shape, dtype and role of what a stored tensor is seen as. */
static PaStatus
restate(PaEnv *env, const PaTensor *middle, PaTensor *tensor)
{
	if (tensor->role == PA_ROLE_FACTOR_A_TRANSPOSED || tensor->role == PA_ROLE_FACTOR_B_TRANSPOSED)
	{
		uint64_t	rows = tensor->shape[0];

		tensor->role = tensor->role == PA_ROLE_FACTOR_A_TRANSPOSED ? PA_ROLE_FACTOR_A : PA_ROLE_FACTOR_B;
		tensor->shape[0] = tensor->shape[1];
		tensor->shape[1] = rows;
	}
	else if (middle != NULL && tensor->role == PA_ROLE_FACTOR_A)
	{
		tensor->dtype = folded_dtype(tensor->dtype, middle->dtype);
		tensor->ndim = middle->ndim;
		tensor->shape[0] = middle->shape[0];
		for (int i = 2; i < middle->ndim; i++)
			tensor->shape[i] = middle->shape[i];
	}
	else if (middle != NULL && tensor->role == PA_ROLE_FACTOR_B)
	{
		tensor->ndim = middle->ndim;
		for (int i = 2; i < middle->ndim; i++)
			tensor->shape[i] = 1;
	}
	PA_TRY(pa_tensor_measure(env, tensor, PA_ERR_LIMIT));
	if (tensor->bytes <= PA_MAX_RAW_BYTES)
		return PA_OK;
	return pa_fail(env, PA_ERR_LIMIT,
				   "factor A of module of \"%.300s\" with its middle factor has %llu bytes", tensor->name,
				   (unsigned long long) tensor->bytes);
}

PaStatus
pa_restated_adapter(PaEnv *env, const PaAdapter *stored, const PaAdapter **restated, uint32_t **of)
{
	PaAdapter  *made;

	*restated = stored;
	*of = NULL;
	if (!is_restated(stored))
		return PA_OK;
	PA_TRY(PA_NEW(env, &made));
	*made = *stored;
	made->n_tensors = 0;
	made->raw_bytes = 0;
	PA_TRY(PA_NEW_ARRAY(env, stored->n_modules, &made->modules));
	PA_TRY(PA_NEW_ARRAY(env, stored->n_tensors, &made->tensors));
	PA_TRY(PA_NEW_ARRAY(env, stored->n_tensors, of));
	for (uint32_t i = 0; i < stored->n_modules; i++)
	{
		made->modules[i] = stored->modules[i];
		pa_module_clear(&made->modules[i]);
	}
	for (uint32_t i = 0; i < stored->n_tensors; i++)
	{
		PaTensor   *tensor = &made->tensors[made->n_tensors];

		PA_TRY(pa_check_cancel(env));
		*tensor = stored->tensors[i];
		if (tensor->role == PA_ROLE_ALPHA || tensor->role == PA_ROLE_MIDDLE)
			continue;
		PA_TRY(restate(env, middle_of(stored, tensor), tensor));
		made->raw_bytes += tensor->bytes;
		if (!pa_role_is_keyed(tensor->role))
			made->modules[tensor->module].tensor[tensor->role] = made->n_tensors;
		(*of)[made->n_tensors++] = i;
	}
	*restated = made;
	return PA_OK;
}

static PaStatus
read_whole(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t **data)
{
	const PaTensor *of = &source->adapter->tensors[tensor];
	size_t		width = (size_t) pa_dtype_plane_width(of->dtype);

	PA_TRY(PA_NEW_RAW(env, (size_t) of->bytes, data));
	for (uint64_t done = 0; done < pa_tensor_units(of);)
	{
		size_t		step = pa_block_step(pa_tensor_units(of) - done);

		PA_TRY(pa_check_cancel(env));
		PA_TRY(source->read(env, source, tensor, done, step, *data + done * width));
		done += step;
	}
	return PA_OK;
}

/* out[j][i] = in[i][j], elements of width bytes */
static PaStatus
transpose(PaEnv *env, const uint8_t *in, uint64_t rows, uint64_t columns, size_t width, uint8_t *out)
{
	for (uint64_t j = 0; j < columns; j++)
	{
		PA_TRY(pa_check_cancel(env));
		for (uint64_t i = 0; i < rows; i++)
			memcpy(out + (j * rows + i) * width, in + (i * columns + j) * width, width);
	}
	return PA_OK;
}

PaStatus
pa_restated_transpose(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t *out)
{
	const PaTensor *of = &source->adapter->tensors[tensor];
	uint8_t    *raw;

	PA_TRY(read_whole(env, source, tensor, &raw));
	PA_TRY(transpose(env, raw, of->shape[0], of->shape[1], (size_t) pa_dtype_plane_width(of->dtype), out));
	pa_free(env, raw);
	return PA_OK;
}

static PaStatus
read_doubles(PaEnv *env, PaSource *source, uint32_t tensor, double **values)
{
	const PaTensor *of = &source->adapter->tensors[tensor];
	uint8_t    *raw;

	PA_TRY(read_whole(env, source, tensor, &raw));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) of->elements, values));
	pa_kernel_widen(*values, raw, of->dtype, (size_t) of->elements);
	pa_free(env, raw);
	return PA_OK;
}

/* One row of A', (columns, kernel): the sum over q of middle[q][k] times A[q][i]. */
static PaStatus
fold_row(PaEnv *env, const double *middle, const double *a, uint64_t r, uint64_t columns, uint64_t kernel,
		 double *row)
{
	for (uint64_t i = 0; i < columns; i++)
	{
		PA_TRY(pa_check_cancel(env));
		for (uint64_t k = 0; k < kernel; k++)
		{
			double		sum = middle[k] * a[i];

			for (uint64_t q = 1; q < r; q++)
				sum += middle[q * kernel + k] * a[q * columns + i];
			row[i * kernel + k] = sum;
		}
	}
	return PA_OK;
}

static PaStatus
fold(PaEnv *env, Restated *self, const PaTensor *to, uint32_t a, uint32_t middle, uint8_t *out)
{
	uint64_t	rows = to->shape[0];
	uint64_t	columns = to->shape[1];
	uint64_t	r = self->stored->adapter->tensors[a].shape[0];
	uint64_t	kernel = columns == 0 ? 0 : to->elements / rows / columns;
	size_t		width = (size_t) pa_dtype_plane_width(to->dtype);
	double	   *values;
	double	   *middles;
	double	   *row;

	PA_TRY(read_doubles(env, self->stored, a, &values));
	PA_TRY(read_doubles(env, self->stored, middle, &middles));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) (columns * kernel), &row));
	for (uint64_t p = 0; p < rows; p++)
	{
		PA_TRY(fold_row(env, middles + p * r * kernel, values, r, columns, kernel, row));
		if (!pa_kernel_round(out + p * columns * kernel * width, to->dtype, row, (size_t) (columns * kernel)))
			return pa_fail_overflow(env, to);
	}
	pa_free(env, values);
	pa_free(env, middles);
	pa_free(env, row);
	return PA_OK;
}

static PaStatus
make(PaEnv *env, Restated *self, uint32_t tensor, Made *made)
{
	const PaAdapter *stored = self->stored->adapter;
	const PaTensor *to = &self->base.adapter->tensors[tensor];
	const PaTensor *of = &stored->tensors[self->of[tensor]];

	if (made->tensor == tensor)
		return PA_OK;
	made->tensor = -1;
	pa_free(env, made->data);
	made->data = NULL;
	PA_TRY(PA_NEW_RAW(env, (size_t) to->bytes, &made->data));
	if (of->role == PA_ROLE_FACTOR_A)
		PA_TRY(fold(env, self, to, self->of[tensor],
					(uint32_t) stored->modules[of->module].tensor[PA_ROLE_MIDDLE], made->data));
	else
		PA_TRY(pa_restated_transpose(env, self->stored, self->of[tensor], made->data));
	made->tensor = tensor;
	return PA_OK;
}

static PaStatus
restated_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	Restated   *self = (Restated *) source;
	const PaAdapter *stored = self->stored->adapter;
	const PaTensor *to;
	const PaTensor *of;
	Made	   *made;

	if (tensor >= source->adapter->n_tensors)
		return pa_fail(env, PA_ERR_INTERNAL, "no tensor %u to read", tensor);
	to = &source->adapter->tensors[tensor];
	of = &stored->tensors[self->of[tensor]];
	if (!pa_role_is_restated(of->role) && (of->role != PA_ROLE_FACTOR_A || middle_of(stored, of) == NULL))
		return self->stored->read(env, self->stored, self->of[tensor], first, n, dst);
	if (first > pa_tensor_units(to) || n > pa_tensor_units(to) - first)
		return pa_fail(env, PA_ERR_INTERNAL, "read beyond the end of tensor \"%s\"", to->name);
	if (!pa_dtype_is_arithmetic(to->dtype))
		return pa_fail(env, PA_ERR_INTERNAL, "tensor \"%s\" cannot be restated", to->name);
	made = &self->made[to->role == PA_ROLE_FACTOR_A ? 0 : 1];
	PA_TRY(make(env, self, tensor, made));
	if (n > 0)
		memcpy(dst, made->data + first * (size_t) pa_dtype_plane_width(to->dtype),
			   n * (size_t) pa_dtype_plane_width(to->dtype));
	return PA_OK;
}

/* The restated adapter's tensors have the SHA-256s of the stored ones. */
static PaStatus
restated_fingerprint(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH],
					 bool *known)
{
	Restated   *self = (Restated *) source;
	const PaAdapter *stored = self->stored->adapter;
	const PaTensor *of = &stored->tensors[self->of[tensor]];
	const PaTensor *middle = of->role == PA_ROLE_FACTOR_A ? middle_of(stored, of) : NULL;

	if (pa_role_is_restated(of->role))
		return pa_fingerprint_of(env, "transposed", NULL, 0, of->sha256, out);
	if (middle != NULL)
		return pa_fingerprint_of(env, "folded", middle->sha256, PA_SHA256_LENGTH, of->sha256, out);
	return pa_fingerprint_same(of, out);
}

PaStatus
pa_restated_source(PaEnv *env, PaSource *stored, const PaAdapter *restated, const uint32_t *of,
				   PaSource **source)
{
	Restated   *self;

	PA_TRY(PA_NEW(env, &self));
	self->base.adapter = restated;
	self->base.read = restated_read;
	self->base.fingerprint = restated_fingerprint;
	self->stored = stored;
	self->of = of;
	self->made[0].tensor = self->made[1].tensor = -1;
	*source = &self->base;
	return PA_OK;
}
