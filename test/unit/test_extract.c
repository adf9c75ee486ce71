/*
 * test_extract.c
 *	  LoRA's factors of a whole change as a source: which matrix is which, in which order
 *	  and type its entries come, of parts of a tensor as of all of it.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "blas_test.h"
#include "kernel/kernel.h"
#include "lowrank/extract.h"
#include "lowrank_fixture.h"

#define RANK 2

/* Two changes and the factors of both: of tensor 0 as it stands, of tensor 1 transposed. */
typedef struct Sample
{
	PaTensor	tensors[3];
	PaAdapter	parent;
	const uint8_t *data[3];
	PaSource   *source;
	PaTensor	factors[4];
	PaModule	modules[2];
	PaAdapter	result;
	PaExtractPart parts[2];
	const PaExtractPart *part_of[4];
	double		x[2][12 * 9];
} Sample;

static void
set_shape(PaTensor *t, const char *name, PaDtype dtype, uint64_t rows, uint64_t columns)
{
	t->name = t->key = name;
	t->dtype = dtype;
	t->ndim = 2;
	t->shape[0] = rows;
	t->shape[1] = columns;
	t->elements = rows * columns;
	t->bytes = t->elements * (uint64_t) pa_dtype_plane_width(dtype);
}

/* Random, of rank RANK, rows x columns, tensor i. */
static void
add_change(PaEnv *env, Sample *sample, int i, uint64_t rows, uint64_t columns, PaDtype dtype, double scale,
		   uint64_t *seed)
{
	PaTensor   *t = &sample->tensors[i];
	double		a[RANK * 12];
	double		b[12 * RANK];
	uint8_t    *raw = NULL;

	set_shape(t, i == 0 ? "q.weight" : "wte.weight", dtype, rows, columns);
	t->role = PA_ROLE_DIFFERENCE;
	for (int k = 0; k < RANK * 12; k++)
	{
		a[k] = unit_gaussian(seed);
		b[k] = scale * unit_gaussian(seed);
	}
	for (uint64_t r = 0; r < rows; r++)
		for (uint64_t c = 0; c < columns; c++)
			sample->x[i][r * columns + c] = b[r * RANK] * a[c] + b[r * RANK + 1] * a[12 + c];
	CHECK_OK(PA_NEW_ARRAY(env, (size_t) t->bytes, &raw), env);
	CHECK(pa_kernel_round(raw, dtype, sample->x[i], t->elements));
	pa_kernel_widen(sample->x[i], raw, dtype, t->elements);
	sample->data[i] = raw;
}

static void
add_factors(Sample *sample, int i, bool transposed, PaDtype dtype)
{
	const PaTensor *t = &sample->tensors[i];
	PaTensor   *a = &sample->factors[2 * i];
	PaTensor   *b = &sample->factors[2 * i + 1];

	sample->parts[i] = (PaExtractPart) {.tensor = (uint32_t) i, .transposed = transposed};
	set_shape(a, "new a", dtype, RANK, t->shape[transposed ? 0 : 1]);
	set_shape(b, "new b", dtype, t->shape[transposed ? 1 : 0], RANK);
	a->role = PA_ROLE_FACTOR_A;
	b->role = PA_ROLE_FACTOR_B;
	a->module = b->module = (uint32_t) i;
	sample->part_of[2 * i] = sample->part_of[2 * i + 1] = &sample->parts[i];
}

/* Tensor 2 is of another type. */
static void
make_sample(PaEnv *env, Sample *sample, PaDtype dtype, double scale, const uint8_t *mask, uint64_t *seed)
{
	memset(sample, 0, sizeof(*sample));
	add_change(env, sample, 0, 5, 9, dtype, scale, seed);
	add_change(env, sample, 1, 12, 6, dtype, scale, seed);
	set_shape(&sample->tensors[2], "mask", PA_U8, 1, 3);
	sample->data[2] = mask;
	sample->parent = (PaAdapter) {.n_tensors = 3, .tensors = sample->tensors};
	CHECK_OK(pa_source_from_memory(env, &sample->parent, sample->data, &sample->source), env);
	add_factors(sample, 0, false, dtype);
	add_factors(sample, 1, true, dtype);
	sample->result =
		(PaAdapter) {.n_tensors = 4, .tensors = sample->factors, .n_modules = 2, .modules = sample->modules};
}

static PaStatus
extract_all(PaEnv *env, const Sample *sample, double *const factors[4], size_t step)
{
	PaSource   *source;

	PA_TRY(pa_extract_source(env, sample->source, &sample->result, sample->part_of, &source));
	for (uint32_t i = 0; i < 4; i++)
	{
		const PaTensor *t = &sample->factors[i];
		uint8_t		raw[24 * sizeof(double)];
		size_t		width = (size_t) pa_dtype_plane_width(t->dtype);

		for (uint64_t first = 0; first < t->elements; first += step)
		{
			size_t		n = t->elements - first < step ? (size_t) (t->elements - first) : step;

			PA_TRY(source->read(env, source, i, first, n, raw + first * width));
		}
		pa_kernel_widen(factors[i], raw, t->dtype, t->elements);
	}
	return PA_OK;
}

/* B A is the change or its transpose, row-major, and A's rows are as long as the square root of the largest
 * value. */
static void
check_factors(const Sample *sample, int i, const double *a, const double *b, double tolerance)
{
	const PaTensor *t = &sample->tensors[i];
	bool		transposed = sample->parts[i].transposed;
	uint64_t	rows = sample->factors[2 * i + 1].shape[0];
	uint64_t	columns = sample->factors[2 * i].shape[1];
	double		norm = frobenius(sample->x[i], t->elements);
	double		worst = 0;

	for (uint64_t r = 0; r < rows; r++)
		for (uint64_t c = 0; c < columns; c++)
		{
			double		want = sample->x[i][transposed ? c * t->shape[1] + r : r * t->shape[1] + c];

			worst = fmax(worst, fabs(b[r * RANK] * a[c] + b[r * RANK + 1] * a[columns + c] - want));
		}
	if (!CHECK(worst <= tolerance * norm))
		printf("#   change %d: %g of %g\n", i, worst, norm);
	/* neither has more than four times the other's length */
	CHECK(frobenius(a, RANK * columns) < 4 * sqrt(norm) && frobenius(b, RANK * rows) < 4 * sqrt(norm));
}

BLAS_TEST(factors)
{
	static const struct
	{
		PaDtype		dtype;
		double		tolerance;
	} types[] = {{PA_F64, 1e-14}, {PA_F32, 1e-6}, {PA_F16, 3e-3}, {PA_BF16, 3e-2}};
	static const double scales[] = {1, 1000, 0x1p-6};
	static const uint8_t mask[3] = {0};
	uint64_t	seed = unit_seed();

	for (int i = 0; i < 4 * 3; i++)
	{
		Sample		sample;
		double		whole[4][24];
		double		part[4][24];

		make_sample(env, &sample, types[i % 4].dtype, scales[i / 4], mask, &seed);
		CHECK_OK(extract_all(env, &sample, (double *[4]) {whole[0], whole[1], whole[2], whole[3]}, 24), env);
		check_factors(&sample, 0, whole[0], whole[1], types[i % 4].tolerance);
		check_factors(&sample, 1, whole[2], whole[3], types[i % 4].tolerance);
		for (size_t step = 1; step < 24; step += 4)
		{
			CHECK_OK(extract_all(env, &sample, (double *[4]) {part[0], part[1], part[2], part[3]}, step),
					 env);
			for (int k = 0; k < 4; k++)
				CHECK(memcmp(part[k], whole[k], sample.factors[k].elements * sizeof(double)) == 0);
		}
	}
}

BLAS_TEST(ranks_and_changes)
{
	static const uint8_t mask[3] = {0, 0, 1};
	uint64_t	seed = unit_seed();
	uint64_t	rank;
	bool		changes;
	Sample		sample;

	make_sample(env, &sample, PA_F32, 1, mask, &seed);
	CHECK_OK(pa_extract_rank(env, sample.source, 0, 1, &rank), env);
	CHECK(rank == RANK);
	CHECK_OK(pa_extract_rank(env, sample.source, 1, 1e-9, &rank), env);
	CHECK(rank == 1);
	for (uint32_t i = 0; i < 3; i++)
	{
		CHECK_OK(pa_extract_changes(env, sample.source, i, &changes), env);
		CHECK(changes);
	}
	memset((void *) sample.data[0], 0, sample.tensors[0].bytes);
	/* a zero with a sign is none */
	((uint8_t *) sample.data[0])[3] = 0x80;
	CHECK_OK(pa_extract_changes(env, sample.source, 0, &changes), env);
	CHECK(!changes);
	CHECK_OK(pa_extract_rank(env, sample.source, 0, 1, &rank), env);
	CHECK(rank == 1);
	make_sample(env, &sample, PA_F32, 1, (const uint8_t[3]) {0}, &seed);
	CHECK_OK(pa_extract_changes(env, sample.source, 2, &changes), env);
	CHECK(!changes);
}

/* An infinity or NaN anywhere; factors that the type has not. */
BLAS_TEST(out_of_range)
{
	static const float bad[] = {NAN, INFINITY, -INFINITY};
	static const uint8_t mask[3] = {0};
	uint64_t	seed = unit_seed();
	double		room[4][24];
	double	   *factors[4] = {room[0], room[1], room[2], room[3]};
	Sample		sample;
	uint64_t	rank;

	for (int i = 0; i < 5 * 9; i++)
	{
		make_sample(env, &sample, PA_F32, 1, mask, &seed);
		memcpy((uint8_t *) sample.data[0] + i * 4, &bad[i % 3], 4);
		CHECK_STATUS(pa_extract_rank(env, sample.source, 0, 0.5, &rank), PA_ERR_RANGE, env);
		CHECK_STATUS(extract_all(env, &sample, factors, 24), PA_ERR_RANGE, env);
		CHECK(strstr(env->error.message, "q.weight") != NULL);
	}
	/* squares that no double holds */
	make_sample(env, &sample, PA_F64, 0x1p1000, mask, &seed);
	CHECK_OK(extract_all(env, &sample, factors, 24), env);
	CHECK(isfinite(frobenius(factors[0], 18)) && frobenius(factors[0], 18) > 0x1p490);
}

static PaStatus
extract_action(PaEnv *env, void *arg)
{
	double		room[4][24];
	uint64_t	rank;
	bool		changes;

	PA_TRY(extract_all(env, arg, (double *[4]) {room[0], room[1], room[2], room[3]}, 5));
	PA_TRY(pa_extract_rank(env, ((Sample *) arg)->source, 1, 0.9, &rank));
	return pa_extract_changes(env, ((Sample *) arg)->source, 2, &changes);
}

BLAS_TEST(faults)
{
	static const uint8_t mask[3] = {0};
	uint64_t	seed = unit_seed();
	Sample		sample;

	make_sample(env, &sample, PA_F32, 1, mask, &seed);
	unit_fail_every_allocation(extract_action, &sample);
	unit_cancel_everywhere(extract_action, &sample);
}

UNIT_SUITE(extract, UNIT_CASE(factors), UNIT_CASE(ranks_and_changes), UNIT_CASE(out_of_range),
		   UNIT_CASE(faults));
