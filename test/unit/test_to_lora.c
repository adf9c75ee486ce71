/*
 * test_to_lora.c
 *	  Conversion to LoRA: every element of the factors against the product that it is,
 *	  over more than one block, read in odd pieces; no memory, and stopped anywhere.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "engine/to_lora.h"
#include "engine_fixture.h"

#define Q(part) "base_model.model.q." part

static PaValue *
convert(PaEnv *env, PaValue *value, const char *shapes)
{
	PaBuf		out;
	bool		same = false;

	if (value == NULL || !CHECK_OK(pa_to_lora(env, value, shapes, 0, &out, &same), env) || !CHECK(!same))
		return NULL;
	return fixture_open(env, &out);
}

static PaStatus
status_of(PaEnv *env, PaValue *value, const char *shapes)
{
	PaBuf		out;
	bool		same = false;
	PaStatus	status = value != NULL ? pa_to_lora(env, value, shapes, 0, &out, &same) : PA_ERR_INTERNAL;

	if (status == PA_OK && !same)
		pa_buf_release(&out);
	return status;
}

/* Khatri-Rao: rows of A are longer than a block. */
UNIT_TEST(loha)
{
	enum
	{
		R = 3,
		IN = 40000,
		OUT = 5
	};
	uint64_t	seed = unit_seed();
	BuildFile	file;
	PaValue    *from;
	PaValue    *to;
	uint64_t	n;
	double	   *x[4];
	double	   *a;
	double	   *b;
	bool		right = true;

	build_begin(&file, NULL);
	build_random(&file, Q("hada_w1_a"), PA_F16, 2, (uint64_t[]) {OUT, R}, &seed);
	build_random(&file, Q("hada_w1_b"), PA_F16, 2, (uint64_t[]) {R, IN}, &seed);
	build_random(&file, Q("hada_w2_a"), PA_BF16, 2, (uint64_t[]) {OUT, R}, &seed);
	build_random(&file, Q("hada_w2_b"), PA_BF16, 2, (uint64_t[]) {R, IN}, &seed);
	from = fixture_import(env, &file, "{\"peft_type\":\"LOHA\",\"r\":3,\"alpha\":2}");
	to = convert(env, from, NULL);
	if (to == NULL)
		return;
	x[0] = fixture_tensor(env, from, Q("hada_w1_a"), &n);
	x[1] = fixture_tensor(env, from, Q("hada_w1_b"), &n);
	x[2] = fixture_tensor(env, from, Q("hada_w2_a"), &n);
	x[3] = fixture_tensor(env, from, Q("hada_w2_b"), &n);
	a = fixture_tensor(env, to, A_OF("q"), &n);
	CHECK(n == (uint64_t) R * R * IN);
	for (size_t i = 0; i < R * R; i++)
		for (size_t c = 0; c < IN; c++)
			right = right && a[i * IN + c] == x[1][i / R * IN + c] * x[3][i % R * IN + c];
	CHECK(right);
	b = fixture_tensor(env, to, B_OF("q"), &n);
	for (size_t o = 0; o < OUT; o++)
		for (size_t i = 0; i < R * R; i++)
			CHECK(b[o * R * R + i] == x[0][o * R + i / R] * x[2][o * R + i % R]);
	CHECK(fixture_scaling(to, "q") == 2.0 / 3);
	CHECK(fixture_dtype(to, A_OF("q")) == PA_F32);
}

/* Kronecker: whole matrices, wide and tall, have an identity beside them; what is only copied keeps its
 * dtype. */
UNIT_TEST(lokr_whole)
{
	BuildFile	file;
	PaValue    *to;

	build_begin(&file, NULL);
	build_tensor(&file, Q("lokr_w1"), PA_F16, 2, (uint64_t[]) {1, 2}, (double[]) {-2, 3});
	build_tensor(&file, Q("lokr_w2"), PA_F16, 2, (uint64_t[]) {3, 1}, (double[]) {5, -7, 0});
	to = convert(env, fixture_import(env, &file, "{\"peft_type\":\"LOKR\",\"r\":4,\"alpha\":8}"), NULL);
	if (to == NULL)
		return;
	/* left: (1) and (5 -7 0)^T; right: (-2 3) and (1) */
	CHECK(HOLDS(to, A_OF("q"), -2, 3));
	CHECK(HOLDS(to, B_OF("q"), 5, -7, 0));
	CHECK(fixture_dtype(to, A_OF("q")) == PA_F16 && fixture_dtype(to, B_OF("q")) == PA_F16);
	CHECK(fixture_scaling(to, "q") == 2);
}

/* A core of 2 x 2 x 1 x 2 between the matrices; sums in order. */
UNIT_TEST(lokr_tucker)
{
	BuildFile	file;
	PaValue    *to;

	build_begin(&file, NULL);
	build_tensor(&file, Q("lokr_w1"), PA_F32, 2, (uint64_t[]) {1, 1}, (double[]) {2});
	build_tensor(&file, Q("lokr_w2_a"), PA_F32, 2, (uint64_t[]) {2, 3}, (double[]) {1, 2, 3, 4, 5, 6});
	build_tensor(&file, Q("lokr_w2_b"), PA_F32, 2, (uint64_t[]) {2, 1}, (double[]) {10, 100});
	build_tensor(&file, Q("lokr_t2"), PA_F32, 4, (uint64_t[]) {2, 2, 1, 2},
				 (double[]) {1, 2, 3, 4, 5, 6, 7, 8});
	to = convert(env, fixture_import(env, &file, "{\"peft_type\":\"LOKR\",\"r\":2,\"alpha\":2}"), NULL);
	if (to == NULL)
		return;
	/* 10 (1 2) + 100 (3 4), 10 (5 6) + 100 (7 8), each times 2 */
	CHECK(HOLDS(to, A_OF("q"), 620, 840, 1500, 1720));
	CHECK(HOLDS(to, B_OF("q"), 1, 4, 2, 5, 3, 6));
}

UNIT_TEST(refusals)
{
	static const struct
	{
		const char *config;
		const char *shapes;
		PaStatus	status;
	} cases[] = {
		{"{\"peft_type\":\"LOHA\",\"r\":1,\"alpha\":1}", NULL, PA_ERR_CONFIG},
		{"{\"peft_type\":\"LOHA\",\"r\":2}", NULL, PA_ERR_CONFIG},
		{"{\"peft_type\":\"LOKR\",\"r\":2,\"alpha\":1}", NULL, PA_ERR_UNSUPPORTED},
		{"{\"peft_type\":\"OFT\",\"r\":2,\"alpha\":1}", NULL, PA_ERR_UNSUPPORTED},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}", NULL, PA_OK},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}", "{}", PA_OK},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}", "{\"q\":[2,1,2,2]}", PA_OK},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}", "{\"q\":[null,null]}", PA_OK},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}", "{\"q\":[2,1,3,2]}", PA_ERR_CONFIG},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}", "{\"q\":[3,null]}", PA_ERR_CONFIG},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}",
		 "{\"q\":[null,null,2147483647,2147483647,2147483647]}", PA_ERR_CONFIG},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}", "{\"q\":[1.5,2]}", PA_ERR_CONFIG},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}", "{\"q\":2}", PA_ERR_CONFIG},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}", "{\"p\":[2,4]}", PA_ERR_CONFIG},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}", "{\"(\":[2,4]}", PA_ERR_REGEX},
		{"{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1}", "[]", PA_ERR_JSON},
	};
	uint64_t	seed = unit_seed();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		BuildFile	file;

		build_begin(&file, NULL);
		build_random(&file, Q("hada_w1_a"), PA_F32, 2, (uint64_t[]) {2, 2}, &seed);
		build_random(&file, Q("hada_w1_b"), PA_F32, 2, (uint64_t[]) {2, 4}, &seed);
		build_random(&file, Q("hada_w2_a"), PA_F32, 2, (uint64_t[]) {2, 2}, &seed);
		build_random(&file, Q("hada_w2_b"), PA_F32, 2, (uint64_t[]) {2, 4}, &seed);
		CHECK_STATUS(status_of(env, fixture_import(env, &file, cases[i].config), cases[i].shapes),
					 cases[i].status, env);
	}
}

/* A NaN is named, an overflow too. */
UNIT_TEST(ranges)
{
	BuildFile	file;

	for (int i = 0; i < 2; i++)
	{
		build_begin(&file, NULL);
		build_tensor(&file, Q("vera_lambda_b"), PA_F32, 1, (uint64_t[]) {1}, (double[]) {1});
		build_tensor(&file, Q("vera_lambda_d"), PA_F32, 1, (uint64_t[]) {1},
					 (double[]) {i == 0 ? 0.0 / 0.0 : 1e30});
		build_tensor(&file, "base_model.vera_A", PA_F32, 2, (uint64_t[]) {1, 1}, (double[]) {1e30});
		build_tensor(&file, "base_model.vera_B", PA_F32, 2, (uint64_t[]) {1, 1}, (double[]) {1});
		CHECK_STATUS(status_of(env, fixture_import(env, &file, "{\"peft_type\":\"VERA\"}"), NULL),
					 PA_ERR_RANGE, env);
	}
}

static PaStatus
tell_story(PaEnv *env, void *arg)
{
	uint64_t	seed = 1;
	BuildFile	file;
	PaValue    *from;
	PaBuf		out;
	bool		same;

	(void) arg;
	build_begin(&file, NULL);
	build_random(&file, Q("hada_w1_a"), PA_F32, 2, (uint64_t[]) {2, 3}, &seed);
	build_random(&file, Q("hada_w1_b"), PA_F32, 2, (uint64_t[]) {2, 4}, &seed);
	build_random(&file, Q("hada_t1"), PA_F32, 4, (uint64_t[]) {2, 2, 1, 2}, &seed);
	build_random(&file, Q("hada_w2_a"), PA_F32, 2, (uint64_t[]) {2, 3}, &seed);
	build_random(&file, Q("hada_w2_b"), PA_F32, 2, (uint64_t[]) {2, 4}, &seed);
	build_random(&file, Q("hada_t2"), PA_F32, 4, (uint64_t[]) {2, 2, 1, 2}, &seed);
	build_random(&file, "base_model.model.head.weight", PA_F32, 2, (uint64_t[]) {2, 2}, &seed);
	from = fixture_import(env, &file,
						  "{\"peft_type\":\"LOHA\",\"r\":2,\"alpha\":1,\"modules_to_save\":[\"head\"]}");
	if (from == NULL)
		return env->error.code;
	PA_TRY(pa_to_lora(env, from, "{\"q\":[3,4,1,2]}", 0, &out, &same));
	pa_buf_release(&out);
	return PA_OK;
}

UNIT_TEST(injection)
{
	(void) env;
	unit_fail_every_allocation(tell_story, NULL);
	unit_cancel_everywhere(tell_story, NULL);
}

UNIT_SUITE(to_lora, UNIT_CASE(loha), UNIT_CASE(lokr_whole), UNIT_CASE(lokr_tucker), UNIT_CASE(refusals),
		   UNIT_CASE(ranges), UNIT_CASE(injection));
