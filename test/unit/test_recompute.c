/*
 * test_recompute.c
 *	  Recipes evaluated again: every operation gives the bytes that it gave
 *	  before; leaving out; claims that lead nowhere; walks.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recipe/recipe_walk.h"
#include "blas_test.h"
#include "build_file.h"
#include "engine/evaluate.h"
#include "engine/import.h"
#include "engine/lowrank.h"
#include "engine/split.h"
#include "engine/transform.h"
#include "engine/union.h"
#include "engine/merge.h"
#include "engine/recompute.h"
#include "recipe_fixture.h"

#define CONFIG "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3,\"base_model_name_or_path\":\"m\"}"
#define MAX_GIVEN 8

/* A stored value, opened. */
typedef struct Stored
{
	PaBuf		buf;
	PaMemoryBytes bytes;
	PaValue    *value;
} Stored;

static void
release_stored(void *arg)
{
	pa_buf_release(&((Stored *) arg)->buf);
}

static Stored *
store(PaEnv *env, PaStatus status, PaBuf *buf)
{
	Stored	   *stored;

	if (!CHECK_OK(status, env) || PA_NEW(env, &stored) != PA_OK)
		abort();
	stored->buf = *buf;
	pa_bytes_from_memory(&stored->bytes, stored->buf.data, stored->buf.length);
	if (pa_defer(env, release_stored, stored) != PA_OK ||
		pa_value_open(env, &stored->bytes.base, &stored->value) != PA_OK)
		abort();
	return stored;
}

static Stored *
leaf(PaEnv *env, uint64_t seed)
{
	BuildFile	file;
	size_t		length;
	uint8_t    *bytes;
	PaBuf		buf;
	PaStatus	status;

	build_begin(&file, NULL);
	build_lora(&file, "b.k", PA_F32, 2, 3, 4, &seed);
	build_lora(&file, "a.q", PA_F32, 2, 5, 2, &seed);
	bytes = build_finish(&file, &length);
	status = pa_import_file(env, pa_text(bytes, length), pa_text_of(CONFIG), false, 0, &buf);
	free(bytes);
	return store(env, status, &buf);
}

static Stored *
sum(PaEnv *env, PaSpace space, Stored *a, double v, Stored *b, double w)
{
	PaValue    *values[2] = {a->value, b->value};
	double		u = space == PA_SPACE_DELTA ? 0 : 1;
	PaTerm		terms[2] = {{0, u * v, v}, {1, u * w, w}};
	PaBuf		buf;
	int64_t		same_as;

	return store(env, pa_evaluate_terms(env, space, 2, values, 2, terms, 0, &buf, &same_as), &buf);
}

static Stored *
scale(PaEnv *env, Stored *a, double s)
{
	PaBuf		buf;

	return store(env, pa_transform_scale(env, a->value, s, 0, &buf), &buf);
}

static PaText
recipe_of(PaEnv *env, const Stored *made)
{
	PaText		recipe;

	if (!CHECK_OK(pa_value_document(env, made->value, PA_DOCUMENT_RECIPE, &recipe), env))
		abort();
	return recipe;
}

/* The arguments of a recomputation: the given values end with NULL. */
static PaRecompute
task_of(PaText recipe, PaBytes **known, Stored *const *given)
{
	PaRecompute task = {.recipe = recipe, .known = known};

	for (; *given != NULL; given++)
		known[task.n_known++] = &(*given)->bytes.base;
	return task;
}

static PaStatus
recompute(PaEnv *env, const Stored *made, Stored *const *given, const Stored *without, bool renormalize,
		  PaBuf *out)
{
	PaBytes    *known[MAX_GIVEN];
	PaRecompute task = task_of(recipe_of(env, made), known, given);

	if (without != NULL)
		task.without = pa_value_header(without->value)->digest;
	task.renormalize = renormalize;
	return pa_recompute_recipe(env, &task, 0, out);
}

/* The result is this value, to the last byte of its stored form. */
static bool
is_value(PaEnv *env, PaStatus status, PaBuf *out, const Stored *wanted)
{
	bool		same;

	if (!CHECK_OK(status, env))
		return false;
	same = out->length == wanted->buf.length && memcmp(out->data, wanted->buf.data, out->length) == 0;
	pa_buf_release(out);
	return same;
}

static bool
same_again(PaEnv *env, const Stored *made, Stored *const *given)
{
	PaBuf		out;
	PaStatus	status = recompute(env, made, given, NULL, false, &out);

	return is_value(env, status, &out, made);
}

static PaStatus
refused(PaEnv *env, const Stored *made, Stored *const *given, const Stored *without, bool renormalize)
{
	PaBuf		out;
	PaStatus	status = recompute(env, made, given, without, renormalize, &out);

	if (status == PA_OK)
		pa_buf_release(&out);
	return status;
}

UNIT_TEST(operations)
{
	Stored	   *a = leaf(env, 1);
	Stored	   *b = leaf(env, 2);
	Stored	   *given[] = {b, a, NULL};
	PaSplit    *split;
	uint32_t	n;
	PaBuf		buf;
	Stored	   *part[2];

	CHECK(same_again(env, sum(env, PA_SPACE_PARAMETER, a, 0.3, b, -0.7), given));
	CHECK(same_again(env, sum(env, PA_SPACE_DELTA, a, 0.3, b, -0.7), given));
	CHECK(same_again(env, scale(env, a, -0.1), given));
	CHECK(same_again(env, store(env, pa_transform_cast(env, a->value, "BF16", 0, &buf), &buf), given));
	CHECK(same_again(env, store(env, pa_transform_select(env, a->value, "a\\..*", true, 0, &buf), &buf),
					 given));
	CHECK(same_again(env, store(env, pa_transform_set_base_model(env, a->value, NULL, "r", 0, &buf), &buf),
					 given));
	CHECK(pa_split_value(env, a->value, 60, &split, &n) == PA_OK && n == 2);
	for (uint32_t k = 0; k < 2; k++)
	{
		part[k] = store(env, pa_split_part(env, split, k, 0, &buf), &buf);
		CHECK(same_again(env, part[k], given));
	}
	CHECK(same_again(
		env,
		store(env, pa_union_values(env, 2, (PaValue *[]) {part[0]->value, part[1]->value}, 0, &buf), &buf),
		given));
}

UNIT_TEST(merges)
{
	Stored	   *a = leaf(env, 1);
	Stored	   *b = leaf(env, 2);
	Stored	   *given[] = {a, b, NULL};
	PaValue    *values[3] = {b->value, a->value, b->value};
	double		weights[3] = {0.5, 1, 0.25};
	PaBuf		buf;

	for (int method = PA_MERGE_MAGNITUDE_PRUNE; method <= PA_MERGE_DARE_TIES; method++)
	{
		PaMergeArguments arguments = {(PaMergeMethod) method, 0.6, "peft", "frequency", -7};
		Stored	   *merged = store(env, pa_merge_values(env, 3, values, weights, &arguments, 0, &buf), &buf);
		PaBuf		out;
		PaStatus	status;

		CHECK(same_again(env, merged, given));
		/* Without b the weight of a is multiplied by 1.75. */
		status = recompute(env, merged, given, b, true, &out);
		CHECK(is_value(env, status, &out,
					   store(env, pa_merge_values(env, 1, &a->value, (double[]) {1.75}, &arguments, 0, &buf),
							 &buf)));
	}
}

/* A truncation is the library's: the same here, and not compared with its name where it is a node. */
BLAS_TEST(truncation)
{
	Stored	   *a = leaf(env, 1);
	Stored	   *b = leaf(env, 2);
	Stored	   *given[] = {a, b, NULL};
	PaDeltaSum	both = {2, (PaValue *[]) {a->value, b->value}, (double[]) {0.5, -1}};
	PaDeltaSum	one = {1, &a->value, (double[]) {-0.5}};
	PaKeep		keep;
	Stored	   *made;
	Stored	   *other;
	PaBuf		buf;
	PaBuf		out;
	PaStatus	status;

	CHECK_OK(pa_lowrank_keep_rank(env, 1, &keep), env);
	made = store(env, pa_lowrank_truncate(env, &both, keep, 0, &buf), &buf);
	CHECK(same_again(env, made, given));
	status = recompute(env, made, given, b, true, &out);
	CHECK(is_value(env, status, &out, store(env, pa_lowrank_truncate(env, &one, keep, 0, &buf), &buf)));
	other = scale(env, made, 2);
	CHECK(same_again(env, other, given));
	CHECK_OK(pa_lowrank_keep_energy(env, 0.75, &keep), env);
	CHECK(same_again(env, store(env, pa_lowrank_truncate(env, &both, keep, 0, &buf), &buf), given));
}

/* Nodes that are used often, given in part, and of one digest but another envelope. */
UNIT_TEST(graphs)
{
	Stored	   *a = leaf(env, 1);
	Stored	   *b = leaf(env, 2);
	Stored	   *ab = sum(env, PA_SPACE_PARAMETER, a, 0.5, b, 0.5);
	Stored	   *twice = scale(env, ab, 2);
	Stored	   *both = sum(env, PA_SPACE_PARAMETER, ab, 1, twice, 3);
	Stored	   *all = sum(env, PA_SPACE_DELTA, both, 1, ab, -1);
	Stored	   *other;
	Stored	   *first;
	PaBuf		buf;

	CHECK(same_again(env, all, (Stored *[]) {a, b, NULL}));
	CHECK(same_again(env, all, (Stored *[]) {a, ab, b, NULL}));
	CHECK(same_again(env, all, (Stored *[]) {twice, ab, NULL}));
	CHECK(same_again(env, all, (Stored *[]) {ab, both, NULL}));
	CHECK_STATUS(refused(env, all, (Stored *[]) {twice, a, NULL}, NULL, false), PA_ERR_NOT_FOUND, env);
	CHECK_STATUS(refused(env, a, (Stored *[]) {a, NULL}, NULL, false), PA_ERR_NOT_FOUND, env);
	/* A cast that changes nothing: the digest of a, another recipe.  The smaller envelope digest counts. */
	other = store(env, pa_transform_cast(env, a->value, "F32", 0, &buf), &buf);
	first = memcmp(pa_value_header(a->value)->envelope_digest, pa_value_header(other->value)->envelope_digest,
				   PA_SHA256_LENGTH) < 0
		? a
		: other;
	twice = scale(env, first, 2);
	CHECK(same_again(env, twice, (Stored *[]) {other, a, NULL}));
	CHECK(same_again(env, twice, (Stored *[]) {a, other, NULL}));
}

UNIT_TEST(left_out)
{
	Stored	   *a = leaf(env, 1);
	Stored	   *b = leaf(env, 2);
	Stored	   *c = leaf(env, 3);
	Stored	   *given[] = {a, b, c, NULL};
	Stored	   *ab = sum(env, PA_SPACE_PARAMETER, a, 0.25, b, 0.75);
	Stored	   *abc = sum(env, PA_SPACE_DELTA, ab, 0.5, c, 2);
	Stored	   *ab2 = scale(env, ab, 2);
	Stored	   *zero = sum(env, PA_SPACE_PARAMETER, ab, 1, c, -1);
	Stored	   *gone = sum(env, PA_SPACE_PARAMETER, scale(env, sum(env, PA_SPACE_PARAMETER, a, 1, b, -1), 1), 1,
						   c, 1);
	Stored	   *x;
	PaBuf		out;
	PaBuf		buf;
	int64_t		same_as;
	PaStatus	status;

	x = store(env,
			  pa_evaluate_terms(env, PA_SPACE_PARAMETER, 1, &a->value, 1, &(PaTerm) {0, 0.25, 0.25}, 0, &buf,
								&same_as),
			  &buf);
	status = recompute(env, ab2, given, b, false, &out);
	CHECK(is_value(env, status, &out, scale(env, x, 2)));
	/* With the total kept a is itself, and then the leaf of the next sum. */
	status = recompute(env, ab, given, b, true, &out);
	CHECK(is_value(env, status, &out, a));
	status = recompute(env, ab2, given, b, true, &out);
	CHECK(is_value(env, status, &out, scale(env, a, 2)));
	status = recompute(env, abc, given, b, true, &out);
	CHECK(is_value(env, status, &out, sum(env, PA_SPACE_DELTA, a, 0.5, c, 2)));
	status = recompute(env, abc, given, ab, true, &out);
	CHECK(is_value(env, status, &out,
				   store(env,
						 pa_evaluate_terms(env, PA_SPACE_DELTA, 1, &c->value, 1, &(PaTerm) {0, 0, 2.5}, 0,
										   &buf, &same_as),
						 &buf)));
	/* Another node falls together with a leaf. */
	status = recompute(env, sum(env, PA_SPACE_PARAMETER, ab, 0.5, a, 0.5), given, b, true, &out);
	CHECK(is_value(env, status, &out, a));
	CHECK_STATUS(refused(env, ab2, given, ab, false), PA_ERR_CONFIG, env);
	CHECK_STATUS(refused(env, ab, given, c, false), PA_ERR_CONFIG, env);
	CHECK_STATUS(refused(env, abc, (Stored *[]) {ab, c, NULL}, a, false), PA_ERR_CONFIG, env);
	/* A total of 0 stays 0; weights that are left and sum to 0 cannot. */
	CHECK_OK(refused(env, zero, given, c, true), env);
	CHECK_OK(refused(env, gone, given, c, true), env);
	x = sum(env, PA_SPACE_PARAMETER, a, 1, b, -1);
	status = pa_evaluate_terms(env, PA_SPACE_PARAMETER, 3, (PaValue *[]) {a->value, b->value, c->value}, 3,
							   (PaTerm[]) {{0, 1, 1}, {1, 1, -1}, {2, 1, 1}}, 0, &buf, &same_as);
	x = store(env, status, &buf);
	CHECK_STATUS(refused(env, x, given, c, true), PA_ERR_DIVISION, env);
	status = recompute(env, x, given, c, false, &out);
	CHECK(is_value(env, status, &out,
				   store(env,
						 pa_evaluate_terms(env, PA_SPACE_PARAMETER, 2, (PaValue *[]) {a->value, b->value}, 2,
										   (PaTerm[]) {{0, 1, 1}, {1, 1, -1}}, 0, &buf, &same_as),
						 &buf)));
}

/* A node of `op` with one operand, in a recipe whose nodes are given. */
#define SCALED(of) "{\"op\":\"scale\",\"of\":\"" of "\",\"by\":\"0x1.8p+0\"}"
#define RECIPE(root, nodes) "{\"version\":1,\"root\":" root ",\"nodes\":{" nodes "}}"

static PaStatus
claim(PaEnv *env, const char *text, Stored *const *given)
{
	PaBytes    *known[MAX_GIVEN];
	PaRecompute task = task_of((PaText) {text, strlen(text)}, known, given);
	PaBuf		out;
	PaStatus	status = pa_recompute_recipe(env, &task, 0, &out);

	if (status == PA_OK)
		pa_buf_release(&out);
	return status;
}

UNIT_TEST(claims)
{
	Stored	   *a = leaf(env, 1);
	Stored	   *given[] = {a, NULL};
	char		hex[2 * PA_SHA256_LENGTH + 1];
	char		text[2048];

	pa_hex(hex, pa_value_header(a->value)->digest);
	CHECK_STATUS(claim(env, RECIPE(SCALED(AA), "\"" AA "\":" SCALED(AA)), given), PA_ERR_CONFIG, env);
	CHECK_STATUS(claim(env, RECIPE(SCALED(AA), "\"" AA "\":" SCALED(BB) ",\"" BB "\":" SCALED(AA)), given),
				 PA_ERR_CONFIG, env);
	CHECK_STATUS(claim(env, RECIPE(SCALED(AA), ""), given), PA_ERR_NOT_FOUND, env);
	CHECK_STATUS(claim(env, "[]", given), PA_ERR_JSON, env);
	/* a circle that nothing leads to is nobody's business */
	snprintf(text, sizeof(text),
			 RECIPE("{\"op\":\"cast\",\"of\":\"%s\",\"dtype\":\"F64\"}", "\"" AA "\":" SCALED(AA)), hex);
	CHECK_OK(claim(env, text, given), env);
	/* a node that is not what its name says */
	snprintf(text, sizeof(text),
			 RECIPE(SCALED(AA), "\"" AA "\":{\"op\":\"cast\",\"of\":\"%s\",\"dtype\":\"F64\"}"), hex);
	CHECK_STATUS(claim(env, text, given), PA_ERR_MISMATCH, env);
	/* ... which cannot be asked of what is not bit for bit */
	snprintf(text, sizeof(text),
			 RECIPE(SCALED(AA),
					"\"" AA "\":{\"op\":\"truncate\",\"terms\":[{\"of\":\"%s\",\"w\":\"0x1.0p+0\"}],"
					"\"rank\":1,\"energy\":null,\"numerics\":\"tolerance\",\"library\":\"another\"}"),
			 hex);
	CHECK_OK(claim(env, text, given), env);
	snprintf(text, sizeof(text),
			 RECIPE("{\"op\":\"split\",\"of\":\"%s\",\"max_bytes\":60,\"part\":9223372036854775807}", ""),
			 hex);
	CHECK_STATUS(claim(env, text, given), PA_ERR_CONFIG, env);
	snprintf(text, sizeof(text), RECIPE("{\"op\":\"split\",\"of\":\"%s\",\"max_bytes\":0,\"part\":0}", ""),
			 hex);
	CHECK_STATUS(claim(env, text, given), PA_ERR_CONFIG, env);
	snprintf(text, sizeof(text), RECIPE("{\"op\":\"union\",\"of\":[\"%s\",\"%s\"]}", ""), hex, hex);
	CHECK_STATUS(claim(env, text, given), PA_ERR_MISMATCH, env);
	snprintf(
		text, sizeof(text),
		RECIPE(
			"{\"op\":\"merge\",\"method\":\"%s\",\"flavour\":\"peft\",\"terms\":[{\"of\":\"%s\",\"w\":\"0x1.0p+0\"}],"
			"\"density\":\"0x1.0p-1\",\"majority_sign\":null,\"seed\":null}",
			""),
		"mean", hex);
	CHECK_STATUS(claim(env, text, given), PA_ERR_CONFIG, env);
	snprintf(
		text, sizeof(text),
		RECIPE(
			"{\"op\":\"merge\",\"method\":\"%s\",\"flavour\":\"peft\",\"terms\":[{\"of\":\"%s\",\"w\":\"0x1.0p+0\"}],"
			"\"density\":\"0x1.0p-1\",\"majority_sign\":null,\"seed\":null}",
			""),
		"ties", hex);
	CHECK_STATUS(claim(env, text, given), PA_ERR_CONFIG, env);
}

/* n nodes, each the next one scaled; the last has no node. */
static char *
long_chain(int n)
{
	char	   *text = malloc((size_t) n * 200 + 200);
	char	   *p = text +
		sprintf(text,
				"{\"version\":1,\"root\":{\"op\":\"scale\",\"of\":\"%064x\",\"by\":\"0x1.0p+0\"},\"nodes\":{",
				1);

	for (int k = 1; k < n; k++)
		p += sprintf(p, "%s\"%064x\":{\"op\":\"scale\",\"of\":\"%064x\",\"by\":\"0x1.0p+0\"}",
					 k > 1 ? "," : "", k, k + 1);
	sprintf(p, "}}");
	return text;
}

UNIT_TEST(depth)
{
	int			n = 5000;
	char	   *text = long_chain(n);
	uint8_t		last[PA_SHA256_LENGTH] = {0};
	PaRecompute task = {.recipe = pa_text_of(text)};
	PaRecipeKnown known = {0, NULL};
	PaRecipeGraph graph;
	PaRecipeEdge *edges;
	size_t		n_edges;
	uint32_t   *needs;
	uint32_t	n_needs;
	PaBuf		out;

	CHECK_STATUS(pa_recompute_recipe(env, &task, 0, &out), PA_ERR_NOT_FOUND, env);
	last[PA_SHA256_LENGTH - 1] = (uint8_t) n;
	last[PA_SHA256_LENGTH - 2] = (uint8_t) (n >> 8);
	task.without = last;
	CHECK_STATUS(pa_recompute_recipe(env, &task, 0, &out), PA_ERR_CONFIG, env);
	CHECK(strncmp(env->error.message, "nothing is left", 15) == 0);
	CHECK(pa_recipe_read(env, pa_text_of(text), &graph) == PA_OK && graph.n == (uint32_t) n + 1);
	CHECK_OK(pa_recipe_needs(env, &graph, &known, &needs, &n_needs), env);
	CHECK(n_needs == 1 && memcmp(graph.nodes[needs[0]].digest, last, PA_SHA256_LENGTH) == 0);
	CHECK(pa_recipe_edges(env, &graph, NULL, &known, &edges, &n_edges) == PA_OK && n_edges == (size_t) n);
	free(text);
}

/* The whole of it with every allocation failing in turn, and cancelled everywhere. */
typedef struct Task
{
	PaText		recipe;
	Stored	   *given[2];
	const uint8_t *without;
} Task;

static PaStatus
act(PaEnv *env, void *arg)
{
	const Task *self = arg;
	PaMemoryBytes bytes[2];
	PaBytes    *known[2] = {&bytes[0].base, &bytes[1].base};
	PaRecompute task = {self->recipe, 2, known, self->without, true};
	PaBuf		out;
	PaStatus	status;

	for (int i = 0; i < 2; i++)
		pa_bytes_from_memory(&bytes[i], self->given[i]->buf.data, self->given[i]->buf.length);
	status = pa_recompute_recipe(env, &task, 4, &out);
	if (status == PA_OK)
		pa_buf_release(&out);
	return status;
}

UNIT_TEST(interrupted)
{
	Stored	   *a = leaf(env, 1);
	Stored	   *b = leaf(env, 2);
	Stored	   *ab = sum(env, PA_SPACE_PARAMETER, a, 0.5, b, 0.5);
	Stored	   *all = sum(env, PA_SPACE_PARAMETER, scale(env, ab, 2), 0.5, ab, 0.5);
	Task		task = {recipe_of(env, all), {a, b}, NULL};

	unit_fail_every_allocation(act, &task);
	unit_cancel_everywhere(act, &task);
	task.without = pa_value_header(b->value)->digest;
	unit_fail_every_allocation(act, &task);
	/* the root is a given value */
	task.recipe = recipe_of(env, ab);
	unit_fail_every_allocation(act, &task);
	CHECK(all != NULL);
}

UNIT_SUITE(recompute, UNIT_CASE(operations), UNIT_CASE(merges), UNIT_CASE(truncation), UNIT_CASE(graphs),
		   UNIT_CASE(left_out), UNIT_CASE(claims), UNIT_CASE(depth), UNIT_CASE(interrupted));
