/*
 * test_cancel.c
 *	  How much is done between two questions whether to stop, counted (work.h):
 *	  of large decompositions, of many operands, of large configurations.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sort.h"
#include "engine/import.h"
#include "engine_fixture.h"
#include "interchange/peft_lora.h"
#include "lowrank/blas.h"
#include "lowrank/leading.h"
#include "lowrank/svd.h"
#include "work.h"

/* A PaEnv on a host that counts. */
typedef struct Counting
{
	UnitHost	host;
	PaEnv		env;
} Counting;

static PaEnv *
begin(Counting *c)
{
	unit_host_init(&c->host);
	unit_work_begin(&c->host);
	pa_env_init(&c->env, &c->host.host);
	return &c->env;
}

static void
end(Counting *c)
{
	pa_env_reset(&c->env);
	CHECK(c->host.live == 0);
	unit_host_release(&c->host);
}

static double *
random_matrix(PaEnv *env, size_t n, uint64_t *seed)
{
	double	   *a;

	if (!CHECK_OK(PA_NEW_ARRAY(env, n, &a), env))
		return NULL;
	for (size_t i = 0; i < n; i++)
		a[i] = unit_gaussian(seed);
	return a;
}

UNIT_TEST(singular_values_of_rank_1024)
{
	Counting	c;
	PaEnv	   *own = begin(&c);
	uint64_t	seed = unit_seed();
	int			n = 1024;
	double	   *a = random_matrix(own, (size_t) n * (size_t) n, &seed);
	PaSvd		svd;

	(void) env;
	if (CHECK_OK(pa_blas_open(own), own))
	{
		unit_work_begin(&c.host);
		CHECK_OK(pa_svd(own, n, n, a, true, &svd), own);
		if (!CHECK(unit_work_most(&c.host) < UNIT_MOST_WORK))
			printf("#   %.0f\n", unit_work_most(&c.host));
	}
	end(&c);
}

/* The most ranks of a long side: what is called for them, and how much is done between the calls. */
UNIT_TEST(leading_vectors_of_rank_512)
{
	Counting	c;
	PaEnv	   *own = begin(&c);
	uint64_t	seed = unit_seed();
	uint64_t	n = 1030;
	double	   *a = random_matrix(own, (size_t) (n * n), &seed);
	PaWholeMatrix matrix = {
		.name = "a", .dtype = PA_F64, .rows = n, .columns = n, .raw = (uint8_t *) a, .exponent = 3};
	PaLeading	leading;

	(void) env;
	if (CHECK_OK(pa_blas_open(own), own))
	{
		unit_work_begin(&c.host);
		CHECK_OK(pa_leading(own, &matrix, PA_LEADING_MOST, 1, &leading), own);
		CHECK(leading.rank == PA_LEADING_MOST);
		if (!CHECK(unit_work_most(&c.host) < UNIT_MOST_WORK))
			printf("#   %.0f\n", unit_work_most(&c.host));
	}
	end(&c);
}

/* The largest difference between a and u s vt. */
static double
rest_of(const double *a, const PaSvd *svd)
{
	double		most = 0;

	for (int i = 0; i < svd->rows; i++)
		for (int j = 0; j < svd->columns; j++)
		{
			double		sum = -a[j * svd->rows + i];

			for (int k = 0; k < svd->n; k++)
				sum += svd->u[k * svd->rows + i] * svd->s[k] * svd->vt[j * svd->n + k];
			most = fmax(most, fabs(sum));
		}
	return most;
}

/* d and e of the bidiagonal form by one call of the library. */
static void
check_same_as_one_call(PaEnv *env, int rows, int columns, const double *a)
{
	size_t		size = (size_t) rows * (size_t) columns;
	size_t		n = (size_t) (rows < columns ? rows : columns);
	int			n_work = (int) PA_LAPACK_WORK(rows > columns ? rows : columns);
	double	   *one = NULL;
	double	   *cut = NULL;
	double	   *d = NULL;
	double	   *work = NULL;
	int			k = 0;

	if (!CHECK_OK(PA_NEW_ARRAY(env, size, &one), env) || !CHECK_OK(PA_NEW_ARRAY(env, size, &cut), env) ||
		!CHECK_OK(PA_NEW_ARRAY(env, 8 * n, &d), env) ||
		!CHECK_OK(PA_NEW_ARRAY(env, (size_t) n_work, &work), env))
		return;
	memcpy(one, a, size * sizeof(double));
	memcpy(cut, a, size * sizeof(double));
	CHECK_OK(pa_lapack_gebrd(env, rows, columns, one, rows, d, d + n, d + 2 * n, d + 3 * n, work, n_work),
			 env);
	for (; (int) n - k > 128; k += 32)
		pa_lapack_gebrd_panel(rows - k, columns - k, 32, cut + k * rows + k, rows, d + 4 * n + k,
							  d + 5 * n + k, d + 6 * n + k, d + 7 * n + k, work);
	CHECK_OK(pa_lapack_gebrd(env, rows - k, columns - k, cut + k * rows + k, rows, d + 4 * n + k,
							 d + 5 * n + k, d + 6 * n + k, d + 7 * n + k, work, n_work),
			 env);
	CHECK(memcmp(one, cut, size * sizeof(double)) == 0 && memcmp(d, d + 4 * n, 4 * n * sizeof(double)) == 0);
}

UNIT_TEST(panels_are_the_whole)
{
	static const int shapes[][2] = {{300, 200}, {200, 300}, {161, 161}, {129, 400}, {128, 128}};
	uint64_t	seed = unit_seed();

	if (!CHECK_OK(pa_blas_open(env), env))
		return;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
	{
		int			rows = shapes[i][0];
		int			columns = shapes[i][1];
		double	   *a = random_matrix(env, (size_t) rows * (size_t) columns, &seed);
		double	   *used = NULL;
		PaSvd		svd;

		if (a == NULL || !CHECK_OK(PA_NEW_ARRAY(env, (size_t) rows * (size_t) columns, &used), env))
			return;
		memcpy(used, a, (size_t) rows * (size_t) columns * sizeof(double));
		CHECK_OK(pa_svd(env, rows, columns, used, true, &svd), env);
		CHECK(rest_of(a, &svd) < 1e-11);
		check_same_as_one_call(env, rows, columns, a);
	}
}

static int
compare_high(const void *a, const void *b, const void *context)
{
	uint32_t	x = *(const uint64_t *) a >> 32;
	uint32_t	y = *(const uint64_t *) b >> 32;

	(void) context;
	return x < y ? -1 : x > y;
}

UNIT_TEST(sorting)
{
	static const size_t sizes[] = {0, 1, 2, 4095, 4096, 4097, 8192, 20000, 100001};
	Counting	c;
	PaEnv	   *own = begin(&c);
	uint64_t	seed = unit_seed();

	(void) env;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
	{
		size_t		n = sizes[k];
		uint64_t   *list;
		uint64_t	sum = 0;

		CHECK_OK(PA_NEW_ARRAY(own, n, &list), own);
		for (size_t i = 0; i < n; i++)
		{
			list[i] = unit_random(&seed) % 1000 << 32 | i;
			sum += list[i] * list[i];
		}
		unit_work_begin(&c.host);
		CHECK_OK(pa_sort(own, n > 0 ? list : NULL, n, sizeof(uint64_t), compare_high, NULL), own);
		CHECK(unit_work_most(&c.host) < 4e6);
		for (size_t i = 0; i < n; i++)
		{
			sum -= list[i] * list[i];
			if (i > 0 && !CHECK(list[i - 1] >> 32 <= list[i] >> 32))
				break;
		}
		CHECK(sum == 0);
		pa_free(own, list);
	}
	end(&c);
}

#define MODULES 224
#define CONFIG "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":1,\"base_model_name_or_path\":\"m\"}"

static void
many_modules(BuildFile *file, uint64_t *seed)
{
	build_begin(file, NULL);
	for (int i = 0; i < MODULES; i++)
	{
		char		path[64];

		snprintf(path, sizeof(path), "model.layers.%d.self_attn.proj_%d", i / 7, i % 7);
		build_lora(file, path, PA_F32, 1, 1, 1, seed);
	}
}

/* The most work of a sum of n adapters. */
static double
work_of_sum(PaEnv *env, UnitHost *host, uint32_t n, PaValue *const *values)
{
	PaTerm	   *terms;
	PaValue    *sum;

	if (!CHECK_OK(PA_NEW_ARRAY(env, n, &terms), env))
		return 0;
	for (uint32_t i = 0; i < n; i++)
	{
		terms[i] = pa_term_of_leaf(PA_SPACE_PARAMETER, i);
		CHECK_OK(pa_terms_multiply(env, &terms[i], 1, 1.0 / n), env);
	}
	unit_work_begin(host);
	CHECK_OK(fixture_evaluate(env, n, values, n, terms, &sum), env);
	return unit_work_most(host);
}

UNIT_TEST(many_operands)
{
	enum
	{
		N = 160
	};
	Counting	c;
	PaEnv	   *own = begin(&c);
	PaValue    *values[N];
	BuildFile	file;
	uint64_t	seed = unit_seed();
	bool		made = true;

	(void) env;
	for (int i = 0; i < N; i++)
	{
		many_modules(&file, &seed);
		values[i] = fixture_import(own, &file, CONFIG);
		made = CHECK(values[i] != NULL) && made;
	}
	if (made)
	{
		double		few = work_of_sum(own, &c.host, N / 8, values);
		double		many = work_of_sum(own, &c.host, N, values);

		printf("# work between two questions: %.0f with %d operands, %.0f with %d\n", few, N / 8, many, N);
		CHECK(many < 1.5 * few && many < 1e7);
	}
	end(&c);
}

/* Values that are opened one after the other, as the leaves of an expression are. */
UNIT_TEST(many_values)
{
	Counting	c;
	PaEnv	   *own = begin(&c);
	uint64_t	seed = unit_seed();
	BuildFile	file;
	uint8_t    *bytes;
	size_t		length;
	PaBuf		buf;
	PaMemoryBytes memory;
	PaValue    *value;
	double		one = 0;

	(void) env;
	many_modules(&file, &seed);
	bytes = build_finish(&file, &length);
	if (CHECK_OK(pa_import_file(own, pa_text(bytes, length), pa_text_of(CONFIG), false, 0, &buf), own))
	{
		pa_bytes_from_memory(&memory, buf.data, buf.length);
		unit_work_begin(&c.host);
		for (int i = 0; i < 50; i++)
		{
			CHECK_OK(pa_value_open(own, &memory.base, &value), own);
			if (i == 0)
				one = unit_work_most(&c.host);
		}
		CHECK(unit_work_most(&c.host) < 2 * one && one < 1e7);
		pa_buf_release(&buf);
	}
	free(bytes);
	end(&c);
}

/* A configuration that names thousands of parameters, for thousands of modules. */
UNIT_TEST(many_parameters)
{
	enum
	{
		N = 4000
	};
	Counting	c;
	PaEnv	   *own = begin(&c);
	PaLoraModule *modules;
	PaConfig	config = {.kind = PA_KIND_LORA, .r = 1, .alpha = 1, .n_target_parameters = N};
	char(*names)[16];

	(void) env;
	CHECK_OK(PA_NEW_ARRAY(own, N, &names), own);
	CHECK_OK(PA_NEW_ARRAY(own, N, &modules), own);
	CHECK_OK(PA_NEW_ARRAY(own, N, &config.target_parameters), own);
	CHECK_OK(PA_NEW_ARRAY(own, N, &config.alpha_patterns), own);
	for (int i = 0; i < N; i++)
	{
		snprintf(names[i], sizeof(names[i]), "m%d.w", i);
		config.target_parameters[i] = names[i];
		CHECK_OK(pa_strndup(own, names[i], strlen(names[i]) - 2, &modules[i].path), own);
		config.alpha_patterns[i] = (PaPatternValue) {.key = names[i], .value = i};
	}
	config.n_alpha_patterns = N;
	unit_work_begin(&c.host);
	c.host.asked = 0;
	CHECK_OK(pa_peft_config_modules(own, &config, N, modules), own);
	CHECK(modules[77].alpha == 77 && modules[77].parameter);
	/* a question for each module and each pattern, not for each pair */
	CHECK(c.host.asked > 2 * N && c.host.asked < 20 * N);
	CHECK(unit_work_most(&c.host) < 1e7);
	end(&c);
}

UNIT_SUITE(cancel, UNIT_CASE(singular_values_of_rank_1024), UNIT_CASE(leading_vectors_of_rank_512),
		   UNIT_CASE(panels_are_the_whole), UNIT_CASE(sorting), UNIT_CASE(many_operands),
		   UNIT_CASE(many_values), UNIT_CASE(many_parameters));
