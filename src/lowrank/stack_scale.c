/*
 * stack_scale.c
 *	  Exponents of a stack's columns.  See stack_scale.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/stack_scale.h"

#include <limits.h>
#include <math.h>

/* Of a rank pair with a factor that is 0: it has no size, and must not be the measure of the others'. */
#define NO_EXPONENT INT_MIN

/* Windows of this pass: they stay in the second-level cache. */
#define PASS_BYTES ((size_t) 256 * 1024)

static bool
has_f64(const PaStack *stack)
{
	for (uint32_t i = 0; i < stack->n_parts; i++)
	{
		const PaStackPart *part = &stack->parts[i];

		if (part->source->adapter->tensors[part->factor_a].dtype == PA_F64 ||
			part->source->adapter->tensors[part->factor_b].dtype == PA_F64)
			return true;
	}
	return false;
}

/* Column k is every element (line * step + k * ld) of the window. */
static void
raise_largest(double *largest, const double *window, size_t rank, size_t lines, size_t step, size_t ld)
{
	for (size_t k = 0; k < rank; k++)
		for (size_t i = 0; i < lines; i++)
			if (fabs(window[i * step + k * ld]) > largest[k])
				largest[k] = fabs(window[i * step + k * ld]);
}

static PaStatus
largest_of_columns(PaEnv *env, PaStackReader *reader, PaFactor factor, double *largest)
{
	uint64_t	lines = reader->slab[factor].lines;
	uint64_t	room = pa_stack_window(reader, factor, PASS_BYTES);
	double	   *window;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) room * reader->rank, &window));
	for (uint64_t first = 0; first < lines; first += room)
	{
		uint64_t	n = lines - first < room ? lines - first : room;

		if (factor == PA_FACTOR_A)
		{
			PA_TRY(pa_stack_read_a(env, reader, first, n, window, (size_t) n));
			raise_largest(largest, window, reader->rank, (size_t) n, 1, (size_t) n);
		}
		else
		{
			PA_TRY(pa_stack_read_b(env, reader, first, n, window));
			raise_largest(largest, window, reader->rank, (size_t) n, reader->rank, 1);
		}
	}
	pa_free(env, window);
	return PA_OK;
}

PaStatus
pa_stack_scale(PaEnv *env, PaStackReader *reader, PaStackScale *scale)
{
	double	   *largest[PA_FACTORS];

	scale->exponent = NULL;
	if (!has_f64(reader->stack))
		return PA_OK;
	PA_TRY(PA_NEW_ARRAY(env, reader->rank, &scale->exponent));
	for (int factor = 0; factor < PA_FACTORS; factor++)
	{
		PA_TRY(PA_NEW_ARRAY(env, reader->rank, &largest[factor]));
		PA_TRY(largest_of_columns(env, reader, (PaFactor) factor, largest[factor]));
		for (uint32_t k = 0; k < reader->rank; k++)
		{
			int			exponent = 0;

			/* A column of subnormals is brought near 1 as far as one factor can. */
			(void) frexp(largest[factor][k], &exponent);
			if (exponent < -1000)
				exponent = -1000;
			if (largest[factor][k] == 0)
				scale->exponent[k] = NO_EXPONENT;
			else if (scale->exponent[k] != NO_EXPONENT)
				scale->exponent[k] += exponent;
			largest[factor][k] = ldexp(1, -exponent);
		}
	}
	for (int factor = 0; factor < PA_FACTORS; factor++)
		reader->scale[factor] = largest[factor];
	return PA_OK;
}

PaStatus
pa_stack_weights(PaEnv *env, const PaStack *stack, const PaStackScale *scale, const double *leaf_weights,
				 double *d, int *exponent)
{
	uint32_t	k = 0;
	int			most = INT_MIN;
	int        *each;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) stack->rank, &each));
	for (uint32_t i = 0; i < stack->n_parts; i++)
	{
		const PaStackPart *part = &stack->parts[i];
		double		c = leaf_weights[part->leaf] * part->scaling;

		if (!isfinite(c))
			return pa_fail(env, PA_ERR_RANGE, "weight of module \"%.300s\" is out of range", stack->path);
		for (uint64_t r = 0; r < part->rank; r++, k++)
		{
			bool		nothing = scale->exponent != NULL && scale->exponent[k] == NO_EXPONENT;

			d[k] = frexp(nothing ? 0 : c, &each[k]);
			each[k] += scale->exponent != NULL && !nothing ? scale->exponent[k] : 0;
			if (d[k] != 0 && each[k] > most)
				most = each[k];
		}
	}
	for (uint32_t r = 0; r < k; r++)
		d[r] = d[r] == 0 ? 0 : ldexp(d[r], each[r] - most);
	*exponent = most == INT_MIN ? 0 : most;
	pa_free(env, each);
	return PA_OK;
}
