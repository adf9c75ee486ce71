/*
 * test_difference.c
 *	  Differences of whole weights: their sums in both spaces, their geometry and
 *	  sketch as one long vector, and the subtraction of two files.
 *	  doc/algebra.md, "Differences".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/draw.h"
#include "core/half.h"
#include "engine/delta.h"
#include "engine/difference.h"
#include "engine/evaluate.h"
#include "engine/export.h"
#include "engine/geometry.h"
#include "engine/import.h"
#include "engine/lowrank.h"
#include "engine/sketch.h"
#include "engine/transform.h"
#include "engine_fixture.h"

#define CONFIG "{\"peft_type\":\"DIFFERENCE\",\"base_model_name_or_path\":\"m\"}"

typedef struct Entry
{
	const char *name;
	PaDtype		dtype;
	uint64_t	n;
	double		x[3];
} Entry;

static PaValue *
make(PaEnv *env, size_t n, const Entry *entries)
{
	BuildFile	file;

	build_begin(&file, NULL);
	for (size_t i = 0; i < n; i++)
		build_tensor(&file, entries[i].name, entries[i].dtype, 1, &entries[i].n, entries[i].x);
	return fixture_import(env, &file, CONFIG);
}

#define MAKE(...) make(env, sizeof((Entry[]) {__VA_ARGS__}) / sizeof(Entry), (Entry[]) {__VA_ARGS__})

static PaValue *
delta_sum(PaEnv *env, uint32_t n, PaValue *const *leaves, const double *w)
{
	PaTerm		terms[4];
	PaBuf		buf;
	int64_t		same_as;

	for (uint32_t i = 0; i < n; i++)
		terms[i] = (PaTerm) {i, 0, w[i]};
	if (!CHECK_OK(pa_evaluate_terms(env, PA_SPACE_DELTA, n, leaves, n, terms, 0, &buf, &same_as), env))
		return NULL;
	return same_as >= 0 ? leaves[same_as] : fixture_open(env, &buf);
}

UNIT_TEST(sums)
{
	PaValue    *v[2] = {
		MAKE({"h.weight", PA_F32, 2, {1, -2}}, {"h.bias", PA_F32, 1, {4}}),
		MAKE({"h.weight", PA_F16, 2, {8, 0.5}}, {"norm.weight", PA_BF16, 1, {3}}),
	};
	PaValue    *sum;

	/* a tensor that a leaf lacks counts as 0; weights need no sum */
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {3, -0.5}, &sum), env);
	CHECK(HOLDS(sum, "h.weight", -1, -6.25) && HOLDS(sum, "h.bias", 12) && HOLDS(sum, "norm.weight", -1.5));
	CHECK(pa_value_adapter(sum)->kind == PA_KIND_DIFFERENCE && pa_value_adapter(sum)->n_modules == 2);
	CHECK(pa_value_adapter(sum)->tensors[2].dtype == PA_BF16 &&
		  pa_value_adapter(sum)->tensors[1].dtype == PA_F32);
	CHECK(strstr(fixture_document(env, sum, PA_DOCUMENT_CONFIG), "\"DIFFERENCE\"") != NULL);
	/* delta space is the same */
	CHECK(fixture_same_digest(sum, delta_sum(env, 2, v, (double[]) {3, -0.5})));
	/* a leaf whose weights cancel is gone, whatever the sum of their sizes */
	CHECK_OK(fixture_evaluate(env, 2, v, 3, (PaTerm[]) {{0, 1, 1}, {1, 2, 2}, {1, 2, -2}}, &sum), env);
	CHECK(sum == v[0]);
	CHECK_OK(fixture_evaluate(env, 1, v, 2, (PaTerm[]) {{0, 2, 2}, {0, 1, -1}}, &sum), env);
	CHECK(sum == v[0]);
	/* the neutral value */
	CHECK_OK(fixture_evaluate(env, 1, v, 2, (PaTerm[]) {{0, 1, 1}, {0, 1, -1}}, &sum), env);
	CHECK(HOLDS(sum, "h.weight", 0, 0) && HOLDS(sum, "h.bias", 0));
	CHECK(fixture_same_digest(sum, delta_sum(env, 1, v, (double[]) {0})));
	/* -0 stays -0 */
	v[0] = MAKE({"w", PA_F32, 1, {0.0}});
	CHECK_OK(fixture_sum(env, 1, v, (double[]) {-1}, &sum), env);
	CHECK(HOLDS(sum, "w", -0.0));
}

UNIT_TEST(scales)
{
	PaValue    *v = MAKE({"h.weight", PA_F32, 2, {1, -2}});
	PaBuf		buf;

	CHECK_OK(pa_transform_scale(env, v, -1.5, 0, &buf), env);
	CHECK(HOLDS(fixture_open(env, &buf), "h.weight", -1.5, 3));
	CHECK_OK(pa_transform_scale(env, v, 0, 0, &buf), env);
	CHECK(HOLDS(fixture_open(env, &buf), "h.weight", 0, 0));
	v = MAKE({"h.weight", PA_F16, 1, {60000}});
	CHECK_STATUS(pa_transform_scale(env, v, 2, 0, &buf), PA_ERR_RANGE, env);
}

UNIT_TEST(refusals)
{
	BuildFile	file;
	PaValue    *v[2] = {MAKE({"h.weight", PA_F32, 2, {1, -2}}), MAKE({"h.weight", PA_F32, 1, {1}})};
	PaValue    *sum;
	PaDeltaSum	deltas = {1, v, (double[]) {1}};
	PaModuleSpectrum *spectra;
	uint32_t	n;
	PaDelta		delta;

	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {1, 1}, &sum), PA_ERR_MISMATCH, env);
	build_begin(&file, NULL);
	build_tensor(&file, L_OF("h"), PA_F32, 2, (uint64_t[]) {1, 1}, (double[]) {1});
	v[1] = fixture_import(
		env, &file, "{\"peft_type\":\"IA3\",\"base_model_name_or_path\":\"m\",\"feedforward_modules\":[]}");
	CHECK_STATUS(fixture_sum(env, 2, v, (double[]) {1, 1}, &sum), PA_ERR_MISMATCH, env);
	CHECK_STATUS(pa_delta_measure(env, v[0], "h", NULL, &delta), PA_ERR_UNSUPPORTED, env);
	CHECK_STATUS(pa_lowrank_spectrum(env, &deltas, &n, &spectra), PA_ERR_UNSUPPORTED, env);
	v[0] = MAKE({"h.weight", PA_F32, 2, {1, INFINITY}});
	CHECK_STATUS(fixture_sum(env, 1, v, (double[]) {2}, &sum), PA_ERR_RANGE, env);
}

/* A key that begins like a prefix keeps its beginning; other prefixes are left out of a composed name. */
UNIT_TEST(prefixes)
{
	PaValue    *v[1] = {
		MAKE({"base_model.model.base_model.x", PA_F32, 1, {1}}, {"base_model.y", PA_F32, 1, {2}})};
	PaValue    *sum;

	CHECK_OK(fixture_sum(env, 1, v, (double[]) {2}, &sum), env);
	CHECK(HOLDS(sum, "base_model.model.base_model.x", 2) && HOLDS(sum, "y", 4));
}

/* Norms and inner products of (3, 4, 12) and (1, 0, 0). */
UNIT_TEST(geometry)
{
	PaValue    *v[2] = {
		MAKE({"h.bias", PA_F32, 1, {3}}, {"h.weight", PA_F32, 1, {4}}, {"norm.weight", PA_BF16, 1, {12}}),
		MAKE({"h.bias", PA_F64, 1, {1}}),
	};
	PaDeltaSum	d = {1, &v[0], (double[]) {1}};
	PaDeltaSum	e = {1, &v[1], (double[]) {-2}};
	PaModuleGeometry total;
	PaModuleGeometry *modules;
	uint32_t	n;

	CHECK_OK(pa_geometry_measure(env, &d, &e, &total, &n, &modules), env);
	CHECK(total.norm_d == 13 && total.norm_e == 2 && total.inner == -6 &&
		  total.distance == sqrt(169 + 12 + 4));
	CHECK(n == 2 && strcmp(modules[0].path, "h") == 0 && modules[0].norm_d == 5 && modules[1].norm_d == 12);
}

/* Each entry goes with a drawn sign to a drawn bin, by its tensor's key. */
UNIT_TEST(sketches)
{
	PaValue    *v[1] = {MAKE({"h.bias", PA_F32, 2, {3, -1}}, {"h.weight", PA_F32, 3, {4, 5, 0.5}})};
	const double x[2][3] = {{3, -1, 0}, {4, 5, 0.5}};
	const char *const keys[2] = {"h.bias", "h.weight"};
	PaDeltaSum	sum = {1, v, (double[]) {-0.5}};
	double		wanted[4] = {0};
	float	   *got;

	for (int t = 0; t < 2; t++)
	{
		uint64_t	key;

		CHECK_OK(pa_draw_key(env, "sketch", 9, keys[t], "difference", NULL, 0, &key), env);
		for (uint64_t i = 0; i < 3; i++)
		{
			uint64_t	bits = pa_draw_bits(key, i);

			wanted[pa_draw_below(bits, 4)] += pa_draw_sign(bits) * (-0.5 * x[t][i]);
		}
	}
	if (!CHECK_OK(pa_sketch_of_sum(env, &sum, 4, 9, &got), env))
		return;
	for (int i = 0; i < 4; i++)
		CHECK(got[i] == (float) wanted[i]);
}

/* ---- two files ---- */

static PaStatus
subtract(PaEnv *env, BuildFile *tuned, BuildFile *base, const char *config, PaValue **value)
{
	size_t		n[2];
	uint8_t    *p = build_finish(tuned, &n[0]);
	uint8_t    *q = build_finish(base, &n[1]);
	PaBuf		buf;
	PaStatus	status;

	*value = NULL;
	status = pa_difference_of_files(env, pa_text(p, n[0]), pa_text(q, n[1]), pa_text_of(config), NULL, 0,
									&buf);
	free(p);
	free(q);
	if (status == PA_OK)
		*value = fixture_open(env, &buf);
	return status;
}

#define N (2 * PA_BLOCK_ELEMENTS + 5)

/* More than two blocks, base of a wider type, positions left out; and the value is that of its own file. */
UNIT_TEST(files)
{
	static double x[2][N];
	const uint64_t n = N;
	uint64_t	seed = unit_seed();
	BuildFile	file[2];
	PaValue    *value;
	PaBuf		exported;
	PaBuf		again;
	uint64_t	got_n;
	double	   *got;

	for (int f = 0; f < 2; f++)
	{
		for (int i = 0; i < N; i++)
			x[f][i] = pa_f16_to_f32(pa_f64_to_f16(build_uniform(&seed)));
		build_begin(&file[f], NULL);
		build_tensor(&file[f], "h.weight", f == 0 ? PA_BF16 : PA_F32, 1, &n, x[f]);
		build_tensor(&file[f], "a.bias", PA_F16, 1, &n, x[f]);
		build_bytes(&file[f], "positions", "I64", 4, 32, 1);
	}
	if (!CHECK_OK(subtract(env, &file[0], &file[1], CONFIG, &value), env))
		return;
	CHECK(pa_value_adapter(value)->n_tensors == 2 && pa_value_adapter(value)->tensors[1].dtype == PA_BF16);
	got = fixture_tensor(env, value, "a.bias", &got_n);
	CHECK(got != NULL && got_n == N);
	for (int i = 0; got != NULL && i < N; i++)
		if (got[i] != (double) pa_f16_to_f32(pa_f64_to_f16(x[0][i] - x[1][i])))
		{
			CHECK(!"element of a difference differs");
			break;
		}
	CHECK_OK(pa_export_value(env, value, PA_EXPORT_FILE, 0, &exported), env);
	CHECK_OK(pa_import_file(env, pa_text(exported.data, exported.length), pa_text_of(CONFIG), false, 0,
							&again),
			 env);
	pa_buf_release(&exported);
	CHECK(memcmp(pa_value_header(fixture_open(env, &again))->envelope_digest,
				 pa_value_header(value)->envelope_digest, PA_SHA256_LENGTH) == 0);
}

/* One change to a pair of files that fit. */
typedef struct Pair
{
	const char *tuned;
	uint64_t	n;
	double		x;
	PaDtype		dtype;
	const char *other_type;
	int			fill;
	const char *config;
	PaStatus	status;
	const char *says;
} Pair;

UNIT_TEST(pairs)
{
	static const Pair pairs[] = {
		{"h.weight", 2, 1, PA_F32, "I32", 1, CONFIG, PA_OK, NULL},
		{"h.weights", 2, 1, PA_F32, "I32", 1, CONFIG, PA_ERR_MISMATCH, "h.weight\" is in the base"},
		{"a.weight", 2, 1, PA_F32, "I32", 1, CONFIG, PA_ERR_MISMATCH, "a.weight\" is in the tuned"},
		{"h.weight", 1, 1, PA_F32, "I32", 1, CONFIG, PA_ERR_MISMATCH, "h.weight"},
		{"h.weight", 2, INFINITY, PA_F32, "I32", 1, CONFIG, PA_ERR_RANGE, "h.weight"},
		{"h.weight", 2, 65504, PA_F16, "I32", 1, CONFIG, PA_ERR_RANGE, "h.weight"},
		{"h.weight", 2, 1, PA_F32, "I32", 2, CONFIG, PA_ERR_UNSUPPORTED, "positions"},
		{"h.weight", 2, 1, PA_F32, "U32", 1, CONFIG, PA_ERR_UNSUPPORTED, "positions"},
		{"h.weight", 2, 1, PA_F32, "F32", 0, CONFIG, PA_ERR_UNSUPPORTED, "positions"},
		{"h.weight", 2, 1, PA_F32, "I32", 1, "{\"peft_type\":\"IA3\"}", PA_ERR_CONFIG, "DIFFERENCE"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
	{
		const Pair *pair = &pairs[i];
		BuildFile	file[2];
		PaValue    *value;

		build_begin(&file[0], NULL);
		build_tensor(&file[0], pair->tuned, pair->dtype, 1, &pair->n, (double[]) {pair->x, 0});
		build_bytes(&file[0], "positions", pair->other_type, 2, 8, pair->fill);
		build_begin(&file[1], NULL);
		build_tensor(&file[1], "h.weight", PA_F32, 1, (uint64_t[]) {2}, (double[]) {-40000, 0.25});
		build_bytes(&file[1], "positions", "I32", 2, 8, 1);
		if (!CHECK_STATUS(subtract(env, &file[0], &file[1], pair->config, &value), pair->status, env) ||
			(pair->says != NULL && !CHECK(strstr(env->error.message, pair->says) != NULL)))
			printf("#   %d: %s\n", (int) i, env->error.message);
	}
}

UNIT_SUITE(difference, UNIT_CASE(sums), UNIT_CASE(scales), UNIT_CASE(refusals), UNIT_CASE(prefixes),
		   UNIT_CASE(geometry), UNIT_CASE(sketches), UNIT_CASE(files), UNIT_CASE(pairs));
