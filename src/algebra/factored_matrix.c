/*
 * factored_matrix.c
 *	  See factored_matrix.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/factored_matrix.h"

#include <string.h>

#include "adapter/fault.h"
#include "kernel/kernel.h"

static PaStatus
read_doubles(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, uint8_t *raw,
			 double *out)
{
	const PaTensor *t = &source->adapter->tensors[tensor];

	PA_TRY(pa_check_cancel(env));
	PA_TRY(source->read(env, source, tensor, first, n, raw));
	if (!pa_kernel_all_finite(raw, t->dtype, n))
		return pa_fail_not_finite(env, t->name, NULL);
	pa_kernel_widen(out, raw, t->dtype, n);
	return PA_OK;
}

PaStatus
pa_tensor_doubles(PaEnv *env, PaSource *source, uint32_t tensor, double **values)
{
	const PaTensor *t = &source->adapter->tensors[tensor];
	uint8_t    *raw;

	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS * sizeof(double), &raw));
	PA_TRY(PA_NEW_ARRAY(env, t->elements, values));
	for (uint64_t done = 0; done < t->elements; done += PA_BLOCK_ELEMENTS)
		PA_TRY(
			read_doubles(env, source, tensor, done, pa_block_step(t->elements - done), raw, *values + done));
	pa_free(env, raw);
	return PA_OK;
}

PaStatus
pa_matrix_reader(PaEnv *env, const PaMatrix *matrix, PaSource *source, PaMatrixReader *reader)
{
	*reader = (PaMatrixReader) {.matrix = matrix, .source = source, .row = -1};
	switch (matrix->form)
	{
		case PA_MATRIX_NONE:
		case PA_MATRIX_IDENTITY:
			return PA_OK;
		case PA_MATRIX_TRANSPOSED:
			PA_TRY(pa_tensor_doubles(env, source, matrix->tensor, &reader->values));
			return PA_OK;
		case PA_MATRIX_CORE:
			PA_TRY(pa_tensor_doubles(env, source, matrix->core, &reader->core));
			PA_TRY(PA_NEW_ARRAY(env, matrix->stride, &reader->line));
			PA_TRY(PA_NEW_ARRAY(env, matrix->columns, &reader->product));
			break;
		case PA_MATRIX_TENSOR:
			break;
	}
	reader->room = PA_BLOCK_ELEMENTS;
	PA_TRY(PA_NEW_RAW(env, (size_t) reader->room * sizeof(double), &reader->raw));
	return PA_NEW_RAW(env, (size_t) reader->room, &reader->values);
}

void
pa_matrix_reader_release(PaEnv *env, PaMatrixReader *reader)
{
	pa_free(env, reader->raw);
	pa_free(env, reader->values);
	pa_free(env, reader->core);
	pa_free(env, reader->line);
	pa_free(env, reader->product);
	*reader = (PaMatrixReader) {0};
}

/* Elements of the tensor by way of the block that is here. */
static PaStatus
read_elements(PaEnv *env, PaMatrixReader *self, uint64_t first, size_t n, double *out)
{
	uint64_t	elements = self->source->adapter->tensors[self->matrix->tensor].elements;

	while (n > 0)
	{
		size_t		step;

		if (first < self->first || first >= self->first + self->n)
		{
			self->first = first - first % PA_BLOCK_ELEMENTS;
			self->n = 0;
			PA_TRY(read_doubles(env, self->source, self->matrix->tensor, self->first,
								pa_block_step(elements - self->first), self->raw, self->values));
			self->n = pa_block_step(elements - self->first);
		}
		step = (size_t) (self->first + self->n - first);
		step = step < n ? step : n;
		memcpy(out, self->values + (first - self->first), step * sizeof(double));
		out += step;
		first += step;
		n -= step;
	}
	return PA_OK;
}

/* The row of the product: for each line of the tensor, in order, its elements times the core's. */
static PaStatus
make_product(PaEnv *env, PaMatrixReader *self, uint64_t row)
{
	const PaMatrix *m = self->matrix;

	self->row = -1;
	for (uint64_t j = 0; j < m->inner; j++)
	{
		const double *core = self->core + (row * m->inner + j) * m->kernel;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(read_elements(env, self, j * m->stride, (size_t) m->stride, self->line));
		for (uint64_t c = 0; c < m->stride; c++)
			for (uint64_t k = 0; k < m->kernel; k++)
			{
				double		x = core[k] * self->line[c];
				double	   *sum = &self->product[c * m->kernel + k];

				*sum = j == 0 ? x : *sum + x;
			}
	}
	self->row = (int64_t) row;
	return PA_OK;
}

PaStatus
pa_matrix_row(PaEnv *env, PaMatrixReader *reader, uint64_t row, uint64_t first, size_t n, double *out)
{
	const PaMatrix *m = reader->matrix;

	switch (m->form)
	{
		case PA_MATRIX_TENSOR:
			return read_elements(env, reader, row * m->stride + first, n, out);
		case PA_MATRIX_NONE:
			for (size_t i = 0; i < n; i++)
				out[i] = 1;
			break;
		case PA_MATRIX_IDENTITY:
			memset(out, 0, n * sizeof(double));
			if (row >= first && row - first < n)
				out[row - first] = 1;
			break;
		case PA_MATRIX_TRANSPOSED:
			for (size_t i = 0; i < n; i++)
				out[i] = reader->values[(first + i) * m->stride + row];
			break;
		case PA_MATRIX_CORE:
			if (reader->row != (int64_t) row)
				PA_TRY(make_product(env, reader, row));
			memcpy(out, reader->product + first, n * sizeof(double));
			break;
	}
	return PA_OK;
}
