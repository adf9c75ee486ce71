/*
 * spectrum.c
 *	  QR of both factors, SVD of the core.  See spectrum.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/spectrum.h"

#include <math.h>

#include "lowrank/blas.h"
#include "lowrank/qr.h"
#include "lowrank/stack_scale.h"

static PaStatus
check_kind(PaEnv *env, const PaStack *stack)
{
	if (stack->n_parts == 0 || stack->parts[0].vector < 0)
		return PA_OK;
	pa_fail(env, PA_ERR_UNSUPPORTED, "module \"%.300s\" of an (IA)^3 adapter has no rank", stack->path);
	pa_detail(env, "Singular values are those of LoRA's product of two factors.");
	return PA_ERR_UNSUPPORTED;
}

/* From now on the reader's B carries the weights, up to 2^exponent. */
static PaStatus
apply_weights(PaEnv *env, PaSpectrum *self, const double *leaf_weights)
{
	PaStackReader *reader = &self->reader;
	PaStackScale scale;
	double	   *d;

	PA_TRY(pa_stack_scale(env, reader, &scale));
	PA_TRY(PA_NEW_ARRAY(env, reader->rank, &d));
	PA_TRY(pa_stack_weights(env, reader->stack, &scale, leaf_weights, d, &self->exponent));
	if (reader->scale[PA_FACTOR_B] != NULL)
		for (uint32_t k = 0; k < reader->rank; k++)
			d[k] *= reader->scale[PA_FACTOR_B][k];
	pa_free(env, reader->scale[PA_FACTOR_B]);
	reader->scale[PA_FACTOR_B] = d;
	pa_free(env, scale.exponent);
	return PA_OK;
}

static double
column_norm(const double *r, size_t rank, size_t k)
{
	double		sum = 0;

	for (size_t i = 0; i <= k; i++)
		sum += r[k * rank + i] * r[k * rank + i];
	return sqrt(sum);
}

/* What rounding of the input can have made of 0. */
static double
noise_of(const PaSpectrum *self)
{
	size_t		rank = self->reader.rank;
	double		sum = 0;

	for (size_t k = 0; k < rank; k++)
		sum += column_norm(self->r_b, rank, k) * column_norm(self->r_a, rank, k);
	return 0x1p-52 * (double) rank * sum;
}

/* Singular values of R_B R_A^T. */
static PaStatus
decompose_core(PaEnv *env, PaSpectrum *self, int rows_b, int rows_a, bool vectors)
{
	int			rank = (int) self->reader.rank;
	double		noise = noise_of(self);
	double	   *core;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) rows_b * (size_t) rows_a, &core));
	PA_TRY(pa_check_cancel(env));
	pa_blas_gemm(false, true, rows_b, rows_a, rank, self->r_b, rank, self->r_a, rank, 0, core, rows_b);
	for (size_t i = 0; i < (size_t) rows_b * (size_t) rows_a; i++)
		if (!isfinite(core[i]))
			return pa_fail(env, PA_ERR_INTERNAL, "core of module \"%.300s\" is not finite",
						   self->reader.stack->path);
	PA_TRY(pa_svd(env, rows_b, rows_a, core, vectors, &self->svd));
	for (int i = 0; i < self->svd.n; i++)
		if (self->svd.s[i] <= noise)
			self->svd.s[i] = 0;
	pa_free(env, core);
	return PA_OK;
}

PaStatus
pa_spectrum(PaEnv *env, const PaStack *stack, const double *leaf_weights, size_t budget, bool vectors,
			PaSpectrum *spectrum)
{
	PaSpectrum *self = spectrum;
	size_t		square;
	int			rows[PA_FACTORS];

	PA_TRY(check_kind(env, stack));
	*self = (PaSpectrum) {0};
	PA_TRY(pa_stack_reader(env, stack, PA_MAX_STACK_RANK, budget, &self->reader));
	PA_TRY(pa_blas_open(env));
	PA_TRY(apply_weights(env, self, leaf_weights));
	square = (size_t) stack->rank * (size_t) stack->rank;
	PA_TRY(PA_NEW_ARRAY(env, square, &self->r_a));
	PA_TRY(PA_NEW_ARRAY(env, square, &self->r_b));
	PA_TRY(pa_stack_qr(env, &self->reader, PA_FACTOR_A, self->r_a, &rows[PA_FACTOR_A]));
	PA_TRY(pa_stack_qr(env, &self->reader, PA_FACTOR_B, self->r_b, &rows[PA_FACTOR_B]));
	return decompose_core(env, self, rows[PA_FACTOR_B], rows[PA_FACTOR_A], vectors);
}

void
pa_spectrum_release(PaEnv *env, PaSpectrum *spectrum)
{
	pa_stack_reader_release(env, &spectrum->reader);
	pa_svd_release(env, &spectrum->svd);
	pa_free(env, spectrum->r_a);
	pa_free(env, spectrum->r_b);
	*spectrum = (PaSpectrum) {0};
}

PaStatus
pa_spectrum_value(PaEnv *env, const PaSpectrum *spectrum, int i, double *value)
{
	*value = ldexp(spectrum->svd.s[i], spectrum->exponent);
	if (isfinite(*value))
		return PA_OK;
	return pa_fail(env, PA_ERR_RANGE, "singular value of module \"%.300s\" is out of range",
				   spectrum->reader.stack->path);
}

/* Squares relative to the largest, so that none overflows; added from the smallest on. */
static double
sum_from(const PaSpectrum *spectrum, uint64_t rank)
{
	const PaSvd *svd = &spectrum->svd;
	double		sum = 0;

	for (uint64_t i = (uint64_t) svd->n; i-- > rank;)
		sum += (svd->s[i] / svd->s[0]) * (svd->s[i] / svd->s[0]);
	return sum;
}

/* By what may be left out: a sum from the largest on would not see the small ones at energy 1. */
uint64_t
pa_spectrum_rank(const PaSpectrum *spectrum, double energy)
{
	uint64_t	rank = (uint64_t) spectrum->svd.n;
	double		most;

	if (rank == 0 || spectrum->svd.s[0] == 0)
		return 1;
	most = (1 - energy) * sum_from(spectrum, 0);
	while (rank > 1 && sum_from(spectrum, rank - 1) <= most)
		rank--;
	return rank;
}

double
pa_spectrum_error(const PaSpectrum *spectrum, uint64_t rank)
{
	if (spectrum->svd.n == 0 || spectrum->svd.s[0] == 0)
		return 0;
	return sqrt(sum_from(spectrum, rank) / sum_from(spectrum, 0));
}
