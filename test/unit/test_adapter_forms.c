/*
 * test_adapter_forms.c
 *	  What is made of an adapter: the section of facts, the digests, sources.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "adapter/scaling.h"
#include "core/bytes.h"
#include "value_sample.h"

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
check_same_facts(const PaAdapter *a, const PaAdapter *b)
{
	CHECK(a->kind == b->kind && a->features == b->features && a->fan_in_fan_out == b->fan_in_fan_out);
	CHECK(a->lora_bias == b->lora_bias && a->rslora == b->rslora && same_text(a->bias, b->bias));
	CHECK(same_text(a->base_model, b->base_model) && same_text(a->base_revision, b->base_revision));
	CHECK(same_text(a->task_type, b->task_type) && a->n_modules == b->n_modules);
	CHECK(a->n_saved_modules == b->n_saved_modules && a->n_target_parameters == b->n_target_parameters);
	for (uint32_t i = 0; i < a->n_saved_modules; i++)
		CHECK(same_text(a->saved_modules[i], b->saved_modules[i]));
	for (uint32_t i = 0; i < a->n_target_parameters; i++)
		CHECK(same_text(a->target_parameters[i], b->target_parameters[i]));
	for (uint32_t i = 0; i < a->n_modules && i < b->n_modules; i++)
	{
		const PaModule *m = &a->modules[i];
		const PaModule *n = &b->modules[i];

		CHECK(same_text(m->path, n->path) && m->flags == n->flags && m->rank == n->rank);
		CHECK(m->scaling == n->scaling && m->alpha == n->alpha);
	}
}

UNIT_TEST(facts)
{
	for (int i = 0; i < SAMPLE_GOLDEN_COUNT; i++)
	{
		Sample		s;
		PaAdapter	read;
		PaBuf		buf;

		CHECK_OK(sample_golden(env, i, &s), env);
		CHECK_OK(pa_buf_init(env, &buf, 0, 64), env);
		CHECK_OK(pa_facts_write(&buf, &s.adapter), env);
		CHECK(buf.length == pa_facts_size(&s.adapter));
		memset(&read, 0, sizeof(read));
		CHECK_OK(pa_facts_read(env, buf.data, buf.length, s.adapter.kind, &read), env);
		check_same_facts(&s.adapter, &read);
		/* the section may be cut behind a module only: the header has their number */
		for (size_t n = 0; n < buf.length; n++)
		{
			memset(&read, 0, sizeof(read));
			if (pa_facts_read(env, buf.data, n, s.adapter.kind, &read) == PA_OK)
				CHECK(read.n_modules < s.adapter.n_modules);
			else
				CHECK(env->error.code == PA_ERR_CORRUPT);
		}
		/* a count that the rest cannot hold asks for no memory */
		memset(&read, 0, sizeof(read));
		pa_store_u32(buf.data + buf.length - 4, 0xFFFFFFFF);
		for (size_t at = 0; at + 4 <= buf.length; at++)
		{
			uint8_t		kept[4];

			memcpy(kept, buf.data + at, 4);
			pa_store_u32(buf.data + at, 0x7FFFFFFF);
			if (pa_facts_read(env, buf.data, buf.length, s.adapter.kind, &read) != PA_OK)
				CHECK(env->error.code == PA_ERR_CORRUPT);
			memcpy(buf.data + at, kept, 4);
		}
		pa_buf_release(&buf);
	}
}

/* doc/format.md, "Digest", written down once more, from the text. */
static PaStatus
expected_digest(PaEnv *env, const PaAdapter *a, PaBuf *b, uint8_t digest[PA_SHA256_LENGTH])
{
	uint32_t	targets = 0;

	b->length = 0;
	for (uint32_t i = 0; i < a->n_modules; i++)
		targets += a->modules[i].flags & PA_MODULE_TARGET;
	PA_TRY(pa_buf_str(b, "peftarith.digest.1"));
	PA_TRY(pa_buf_u8(b, (uint8_t) a->kind));
	PA_TRY(pa_buf_optstr(b, a->base_model));
	PA_TRY(pa_buf_optstr(b, a->base_revision));
	PA_TRY(pa_buf_optstr(b, a->task_type));
	PA_TRY(pa_buf_str(b, a->bias));
	PA_TRY(pa_buf_u32(b, a->features));
	PA_TRY(pa_buf_u8(b, a->fan_in_fan_out));
	PA_TRY(pa_buf_u8(b, a->lora_bias));
	PA_TRY(pa_buf_u32(b, a->n_target_parameters));
	for (uint32_t i = 0; i < a->n_target_parameters; i++)
		PA_TRY(pa_buf_str(b, a->target_parameters[i]));
	PA_TRY(pa_buf_u32(b, a->n_saved_modules));
	for (uint32_t i = 0; i < a->n_saved_modules; i++)
		PA_TRY(pa_buf_str(b, a->saved_modules[i]));
	PA_TRY(pa_buf_u32(b, targets));
	for (uint32_t i = 0; i < a->n_modules; i++)
		if (a->modules[i].flags & PA_MODULE_TARGET)
		{
			PA_TRY(pa_buf_str(b, a->modules[i].path));
			PA_TRY(pa_buf_u8(b, (uint8_t) a->modules[i].flags));
			PA_TRY(pa_buf_f64(b, a->modules[i].scaling));
			if (a->modules[i].flags & PA_MODULE_PARAMETER)
				PA_TRY(pa_buf_u64(b, pa_config_rank(&a->modules[i], a->rslora)));
		}
	PA_TRY(pa_buf_u32(b, a->n_tensors));
	for (uint32_t i = 0; i < a->n_tensors; i++)
	{
		PA_TRY(pa_buf_str(b, a->tensors[i].name));
		PA_TRY(pa_buf_u8(b, (uint8_t) a->tensors[i].dtype));
		PA_TRY(pa_buf_u8(b, (uint8_t) a->tensors[i].ndim));
		for (int d = 0; d < a->tensors[i].ndim; d++)
			PA_TRY(pa_buf_u64(b, a->tensors[i].shape[d]));
		PA_TRY(pa_buf_bytes(b, a->tensors[i].sha256, PA_SHA256_LENGTH));
	}
	if (a->kind == PA_KIND_OPAQUE)
	{
		PA_TRY(pa_buf_str(b, a->opaque_type));
		PA_TRY(pa_buf_bytes(b, a->settings, PA_SHA256_LENGTH));
	}
	PA_TRY(pa_hash_begin(env, PA_HASH_FILE));
	PA_TRY(pa_hash_update(env, PA_HASH_FILE, b->data, b->length));
	return pa_hash_finish(env, PA_HASH_FILE, digest);
}

/* Names as long as they may be, so that the fields do not fit in one piece. */
static void
long_strings(Sample *s)
{
	static char text[10000];

	memset(text, 'x', sizeof(text) - 1);
	s->adapter.base_model = text;
}

UNIT_TEST(digest)
{
	uint8_t		expected[PA_SHA256_LENGTH];
	uint8_t		got[PA_SHA256_LENGTH];
	PaBuf		b;

	CHECK_OK(pa_buf_init(env, &b, 0, 100), env);
	for (int i = 0; i < SAMPLE_GOLDEN_COUNT; i++)
	{
		Sample		s;

		CHECK_OK(sample_golden(env, i, &s), env);
		if (i == 2)
			long_strings(&s);
		for (uint32_t k = 0; k < s.adapter.n_tensors; k++)
			memset(s.tensors[k].sha256, (int) k + 1, PA_SHA256_LENGTH);
		CHECK_OK(expected_digest(env, &s.adapter, &b, expected), env);
		CHECK_OK(pa_adapter_digest(env, &s.adapter, got), env);
		CHECK(memcmp(expected, got, sizeof(got)) == 0);
		/* what it does not cover; the form only where it does not change the r of experts */
		if (s.adapter.n_target_parameters == 0)
			s.adapter.rslora = !s.adapter.rslora;
		s.modules[0].alpha = 77;
		CHECK_OK(pa_adapter_digest(env, &s.adapter, got), env);
		CHECK(memcmp(expected, got, sizeof(got)) == 0);
		/* a bit of the scaling, the sign of a zero among them */
		for (uint32_t k = 0; k < s.adapter.n_modules; k++)
			s.modules[k].scaling = nextafter(s.modules[k].scaling, 0);
		CHECK_OK(pa_adapter_digest(env, &s.adapter, got), env);
		CHECK((memcmp(expected, got, sizeof(got)) != 0) ==
			  ((s.modules[0].flags | s.modules[s.adapter.n_modules - 1].flags) & PA_MODULE_TARGET));
	}
	pa_buf_release(&b);
}

UNIT_TEST(envelope_digest)
{
	static const char *const texts[] = {"recipe", "config", "header"};
	uint8_t		digest[PA_SHA256_LENGTH] = {1, 2, 3};
	uint8_t		expected[PA_SHA256_LENGTH];
	uint8_t		got[PA_SHA256_LENGTH];

	for (int header = 0; header <= 1; header++)
	{
		PaBuf		b;

		CHECK_OK(pa_buf_init(env, &b, 0, 100), env);
		CHECK_OK(pa_buf_str(&b, "peftarith.envelope.1"), env);
		CHECK_OK(pa_buf_bytes(&b, digest, sizeof(digest)), env);
		CHECK_OK(pa_buf_str(&b, texts[0]), env);
		CHECK_OK(pa_buf_str(&b, texts[1]), env);
		CHECK_OK(pa_buf_optstr(&b, header ? texts[2] : NULL), env);
		CHECK_OK(pa_hash_begin(env, PA_HASH_FILE), env);
		CHECK_OK(pa_hash_update(env, PA_HASH_FILE, b.data, b.length), env);
		CHECK_OK(pa_hash_finish(env, PA_HASH_FILE, expected), env);
		CHECK_OK(pa_envelope_digest(env, digest, pa_text_of(texts[0]), pa_text_of(texts[1]),
									pa_text_of(header ? texts[2] : NULL), got),
				 env);
		CHECK(memcmp(expected, got, sizeof(got)) == 0);
		pa_buf_release(&b);
	}
}

UNIT_TEST(sources)
{
	Sample		s;
	Sample		part;
	PaSource   *whole;
	PaSource   *subset;
	uint32_t	from[2] = {3, 1};
	uint8_t		bytes[256];

	CHECK_OK(sample_golden(env, 0, &s), env);
	CHECK_OK(sample_source(env, &s, &whole), env);
	CHECK_OK(whole->read(env, whole, 3, 2, 5, bytes), env);
	CHECK(memcmp(bytes, s.data[3] + 8, 20) == 0);
	CHECK_OK(whole->read(env, whole, 3, 14, 0, bytes), env);
	CHECK_STATUS(whole->read(env, whole, 3, 14, 1, bytes), PA_ERR_INTERNAL, env);
	CHECK_STATUS(whole->read(env, whole, 3, 15, 0, bytes), PA_ERR_INTERNAL, env);
	CHECK_STATUS(whole->read(env, whole, 3, UINT64_MAX, 2, bytes), PA_ERR_INTERNAL, env);
	CHECK_STATUS(whole->read(env, whole, s.adapter.n_tensors, 0, 1, bytes), PA_ERR_INTERNAL, env);

	part = s;
	part.adapter.tensors = part.tensors;
	part.adapter.n_tensors = 2;
	part.tensors[0] = s.tensors[3];
	part.tensors[1] = s.tensors[1];
	CHECK_OK(pa_source_subset(env, &part.adapter, whole, from, &subset), env);
	CHECK(subset->adapter == &part.adapter);
	CHECK_OK(subset->read(env, subset, 0, 1, 13, bytes), env);
	CHECK(memcmp(bytes, s.data[3] + 4, 52) == 0);
	CHECK_OK(subset->read(env, subset, 1, 0, 24, bytes), env);
	CHECK(memcmp(bytes, s.data[1], 96) == 0);
	CHECK_STATUS(subset->read(env, subset, 1, 0, 25, bytes), PA_ERR_INTERNAL, env);
	from[1] = 2;
	CHECK_STATUS(pa_source_subset(env, &part.adapter, whole, from, &subset), PA_ERR_INTERNAL, env);
	from[1] = s.adapter.n_tensors;
	CHECK_STATUS(pa_source_subset(env, &part.adapter, whole, from, &subset), PA_ERR_INTERNAL, env);
}

UNIT_SUITE(adapter_forms, UNIT_CASE(facts), UNIT_CASE(digest), UNIT_CASE(envelope_digest),
		   UNIT_CASE(sources));
