/*
 * test_engine.c
 *	  Whole values: file in and out, envelope in and out, and what happens when
 *	  memory runs out or the host wants to stop at any moment.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#define _GNU_SOURCE				/* memmem */

#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "engine_fixture.h"
#include "engine/export.h"
#include "engine/import.h"
#include "engine/json_form.h"
#include "engine/split.h"
#include "engine/transform.h"
#include "engine/union.h"

#define CONFIG "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 3, \"base_model_name_or_path\": \"m\"}\n"

#define ENVELOPE \
	"{\"peftarith.config\":\"{\\\"peft_type\\\": \\\"LORA\\\", \\\"r\\\": 2, \\\"lora_alpha\\\": 3}\"}"

typedef struct Bytes
{
	uint8_t    *p;
	size_t		n;
} Bytes;

/* Tensors neither in the order of names nor of dtypes, and metadata that is nobody's business. */
static Bytes
odd_file(uint64_t seed)
{
	BuildFile	file;
	Bytes		bytes;

	build_begin(&file, "{\"a\":\"b\",\"format\":\"pt\",\"peftarith_recipe\":\"\"}");
	build_lora(&file, "z.q", PA_BF16, 2, 70000, 3, &seed);
	build_bytes(&file, "base_model.model.extra.weight", "U8", 3, 3, 255);
	build_bytes(&file, "base_model.model.tiny.weight", "F4", 4, 2, 0x5a);
	build_lora(&file, "a.q", PA_F64, 2, 3, 4, &seed);
	bytes.p = build_finish(&file, &bytes.n);
	return bytes;
}

/* A head without elements, which was taken once; what only an envelope may have. */
static Bytes
file_with_empty_head(const char *metadata, uint64_t seed)
{
	BuildFile	file;
	Bytes		bytes;

	build_begin(&file, metadata);
	build_lora(&file, "a.q", PA_F32, 2, 3, 4, &seed);
	build_bytes(&file, "base_model.model.empty.weight", "F32", 0, 0, 0);
	bytes.p = build_finish(&file, &bytes.n);
	return bytes;
}

static PaStatus
import(PaEnv *env, const uint8_t *p, size_t n, const char *config, bool envelope, PaValue **value)
{
	PaBuf		buf;

	*value = NULL;
	PA_TRY(pa_import_file(env, pa_text(p, n), pa_text_of(config), envelope, 0, &buf));
	*value = fixture_open(env, &buf);
	return *value != NULL ? PA_OK : env->error.code;
}

static PaStatus export(PaEnv *env, PaValue *value, PaExportForm form, PaBuf *out)
{
	PA_TRY(pa_export_value(env, value, form, 0, out));
	CHECK(out->length == out->capacity);
	return PA_OK;
}

UNIT_TEST(test_file)
{
	Bytes		file = odd_file(unit_seed());
	PaValue    *a;
	PaValue    *b;
	PaBuf		out;
	PaBuf		again;

	CHECK_OK(import(env, file.p, file.n, CONFIG, false, &a), env);
	CHECK(strcmp(fixture_document(env, a, PA_DOCUMENT_CONFIG), CONFIG) == 0);
	CHECK_OK(pa_value_check(env, a), env);
	CHECK_OK(export(env, a, PA_EXPORT_FILE, &out), env);
	CHECK(out.length == file.n && memcmp(out.data, file.p, file.n) == 0);
	pa_buf_release(&out);
	/* the envelope gives the same value with the same story and the same file */
	CHECK_OK(export(env, a, PA_EXPORT_ENVELOPE, &out), env);
	CHECK_OK(import(env, out.data, out.length, NULL, true, &b), env);
	CHECK(memcmp(pa_value_header(a)->envelope_digest, pa_value_header(b)->envelope_digest, 32) == 0);
	CHECK_OK(export(env, b, PA_EXPORT_ENVELOPE, &again), env);
	CHECK(again.length == out.length && memcmp(again.data, out.data, out.length) == 0);
	pa_buf_release(&again);
	pa_buf_release(&out);
	CHECK_OK(export(env, b, PA_EXPORT_FILE, &out), env);
	CHECK(out.length == file.n && memcmp(out.data, file.p, file.n) == 0);
	pa_buf_release(&out);
	free(file.p);
}

UNIT_TEST(test_empty_head)
{
	Bytes		file = file_with_empty_head("{\"format\":\"pt\"}", unit_seed());
	Bytes		envelope = file_with_empty_head(ENVELOPE, unit_seed());
	PaValue    *a;
	PaBuf		out;

	CHECK_STATUS(import(env, file.p, file.n, CONFIG, false, &a), PA_ERR_FILE, env);
	CHECK_OK(import(env, envelope.p, envelope.n, NULL, true, &a), env);
	CHECK_OK(export(env, a, PA_EXPORT_ENVELOPE, &out), env);
	CHECK_OK(import(env, out.data, out.length, NULL, true, &a), env);
	pa_buf_release(&out);
	free(envelope.p);
	free(file.p);
}

/* A small file; in an envelope with its own header, or without. */
static Bytes
plain_file(const char *metadata, uint64_t seed)
{
	BuildFile	file;
	Bytes		bytes;

	build_begin(&file, metadata);
	build_lora(&file, "a.q", PA_F32, 2, 3, 4, &seed);
	bytes.p = build_finish(&file, &bytes.n);
	return bytes;
}

/* However a file came in, its recipe begins with the file that goes out. */
UNIT_TEST(test_recipe_of_envelope)
{
	Bytes		file = plain_file("{\"a\":\"b\"}", unit_seed());
	Bytes		envelope;
	Bytes		bare = plain_file(ENVELOPE, unit_seed());
	json_t	   *metadata;
	char	   *text;
	PaValue    *a;
	PaValue    *b;
	PaBuf		out;

	metadata = json_pack("{s:s,s:s%}", "peftarith.config", CONFIG, "peftarith.header",
						 (const char *) file.p + 8, (size_t) pa_load_u64(file.p));
	text = json_dumps(metadata, JSON_COMPACT);
	envelope = plain_file(text, unit_seed());
	CHECK_OK(import(env, file.p, file.n, CONFIG, false, &a), env);
	CHECK_OK(import(env, envelope.p, envelope.n, NULL, true, &b), env);
	CHECK(memcmp(pa_value_header(a)->envelope_digest, pa_value_header(b)->envelope_digest, 32) == 0);
	/* without a header of its own: the file that is exported */
	CHECK_OK(import(env, bare.p, bare.n, NULL, true, &a), env);
	CHECK_OK(export(env, a, PA_EXPORT_FILE, &out), env);
	CHECK_OK(import(env, out.data, out.length, CONFIG, false, &b), env);
	CHECK(strcmp(fixture_document(env, a, PA_DOCUMENT_RECIPE),
				 fixture_document(env, b, PA_DOCUMENT_RECIPE)) == 0);
	pa_buf_release(&out);
	json_decref(metadata);
	free(text);
	free(bare.p);
	free(envelope.p);
	free(file.p);
}

UNIT_TEST(test_composed)
{
	uint64_t	seed = unit_seed();
	BuildFile	file;
	PaValue    *v[2];
	PaValue    *sum;
	PaValue    *b;
	PaBuf		out;
	PaBuf		plain;

	for (int i = 0; i < 2; i++)
	{
		build_begin(&file, NULL);
		build_lora(&file, "q", PA_F32, 2, 3, 4, &seed);
		v[i] = fixture_import(env, &file, CONFIG);
	}
	CHECK_OK(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum), env);
	CHECK_OK(export(env, sum, PA_EXPORT_ENVELOPE, &out), env);
	CHECK_OK(import(env, out.data, out.length, NULL, true, &b), env);
	CHECK(memcmp(pa_value_header(sum)->envelope_digest, pa_value_header(b)->envelope_digest, 32) == 0);
	pa_buf_release(&out);
	/* its file, imported with its configuration, is the same adapter with a new story */
	CHECK_OK(export(env, sum, PA_EXPORT_FILE, &plain), env);
	CHECK_OK(import(env, plain.data, plain.length, fixture_document(env, sum, PA_DOCUMENT_CONFIG), false, &b),
			 env);
	CHECK(fixture_same_digest(sum, b));
	CHECK(memcmp(pa_value_header(sum)->envelope_digest, pa_value_header(b)->envelope_digest, 32) != 0);
	pa_buf_release(&plain);
}

static bool
replace(uint8_t *p, size_t n, const char *from, const char *to)
{
	uint8_t    *at = memmem(p, n, from, strlen(from));

	if (at != NULL && strlen(from) == strlen(to))
		memcpy(at, to, strlen(to));
	return at != NULL;
}

#define DIGEST_KEY "\"peftarith.envelope_digest\""

/*
 * An envelope with another text in its metadata (from, to: of equal length), and
 * with or without its digest.
 */
static PaStatus
changed(PaEnv *env, const PaBuf *envelope, const char *from, const char *to, bool with_digest)
{
	uint8_t    *copy = malloc(envelope->length);
	PaValue    *value;
	PaStatus	status;

	memcpy(copy, envelope->data, envelope->length);
	CHECK(replace(copy, envelope->length, from, to));
	if (!with_digest)
		CHECK(replace(copy, envelope->length, DIGEST_KEY, "\"peftarith_envelope_digest\""));
	status = import(env, copy, envelope->length, NULL, true, &value);
	free(copy);
	return status;
}

static PaStatus
tampered(PaEnv *env, const PaBuf *envelope, const char *from, const char *to)
{
	return changed(env, envelope, from, to, false);
}

/* Every byte of the data, and every text that the envelope digest is over. */
UNIT_TEST(test_envelope_damage)
{
	Bytes		file = odd_file(unit_seed());
	PaValue    *a;
	PaValue    *b;
	PaBuf		out;
	uint8_t    *at;
	uint64_t	header = 0;

	CHECK_OK(import(env, file.p, file.n, CONFIG, false, &a), env);
	CHECK_OK(export(env, a, PA_EXPORT_ENVELOPE, &out), env);
	for (int i = 7; i >= 0; i--)
		header = header << 8 | out.data[i];
	for (size_t i = 8 + (size_t) header; i < out.length; i += 1 + out.length / 200)
	{
		out.data[i] ^= 0x10;
		CHECK_STATUS(import(env, out.data, out.length, NULL, true, &b), PA_ERR_FILE, env);
		out.data[i] ^= 0x10;
	}
	CHECK(import(env, out.data, out.length, NULL, true, &b) == PA_OK && fixture_same_digest(a, b));
	CHECK_STATUS(changed(env, &out, "{\\\"a\\\":", "{\\\"b\\\":", true), PA_ERR_FILE, env);
	at = memmem(out.data, out.length, DIGEST_KEY, strlen(DIGEST_KEY));
	at[strlen(DIGEST_KEY) + 2] = 'x';
	CHECK_STATUS(import(env, out.data, out.length, NULL, true, &b), PA_ERR_FILE, env);
	pa_buf_release(&out);
	free(file.p);
}

UNIT_TEST(test_envelope_refusals)
{
	Bytes		file = odd_file(unit_seed());
	PaValue    *a;
	PaValue    *b;
	PaBuf		out;

	CHECK_STATUS(import(env, file.p, file.n, NULL, false, &a), PA_ERR_CONFIG, env);
	CHECK_STATUS(import(env, file.p, file.n, NULL, true, &a), PA_ERR_FILE, env);
	CHECK_OK(import(env, file.p, file.n, CONFIG, false, &a), env);
	CHECK_OK(export(env, a, PA_EXPORT_ENVELOPE, &out), env);
	CHECK_STATUS(import(env, out.data, out.length, CONFIG, false, &b), PA_ERR_CONFIG, env);
	CHECK_OK(import(env, out.data, out.length, NULL, false, &b), env);
	/* the inner header: another name, another dtype of the same width, an envelope's */
	CHECK_OK(tampered(env, &out, "{\\\"a\\\":", "{\\\"b\\\":"), env);
	CHECK_STATUS(tampered(env, &out, "tiny.weight\\\":", "tinY.weight\\\":"), PA_ERR_FILE, env);
	CHECK_STATUS(tampered(env, &out, "\\\"dtype\\\":\\\"U8\\\"", "\\\"dtype\\\":\\\"I8\\\""), PA_ERR_FILE,
				 env);
	CHECK_STATUS(tampered(env, &out, "peftarith_recipe", "peftarith.recipe"), PA_ERR_FILE, env);
	/* the recipe and the configuration */
	CHECK_STATUS(tampered(env, &out, "\\\"op\\\":\\\"import\\\"", "\\\"op\\\":\\\"export\\\""), PA_ERR_CONFIG,
				 env);
	CHECK_STATUS(tampered(env, &out, "\\\"lora_alpha\\\"", "\\\"lora_alphb\\\""), PA_ERR_CONFIG, env);
	pa_buf_release(&out);
	free(file.p);
}

/* However many tensors there are, what is done for each of them can be stopped. */
UNIT_TEST(test_many_tensors)
{
	enum
	{
		TENSORS = 2000
	};
	UnitHost   *host = (UnitHost *) env->host->state;
	uint64_t	seed = unit_seed();
	BuildFile	file;
	char		path[32];
	PaValue    *a;
	PaBuf		out;
	long		before;

	build_begin(&file, NULL);
	for (int i = 0; i < TENSORS / 2; i++)
	{
		snprintf(path, sizeof(path), "m%d", i);
		build_lora(&file, path, PA_F32, 1, 1, 1, &seed);
	}
	before = host->asked;
	a = fixture_import(env, &file, "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":1}");
	/* entries of the header, names, tensors */
	CHECK(host->asked - before > 3 * TENSORS);
	before = host->asked;
	CHECK_OK(export(env, a, PA_EXPORT_ENVELOPE, &out), env);
	CHECK(host->asked - before > 2 * TENSORS);
	pa_buf_release(&out);
}

UNIT_TEST(test_json)
{
	uint64_t	seed = unit_seed();
	BuildFile	file;
	PaValue    *a;
	PaValue    *b;
	PaValue    *c;
	PaBuf		text;
	PaBuf		buf;
	PaBuf		plain;

	build_begin(&file, NULL);
	build_lora(&file, "q", PA_BF16, 2, 3, 4, &seed);
	a = fixture_import(env, &file, CONFIG);
	CHECK_OK(pa_buf_init(env, &text, 0, 16), env);
	CHECK_OK(pa_json_form_export(env, a, &text), env);
	CHECK_OK(pa_json_form_import(env, pa_text(text.data, text.length), 0, &buf), env);
	b = fixture_open(env, &buf);
	CHECK(b != NULL && fixture_same_digest(a, b));
	/* the origin it tells is the file that it exports as */
	CHECK_OK(export(env, b, PA_EXPORT_FILE, &plain), env);
	CHECK_OK(import(env, plain.data, plain.length, fixture_document(env, b, PA_DOCUMENT_CONFIG), false, &c),
			 env);
	CHECK(strcmp(fixture_document(env, b, PA_DOCUMENT_RECIPE),
				 fixture_document(env, c, PA_DOCUMENT_RECIPE)) == 0);
	pa_buf_release(&plain);
	pa_buf_release(&text);
}

static PaStatus
readable_story(PaEnv *env, PaValue *value)
{
	PaBuf		text;
	PaBuf		out;
	PaStatus	status;

	PA_TRY(pa_buf_init(env, &text, 0, 16));
	PA_TRY(pa_json_form_export(env, value, &text));
	status = pa_json_form_import(env, pa_text(text.data, text.length), 0, &out);
	pa_buf_release(&text);
	if (status == PA_OK)
		pa_buf_release(&out);
	return status;
}

/* Import two files, add them, send and receive the sum, cut it, put it together. */
static PaStatus
whole_story(PaEnv *env, const Bytes *a, const Bytes *b)
{
	PaValue    *v[2];
	PaValue    *sum;
	PaValue    *back;
	PaBuf		out;
	PaSplit    *split;
	uint32_t	n;
	PaStatus	status;

	PA_TRY(import(env, a->p, a->n, CONFIG, false, &v[0]));
	PA_TRY(import(env, b->p, b->n, CONFIG, false, &v[1]));
	PA_TRY(fixture_sum(env, 2, v, (double[]) {0.5, 0.25}, &sum));
	PA_TRY(pa_transform_scale(env, sum, -2, 0, &out));
	sum = fixture_open(env, &out);
	if (sum == NULL)
		return env->error.code;
	PA_TRY(export(env, sum, PA_EXPORT_ENVELOPE, &out));
	status = import(env, out.data, out.length, NULL, true, &back);
	pa_buf_release(&out);
	PA_TRY(status);
	PA_TRY(pa_split_value(env, back, 100000, &split, &n));
	PA_TRY(pa_split_part(env, split, 0, 0, &out));
	v[0] = fixture_open(env, &out);
	if (v[0] == NULL)
		return env->error.code;
	PA_TRY(pa_union_values(env, 1, v, 0, &out));
	pa_buf_release(&out);
	PA_TRY(pa_split_file(env, pa_text(a->p, a->n), pa_text_of(CONFIG), 300, &split, &n));
	PA_TRY(pa_split_part(env, split, n - 1, 0, &out));
	pa_buf_release(&out);
	PA_TRY(pa_transform_select(env, v[0], "q", true, 0, &out));
	pa_buf_release(&out);
	PA_TRY(pa_transform_cast(env, v[0], "F64", 0, &out));
	pa_buf_release(&out);
	PA_TRY(pa_transform_set_base_model(env, v[0], "x", NULL, 0, &out));
	pa_buf_release(&out);
	return readable_story(env, v[0]);
}

static Bytes
small_file(uint64_t seed)
{
	BuildFile	file;
	Bytes		bytes;

	build_begin(&file, NULL);
	build_lora(&file, "q", PA_F32, 2, 30, 4, &seed);
	build_lora(&file, "k", PA_F16, 2, 3, 4, &seed);
	bytes.p = build_finish(&file, &bytes.n);
	return bytes;
}

static PaStatus
tell_story(PaEnv *env, void *arg)
{
	const Bytes *files = arg;

	return whole_story(env, &files[0], &files[1]);
}

UNIT_TEST(test_injection)
{
	Bytes		files[2] = {small_file(unit_seed()), small_file(unit_seed() + 1)};

	(void) env;
	unit_fail_every_allocation(tell_story, files);
	unit_cancel_everywhere(tell_story, files);
	free(files[0].p);
	free(files[1].p);
}

UNIT_SUITE(engine, UNIT_CASE(test_file), UNIT_CASE(test_empty_head), UNIT_CASE(test_recipe_of_envelope),
		   UNIT_CASE(test_composed), UNIT_CASE(test_envelope_damage), UNIT_CASE(test_envelope_refusals),
		   UNIT_CASE(test_many_tensors), UNIT_CASE(test_json), UNIT_CASE(test_injection));
