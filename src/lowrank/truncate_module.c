/*
 * truncate_module.c
 *	  One module's new factors, window by window.  See truncate_module.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/truncate_module.h"

#include <math.h>

#include "lowrank/blas.h"

/* Multiplications of one call of the library: a tenth of a second. */
#define CALL_PRODUCTS ((uint64_t) 1 << 30)

/* Old lines for each call. */
#define LINES_BYTES ((size_t) 512 * 1024)

/* floor(log2(S_1) / 2), S_1 being the largest singular value; 0 if that is 0 */
static int
shared_exponent(const PaSpectrum *spectrum)
{
	int			exponent;

	if (spectrum->svd.n == 0 || spectrum->svd.s[0] == 0)
		return 0;
	(void) frexp(spectrum->svd.s[0], &exponent);
	exponent += spectrum->exponent - 1;
	return exponent >= 0 ? exponent / 2 : -((1 - exponent) / 2);
}

/* Zero what belongs to no singular value, divide by it in A, share the largest. */
static PaStatus
finish_maps(PaEnv *env, PaTruncatedModule *self)
{
	const PaSpectrum *spectrum = &self->spectrum;
	size_t		stack_rank = spectrum->reader.rank;
	int			e = shared_exponent(spectrum);

	for (size_t j = 0; j < self->rank; j++)
	{
		double		s = j < (size_t) spectrum->svd.n ? spectrum->svd.s[j] : 0;

		for (size_t k = j * stack_rank; k < (j + 1) * stack_rank; k++)
		{
			self->to_a[k] = s > 0 ? ldexp(self->to_a[k] / s, e) : 0;
			self->to_b[k] = s > 0 ? ldexp(self->to_b[k], spectrum->exponent - e) : 0;
			if (!isfinite(self->to_a[k]) || !isfinite(self->to_b[k]))
				return pa_fail(env, PA_ERR_RANGE, "factors of module \"%.300s\" are out of range",
							   spectrum->reader.stack->path);
		}
	}
	return PA_OK;
}

static PaStatus
make_maps(PaEnv *env, PaTruncatedModule *self)
{
	const PaSpectrum *spectrum = &self->spectrum;
	const PaSvd *svd = &spectrum->svd;
	int			stack_rank = (int) spectrum->reader.rank;
	int			n = self->rank < (uint64_t) svd->n ? (int) self->rank : svd->n;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) self->rank * (size_t) stack_rank, &self->to_a));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) self->rank * (size_t) stack_rank, &self->to_b));
	PA_TRY(pa_check_cancel(env));
	if (n > 0)
		pa_blas_gemm(true, false, stack_rank, n, svd->rows, spectrum->r_b, stack_rank, svd->u, svd->rows, 0,
					 self->to_a, stack_rank);
	PA_TRY(pa_check_cancel(env));
	if (n > 0)
		pa_blas_gemm(true, true, stack_rank, n, svd->columns, spectrum->r_a, stack_rank, svd->vt, svd->n, 0,
					 self->to_b, stack_rank);
	return finish_maps(env, self);
}

static PaStatus
make_lines(PaEnv *env, PaTruncatedModule *self, PaFactor factor)
{
	const PaStackReader *reader = &self->spectrum.reader;
	uint64_t	bytes = reader->rank * sizeof(double) * self->rank;
	uint64_t	most = CALL_PRODUCTS / (reader->rank * self->rank);

	bytes = bytes > LINES_BYTES ? bytes : LINES_BYTES;
	self->room[factor] = pa_stack_window(reader, factor,
										 bytes < reader->budget ? (size_t) bytes : reader->budget);
	if (self->room[factor] > most)
		self->room[factor] = most;
	return PA_NEW_ARRAY(env, (size_t) self->room[factor] * reader->rank, &self->lines[factor]);
}

PaStatus
pa_truncated_module(PaEnv *env, const PaStack *stack, const double *leaf_weights, size_t budget,
					uint64_t rank, PaTruncatedModule *module)
{
	PaTruncatedModule *self = module;

	*self = (PaTruncatedModule) {.rank = rank};
	PA_TRY(pa_spectrum(env, stack, leaf_weights, budget, true, &self->spectrum));
	PA_TRY(make_maps(env, self));
	PA_TRY(make_lines(env, self, PA_FACTOR_A));
	return make_lines(env, self, PA_FACTOR_B);
}

void
pa_truncated_release(PaEnv *env, PaTruncatedModule *module)
{
	pa_spectrum_release(env, &module->spectrum);
	pa_free(env, module->to_a);
	pa_free(env, module->to_b);
	for (int factor = 0; factor < PA_FACTORS; factor++)
		pa_free(env, module->lines[factor]);
	*module = (PaTruncatedModule) {0};
}

void
pa_truncated_flip(PaTruncatedModule *module, uint64_t row)
{
	size_t		stack_rank = module->spectrum.reader.rank;

	for (size_t k = (size_t) row * stack_rank; k < (size_t) (row + 1) * stack_rank; k++)
	{
		module->to_a[k] = -module->to_a[k];
		module->to_b[k] = -module->to_b[k];
	}
}

/*
 * Rows [row, row + rows) of the new A in columns [column, column + columns), all
 * the columns unless it is one row.
 */
static PaStatus
rows_of_a(PaEnv *env, PaTruncatedModule *self, uint64_t row, uint64_t rows, uint64_t column, uint64_t columns,
		  double *out)
{
	int			stack_rank = (int) self->spectrum.reader.rank;
	uint64_t	room = self->room[PA_FACTOR_A];

	for (uint64_t done = 0; done < columns; done += room)
	{
		uint64_t	n = columns - done < room ? columns - done : room;

		PA_TRY(pa_stack_read_a(env, &self->spectrum.reader, column + done, n, self->lines[PA_FACTOR_A],
							   (size_t) n));
		pa_blas_gemm(false, false, (int) n, (int) rows, stack_rank, self->lines[PA_FACTOR_A], (int) n,
					 self->to_a + row * (uint64_t) stack_rank, stack_rank, 0, out + done, (int) columns);
	}
	return PA_OK;
}

PaStatus
pa_truncated_a(PaEnv *env, PaTruncatedModule *module, uint64_t first, uint64_t room, double *out,
			   uint64_t *out_first, uint64_t *out_n)
{
	uint64_t	columns = module->spectrum.reader.stack->columns;
	uint64_t	row = first / columns;
	uint64_t	column = first % columns;
	uint64_t	rows = room / columns;

	if (rows == 0)
	{
		*out_first = first;
		*out_n = columns - column < room ? columns - column : room;
		return rows_of_a(env, module, row, 1, column, *out_n, out);
	}
	if (rows > module->rank - row)
		rows = module->rank - row;
	*out_first = row * columns;
	*out_n = rows * columns;
	return rows_of_a(env, module, row, rows, 0, columns, out);
}

PaStatus
pa_truncated_b(PaEnv *env, PaTruncatedModule *module, uint64_t first, uint64_t room, double *out,
			   uint64_t *out_first, uint64_t *out_n)
{
	int			stack_rank = (int) module->spectrum.reader.rank;
	int			rank = (int) module->rank;
	uint64_t	row = first / module->rank;
	uint64_t	rows = module->spectrum.reader.stack->rows - row;
	uint64_t	step = module->room[PA_FACTOR_B];

	if (rows > room / module->rank)
		rows = room / module->rank;
	for (uint64_t done = 0; done < rows; done += step)
	{
		uint64_t	n = rows - done < step ? rows - done : step;

		PA_TRY(pa_stack_read_b(env, &module->spectrum.reader, row + done, n, module->lines[PA_FACTOR_B]));
		pa_blas_gemm(true, false, rank, (int) n, stack_rank, module->to_b, stack_rank,
					 module->lines[PA_FACTOR_B], stack_rank, 0, out + done * module->rank, rank);
	}
	*out_first = row * module->rank;
	*out_n = rows * module->rank;
	return PA_OK;
}
