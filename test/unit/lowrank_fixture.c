/*
 * lowrank_fixture.c
 *	  See lowrank_fixture.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "unit.h"

void
stacked_begin(Stacked *sample, uint64_t rows, uint64_t columns)
{
	memset(sample, 0, sizeof(*sample));
	sample->stack.path = "m";
	sample->stack.rows = rows;
	sample->stack.columns = columns;
	sample->stack.groups = 1;
	sample->stack.parts = sample->parts;
}

static void *
take(PaEnv *env, size_t size)
{
	void	   *p = NULL;

	if (pa_alloc(env, 1, size, &p) != PA_OK)
		abort();
	return p;
}

static uint8_t *
encode(PaEnv *env, PaTensor *tensor, const char *name, PaDtype dtype, PaRole role, uint64_t rows,
	   uint64_t columns, const double *x)
{
	uint8_t    *raw;

	tensor->name = tensor->key = name;
	tensor->dtype = dtype;
	tensor->ndim = 2;
	tensor->shape[0] = rows;
	tensor->shape[1] = columns;
	tensor->role = role;
	tensor->elements = rows * columns;
	tensor->bytes = tensor->elements * (uint64_t) pa_dtype_plane_width(dtype);
	raw = take(env, tensor->bytes);
	CHECK(pa_kernel_round(raw, dtype, x, tensor->elements));
	return raw;
}

void
stacked_add(PaEnv *env, Stacked *sample, PaDtype dtype, uint64_t rank, const double *a, const double *b,
			double scaling, double weight)
{
	static const uint8_t digest[PA_SHA256_LENGTH] = {0xab, 0xcd};
	uint32_t	n = sample->stack.n_parts++;
	PaAdapter  *adapter = take(env, sizeof(PaAdapter));
	const uint8_t **data = take(env, 2 * sizeof(uint8_t *));
	PaStackPart *part = &sample->parts[n];

	adapter->n_tensors = 2;
	adapter->tensors = take(env, 2 * sizeof(PaTensor));
	data[0] = encode(env, &adapter->tensors[0], "factor a", dtype, PA_ROLE_FACTOR_A, rank,
					 sample->stack.columns, a);
	data[1] = encode(env, &adapter->tensors[1], "factor b", dtype, PA_ROLE_FACTOR_B, sample->stack.rows, rank,
					 b);
	*part = (PaStackPart) {.leaf = n,
						   .digest = digest,
						   .factor_a = 0,
						   .factor_b = 1,
						   .bias = -1,
						   .vector = -1,
						   .rank = rank,
						   .scaling = scaling};
	CHECK_OK(pa_source_from_memory(env, adapter, data, &part->source), env);
	sample->stack.rank += rank;
	sample->weights[n] = weight;
}

void
stacked_add_random(PaEnv *env, Stacked *sample, PaDtype dtype, uint64_t rank, const double *scale,
				   double scaling, double weight, uint64_t *seed)
{
	uint64_t	rows = sample->stack.rows;
	uint64_t	columns = sample->stack.columns;
	double	   *a = take(env, (rank * columns + 1) * sizeof(double));
	double	   *b = take(env, (rank * rows + 1) * sizeof(double));

	for (uint64_t i = 0; i < rank * columns; i++)
		a[i] = unit_gaussian(seed) / (scale != NULL ? scale[i / columns] : 1);
	for (uint64_t i = 0; i < rank * rows; i++)
		b[i] = unit_gaussian(seed) * (scale != NULL ? scale[i % rank] : 1);
	stacked_add(env, sample, dtype, rank, a, b, scaling, weight);
}

typedef struct MemorySourceShape
{
	PaSource	base;
	uint8_t *const *data;
} MemorySourceShape;

void
stacked_poke(Stacked *sample, uint32_t part, PaRole role, uint64_t i, double value)
{
	PaSource   *source = sample->parts[part].source;
	uint32_t	tensor = role == PA_ROLE_FACTOR_A ? 0 : 1;
	PaDtype		dtype = source->adapter->tensors[tensor].dtype;
	uint8_t    *raw = ((MemorySourceShape *) source)->data[tensor] + i * (uint64_t) pa_dtype_plane_width(dtype);
	float		narrow = (float) value;

	if (dtype == PA_F64)
		memcpy(raw, &value, sizeof(value));
	else
		memcpy(raw, &narrow, sizeof(narrow));
}

static double *
decode(PaEnv *env, const PaStackPart *part, uint32_t tensor)
{
	const PaTensor *t = &part->source->adapter->tensors[tensor];
	double	   *x = take(env, (t->elements + 1) * sizeof(double));
	uint8_t    *raw = take(env, t->bytes + 1);

	CHECK_OK(part->source->read(env, part->source, tensor, 0, t->elements, raw), env);
	pa_kernel_widen(x, raw, t->dtype, t->elements);
	return x;
}

double *
stacked_delta(PaEnv *env, const Stacked *sample, const double *weights)
{
	uint64_t	rows = sample->stack.rows;
	uint64_t	columns = sample->stack.columns;
	long double *sum = take(env, (rows * columns + 1) * sizeof(long double));
	double	   *delta = take(env, (rows * columns + 1) * sizeof(double));

	for (uint32_t p = 0; p < sample->stack.n_parts; p++)
	{
		const PaStackPart *part = &sample->parts[p];
		double	   *a = decode(env, part, 0);
		double	   *b = decode(env, part, 1);
		long double w = (long double) weights[part->leaf] * part->scaling;

		for (uint64_t i = 0; i < rows; i++)
			for (uint64_t k = 0; k < part->rank; k++)
				for (uint64_t j = 0; j < columns; j++)
					sum[i * columns + j] += w * b[i * part->rank + k] * a[k * columns + j];
	}
	for (uint64_t i = 0; i < rows * columns; i++)
		delta[i] = (double) sum[i];
	return delta;
}

static int
compare_descending(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x < y) - (x > y);
}

/* Rotate columns p and q (each `rows` long) until they are orthogonal; tells whether they were not. */
static bool
rotate(long double *x, long double *y, uint64_t rows)
{
	long double xx = 0;
	long double yy = 0;
	long double xy = 0;
	long double zeta;
	long double t;
	long double c;

	for (uint64_t i = 0; i < rows; i++)
	{
		xx += x[i] * x[i];
		yy += y[i] * y[i];
		xy += x[i] * y[i];
	}
	if (fabsl(xy) <= 1e-18L * sqrtl(xx) * sqrtl(yy))
		return false;
	zeta = (yy - xx) / (2 * xy);
	t = (zeta >= 0 ? 1 : -1) / (fabsl(zeta) + sqrtl(1 + zeta * zeta));
	c = 1 / sqrtl(1 + t * t);
	for (uint64_t i = 0; i < rows; i++)
	{
		long double before = x[i];

		x[i] = c * (before - t * y[i]);
		y[i] = c * (t * before + y[i]);
	}
	return true;
}

double *
jacobi_values(PaEnv *env, const double *m, uint64_t rows, uint64_t columns)
{
	bool		flip = columns > rows;
	uint64_t	n = flip ? rows : columns;
	uint64_t	length = flip ? columns : rows;
	long double *v = take(env, (n * length + 1) * sizeof(long double));
	double	   *s = take(env, (n + 1) * sizeof(double));
	bool		again = true;

	for (uint64_t k = 0; k < n; k++)
		for (uint64_t i = 0; i < length; i++)
			v[k * length + i] = flip ? m[k * columns + i] : m[i * columns + k];
	for (int sweep = 0; sweep < 60 && again; sweep++)
	{
		again = false;
		for (uint64_t p = 0; p < n; p++)
			for (uint64_t q = p + 1; q < n; q++)
				again = rotate(v + p * length, v + q * length, length) || again;
	}
	for (uint64_t k = 0; k < n; k++)
	{
		long double sum = 0;

		for (uint64_t i = 0; i < length; i++)
			sum += v[k * length + i] * v[k * length + i];
		s[k] = (double) sqrtl(sum);
	}
	qsort(s, n, sizeof(double), compare_descending);
	return s;
}

double
frobenius(const double *x, uint64_t n)
{
	long double sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += (long double) x[i] * x[i];
	return (double) sqrtl(sum);
}
