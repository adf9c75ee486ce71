/*
 * test_stack.c
 *	  Stacked factors of delta space: the plan as the lowrank functions see it,
 *	  and the pass that reads it, in steps of any size.  doc/algebra.md, "Delta
 *	  space".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algebra/combine.h"
#include "core/limits.h"
#include "engine_fixture.h"
#include "interchange/peft.h"

/* One module "c": a grouped convolution if groups > 1, else linear. */
typedef struct Shape
{
	uint64_t	rank;
	uint64_t	groups;
	uint64_t	in;
	uint64_t	out;
} Shape;

static PaValue *
make_leaf(PaEnv *env, Shape shape, PaDtype dtype, uint64_t *seed)
{
	BuildFile	file;
	int			ndim = shape.groups > 1 ? 4 : 2;
	const uint64_t a[4] = {shape.rank, shape.in, 1, 2};
	const uint64_t b[4] = {shape.out, shape.rank / shape.groups, 1, 1};
	char		config[128];

	build_begin(&file, NULL);
	build_random(&file, A_OF("c"), dtype, ndim, a, seed);
	build_random(&file, B_OF("c"), dtype, ndim, b, seed);
	snprintf(config, sizeof(config), "{\"peft_type\":\"LORA\",\"r\":%d,\"lora_alpha\":3}", (int) shape.rank);
	return fixture_import(env, &file, config);
}

/* In order of terms; factor A, of random numbers, settles it. */
static int
compare_leaves(const void *a, const void *b)
{
	const PaAdapter *x = ((const PaLeaf *) a)->source->adapter;
	const PaAdapter *y = ((const PaLeaf *) b)->source->adapter;

	return memcmp(x->tensors[x->modules[0].tensor[PA_ROLE_FACTOR_A]].sha256,
				  y->tensors[y->modules[0].tensor[PA_ROLE_FACTOR_A]].sha256, PA_SHA256_LENGTH);
}

static bool
make_leaves(PaEnv *env, uint32_t n, PaValue *const *values, const double *w, PaLeaf *leaves)
{
	for (uint32_t i = 0; i < n; i++)
	{
		leaves[i] = (PaLeaf) {.digest = pa_value_header(values[i])->digest, .p = 0, .q = w[i]};
		if (!CHECK_OK(pa_value_source(env, values[i], &leaves[i].source), env))
			return false;
	}
	qsort(leaves, n, sizeof(PaLeaf), compare_leaves);
	return true;
}

UNIT_TEST(test_view)
{
	uint64_t	seed = unit_seed();
	PaValue    *values[3] = {
		make_leaf(env, (Shape) {2, 1, 5, 7}, PA_F32, &seed),
		make_leaf(env, (Shape) {3, 1, 5, 7}, PA_F32, &seed),
		make_leaf(env, (Shape) {4, 1, 5, 7}, PA_F32, &seed),
	};
	PaLeaf		leaves[3];
	PaCombine  *plan;
	const PaDraft *draft;
	const PaStack *stack;
	uint32_t	n;

	if (!make_leaves(env, 3, values, (double[]) {0.5, 0, -2}, leaves) ||
		!CHECK_OK(pa_combine_plan(env, PA_RULE_DELTA, 3, leaves, &plan, &draft), env) ||
		!CHECK_OK(pa_combine_stack(env, plan, 0, &stack), env))
		return;
	CHECK(pa_combine_leaves(plan, &n)[0].q + pa_combine_leaves(plan, &n)[1].q == -1.5 && n == 2);
	CHECK(draft->facts.n_modules == 1 && draft->facts.modules[0].rank == 6 &&
		  draft->facts.modules[0].scaling == 1);
	CHECK(strcmp(stack->path, "c") == 0 && stack->rows == 7 && stack->columns == 5);
	CHECK(stack->rank == 6 && stack->groups == 1 && stack->n_parts == 2);
	for (uint32_t i = 0; i < 2; i++)
	{
		const PaStackPart *part = &stack->parts[i];
		const PaAdapter *adapter = part->source->adapter;

		CHECK(part->leaf == i &&
			  memcmp(part->digest, pa_combine_leaves(plan, &n)[i].digest, PA_SHA256_LENGTH) == 0);
		CHECK(part->scaling == 3.0 / (double) part->rank && part->bias < 0 && part->vector < 0);
		CHECK(adapter->tensors[part->factor_a].shape[0] == part->rank);
		CHECK(adapter->tensors[part->factor_b].shape[1] == part->rank);
	}
	/* nothing is left: the neutral value, and no stack */
	leaves[0].q = leaves[1].q = leaves[2].q = 0;
	if (CHECK_OK(pa_combine_plan(env, PA_RULE_DELTA, 3, leaves, &plan, &draft), env))
		CHECK(pa_combine_stack(env, plan, 0, &stack) == PA_OK && stack == NULL &&
			  draft->facts.n_modules == 1);
}

/* Element i of a stacked factor, from the parts by the definition. */
static double
wanted_a(PaEnv *env, PaValue *const *order, uint32_t n, const Shape *shapes, uint64_t i)
{
	uint64_t	width = shapes[0].in * (shapes[0].groups > 1 ? 2 : 1);
	uint64_t	groups = shapes[0].groups;
	uint64_t	each = 0;
	uint64_t	within;
	uint64_t	count;

	for (uint32_t k = 0; k < n; k++)
		each += shapes[k].rank / groups;
	within = i / width % each;
	for (uint32_t k = 0; k < n; k++)
	{
		uint64_t	part = shapes[k].rank / groups;

		if (within < part)
			return fixture_tensor(env, order[k], A_OF("c"),
								  &count)[(i / width / each * part + within) * width + i % width];
		within -= part;
	}
	return 0;
}

static double
wanted_b(PaEnv *env, PaValue *const *order, uint32_t n, const Shape *shapes, const double *c, uint64_t i)
{
	uint64_t	columns = 0;
	uint64_t	column;
	uint64_t	count;

	for (uint32_t k = 0; k < n; k++)
		columns += shapes[k].rank / shapes[k].groups;
	column = i % columns;
	for (uint32_t k = 0; k < n; k++)
	{
		uint64_t	part = shapes[k].rank / shapes[k].groups;

		if (column < part)
			return c[k] * fixture_tensor(env, order[k], B_OF("c"), &count)[i / columns * part + column];
		column -= part;
	}
	return 0;
}

/* The tensor in steps of `step`, against one read of it all. */
static bool
reads_alike(PaEnv *env, PaSource *source, uint32_t tensor, size_t step, const double *whole)
{
	uint64_t	n = source->adapter->tensors[tensor].elements;
	double	   *piece = malloc(step * sizeof(double));
	bool		alike = true;

	for (uint64_t first = 0; first < n && alike; first += step)
	{
		size_t		m = n - first < step ? (size_t) (n - first) : step;

		alike = source->read(env, source, tensor, first, m, piece) == PA_OK &&
			memcmp(piece, whole + first, m * sizeof(double)) == 0;
	}
	free(piece);
	return alike;
}

static PaStatus
open_stack(PaEnv *env, uint32_t n, const PaLeaf *leaves, PaSource **source)
{
	PaCombine  *plan;
	const PaDraft *draft;
	PaAdapter  *adapter;
	uint32_t   *draft_of;
	PaText		config;

	PA_TRY(pa_combine_plan(env, PA_RULE_DELTA, n, leaves, &plan, &draft));
	PA_TRY(pa_peft_describe_draft(env, draft, &config, &adapter, &draft_of));
	return pa_combine_source(env, plan, adapter, draft_of, source);
}

static void
check_stack(PaEnv *env, const Shape *shapes, uint32_t n)
{
	uint64_t	seed = unit_seed();
	PaValue    *values[3];
	PaValue    *order[3] = {NULL};
	Shape		in_order[3] = {{0}};
	PaLeaf		leaves[3];
	double		c[3] = {0};
	PaSource   *source;

	for (uint32_t i = 0; i < n; i++)
		values[i] = make_leaf(env, shapes[i], PA_F64, &seed);
	if (!make_leaves(env, n, values, (double[]) {0.7, -0.3, 1.9}, leaves) ||
		!CHECK_OK(open_stack(env, n, leaves, &source), env))
		return;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < n; k++)
			if (leaves[i].digest == pa_value_header(values[k])->digest)
			{
				order[i] = values[k];
				in_order[i] = shapes[k];
				c[i] = leaves[i].q * (3.0 / (double) shapes[k].rank);
			}
	for (uint32_t t = 0; t < 2; t++)
	{
		bool		is_a = source->adapter->tensors[t].role == PA_ROLE_FACTOR_A;
		uint64_t	elements = source->adapter->tensors[t].elements;
		double	   *whole = malloc(elements * sizeof(double));
		uint64_t	stride = elements / 60 + 1; /* each look reads a tensor */
		bool		right = CHECK_OK(source->read(env, source, t, 0, (size_t) elements, whole), env);

		for (uint64_t i = 0; i < elements && right; i += stride)
			right = whole[i] ==
				(is_a ? wanted_a(env, order, n, in_order, i) : wanted_b(env, order, n, in_order, c, i));
		CHECK(right);
		CHECK(reads_alike(env, source, t, PA_BLOCK_ELEMENTS, whole));
		CHECK(reads_alike(env, source, t, PA_BLOCK_ELEMENTS - 1, whole));
		CHECK(reads_alike(env, source, t, 1009, whole));
		if (elements < 1000)
			CHECK(reads_alike(env, source, t, 1, whole));
		free(whole);
	}
}

UNIT_TEST(test_one)
{
	check_stack(env, (const Shape[]) {{1, 1, 3, 4}}, 1);
}

UNIT_TEST(test_ranks)
{
	check_stack(env, (const Shape[]) {{2, 1, 3, 4}, {5, 1, 3, 4}, {1, 1, 3, 4}}, 3);
}

UNIT_TEST(test_groups)
{
	check_stack(env, (const Shape[]) {{4, 2, 3, 6}, {2, 2, 3, 6}, {6, 2, 3, 6}}, 3);
}

/* In both factors. */
UNIT_TEST(test_rows_across_blocks)
{
	check_stack(env, (const Shape[]) {{37, 1, 1201, 907}, {26, 1, 1201, 907}}, 2);
}

/* One part whose rows are longer than a block. */
UNIT_TEST(test_long_rows)
{
	check_stack(env, (const Shape[]) {{40000, 1, 1, 2}}, 1);
}

UNIT_SUITE(stack, UNIT_CASE(test_view), UNIT_CASE(test_one), UNIT_CASE(test_ranks), UNIT_CASE(test_groups),
		   UNIT_CASE(test_rows_across_blocks), UNIT_CASE(test_long_rows));
