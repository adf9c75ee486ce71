/*
 * factored_source.c
 *	  The factors of the LoRA adapter, element by element.  See factored.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/factored.h"

#include <string.h>

#include "adapter/fault.h"
#include "algebra/factored_matrix.h"
#include "kernel/kernel.h"

typedef struct Factored
{
	PaSource	base;
	PaSource   *parent;
	const PaFactored *factored;
	const uint64_t *tags;
	int64_t		tensor;			/* that the readers are for, or -1 */
	const PaFactoredModule *module;
	PaMatrixReader reader[2];
	double	   *diagonal;
	double	   *short_row[2];	/* of factor B: a row of each matrix */
	uint64_t	row;			/* which, or UINT64_MAX */
	double	   *acc;			/* one block */
	double	   *other;
} Factored;

static void
release_readers(PaEnv *env, Factored *self)
{
	self->tensor = -1;
	for (int i = 0; i < 2; i++)
	{
		pa_matrix_reader_release(env, &self->reader[i]);
		pa_free(env, self->short_row[i]);
		self->short_row[i] = NULL;
	}
	pa_free(env, self->diagonal);
	self->diagonal = NULL;
	self->row = UINT64_MAX;
}

static bool
is_a(const Factored *self, uint32_t tensor)
{
	return self->base.adapter->tensors[tensor].role == PA_ROLE_FACTOR_A;
}

static PaStatus
need_readers(PaEnv *env, Factored *self, uint32_t tensor)
{
	const PaFactoredModule *module = self->factored->modules[self->tags[tensor]];
	const PaMatrix *matrices = is_a(self, tensor) ? module->right : module->left;

	if (self->tensor == (int64_t) tensor)
		return PA_OK;
	release_readers(env, self);
	self->module = module;
	for (int i = 0; i < 2; i++)
	{
		PA_TRY(pa_matrix_reader(env, &matrices[i], self->parent, &self->reader[i]));
		if (!is_a(self, tensor))
			PA_TRY(PA_NEW_ARRAY(env, (size_t) matrices[i].columns, &self->short_row[i]));
	}
	if (is_a(self, tensor) && module->diagonal >= 0)
		PA_TRY(pa_tensor_doubles(env, self->parent, (uint32_t) module->diagonal, &self->diagonal));
	self->tensor = tensor;
	return PA_OK;
}

/* One of the two may be an identity: no zero of it makes a negative zero of the other. */
static void
multiply(double *acc, const double *x, const double *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		acc[i] = x[i] == 0 || y[i] == 0 ? 0 : x[i] * y[i];
}

/* Elements [column, column + n) of a row of A into acc. */
static PaStatus
row_of_a(PaEnv *env, Factored *self, uint64_t row, uint64_t column, size_t n)
{
	const PaMatrix *second = &self->module->right[1];
	uint64_t	i = row / second->rows;
	uint64_t	j = row % second->rows;

	if (!self->module->kronecker)
	{
		PA_TRY(pa_matrix_row(env, &self->reader[0], i, column, n, self->acc));
		if (second->form != PA_MATRIX_NONE)
		{
			PA_TRY(pa_matrix_row(env, &self->reader[1], j, column, n, self->other));
			multiply(self->acc, self->acc, self->other, n);
		}
	}
	for (size_t done = 0; self->module->kronecker && done < n;)
	{
		uint64_t	inner = (column + done) % second->columns;
		uint64_t	left = second->columns - inner;
		size_t		step = left < n - done ? (size_t) left : n - done;
		double		x;

		PA_TRY(pa_matrix_row(env, &self->reader[0], i, (column + done) / second->columns, 1, &x));
		PA_TRY(pa_matrix_row(env, &self->reader[1], j, inner, step, self->other));
		for (size_t k = 0; k < step; k++)
			self->acc[done + k] = x == 0 || self->other[k] == 0 ? 0 : x * self->other[k];
		done += step;
	}
	for (size_t k = 0; self->diagonal != NULL && k < n; k++)
		self->acc[k] *= self->diagonal[i];
	return PA_OK;
}

/* The same of B, whose rows are short: those of both matrices are kept. */
static PaStatus
row_of_b(PaEnv *env, Factored *self, uint64_t row, uint64_t column, size_t n)
{
	const PaMatrix *left = self->module->left;
	uint64_t	q = left[1].columns;
	uint64_t	places[2] = {row, row};

	if (self->module->kronecker)
	{
		places[0] = row / left[1].rows;
		places[1] = row % left[1].rows;
	}
	for (int i = 0; self->row != row && i < 2; i++)
		PA_TRY(
			pa_matrix_row(env, &self->reader[i], places[i], 0, (size_t) left[i].columns, self->short_row[i]));
	self->row = row;
	for (size_t k = 0; k < n; k++)
	{
		double		x = self->short_row[0][(column + k) / q];
		double		y = self->short_row[1][(column + k) % q];

		if (left[1].form == PA_MATRIX_NONE)
			self->acc[k] = x;
		else
			self->acc[k] = x == 0 || y == 0 ? 0 : x * y;
	}
	return PA_OK;
}

static PaStatus
read_factor(PaEnv *env, Factored *self, uint32_t tensor, uint64_t first, size_t n, uint8_t *dst)
{
	const PaTensor *to = &self->base.adapter->tensors[tensor];
	uint64_t	width = is_a(self, tensor) ? self->module->columns : to->shape[1];

	while (n > 0)
	{
		uint64_t	left = width - first % width;
		size_t		step = pa_block_step(left < n ? left : n);

		PA_TRY(pa_check_cancel(env));
		PA_TRY((is_a(self, tensor) ? row_of_a : row_of_b)(env, self, first / width, first % width, step));
		if (!pa_kernel_round(dst, to->dtype, self->acc, step))
			return pa_fail_overflow(env, to);
		dst += step * (size_t) pa_dtype_plane_width(to->dtype);
		first += step;
		n -= step;
	}
	return PA_OK;
}

static PaStatus
factored_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	Factored   *self = (Factored *) source;
	const PaTensor *to = &source->adapter->tensors[tensor];
	const PaFactoredModule *module;

	if (to->role == PA_ROLE_DENSE)
		return self->parent->read(env, self->parent, (uint32_t) self->tags[tensor], first, n, dst);
	module = self->factored->modules[self->tags[tensor]];
	if (module->left[0].columns == 0 || module->left[1].columns == 0)
	{
		memset(dst, 0, n * (size_t) pa_dtype_plane_width(to->dtype));
		return PA_OK;
	}
	PA_TRY(need_readers(env, self, tensor));
	return read_factor(env, self, tensor, first, n, dst);
}

static PaStatus
factored_fingerprint(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH],
					 bool *known)
{
	Factored   *self = (Factored *) source;

	*known = source->adapter->tensors[tensor].role == PA_ROLE_DENSE;
	return *known ? pa_fingerprint_same(&self->parent->adapter->tensors[self->tags[tensor]], out) : PA_OK;
}

PaStatus
pa_factored_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter, const PaFactored *factored,
				   const uint64_t *tags, PaSource **source)
{
	Factored   *self;
	uint64_t   *copy;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &copy));
	memcpy(copy, tags, adapter->n_tensors * sizeof(uint64_t));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &self->acc));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &self->other));
	self->base.adapter = adapter;
	self->base.read = factored_read;
	self->base.fingerprint = factored_fingerprint;
	self->parent = parent;
	self->factored = factored;
	self->tags = copy;
	self->tensor = -1;
	self->row = UINT64_MAX;
	*source = &self->base;
	return PA_OK;
}
