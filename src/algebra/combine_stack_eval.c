/*
 * combine_stack_eval.c
 *	  The stacked factors of delta space, block by block: A's rows below each
 *	  other as they are, B's columns side by side, each times its coefficient,
 *	  rounded once.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_eval.h"

#include <string.h>

#include "adapter/fault.h"
#include "kernel/kernel.h"

/* c times elements [first, first + n) of a term, in double; n is at most a block. */
static PaStatus
read_part(PaEnv *env, PaCombineSource *self, const PaCombineTerm *term, uint64_t first, size_t n, double *out)
{
	PA_TRY(pa_combine_read_term(env, self->plan, term, first, n, self->raw[0]));
	if (!pa_kernel_first(out, self->raw[0], pa_combine_tensor(self->plan, term)->dtype, n, term->c))
		return pa_combine_not_finite(env, self->plan, term);
	return PA_OK;
}

static PaStatus
round_part(PaEnv *env, const PaTensor *to, const double *acc, size_t n, uint8_t *dst)
{
	return pa_kernel_round(dst, to->dtype, acc, n) ? PA_OK : pa_fail_overflow(env, to);
}

/* Where row `row` of a stacked factor A comes from, and how many rows of that part follow it. */
static const PaCombineTerm *
find_row(const PaCombineSource *self, const PaCombineSum *sum, uint64_t rows, uint64_t row,
		 uint64_t *part_row, uint64_t *follow)
{
	uint64_t	each = rows / sum->groups;
	uint64_t	group = row / each;
	uint64_t	within = row % each;

	for (uint32_t i = 0; i < sum->n_terms; i++)
	{
		uint64_t	part = pa_combine_tensor(self->plan, &sum->terms[i])->shape[0] / sum->groups;

		if (within < part)
		{
			*part_row = group * part + within;
			*follow = part - within;
			return &sum->terms[i];
		}
		within -= part;
	}
	return NULL;
}

/* Of a stacked factor A, as many of n elements from (row, column) on as one part has. */
static PaStatus
read_rows(PaEnv *env, PaCombineSource *self, const PaCombineSum *sum, const PaTensor *to, uint64_t row,
		  uint64_t column, size_t *n)
{
	uint64_t	columns = to->elements / to->shape[0];
	uint64_t	part_row = 0;
	uint64_t	follow = 0;
	const PaCombineTerm *term = find_row(self, sum, to->shape[0], row, &part_row, &follow);
	uint64_t	run;

	if (term == NULL)
		return pa_fail(env, PA_ERR_INTERNAL, "tensor \"%s\" has a row without an origin", to->name);
	run = follow * columns - column;
	if (run < *n)
		*n = (size_t) run;
	return read_part(env, self, term, part_row * columns + column, *n, self->acc);
}

/* m whole rows, from `row` on, into acc. */
static PaStatus
whole_rows(PaEnv *env, PaCombineSource *self, const PaCombineSum *sum, uint64_t columns, uint64_t row,
		   size_t m)
{
	size_t		at = 0;

	for (uint32_t i = 0; i < sum->n_terms; i++)
	{
		size_t		part = (size_t) pa_combine_tensor(self->plan, &sum->terms[i])->shape[1];

		PA_TRY(read_part(env, self, &sum->terms[i], row * part, m * part, self->part));
		for (size_t k = 0; k < m; k++)
			memcpy(self->acc + k * columns + at, self->part + k * part, part * sizeof(double));
		at += part;
	}
	return PA_OK;
}

/* Columns [first, first + n) of one row into acc. */
static PaStatus
part_of_row(PaEnv *env, PaCombineSource *self, const PaCombineSum *sum, uint64_t row, uint64_t first,
			size_t n)
{
	uint64_t	at = 0;
	size_t		done = 0;

	for (uint32_t i = 0; i < sum->n_terms && done < n; i++)
	{
		uint64_t	part = pa_combine_tensor(self->plan, &sum->terms[i])->shape[1];

		if (first + done < at + part)
		{
			uint64_t	from = first + done - at;
			size_t		step = part - from < n - done ? (size_t) (part - from) : n - done;

			PA_TRY(read_part(env, self, &sum->terms[i], row * part + from, step, self->acc + done));
			done += step;
		}
		at += part;
	}
	return PA_OK;
}

/* Of a stacked factor B, as many of n elements as are whole rows, or what is left of a row. */
static PaStatus
read_columns(PaEnv *env, PaCombineSource *self, const PaCombineSum *sum, const PaTensor *to, uint64_t row,
			 uint64_t column, size_t *n)
{
	uint64_t	columns = to->elements / to->shape[0];

	if (column == 0 && *n >= columns)
	{
		size_t		m = (size_t) (*n / columns);

		*n = (size_t) (m * columns);
		return whole_rows(env, self, sum, columns, row, m);
	}
	if (columns - column < *n)
		*n = (size_t) (columns - column);
	return part_of_row(env, self, sum, row, column, *n);
}

PaStatus
pa_combine_stacked(PaEnv *env, PaCombineSource *self, const PaCombineSum *sum, const PaTensor *to,
				   uint64_t first, size_t n, uint8_t *dst)
{
	uint64_t	columns = to->elements / to->shape[0];
	size_t		width = (size_t) pa_dtype_plane_width(to->dtype);

	for (size_t done = 0; done < n;)
	{
		uint64_t	row = (first + done) / columns;
		uint64_t	column = (first + done) % columns;
		size_t		step = n - done;

		if (sum->layout == PA_LAYOUT_ROWS)
			PA_TRY(read_rows(env, self, sum, to, row, column, &step));
		else
			PA_TRY(read_columns(env, self, sum, to, row, column, &step));
		PA_TRY(round_part(env, to, self->acc, step, dst + done * width));
		done += step;
	}
	return PA_OK;
}
