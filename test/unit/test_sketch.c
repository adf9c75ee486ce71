/*
 * test_sketch.c
 *	  The sketch of a delta against the count sketch of its entries, one by one;
 *	  its linearity; how well its inner products estimate those of the deltas.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/draw.h"
#include "engine/sketch.h"
#include "engine_fixture.h"
#include "kernel/rotate.h"

#define CONFIG \
	"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"base_model_name_or_path\":\"m\",\"lora_bias\":true}"
#define IA3 "{\"peft_type\":\"IA3\",\"base_model_name_or_path\":\"m\",\"feedforward_modules\":[]}"
#define ROWS 9
#define COLUMNS 7
#define DIMS 16

/* Modules "q" and "v" of rank r with a bias each, and a dense tensor. */
static PaValue *
sample_of(PaEnv *env, uint64_t r, uint64_t *seed)
{
	BuildFile	file;

	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F32, r, COLUMNS, ROWS, seed);
	build_lora(&file, "v", PA_BF16, r, COLUMNS, ROWS, seed);
	build_random(&file, BIAS_OF("q"), PA_F32, 1, (uint64_t[]) {ROWS}, seed);
	build_random(&file, BIAS_OF("v"), PA_F32, 1, (uint64_t[]) {ROWS}, seed);
	build_random(&file, "base_model.model.head.weight", PA_F16, 1, (uint64_t[]) {3}, seed);
	return fixture_import(
		env, &file,
		r == 2
			? CONFIG
			: "{\"peft_type\":\"LORA\",\"r\":5,\"lora_alpha\":1,\"base_model_name_or_path\":\"m\",\"lora_bias\":true}");
}

static float *
sketch(PaEnv *env, uint32_t n, PaValue **values, double *weights, int64_t dims, int64_t seed)
{
	PaDeltaSum	sum = {n, values, weights};
	float	   *out = NULL;

	CHECK_OK(pa_sketch_of_sum(env, &sum, dims, seed, &out), env);
	return out;
}

/* The entries of a module's delta, rows x columns, then the bias: all times s. */
static void
delta_of(PaEnv *env, PaValue *value, const char *path, double *delta)
{
	const PaModule *module =
		&pa_value_adapter(value)->modules[pa_adapter_find_module(pa_value_adapter(value), path)];
	char		name[200];
	uint64_t	n;
	double	   *a;
	double	   *b;
	double	   *bias;

	snprintf(name, sizeof(name), "base_model.model.%s.lora_A.weight", path);
	a = fixture_tensor(env, value, name, &n);
	snprintf(name, sizeof(name), "base_model.model.%s.lora_B.weight", path);
	b = fixture_tensor(env, value, name, &n);
	snprintf(name, sizeof(name), "base_model.model.%s.lora_B.bias", path);
	bias = fixture_tensor(env, value, name, &n);
	memset(delta, 0, (ROWS * COLUMNS + ROWS) * sizeof(double));
	for (int i = 0; i < ROWS; i++)
		for (int j = 0; j < COLUMNS; j++)
			for (uint64_t k = 0; k < module->rank; k++)
				delta[i * COLUMNS + j] += module->scaling * b[i * (int) module->rank + (int) k] *
					a[(int) k * COLUMNS + j];
	for (int i = 0; i < ROWS; i++)
		delta[ROWS * COLUMNS + i] = module->scaling * bias[i];
}

static void
sketch_entries(PaEnv *env, const char *path, const double *delta, int64_t seed, double *out)
{
	uint64_t	a = 0;
	uint64_t	b = 0;
	uint64_t	bias = 0;

	CHECK_OK(pa_draw_key(env, "sketch", seed, path, "factor_a", NULL, 0, &a), env);
	CHECK_OK(pa_draw_key(env, "sketch", seed, path, "factor_b", NULL, 0, &b), env);
	CHECK_OK(pa_draw_key(env, "sketch", seed, path, "bias", NULL, 0, &bias), env);
	for (uint64_t i = 0; i < ROWS; i++)
	{
		uint64_t	row = pa_draw_bits(b, i);
		uint64_t	own = pa_draw_bits(bias, i);

		for (uint64_t j = 0; j < COLUMNS; j++)
		{
			uint64_t	column = pa_draw_bits(a, j);

			out[(pa_draw_below(row, DIMS) + pa_draw_below(column, DIMS)) % DIMS] += pa_draw_sign(row) *
				pa_draw_sign(column) * delta[i * COLUMNS + j];
		}
		out[pa_draw_below(own, DIMS)] += pa_draw_sign(own) * delta[ROWS * COLUMNS + i];
	}
}

UNIT_TEST(test_entries)
{
	uint64_t	seed = unit_seed();
	PaValue    *value = sample_of(env, 2, &seed);
	double		delta[ROWS * COLUMNS + ROWS];

	for (int64_t s = -1; s < 20; s++)
	{
		double		wanted[DIMS] = {0};
		float	   *got = sketch(env, 1, &value, (double[]) {1}, DIMS, s);

		delta_of(env, value, "q", delta);
		sketch_entries(env, "q", delta, s, wanted);
		delta_of(env, value, "v", delta);
		sketch_entries(env, "v", delta, s, wanted);
		for (int t = 0; t < DIMS; t++)
			CHECK(fabs(got[t] - wanted[t]) < 1e-5);
	}
}

/* sketch(w d + e) = w sketch(d) + sketch(e), ranks and scalings being different */
UNIT_TEST(test_linear)
{
	uint64_t	seed = unit_seed();
	PaValue    *v[2] = {sample_of(env, 2, &seed), sample_of(env, 5, &seed)};
	float	   *d = sketch(env, 1, &v[0], (double[]) {1}, DIMS, 3);
	float	   *e = sketch(env, 1, &v[1], (double[]) {1}, DIMS, 3);
	float	   *both = sketch(env, 2, v, (double[]) {-0.75, 1}, DIMS, 3);
	float	   *swapped = sketch(env, 2, (PaValue *[]) {v[1], v[0]}, (double[]) {1, -0.75}, DIMS, 3);
	float	   *none = sketch(env, 2, v, (double[]) {0, 0}, DIMS, 3);
	float	   *one = sketch(env, 1, v, (double[]) {1}, 1, 3);
	double		sum = 0;

	for (int t = 0; t < DIMS; t++)
	{
		CHECK(fabs(both[t] - (-0.75 * d[t] + e[t])) < 1e-5);
		CHECK(none[t] == 0 && swapped[t] == both[t]);
		sum += fabs(d[t]);
	}
	CHECK(sum > 1 && isfinite(one[0]));
}

/*
 * Over many seeds the mean of the estimates is the inner product, and their
 * variance keeps the bound; both far outside chance if they fail.
 */
UNIT_TEST(test_estimates)
{
	enum
	{
		N = 600
	};
	uint64_t	seed = unit_seed();
	PaValue    *v[2] = {sample_of(env, 2, &seed), sample_of(env, 5, &seed)};
	double		x[ROWS * COLUMNS + ROWS];
	double		y[ROWS * COLUMNS + ROWS];
	double		inner = 0;
	double		norms[2] = {0, 0};
	double		mean = 0;
	double		variance = 0;
	const char *paths[] = {"q", "v"};

	for (int m = 0; m < 2; m++)
	{
		delta_of(env, v[0], paths[m], x);
		delta_of(env, v[1], paths[m], y);
		for (int i = 0; i < ROWS * COLUMNS + ROWS; i++)
		{
			inner += x[i] * y[i];
			norms[0] += x[i] * x[i];
			norms[1] += y[i] * y[i];
		}
	}
	for (int64_t s = 0; s < N; s++)
	{
		float	   *a = sketch(env, 1, &v[0], (double[]) {1}, DIMS, s);
		float	   *b = sketch(env, 1, &v[1], (double[]) {1}, DIMS, s);
		double		estimate = 0;

		for (int t = 0; t < DIMS; t++)
			estimate += (double) a[t] * b[t];
		mean += estimate / N;
		variance += (estimate - inner) * (estimate - inner) / N;
		pa_env_reset(env);
		/* the values went with it */
		seed = unit_seed();
		v[0] = sample_of(env, 2, &seed);
		v[1] = sample_of(env, 5, &seed);
	}
	CHECK(fabs(mean - inner) < 6 * sqrt(norms[0] * norms[1] / DIMS / N));
	CHECK(variance < 11 * norms[0] * norms[1] / DIMS);
	/* the usual case is near 1 / dims */
	CHECK(variance > 0.2 * norms[0] * norms[1] / DIMS && variance < 4 * norms[0] * norms[1] / DIMS);
}

UNIT_TEST(test_ia3)
{
	BuildFile	file;
	PaValue    *value;
	uint64_t	key;
	double		wanted[4] = {0};
	float	   *got;

	build_begin(&file, NULL);
	build_tensor(&file, L_OF("q"), PA_F32, 2, (uint64_t[]) {3, 1}, (double[]) {1.5, 1, -2});
	value = fixture_import(env, &file, IA3);
	CHECK_OK(pa_draw_key(env, "sketch", 9, "q", "vector", NULL, 0, &key), env);
	for (uint64_t i = 0; i < 3; i++)
		wanted[pa_draw_below(pa_draw_bits(key, i), 4)] += pa_draw_sign(pa_draw_bits(key, i)) *
			(double[]) {1, 0, -6}[i];
	got = sketch(env, 1, &value, (double[]) {2}, 4, 9);
	for (int t = 0; t < 4; t++)
		CHECK(got[t] == wanted[t]);
}

/* More ranks than fit one group of bins, and factors of more than a block. */
UNIT_TEST(test_large)
{
	uint64_t	seed = unit_seed();
	BuildFile	file;
	PaValue    *whole;
	PaValue    *parts[2];
	double	   *a;
	double	   *b;
	double		half_b[300 * 150];
	uint64_t	n;
	float	   *x;
	float	   *y;

	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F32, 300, 150, 300, &seed);
	whole = fixture_import(env, &file, "{\"peft_type\":\"LORA\",\"r\":300,\"lora_alpha\":300}");
	a = fixture_tensor(env, whole, A_OF("q"), &n);
	b = fixture_tensor(env, whole, B_OF("q"), &n);
	for (int part = 0; part < 2; part++)
	{
		for (int i = 0; i < 300; i++)
			memcpy(half_b + i * 150, b + i * 300 + part * 150, 150 * sizeof(double));
		build_begin(&file, NULL);
		build_tensor(&file, A_OF("q"), PA_F32, 2, (uint64_t[]) {150, 150}, a + part * 150 * 150);
		build_tensor(&file, B_OF("q"), PA_F32, 2, (uint64_t[]) {300, 150}, half_b);
		parts[part] = fixture_import(env, &file, "{\"peft_type\":\"LORA\",\"r\":150,\"lora_alpha\":150}");
	}
	x = sketch(env, 1, &whole, (double[]) {1}, 4096, 1);
	y = sketch(env, 2, parts, (double[]) {1, 1}, 4096, 1);
	for (int t = 0; t < 4096; t++)
		if (fabs(x[t] - y[t]) > 1e-4 * (1 + fabs(x[t])))
			CHECK(!"the sketch of the whole is the sum of the halves'");
}

UNIT_TEST(test_refusals)
{
	uint64_t	seed = unit_seed();
	PaValue    *value = sample_of(env, 2, &seed);
	double		w = 1;
	PaDeltaSum	sum = {1, &value, &w};
	BuildFile	file;
	float	   *out;

	CHECK_STATUS(pa_sketch_of_sum(env, &sum, 0, 1, &out), PA_ERR_CONFIG, env);
	CHECK_STATUS(pa_sketch_of_sum(env, &sum, 4097, 1, &out), PA_ERR_CONFIG, env);
	CHECK_OK(pa_sketch_of_sum(env, &sum, 4096, 1, &out), env);
	w = 1e300;
	CHECK_STATUS(pa_sketch_of_sum(env, &sum, 4, 1, &out), PA_ERR_RANGE, env);
	w = 1;
	build_begin(&file, NULL);
	build_tensor(&file, L_OF("q"), PA_F32, 2, (uint64_t[]) {1, 1}, (double[]) {NAN});
	value = fixture_import(env, &file, IA3);
	CHECK_STATUS(pa_sketch_of_sum(env, &sum, 4, 1, &out), PA_ERR_RANGE, env);
	build_begin(&file, NULL);
	build_random(&file, A_OF("q"), PA_F32, 4, (uint64_t[]) {2, 3, 1, 1}, &seed);
	build_random(&file, B_OF("q"), PA_F32, 4, (uint64_t[]) {4, 1, 1, 1}, &seed);
	value = fixture_import(env, &file, "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3}");
	CHECK_STATUS(pa_sketch_of_sum(env, &sum, 4, 1, &out), PA_ERR_UNSUPPORTED, env);
}

UNIT_TEST(test_rotate)
{
	const double x[3] = {1, 2, 3};
	double		acc[3] = {10, 10, 10};

	(void) env;
	pa_kernel_add_rotated(acc, x, 3, 1, 2);
	CHECK(acc[0] == 16 && acc[1] == 12 && acc[2] == 14);
}

UNIT_SUITE(sketch, UNIT_CASE(test_entries), UNIT_CASE(test_linear), UNIT_CASE(test_estimates),
		   UNIT_CASE(test_ia3), UNIT_CASE(test_large), UNIT_CASE(test_refusals), UNIT_CASE(test_rotate));
