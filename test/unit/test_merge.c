/*
 * test_merge.c
 *	  The merge methods against numbers that can be checked by head; the
 *	  selection of the largest magnitudes against a sort.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algebra/merge.h"
#include "core/bytes.h"
#include "core/draw.h"
#include "engine/import.h"
#include "engine/merge.h"
#include "engine_fixture.h"

#define PLAIN "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":1,\"base_model_name_or_path\":\"m\"}"
#define ALPHA4 "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":4,\"base_model_name_or_path\":\"m\"}"
#define WITH_BIAS \
	"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":4,\"base_model_name_or_path\":\"m\",\"lora_bias\":true}"

/* One module "q": A (1, 4) = a, B (1, 1) = 1. */
static PaValue *
sample(PaEnv *env, const char *config, const double *a)
{
	BuildFile	file;

	build_begin(&file, NULL);
	build_tensor(&file, A_OF("q"), PA_F32, 2, (uint64_t[]) {1, 4}, a);
	build_tensor(&file, B_OF("q"), PA_F32, 2, (uint64_t[]) {1, 1}, (double[]) {1});
	if (strstr(config, "lora_bias") != NULL)
		build_tensor(&file, BIAS_OF("q"), PA_F32, 1, (uint64_t[]) {1}, (double[]) {3});
	return fixture_import(env, &file, config);
}

static PaMergeArguments
arguments(PaMergeMethod method, double density, const char *majority_sign, int64_t seed)
{
	return (PaMergeArguments) {method, density, "peft", majority_sign, seed};
}

static PaStatus
merge(PaEnv *env, uint32_t n, PaValue *const *values, const double *weights, PaMergeArguments how,
	  PaValue **out)
{
	PaBuf		buf;

	*out = NULL;
	PA_TRY(pa_merge_values(env, n, values, weights, &how, 0, &buf));
	*out = fixture_open(env, &buf);
	return *out != NULL ? PA_OK : env->error.code;
}

UNIT_TEST(test_prune)
{
	PaValue    *v[2] = {sample(env, PLAIN, (double[]) {1, -4, 2, 3}),
					 sample(env, PLAIN, (double[]) {5, 5, -5, 5})};
	PaValue    *m = NULL;

	CHECK_OK(merge(env, 2, v, (double[]) {1, 4}, arguments(PA_MERGE_MAGNITUDE_PRUNE, 0.5, NULL, 0), &m), env);
	/* top 2: {0, -4, 0, 3} and, of equals the first, {5, 5, 0, 0}; u = 1 and 2 */
	CHECK(HOLDS(m, A_OF("q"), 10, 6, 0, 3));
	/* floor(0.5 * 1) = 0 entries of B */
	CHECK(HOLDS(m, B_OF("q"), 0));
	CHECK_OK(merge(env, 2, v, (double[]) {1, 4}, arguments(PA_MERGE_MAGNITUDE_PRUNE, 1, NULL, 0), &m), env);
	CHECK(HOLDS(m, A_OF("q"), 11, 6, -8, 13) && HOLDS(m, B_OF("q"), 3));
	/* a negative weight has its sign on A; scalings are folded into the roots */
	v[1] = sample(env, ALPHA4, (double[]) {5, 5, -5, 5});
	CHECK_OK(merge(env, 2, v, (double[]) {1, -1}, arguments(PA_MERGE_MAGNITUDE_PRUNE, 1, NULL, 0), &m), env);
	CHECK(HOLDS(m, A_OF("q"), -9, -14, 12, -7) && HOLDS(m, B_OF("q"), 3));
	CHECK(pa_value_adapter(m)->modules[0].scaling == 1);
	/* an adapter may be there twice */
	CHECK_OK(merge(env, 2, (PaValue *[]) {v[0], v[0]}, (double[]) {4, 9},
				   arguments(PA_MERGE_MAGNITUDE_PRUNE, 1, NULL, 0), &m),
			 env);
	CHECK(HOLDS(m, A_OF("q"), 5, -20, 10, 15));
}

UNIT_TEST(test_ties)
{
	PaValue    *v[3] = {sample(env, PLAIN, (double[]) {1, -4, 2, 0}),
					 sample(env, PLAIN, (double[]) {3, 1, -2, 0}),
					 sample(env, PLAIN, (double[]) {-9, 2, 1, 0})};
	const double w[3] = {4, 4, 4};
	PaValue    *m = NULL;

	CHECK_OK(merge(env, 3, v, w, arguments(PA_MERGE_TIES, 1, "total", 0), &m), env);
	/* signs: -5, -1, 1, 0; means of the agreeing entries times 2 */
	CHECK(HOLDS(m, A_OF("q"), -18, -8, 3, 0));
	CHECK_OK(merge(env, 3, v, w, arguments(PA_MERGE_TIES, 1, "frequency", 0), &m), env);
	CHECK(HOLDS(m, A_OF("q"), 4, 3, 3, 0));
	/* a tie is plus */
	CHECK_OK(merge(env, 2, &v[0], w, arguments(PA_MERGE_TIES, 1, "frequency", 0), &m), env);
	CHECK(HOLDS(m, A_OF("q"), 4, 2, 4, 0));
	/* top 2: {0, -4, 2, 0}, {3, 0, -2, 0}, {-9, 2, 0, 0} */
	CHECK_OK(merge(env, 3, v, w, arguments(PA_MERGE_TIES, 0.5, "total", 0), &m), env);
	CHECK(HOLDS(m, A_OF("q"), -18, -8, 4, 0));
}

/* The draws of a module's own stream, and nothing else. */
UNIT_TEST(test_dare)
{
	const double a[4] = {1, -4, 2, 3};
	PaValue    *v[2] = {sample(env, WITH_BIAS, a), sample(env, WITH_BIAS, (double[]) {8, 8, 8, 8})};
	const char *const names[3] = {A_OF("q"), B_OF("q"), BIAS_OF("q")};
	uint8_t		hashes[3][PA_SHA256_LENGTH];
	uint64_t	key;
	double		wanted[4];
	PaValue    *m = NULL;
	PaValue    *other = NULL;

	for (int i = 0; i < 3; i++)
		memcpy(hashes[i], fixture_sha256(v[0], names[i]), PA_SHA256_LENGTH);
	CHECK_OK(pa_draw_key(env, "dare", 7, "q", "factor_a", hashes[0], 3, &key), env);
	for (uint64_t i = 0; i < 4; i++)
		wanted[i] = pa_draw_uniform(key, i) < 0.5 ? 2 * (a[i] / 0.5) : 0;
	CHECK_OK(merge(env, 1, v, (double[]) {1}, arguments(PA_MERGE_DARE_LINEAR, 0.5, NULL, 7), &m), env);
	CHECK(fixture_holds(env, m, A_OF("q"), 4, wanted));
	CHECK_OK(merge(env, 1, v, (double[]) {1}, arguments(PA_MERGE_DARE_TIES, 0.5, "total", 7), &m), env);
	CHECK(fixture_holds(env, m, A_OF("q"), 4, wanted));
	CHECK_OK(merge(env, 1, v, (double[]) {1}, arguments(PA_MERGE_DARE_LINEAR, 1, NULL, 7), &m), env);
	CHECK(HOLDS(m, A_OF("q"), 2, -8, 4, 6) && HOLDS(m, BIAS_OF("q"), 12));
	/* the order of the arguments does not matter */
	CHECK_OK(merge(env, 2, v, (double[]) {1, 2}, arguments(PA_MERGE_DARE_TIES, 0.5, "total", 7), &m), env);
	CHECK_OK(merge(env, 2, (PaValue *[]) {v[1], v[0]}, (double[]) {2, 1},
				   arguments(PA_MERGE_DARE_TIES, 0.5, "total", 7), &other),
			 env);
	CHECK(memcmp(pa_value_header(m)->envelope_digest, pa_value_header(other)->envelope_digest,
				 PA_SHA256_LENGTH) == 0);
	CHECK(strstr(fixture_document(env, m, PA_DOCUMENT_RECIPE), "\"dare_ties\"") != NULL);
}

UNIT_TEST(test_refusals)
{
	PaValue    *v[2] = {sample(env, PLAIN, (double[]) {1, -4, 2, 3}),
					 sample(env, PLAIN, (double[]) {1, NAN, 1, 1})};
	const double w[2] = {1, 1};
	PaMergeArguments how = arguments(PA_MERGE_TIES, 0.5, "total", 0);
	BuildFile	file;
	PaValue    *m = NULL;

	CHECK_STATUS(merge(env, 2, v, w, how, &m), PA_ERR_RANGE, env);
	CHECK(strstr(env->error.message, A_OF("q")) != NULL);
	CHECK_STATUS(merge(env, 1, v, (double[]) {INFINITY}, how, &m), PA_ERR_RANGE, env);
	CHECK_STATUS(merge(env, 0, v, w, how, &m), PA_ERR_CONFIG, env);
	CHECK_STATUS(merge(env, 1, v, w, arguments(PA_MERGE_TIES, 0, "total", 0), &m), PA_ERR_CONFIG, env);
	CHECK_STATUS(merge(env, 1, v, w, arguments(PA_MERGE_TIES, NAN, "total", 0), &m), PA_ERR_CONFIG, env);
	CHECK_STATUS(merge(env, 1, v, w, arguments(PA_MERGE_TIES, 1.5, "total", 0), &m), PA_ERR_CONFIG, env);
	CHECK_STATUS(merge(env, 1, v, w, arguments(PA_MERGE_TIES, 1, "both", 0), &m), PA_ERR_CONFIG, env);
	how.flavour = "mergekit";
	CHECK_STATUS(merge(env, 1, v, w, how, &m), PA_ERR_CONFIG, env);
	how.flavour = "peft";
	build_begin(&file, NULL);
	build_tensor(&file, L_OF("q"), PA_F32, 2, (uint64_t[]) {2, 1}, (double[]) {1, 2});
	v[1] = fixture_import(env, &file, "{\"peft_type\":\"IA3\",\"feedforward_modules\":[]}");
	CHECK_STATUS(merge(env, 1, &v[1], w, how, &m), PA_ERR_UNSUPPORTED, env);
	build_begin(&file, NULL);
	build_tensor(&file, A_OF("q"), PA_F32, 2, (uint64_t[]) {1, 1}, (double[]) {1});
	build_tensor(&file, B_OF("q"), PA_F32, 2, (uint64_t[]) {1, 1}, (double[]) {1});
	build_tensor(&file, "base_model.model.head.weight", PA_F32, 1, (uint64_t[]) {1}, (double[]) {1});
	v[0] = fixture_import(env, &file, PLAIN);
	CHECK_OK(merge(env, 1, v, w, how, &m), env);
	CHECK(HOLDS(m, "base_model.model.head.weight", 1));
	build_begin(&file, NULL);
	build_tensor(&file, A_OF("q"), PA_F32, 2, (uint64_t[]) {1, 1}, (double[]) {1});
	build_tensor(&file, B_OF("q"), PA_F32, 2, (uint64_t[]) {1, 1}, (double[]) {1});
	build_tensor(&file, "base_model.model.head.weight", PA_F32, 1, (uint64_t[]) {1}, (double[]) {2});
	v[1] = fixture_import(env, &file, PLAIN);
	CHECK_STATUS(merge(env, 2, v, (double[]) {0.5, 0.5}, how, &m), PA_ERR_MISMATCH, env);
	CHECK(strstr(env->error.hint, "adapter_drop_dense(a, 'head.weight')") != NULL);
}

/* A source of one tensor in memory. */
static PaSource *
tensor_source(PaEnv *env, PaDtype dtype, uint64_t n, const uint8_t *data)
{
	PaAdapter  *adapter;
	PaTensor   *tensor;
	const uint8_t **all;
	PaSource   *source;

	if (PA_NEW(env, &adapter) != PA_OK || PA_NEW(env, &tensor) != PA_OK || PA_NEW(env, &all) != PA_OK)
		return NULL;
	tensor->name = tensor->key = "x";
	tensor->dtype = dtype;
	tensor->ndim = 1;
	tensor->shape[0] = tensor->elements = n;
	tensor->bytes = n * (uint64_t) pa_dtype_plane_width(dtype);
	adapter->tensors = tensor;
	adapter->n_tensors = 1;
	all[0] = data;
	return pa_source_from_memory(env, adapter, all, &source) == PA_OK ? source : NULL;
}

typedef struct Entry
{
	uint64_t	magnitude;
	uint64_t	index;
} Entry;

static int
compare_entries(const void *a, const void *b)
{
	const Entry *x = a;
	const Entry *y = b;

	if (x->magnitude != y->magnitude)
		return x->magnitude > y->magnitude ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* n random finite entries, `few` different magnitudes or (0) as many as there are. */
static Entry *
random_entries(PaEnv *env, int width, uint64_t n, uint64_t few, uint8_t *data, uint64_t *seed)
{
	Entry	   *entries;

	if (PA_NEW_ARRAY(env, n, &entries) != PA_OK)
		return NULL;
	for (uint64_t i = 0; i < n; i++)
	{
		uint64_t	bits = build_bits(seed);
		uint64_t	drawn = few > 0 ? bits % few * UINT64_C(0x0123456789ABCDEF) : bits;
		uint8_t		raw[8];

		/* the highest exponent bit is off: finite */
		pa_store_u64(raw, drawn);
		raw[width - 1] &= 0x3F;
		memset(raw + width, 0, (size_t) (8 - width));
		entries[i] = (Entry) {pa_load_u64(raw), i};
		if (bits >> 63)
			raw[width - 1] |= 0x80;
		memcpy(data + i * (uint64_t) width, raw, (size_t) width);
	}
	qsort(entries, n, sizeof(Entry), compare_entries);
	return entries;
}

static void
check_top(PaEnv *env, PaDtype dtype, uint64_t n, uint64_t few, uint64_t k, uint64_t *seed)
{
	int			width = pa_dtype_plane_width(dtype);
	uint8_t    *data = malloc(n * (uint64_t) width + 1);
	double	   *kept = calloc(n + 1, sizeof(double));
	Entry	   *entries = random_entries(env, width, n, few, data, seed);
	PaSource   *source = tensor_source(env, dtype, n, data);
	PaTopWork	work = {malloc(PA_BLOCK_ELEMENTS * sizeof(double)), malloc(PA_TOP_BINS * sizeof(uint64_t))};
	PaTop		top;
	uint64_t	wrong = 0;

	CHECK(entries != NULL && source != NULL);
	CHECK_OK(pa_top_select(env, source, 0, NULL, k, &work, &top), env);
	for (uint64_t i = 0; i < n; i++)
		kept[i] = 1;
	for (uint64_t i = 0; i < n; i += PA_BLOCK_ELEMENTS)
		pa_top_apply(&top, data + i * (uint64_t) width, dtype, i,
					 n - i < PA_BLOCK_ELEMENTS ? n - i : PA_BLOCK_ELEMENTS, kept + i);
	for (uint64_t i = 0; i < n; i++)
		wrong += (kept[entries[i].index] != 0) != (i < k);
	if (!CHECK(wrong == 0))
		fprintf(stderr, "%s, %d entries, %d kept: %d wrong\n", pa_dtype_name(dtype), (int) n, (int) k,
				(int) wrong);
	pa_free(env, entries);
	free(data);
	free(kept);
	free(work.raw);
	free(work.bins);
}

UNIT_TEST(test_top)
{
	static const PaDtype dtypes[] = {PA_F64, PA_F32, PA_F16, PA_BF16};
	uint64_t	seed = unit_seed();

	for (size_t d = 0; d < 4; d++)
	{
		for (int i = 0; i < 60; i++)
		{
			uint64_t	n = build_bits(&seed) % 40 + 1;

			check_top(env, dtypes[d], n, build_bits(&seed) % 4, build_bits(&seed) % (n + 1), &seed);
		}
		check_top(env, dtypes[d], 3 * PA_BLOCK_ELEMENTS + 17, 0, 40000, &seed);
		check_top(env, dtypes[d], 3 * PA_BLOCK_ELEMENTS + 17, 2, 70000, &seed);
		check_top(env, dtypes[d], 3 * PA_BLOCK_ELEMENTS + 17, 1, 3 * PA_BLOCK_ELEMENTS + 16, &seed);
	}
}

/* Two values as bytes, so that an action can open them in its own PaEnv. */
typedef struct Stored
{
	PaBuf		buf[2];
} Stored;

static PaStatus
merge_stored(PaEnv *env, void *arg)
{
	Stored	   *stored = arg;
	PaMemoryBytes bytes[2];
	PaValue    *values[2];
	PaMergeArguments how = arguments(PA_MERGE_TIES, 0.3, "total", 0);
	PaBuf		out;

	for (int i = 0; i < 2; i++)
	{
		pa_bytes_from_memory(&bytes[i], stored->buf[i].data, stored->buf[i].length);
		PA_TRY(pa_value_open(env, &bytes[i].base, &values[i]));
	}
	PA_TRY(pa_merge_values(env, 2, values, (double[]) {1, 2}, &how, 0, &out));
	pa_buf_release(&out);
	return PA_OK;
}

UNIT_TEST(test_faults)
{
	Stored		stored;
	uint64_t	seed = unit_seed();

	for (int i = 0; i < 2; i++)
	{
		BuildFile	file;
		size_t		length;
		uint8_t    *bytes;

		build_begin(&file, NULL);
		build_lora(&file, "q", PA_F32, 1, 5, 4, &seed);
		bytes = build_finish(&file, &length);
		CHECK_OK(pa_import_file(env, pa_text(bytes, length), pa_text_of(PLAIN), false, 0, &stored.buf[i]),
				 env);
		free(bytes);
	}
	unit_fail_every_allocation(merge_stored, &stored);
	unit_cancel_everywhere(merge_stored, &stored);
	pa_buf_release(&stored.buf[0]);
	pa_buf_release(&stored.buf[1]);
}

UNIT_SUITE(merge, UNIT_CASE(test_prune), UNIT_CASE(test_ties), UNIT_CASE(test_dare), UNIT_CASE(test_refusals),
		   UNIT_CASE(test_top), UNIT_CASE(test_faults));
