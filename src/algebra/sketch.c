/*
 * sketch.c
 *	  Count sketches of the factors, convolved.  See sketch.h.
 *
 * A count sketch adds entry i of a vector, with a drawn sign, to a drawn bin.
 * The circular convolution of those of b and a is the count sketch of their
 * outer product with the bin h(i) + h(j) and the sign s(i) s(j) (Pham and Pagh,
 * KDD 2013).  B is stored row by row, so the bins of all its columns fill side
 * by side; there are as many of them at a time as fit GROUP_BYTES.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/sketch.h"

#include <string.h>

#include "adapter/fault.h"
#include "adapter/role.h"
#include "core/draw.h"
#include "kernel/kernel.h"
#include "kernel/rotate.h"

#define GROUP_BYTES ((size_t) 8 * 1024 * 1024)

/* A tensor of a part, read forward in blocks of doubles. */
typedef struct Stream
{
	const PaStackPart *part;
	uint32_t	tensor;
	uint64_t	key;
} Stream;

/* How many ranks of a part are sketched at a time; there is room for their bins then. */
static PaStatus
group_ranks(PaEnv *env, PaSketch *self, uint64_t rank, uint64_t *group)
{
	*group = GROUP_BYTES / (self->dims * sizeof(double));
	if (rank < *group)
		*group = rank;
	if (*group <= self->room)
		return PA_OK;
	pa_free(env, self->bins_b);
	self->bins_b = NULL;
	self->room = *group;
	return PA_NEW_RAW(env, (size_t) *group * self->dims, &self->bins_b);
}

PaStatus
pa_sketch_begin(PaEnv *env, uint32_t dims, int64_t seed, PaSketch **sketch)
{
	PaSketch   *self;

	PA_TRY(PA_NEW(env, &self));
	self->dims = dims;
	self->seed = seed;
	PA_TRY(PA_NEW_ARRAY(env, dims, &self->sums));
	PA_TRY(PA_NEW_ARRAY(env, dims, &self->bins_a));
	PA_TRY(PA_NEW_ARRAY(env, dims, &self->convolved));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS * sizeof(double), &self->raw));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &self->x));
	*sketch = self;
	return PA_OK;
}

static PaStatus
open_stream(PaEnv *env, const PaSketch *self, const PaStack *stack, const PaStackPart *part, int64_t tensor,
			PaRole role, Stream *stream)
{
	stream->part = part;
	stream->tensor = (uint32_t) tensor;
	return pa_draw_key(env, "sketch", self->seed, stack->key != NULL ? stack->key : stack->path,
					   pa_role_name(role), NULL, 0, &stream->key);
}

/* Elements from `first` on into x, at most a block and not beyond `end`. */
static PaStatus
read_block(PaEnv *env, PaSketch *self, const Stream *stream, uint64_t first, uint64_t end, size_t *n)
{
	PaSource   *source = stream->part->source;
	const PaTensor *of = &source->adapter->tensors[stream->tensor];

	*n = pa_block_step(end - first);
	PA_TRY(pa_check_cancel(env));
	PA_TRY(source->read(env, source, stream->tensor, first, *n, self->raw));
	if (!pa_kernel_first(self->x, self->raw, of->dtype, *n, 1))
		return pa_fail_not_finite(env, of->name, stream->part->digest);
	return PA_OK;
}

/* The bins of columns [from, to) of B. */
static PaStatus
sketch_columns(PaEnv *env, PaSketch *self, const Stream *b, uint64_t rows, uint64_t from, uint64_t to)
{
	uint64_t	rank = b->part->rank;
	uint64_t	row = 0;
	uint64_t	column = 0;
	uint64_t	bits = pa_draw_bits(b->key, 0);
	size_t		n;

	memset(self->bins_b, 0, (size_t) (to - from) * self->dims * sizeof(double));
	for (uint64_t first = 0; first < rows * rank; first += n)
	{
		PA_TRY(read_block(env, self, b, first, rows * rank, &n));
		for (size_t i = 0; i < n; i++)
		{
			if (column >= from && column < to)
				self->bins_b[(column - from) * self->dims + pa_draw_below(bits, self->dims)] += pa_draw_sign(
																									bits) *
					self->x[i];
			if (++column < rank)
				continue;
			column = 0;
			bits = pa_draw_bits(b->key, ++row);
		}
	}
	return PA_OK;
}

/* sums += c times the convolution of a column's bins with bins_a, which is emptied. */
static PaStatus
add_rank(PaEnv *env, PaSketch *self, const double *bins_b, double c)
{
	memset(self->convolved, 0, self->dims * sizeof(double));
	for (uint32_t u = 0; u < self->dims; u++)
	{
		if (u % 8 == 0)
			PA_TRY(pa_check_cancel(env));
		if (bins_b[u] != 0)
			pa_kernel_add_rotated(self->convolved, self->bins_a, self->dims, u, bins_b[u]);
	}
	for (uint32_t t = 0; t < self->dims; t++)
		self->sums[t] += c * self->convolved[t];
	memset(self->bins_a, 0, self->dims * sizeof(double));
	return PA_OK;
}

/* Rows [from, to) of A, each added when it is complete. */
static PaStatus
sketch_rows(PaEnv *env, PaSketch *self, const Stream *a, uint64_t columns, uint64_t from, uint64_t to,
			double c)
{
	const double *bins_b = self->bins_b;
	uint64_t	column = 0;
	size_t		n;

	memset(self->bins_a, 0, self->dims * sizeof(double));
	for (uint64_t first = from * columns; first < to * columns; first += n)
	{
		PA_TRY(read_block(env, self, a, first, to * columns, &n));
		for (size_t i = 0; i < n; i++)
		{
			uint64_t	bits = pa_draw_bits(a->key, column);

			self->bins_a[pa_draw_below(bits, self->dims)] += pa_draw_sign(bits) * self->x[i];
			if (++column < columns)
				continue;
			column = 0;
			PA_TRY(add_rank(env, self, bins_b, c));
			bins_b += self->dims;
		}
	}
	return PA_OK;
}

static PaStatus
add_factors(PaEnv *env, PaSketch *self, const PaStack *stack, const PaStackPart *part, double c)
{
	uint64_t	group;
	Stream		a;
	Stream		b;

	PA_TRY(group_ranks(env, self, part->rank, &group));
	PA_TRY(open_stream(env, self, stack, part, part->factor_a, PA_ROLE_FACTOR_A, &a));
	PA_TRY(open_stream(env, self, stack, part, part->factor_b, PA_ROLE_FACTOR_B, &b));
	for (uint64_t from = 0; from < part->rank; from += group)
	{
		uint64_t	to = part->rank - from < group ? part->rank : from + group;

		PA_TRY(sketch_columns(env, self, &b, stack->rows, from, to));
		PA_TRY(sketch_rows(env, self, &a, stack->columns, from, to, c));
	}
	return PA_OK;
}

/* c (x - origin) for each entry x of a vector, into its bin. */
static PaStatus
add_vector(PaEnv *env, PaSketch *self, const PaStack *stack, const PaStackPart *part, int64_t tensor,
		   PaRole role, double c, double origin)
{
	uint64_t	elements = part->source->adapter->tensors[tensor].elements;
	Stream		stream;
	size_t		n;

	PA_TRY(open_stream(env, self, stack, part, tensor, role, &stream));
	for (uint64_t first = 0; first < elements; first += n)
	{
		PA_TRY(read_block(env, self, &stream, first, elements, &n));
		for (size_t i = 0; i < n; i++)
		{
			uint64_t	bits = pa_draw_bits(stream.key, first + i);

			self->sums[pa_draw_below(bits, self->dims)] += pa_draw_sign(bits) * (c * (self->x[i] - origin));
		}
	}
	return PA_OK;
}

static PaStatus
add_stack(PaEnv *env, PaSketch *self, const PaStack *stack, const double *weights)
{
	if (stack->groups > 1)
		return pa_fail(env, PA_ERR_UNSUPPORTED,
					   "sketch of grouped convolution or experts \"%.300s\" is not supported", stack->path);
	for (uint32_t i = 0; i < stack->n_parts; i++)
	{
		const PaStackPart *part = &stack->parts[i];
		double		w = weights[part->leaf];
		double		c = w * part->scaling;

		if (part->vector >= 0)
			PA_TRY(add_vector(env, self, stack, part, part->vector, PA_ROLE_VECTOR, w, 1));
		if (part->factor_a >= 0 && part->factor_b >= 0)
			PA_TRY(add_factors(env, self, stack, part, c));
		if (part->bias >= 0)
			PA_TRY(add_vector(env, self, stack, part, part->bias, PA_ROLE_BIAS, c, 0));
		if (part->difference >= 0)
			PA_TRY(add_vector(env, self, stack, part, part->difference, PA_ROLE_DIFFERENCE, w, 0));
	}
	return PA_OK;
}

PaStatus
pa_sketch_add(PaEnv *env, PaSketch *self, const PaStack *stack, const double *weights)
{
	for (; stack != NULL; stack = stack->next)
		PA_TRY(add_stack(env, self, stack, weights));
	return PA_OK;
}
