/*
 * test_lowrank.c
 *	  Singular values, truncation and geometry of stacks against deltas that are
 *	  formed and decomposed by Jacobi rotations.  Budgets of a few bytes make
 *	  panels and windows of single lines out of small matrices.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "lowrank/blas.h"
#include "lowrank/geometry.h"
#include "lowrank/spectrum.h"
#include "lowrank/truncate.h"
#include "blas_test.h"
#include "lowrank_fixture.h"

static const size_t budgets[] = {1, 300, 2000, PA_LOWRANK_BUDGET};

#define N_BUDGETS (sizeof(budgets) / sizeof(budgets[0]))

/* A truncated module as a source, and its factors as doubles. */
typedef struct Truncated
{
	PaAdapter	adapter;
	PaTensor	tensors[2];
	PaModule	module;
	const PaStack *stacks[2];
	double	   *a;
	double	   *b;
} Truncated;

static PaStatus
read_all(PaEnv *env, PaSource *source, uint32_t tensor, double **x)
{
	const PaTensor *t = &source->adapter->tensors[tensor];
	uint8_t    *raw;

	PA_TRY(PA_NEW_ARRAY(env, (t->elements + 1) * sizeof(double), &raw));
	PA_TRY(PA_NEW_ARRAY(env, t->elements + 1, x));
	PA_TRY(source->read(env, source, tensor, 0, t->elements, raw));
	pa_kernel_widen(*x, raw, t->dtype, t->elements);
	return PA_OK;
}

static PaStatus
truncate_stacked(PaEnv *env, const Stacked *sample, uint64_t rank, PaDtype dtype, size_t budget,
				 Truncated *to)
{
	PaSource   *source;

	memset(to, 0, sizeof(*to));
	for (int i = 0; i < 2; i++)
	{
		PaTensor   *t = &to->tensors[i];

		t->name = i == 0 ? "new a" : "new b";
		t->dtype = dtype;
		t->ndim = 2;
		t->role = i == 0 ? PA_ROLE_FACTOR_A : PA_ROLE_FACTOR_B;
		t->shape[0] = i == 0 ? rank : sample->stack.rows;
		t->shape[1] = i == 0 ? sample->stack.columns : rank;
		t->elements = t->shape[0] * t->shape[1];
		t->bytes = t->elements * (uint64_t) pa_dtype_plane_width(dtype);
		to->stacks[i] = &sample->stack;
	}
	to->module.tensor[PA_ROLE_FACTOR_B] = 1;
	to->adapter =
		(PaAdapter) {.n_tensors = 2, .tensors = to->tensors, .n_modules = 1, .modules = &to->module};
	PA_TRY(pa_truncate_source(env, &to->adapter, to->stacks, sample->weights, NULL, budget, &source));
	PA_TRY(read_all(env, source, 0, &to->a));
	return read_all(env, source, 1, &to->b);
}

/* Is the entry of largest magnitude of each row of A, the first of equals, positive (or 0)? */
static bool
signs_are_right(const Truncated *to)
{
	for (uint64_t k = 0; k < to->tensors[0].shape[0]; k++)
	{
		double		largest = 0;

		for (uint64_t j = 0; j < to->tensors[0].shape[1]; j++)
			if (fabs(to->a[k * to->tensors[0].shape[1] + j]) > fabs(largest))
				largest = to->a[k * to->tensors[0].shape[1] + j];
		if (largest < 0)
			return false;
	}
	return true;
}

/* Row k of A has the length 2^e, e = floor(log2(S_1) / 2), or 0. */
static bool
shares_are_right(const Truncated *to, const double *s, double tolerance)
{
	double		length = s[0] > 0 ? ldexp(1, (int) floor(floor(log2(s[0])) / 2)) : 0;

	for (uint64_t k = 0; k < to->tensors[0].shape[0]; k++)
	{
		double		row = frobenius(to->a + k * to->tensors[0].shape[1], to->tensors[0].shape[1]);

		if (row != 0 && fabs(row - length) > tolerance * length)
			return false;
	}
	return true;
}

static double
distance_to(const Truncated *to, const double *delta, double *rest)
{
	uint64_t	rank = to->tensors[0].shape[0];
	uint64_t	rows = to->tensors[1].shape[0];
	uint64_t	columns = to->tensors[0].shape[1];

	for (uint64_t i = 0; i < rows; i++)
		for (uint64_t j = 0; j < columns; j++)
		{
			long double sum = delta[i * columns + j];

			for (uint64_t k = 0; k < rank; k++)
				sum -= (long double) to->b[i * rank + k] * to->a[k * columns + j];
			rest[i * columns + j] = (double) sum;
		}
	return frobenius(rest, rows * columns);
}

/* What rounding of inputs, relative to this, may do: the terms before they cancel. */
static double
size_of_terms(PaEnv *env, const Stacked *sample)
{
	double		sum = 0;

	for (uint32_t p = 0; p < sample->stack.n_parts; p++)
	{
		double		only[STACKED_LEAVES] = {0};

		only[p] = sample->weights[p];
		sum += frobenius(stacked_delta(env, sample, only), sample->stack.rows * sample->stack.columns);
	}
	return sum;
}

static void
check_truncation(PaEnv *env, const Stacked *sample, const double *delta, const double *s, uint64_t rank,
				 PaDtype dtype, size_t budget)
{
	uint64_t	least = sample->stack.rows < sample->stack.columns ? sample->stack.rows : sample->stack.columns;
	double		noise = size_of_terms(env, sample) * (dtype == PA_F64 ? 1e-13 : 2e-7);
	Truncated	to;
	double	   *rest;
	double		best = frobenius(s + (rank < least ? rank : least), rank < least ? least - rank : 0);

	CHECK_OK(PA_NEW_ARRAY(env, sample->stack.rows * sample->stack.columns + 1, &rest), env);
	if (!CHECK_OK(truncate_stacked(env, sample, rank, dtype, budget, &to), env))
		return;
	if (!CHECK(distance_to(&to, delta, rest) <= best * (1 + 1e-5) + noise))
		printf("#   rank %d: %g, best %g, noise %g\n", (int) rank, distance_to(&to, delta, rest), best,
			   noise);
	CHECK(signs_are_right(&to));
	/* what noise is beside the singular value of a row, that row may be off */
	if (rank <= least && s[rank - 1] > noise)
		CHECK(shares_are_right(&to, s, (dtype == PA_F64 ? 1e-12 : 1e-6) + 10 * noise / s[rank - 1]));
}

/* Spectrum and truncations to several ranks, at every budget. */
static void
check_stacked(PaEnv *env, const Stacked *sample)
{
	uint64_t	least = sample->stack.rows < sample->stack.columns ? sample->stack.rows : sample->stack.columns;
	double	   *delta = stacked_delta(env, sample, sample->weights);
	double	   *s = jacobi_values(env, delta, sample->stack.rows, sample->stack.columns);
	double		noise = 1e-13 * size_of_terms(env, sample);
	uint64_t	n = sample->stack.rank < least ? sample->stack.rank : least;

	for (size_t i = 0; i < N_BUDGETS; i++)
	{
		PaSpectrum	spectrum;
		double		value;

		if (!CHECK_OK(pa_spectrum(env, &sample->stack, sample->weights, budgets[i], false, &spectrum), env))
			return;
		CHECK((uint64_t) spectrum.svd.n == n);
		for (uint64_t k = 0; k < n; k++)
		{
			CHECK_OK(pa_spectrum_value(env, &spectrum, (int) k, &value), env);
			if (!CHECK(fabs(value - s[k]) <= noise))
				printf("#   value %d: %g, not %g, noise %g\n", (int) k, value, s[k], noise);
		}
		CHECK(n == 0 || pa_spectrum_error(&spectrum, n) == 0);
		pa_spectrum_release(env, &spectrum);
		for (uint64_t rank = 1; rank <= n; rank = rank < 3 ? rank + 1 : 2 * rank)
		{
			check_truncation(env, sample, delta, s, rank, PA_F64, budgets[i]);
			check_truncation(env, sample, delta, s, rank, PA_F32, budgets[i]);
		}
	}
}

BLAS_TEST(random_stacks)
{
	uint64_t	seed = unit_seed();
	static const uint64_t shapes[][2] = {{5, 7}, {7, 5}, {1, 9}, {9, 1}, {1, 1}, {2, 40}, {40, 2}, {30, 30}};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (uint64_t rank = 1; rank <= 12; rank += rank < 4 ? 1 : 4)
		{
			Stacked		sample;

			stacked_begin(&sample, shapes[i][0], shapes[i][1]);
			stacked_add_random(env, &sample, PA_F32, rank, NULL, 2, 0.7, &seed);
			check_stacked(env, &sample);
			stacked_add_random(env, &sample, PA_F64, 3, NULL, 0.5, -1.3, &seed);
			check_stacked(env, &sample);
			stacked_add_random(env, &sample, PA_BF16, 2, NULL, 1, 0.25, &seed);
			check_stacked(env, &sample);
		}
}

/* The same part twice: half the rank pairs add nothing; with opposite weights, everything cancels. */
BLAS_TEST(deficient_stacks)
{
	uint64_t	seed = unit_seed();
	double		a[4 * 11];
	double		b[13 * 4];
	PaSpectrum	spectrum;
	Stacked		sample;

	for (int i = 0; i < 4 * 11; i++)
		a[i] = unit_gaussian(&seed);
	for (int i = 0; i < 13 * 4; i++)
		b[i] = unit_gaussian(&seed);
	stacked_begin(&sample, 13, 11);
	stacked_add(env, &sample, PA_F64, 4, a, b, 1, 1);
	stacked_add(env, &sample, PA_F64, 4, a, b, 1, 0.5);
	check_stacked(env, &sample);
	CHECK_OK(pa_spectrum(env, &sample.stack, sample.weights, PA_LOWRANK_BUDGET, false, &spectrum), env);
	CHECK(spectrum.svd.s[3] > 0 && spectrum.svd.s[4] == 0 && pa_spectrum_rank(&spectrum, 1) == 4);
	sample.weights[1] = -1;
	check_stacked(env, &sample);
	CHECK_OK(pa_spectrum(env, &sample.stack, sample.weights, PA_LOWRANK_BUDGET, false, &spectrum), env);
	CHECK(spectrum.svd.s[0] == 0 && pa_spectrum_rank(&spectrum, 0.5) == 1 &&
		  pa_spectrum_error(&spectrum, 1) == 0);
	/* nearly: what is left is some 2^-30 of the terms */
	sample.weights[1] = -1 + 0x1p-30;
	check_stacked(env, &sample);
	/* nothing at all */
	memset(a, 0, sizeof(a));
	stacked_begin(&sample, 13, 11);
	stacked_add(env, &sample, PA_F32, 4, a, b, 1, 1);
	check_stacked(env, &sample);
}

/* Orthogonal rows and columns with one length: every singular value is the same. */
BLAS_TEST(repeated_values)
{
	double		a[6 * 8] = {0};
	double		b[7 * 6] = {0};
	Stacked		sample;

	for (int k = 0; k < 6; k++)
	{
		a[k * 8 + (k * 3) % 8] = 3;
		b[((k * 2) % 7) * 6 + k] = -5;
	}
	stacked_begin(&sample, 7, 8);
	stacked_add(env, &sample, PA_F32, 6, a, b, 1, 1);
	check_stacked(env, &sample);
}

/* Rank pairs whose factors are far apart in scale, and products that are; F64 beyond the squares' range. */
BLAS_TEST(badly_scaled_stacks)
{
	static const double moderate[5] = {1e-30, 1e30, 1, 1e15, 1e-8};
	static const double extreme[5] = {1e-300, 1e300, 1, 1e150, 1e-150};
	uint64_t	seed = unit_seed();
	Stacked		sample;
	double		value;
	PaSpectrum	spectrum;
	double		plain;

	stacked_begin(&sample, 12, 10);
	stacked_add_random(env, &sample, PA_F32, 5, moderate, 1, 1, &seed);
	check_stacked(env, &sample);
	stacked_begin(&sample, 12, 10);
	stacked_add_random(env, &sample, PA_F64, 5, extreme, 1, 1, &seed);
	stacked_add_random(env, &sample, PA_F64, 3, NULL, 1, 1, &seed);
	check_stacked(env, &sample);
	CHECK_OK(pa_spectrum(env, &sample.stack, sample.weights, PA_LOWRANK_BUDGET, false, &spectrum), env);
	CHECK_OK(pa_spectrum_value(env, &spectrum, 0, &plain), env);
	/* all of it 2^900 times as large */
	sample.weights[0] = sample.weights[1] = 0x1p900;
	CHECK_OK(pa_spectrum(env, &sample.stack, sample.weights, PA_LOWRANK_BUDGET, false, &spectrum), env);
	CHECK_OK(pa_spectrum_value(env, &spectrum, 0, &value), env);
	CHECK(value == plain * 0x1p900);
	sample.parts[0].scaling = sample.parts[1].scaling = 0x1p100;
	CHECK_OK(pa_spectrum(env, &sample.stack, sample.weights, PA_LOWRANK_BUDGET, false, &spectrum), env);
	CHECK(isfinite(plain) &&
		  pa_spectrum_value(env, &spectrum, 0, &value) == (plain * 0x1p100 < 0x1p124 ? PA_OK : PA_ERR_RANGE));
}

BLAS_TEST(energies)
{
	double		a[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
	double		b[9] = {1e-9, 0, 0, 0, 3, 0, 0, 0, 4};
	PaSpectrum	spectrum;
	Stacked		sample;

	stacked_begin(&sample, 3, 3);
	stacked_add(env, &sample, PA_F64, 3, a, b, 1, 1);
	CHECK_OK(pa_spectrum(env, &sample.stack, sample.weights, PA_LOWRANK_BUDGET, false, &spectrum), env);
	CHECK(pa_spectrum_rank(&spectrum, 1e-300) == 1);
	CHECK(pa_spectrum_rank(&spectrum, 0.63) == 1);
	CHECK(pa_spectrum_rank(&spectrum, 0.65) == 2);
	CHECK(pa_spectrum_rank(&spectrum, 0.999999) == 2);
	/* 1e-18 of the sum of squares, which a sum in double does not see */
	CHECK(pa_spectrum_rank(&spectrum, 1) == 3);
	CHECK(fabs(pa_spectrum_error(&spectrum, 1) - 0.6) < 1e-15);
}

static double
dot(const double *x, const double *y, uint64_t n)
{
	long double sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += (long double) x[i] * y[i];
	return (double) sum;
}

static bool
close_to(double got, double wanted, double tolerance)
{
	if (fabs(got - wanted) <= tolerance)
		return true;
	printf("#   %.17g, not %.17g\n", got, wanted);
	return false;
}

static void
check_geometry(PaEnv *env, const Stacked *sample, const double *d, const double *e, double tolerance)
{
	uint64_t	n = sample->stack.rows * sample->stack.columns;
	double		difference[STACKED_LEAVES];
	double	   *x;
	double	   *y;
	double	   *z;

	for (int i = 0; i < STACKED_LEAVES; i++)
		difference[i] = d[i] - e[i];
	x = stacked_delta(env, sample, d);
	y = stacked_delta(env, sample, e);
	z = stacked_delta(env, sample, difference);
	for (size_t i = 0; i < N_BUDGETS; i++)
	{
		PaProducts	p;

		if (!CHECK_OK(pa_geometry_module(env, &sample->stack, d, e, budgets[i], &p), env))
			return;
		CHECK(close_to(pa_scaled_root(p.dd), frobenius(x, n), 1e-6 * frobenius(x, n)));
		CHECK(close_to(pa_scaled_root(p.ee), frobenius(y, n), 1e-6 * frobenius(y, n)));
		CHECK(close_to(pa_scaled_root(p.xx), frobenius(z, n), 1e-6 * frobenius(z, n)));
		CHECK(close_to(pa_scaled_value(p.de), dot(x, y, n), tolerance * frobenius(x, n) * frobenius(y, n)));
	}
}

BLAS_TEST(geometry_of_stacks)
{
	uint64_t	seed = unit_seed();

	for (int round = 0; round < 40; round++)
	{
		Stacked		sample;
		double		d[STACKED_LEAVES];
		double		e[STACKED_LEAVES];

		stacked_begin(&sample, unit_random(&seed) % 20 + 1, unit_random(&seed) % 20 + 1);
		for (int p = 0; p < 3; p++)
			stacked_add_random(env, &sample,
							   p == 0		? PA_F64
								   : p == 1 ? PA_F32
											: PA_F16,
							   unit_random(&seed) % 5 + 1, NULL, 2, 1, &seed);
		for (int i = 0; i < STACKED_LEAVES; i++)
		{
			d[i] = unit_gaussian(&seed);
			e[i] = unit_gaussian(&seed);
		}
		check_geometry(env, &sample, d, e, 1e-8);
		check_geometry(env, &sample, d, (double[STACKED_LEAVES]) {d[0] * (1 + 1e-12), d[1], d[2]}, 1e-8);
		check_geometry(env, &sample, d, (double[STACKED_LEAVES]) {0}, 1e-8);
	}
}

/* Two parts that are nearly one: the Gram matrices alone would give noise for their difference. */
BLAS_TEST(geometry_after_cancellation)
{
	uint64_t	seed = unit_seed();
	double		a[2][4 * 9];
	double		b[2][8 * 4];
	Stacked		sample;
	PaProducts	p;

	for (int i = 0; i < 4 * 9; i++)
	{
		a[0][i] = unit_gaussian(&seed);
		a[1][i] = a[0][i] + ldexp(unit_gaussian(&seed), -28);
	}
	for (int i = 0; i < 8 * 4; i++)
		b[0][i] = b[1][i] = unit_gaussian(&seed);
	stacked_begin(&sample, 8, 9);
	stacked_add(env, &sample, PA_F64, 4, a[0], b[0], 1, 1);
	stacked_add(env, &sample, PA_F64, 4, a[1], b[1], 1, 1);
	check_geometry(env, &sample, (double[STACKED_LEAVES]) {1, 0}, (double[STACKED_LEAVES]) {0, 1}, 1e-8);
	/* both sides are 2^-28 of their terms, which have 52 bits */
	check_geometry(env, &sample, (double[STACKED_LEAVES]) {1, -1}, (double[STACKED_LEAVES]) {0.5, -0.5},
				   1e-6);
	/* the same delta on both sides, exactly */
	CHECK_OK(pa_geometry_module(env, &sample.stack, (double[STACKED_LEAVES]) {3, 7},
								(double[STACKED_LEAVES]) {3, 7}, PA_LOWRANK_BUDGET, &p),
			 env);
	CHECK(p.xx.v == 0 && pa_products_cosine_distance(&p) == 0);
}

/* NaN and infinities at every position of both factors of both parts. */
BLAS_TEST(not_finite)
{
	static const double bad[] = {NAN, INFINITY, -INFINITY};
	uint64_t	seed = unit_seed();

	for (int dtype = 0; dtype < 2; dtype++)
	{
		Stacked		sample;
		Truncated	to;
		PaProducts	p;

		stacked_begin(&sample, 3, 4);
		stacked_add_random(env, &sample, dtype == 0 ? PA_F32 : PA_F64, 2, NULL, 1, 1, &seed);
		stacked_add_random(env, &sample, dtype == 0 ? PA_F32 : PA_F64, 1, NULL, 1, 1, &seed);
		for (uint32_t part = 0; part < 2; part++)
			for (int factor = 0; factor < 2; factor++)
			{
				const PaTensor *t = &sample.parts[part].source->adapter->tensors[factor];

				for (uint64_t i = 0; i < t->elements; i++)
				{
					for (int v = 0; v < 3; v++)
					{
						stacked_poke(&sample, part, t->role, i, bad[v]);
						CHECK_STATUS(truncate_stacked(env, &sample, 1, PA_F32, budgets[(i + v) % N_BUDGETS],
													  &to),
									 PA_ERR_RANGE, env);
						CHECK(strstr(env->error.message, t->name) != NULL &&
							  strstr(env->error.detail, "abcd") != NULL);
						CHECK_STATUS(pa_geometry_module(env, &sample.stack, sample.weights, sample.weights,
														budgets[i % N_BUDGETS], &p),
									 PA_ERR_RANGE, env);
						CHECK(strstr(env->error.message, t->name) != NULL);
					}
					stacked_poke(&sample, part, t->role, i, 0.5);
				}
			}
		CHECK_OK(truncate_stacked(env, &sample, 1, PA_F32, 100, &to), env);
	}
}

static PaStatus
truncate_action(PaEnv *env, void *arg)
{
	Truncated	to;
	PaProducts	p;

	PA_TRY(truncate_stacked(env, arg, 2, PA_F32, 300, &to));
	return pa_geometry_module(env, &((Stacked *) arg)->stack, ((Stacked *) arg)->weights,
							  ((Stacked *) arg)->weights, 300, &p);
}

BLAS_TEST(faults)
{
	uint64_t	seed = unit_seed();
	Stacked		sample;

	stacked_begin(&sample, 6, 7);
	stacked_add_random(env, &sample, PA_F64, 3, NULL, 1, 1, &seed);
	stacked_add_random(env, &sample, PA_F32, 2, NULL, 1, 1, &seed);
	unit_fail_every_allocation(truncate_action, &sample);
	unit_cancel_everywhere(truncate_action, &sample);
}

BLAS_TEST(refusals)
{
	uint64_t	seed = unit_seed();
	Stacked		sample;
	PaSpectrum	spectrum;
	long		before;

	stacked_begin(&sample, 2, 2);
	stacked_add_random(env, &sample, PA_F32, 1025, NULL, 1, 1, &seed);
	before = ((UnitHost *) env->host->state)->allocated;
	CHECK_STATUS(pa_spectrum(env, &sample.stack, sample.weights, PA_LOWRANK_BUDGET, false, &spectrum),
				 PA_ERR_LIMIT, env);
	sample.stack.groups = 2;
	CHECK_STATUS(pa_spectrum(env, &sample.stack, sample.weights, PA_LOWRANK_BUDGET, false, &spectrum),
				 PA_ERR_UNSUPPORTED, env);
	sample.stack.groups = 1;
	sample.parts[0].vector = 0;
	CHECK_STATUS(pa_spectrum(env, &sample.stack, sample.weights, PA_LOWRANK_BUDGET, false, &spectrum),
				 PA_ERR_UNSUPPORTED, env);
	CHECK(((UnitHost *) env->host->state)->allocated == before);
}

static int
count_threads(void)
{
	DIR        *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	int			n = 0;

	while (tasks != NULL && (entry = readdir(tasks)) != NULL)
		n += entry->d_name[0] != '.';
	if (tasks != NULL)
		closedir(tasks);
	return n;
}

static unsigned
float_control(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_stmxcsr() & ~0x3fu;
#else
	return 0;
#endif
}

/* A stack of the largest rank; what it prints goes to a file that must stay empty. */
static off_t
printed_by_large(PaEnv *env)
{
	char		path[] = "/tmp/lowrank-XXXXXX";
	int			file = mkstemp(path);
	int			kept[2] = {dup(1), dup(2)};
	uint64_t	seed = unit_seed();
	struct stat st = {0};
	Stacked		sample;
	PaSpectrum	spectrum;
	PaStatus	status;

	stacked_begin(&sample, 1100, 1030);
	stacked_add_random(env, &sample, PA_F32, PA_MAX_STACK_RANK, NULL, 1, 1, &seed);
	fflush(stdout);
	dup2(file, 1);
	dup2(file, 2);
	status = pa_spectrum(env, &sample.stack, sample.weights, PA_LOWRANK_BUDGET, true, &spectrum);
	fflush(stdout);
	dup2(kept[0], 1);
	dup2(kept[1], 2);
	fstat(file, &st);
	close(file);
	close(kept[0]);
	close(kept[1]);
	unlink(path);
	CHECK_OK(status, env);
	return st.st_size;
}

UNIT_TEST(process)
{
	int			threads = count_threads();
	unsigned	control = float_control();

	CHECK(setenv("OPENBLAS_NUM_THREADS", "3", 1) == 0 && unsetenv("OMP_NUM_THREADS") == 0);
	if (!CHECK_OK(pa_blas_open(env), env))
		return;
	CHECK(strcmp(getenv("OPENBLAS_NUM_THREADS"), "3") == 0 && getenv("OMP_NUM_THREADS") == NULL);
	CHECK(strncmp(pa_blas_library(), "OpenBLAS 0.", 11) == 0);
	CHECK(printed_by_large(env) == 0);
	CHECK(count_threads() == threads && float_control() == control);
	unsetenv("OPENBLAS_NUM_THREADS");
}

/* process first: it is there that the library is loaded */
UNIT_SUITE(lowrank, UNIT_CASE(process), UNIT_CASE(random_stacks), UNIT_CASE(deficient_stacks),
		   UNIT_CASE(repeated_values), UNIT_CASE(badly_scaled_stacks), UNIT_CASE(energies),
		   UNIT_CASE(geometry_of_stacks), UNIT_CASE(geometry_after_cancellation), UNIT_CASE(not_finite),
		   UNIT_CASE(faults), UNIT_CASE(refusals));
