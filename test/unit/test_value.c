/*
 * test_value.c
 *	  The stored form: what is written comes back, from as few bytes as it
 *	  takes; limits; golden files.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "value_sample.h"

/* Every document, every tensor, every hash. */
static void
check_same(PaEnv *env, const Sample *s, PaBytes *bytes)
{
	PaValue    *value;
	PaSource   *source;
	const PaAdapter *a;

	if (!CHECK_OK(pa_value_open(env, bytes, &value), env))
		return;
	a = pa_value_adapter(value);
	CHECK(a->kind == s->adapter.kind && a->n_tensors == s->adapter.n_tensors &&
		  a->raw_bytes == s->adapter.raw_bytes);
	CHECK(pa_value_header(value)->size == bytes->size && pa_value_header(value)->raw_bytes == a->raw_bytes);
	CHECK_OK(pa_value_source(env, value, &source), env);
	for (uint32_t i = 0; i < s->adapter.n_tensors; i++)
	{
		const PaTensor *t = &s->tensors[i];
		void	   *raw;

		CHECK(strcmp(a->tensors[i].name, t->name) == 0 && strcmp(a->tensors[i].key, t->key) == 0);
		CHECK(a->tensors[i].dtype == t->dtype && a->tensors[i].role == t->role &&
			  a->tensors[i].ndim == t->ndim);
		CHECK(memcmp(a->tensors[i].shape, t->shape, sizeof(t->shape)) == 0 &&
			  a->tensors[i].module == t->module);
		CHECK(memcmp(a->tensors[i].sha256, t->sha256, PA_SHA256_LENGTH) == 0);
		CHECK((pa_value_stored_bytes(value, i) == 0) == (t->bytes == 0));
		CHECK_OK(pa_alloc_raw(env, (size_t) t->bytes, 1, &raw), env);
		CHECK_OK(source->read(env, source, i, 0, (size_t) pa_tensor_units(t), raw), env);
		CHECK(t->bytes == 0 || memcmp(raw, s->data[i], (size_t) t->bytes) == 0);
	}
	for (int i = 0; i < PA_DOCUMENT_COUNT; i++)
	{
		PaText		got;

		CHECK_OK(pa_value_document(env, value, (PaDocument) i, &got), env);
		CHECK(got.length == s->documents.document[i].length &&
			  (got.text == NULL) == (s->documents.document[i].text == NULL));
		CHECK(got.text == NULL ||
			  (memcmp(got.text, s->documents.document[i].text, got.length) == 0 &&
			   got.text[got.length] == '\0'));
	}
	CHECK_OK(pa_value_check(env, value), env);
}

static void
round_trip(PaEnv *env, Sample *s, size_t reserve)
{
	PaBuf		buf;
	PaMemoryBytes bytes;
	size_t		bound = pa_value_bound(&s->adapter, &s->documents);
	uint8_t    *data;
	PaSource   *source;

	CHECK_OK(sample_source(env, s, &source), env);
	CHECK_OK(pa_buf_init(env, &buf, reserve, reserve + bound), env);
	data = buf.data;
	if (!CHECK_OK(pa_value_write(env, source, &s->adapter, &s->documents, &buf, NULL), env))
		return;
	/* allocated once, and not for much more than is needed */
	CHECK(buf.data == data && buf.length <= reserve + bound);
	CHECK(bound <= s->adapter.raw_bytes + s->adapter.raw_bytes / 1000 + 10000 +
			  s->documents.document[0].length + s->documents.document[1].length +
			  s->documents.document[2].length);
	for (size_t i = 0; i < reserve; i++)
		CHECK(buf.data[i] == 0);
	pa_bytes_from_memory(&bytes, buf.data + reserve, buf.length - reserve);
	check_same(env, s, &bytes.base);
	pa_buf_release(&buf);
}

UNIT_TEST(samples)
{
	for (int i = 0; i < SAMPLE_GOLDEN_COUNT; i++)
	{
		Sample		s;

		CHECK_OK(sample_golden(env, i, &s), env);
		round_trip(env, &s, i % 2 ? 0 : 4);
	}
}

UNIT_TEST(dtypes_and_sizes)
{
	static const uint64_t units[] = {0,
									 1,
									 2,
									 3,
									 255,
									 PA_BLOCK_ELEMENTS - 1,
									 PA_BLOCK_ELEMENTS,
									 PA_BLOCK_ELEMENTS + 1,
									 2 * PA_BLOCK_ELEMENTS,
									 2 * PA_BLOCK_ELEMENTS + 1};

	for (int dtype = 1; dtype < PA_DTYPE_COUNT; dtype++)
		for (size_t k = 0; k < sizeof(units) / sizeof(units[0]); k++)
		{
			Sample		s;
			int			bits = pa_dtype_bits((PaDtype) dtype);
			uint64_t	n = units[k];
			PaEnv		own;

			pa_env_init(&own, env->host);
			/* units are bytes there: so many that whole elements fill them */
			if (bits < 8)
				n = n * 8 / (uint64_t) bits / 4 * 4;
			sample_begin(&s, PA_KIND_LORA, unit_seed() + k);
			sample_module(&s, "m", 0, 0);
			CHECK_OK(sample_tensor(&own, &s, "m.x", PA_ROLE_DENSE, (PaDtype) dtype, 1, &n), &own);
			round_trip(&own, &s, 0);
			pa_env_reset(&own);
		}
}

UNIT_TEST(documents)
{
	static const size_t lengths[] = {1, 2, 17, 1000, 100000};
	uint64_t	seed = unit_seed();

	for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++)
		for (int form = 0; form < 2; form++)
		{
			Sample		s;
			char	   *text = malloc(lengths[k]);

			for (size_t i = 0; i < lengths[k]; i++)
				text[i] = form ? (char) unit_random(&seed) : 'a';
			CHECK_OK(sample_golden(env, 2, &s), env);
			for (int i = 0; i < PA_DOCUMENT_COUNT; i++)
			{
				s.documents.document[i].text = text;
				s.documents.document[i].length = lengths[k];
			}
			round_trip(env, &s, 4);
			s.documents.document[PA_DOCUMENT_HEADER].text = NULL;
			s.documents.document[PA_DOCUMENT_HEADER].length = 0;
			round_trip(env, &s, 4);
			free(text);
		}
}

/* A PaBytes that counts what is asked for, and gives memory that is gone with the next fetch. */
typedef struct CountingBytes
{
	PaBytes		base;
	const uint8_t *p;
	uint8_t    *lent;
	long		fetches;
	uint64_t	fetched;
	long		fail_at;
	long		releases;
} CountingBytes;

static PaStatus
counting_fetch(PaEnv *env, PaBytes *self, uint64_t offset, size_t length, const uint8_t **p)
{
	CountingBytes *bytes = (CountingBytes *) self;

	if (!CHECK(offset <= self->size && length <= self->size - offset))
		return pa_fail(env, PA_ERR_INTERNAL, "fetch out of range");
	free(bytes->lent);
	bytes->lent = NULL;
	if (bytes->fetches++ == bytes->fail_at)
		return pa_fail(env, PA_ERR_HOST, "fetch failed");
	bytes->lent = malloc(length > 0 ? length : 1);
	memcpy(bytes->lent, bytes->p + offset, length);
	bytes->fetched += length;
	*p = bytes->lent;
	return PA_OK;
}

static void
counting_release(PaBytes *self)
{
	CountingBytes *bytes = (CountingBytes *) self;

	free(bytes->lent);
	bytes->lent = NULL;
	bytes->releases++;
}

static void
counting_init(CountingBytes *bytes, const PaBuf *buf)
{
	memset(bytes, 0, sizeof(*bytes));
	bytes->base.size = buf->length;
	bytes->base.fetch = counting_fetch;
	bytes->base.release = counting_release;
	bytes->p = buf->data;
	bytes->fail_at = -1;
}

UNIT_TEST(slices)
{
	Sample		s;
	PaBuf		buf;
	CountingBytes bytes;
	PaValueHeader header;
	PaValue    *value;
	PaSource   *source;
	uint16_t	out[3];
	uint64_t	before;

	CHECK_OK(sample_golden(env, 5, &s), env);
	CHECK_OK(sample_write(env, &s, 0, &buf), env);
	counting_init(&bytes, &buf);
	CHECK_OK(pa_value_read_header(env, &bytes.base, &header), env);
	CHECK(bytes.fetches == 1 && bytes.fetched == PA_VALUE_HEADER_BYTES);
	CHECK(header.n_tensors == 2 && header.n_modules == 1 && header.size == buf.length);
	CHECK_OK(pa_value_open(env, &bytes.base, &value), env);
	CHECK(bytes.fetches == 3 && bytes.fetched < 1200);
	CHECK_OK(pa_value_source(env, value, &source), env);
	before = bytes.fetched;
	/* the last element is a block of its own */
	CHECK_OK(source->read(env, source, 1, PA_BLOCK_ELEMENTS, 1, out), env);
	CHECK(memcmp(out, s.data[1] + 2 * PA_BLOCK_ELEMENTS, 2) == 0 && bytes.fetched - before < 16);
	/* across the border: two blocks, and the second time none but the small one */
	CHECK_OK(source->read(env, source, 1, PA_BLOCK_ELEMENTS - 2, 3, out), env);
	CHECK(memcmp(out, s.data[1] + 2 * PA_BLOCK_ELEMENTS - 4, 6) == 0 && bytes.fetches == 6);
	CHECK_OK(source->read(env, source, 1, 5, 3, out), env);
	CHECK(memcmp(out, s.data[1] + 10, 6) == 0 && bytes.fetches == 6);
	CHECK(bytes.fetched - before < pa_value_stored_bytes(value, 1) + 16);
	CHECK_STATUS(source->read(env, source, 1, PA_BLOCK_ELEMENTS + 1, 1, out), PA_ERR_INTERNAL, env);
	CHECK_STATUS(source->read(env, source, 1, PA_BLOCK_ELEMENTS, 2, out), PA_ERR_INTERNAL, env);
	CHECK_STATUS(source->read(env, source, 2, 0, 1, out), PA_ERR_INTERNAL, env);
	free(bytes.lent);
	pa_buf_release(&buf);
}

/* A document that is given back takes what the host holds with it; the next one is fetched anew. */
UNIT_TEST(released_document)
{
	Sample		s;
	PaBuf		buf;
	CountingBytes bytes;
	PaValue    *value;
	PaText		first;
	PaText		again;

	CHECK_OK(sample_golden(env, 5, &s), env);
	CHECK_OK(sample_write(env, &s, 0, &buf), env);
	counting_init(&bytes, &buf);
	CHECK_OK(pa_value_open(env, &bytes.base, &value), env);
	CHECK_OK(pa_value_document(env, value, PA_DOCUMENT_CONFIG, &first), env);
	CHECK(bytes.releases == 0 && bytes.lent != NULL && bytes.fetches == 3);
	pa_value_release_document(env, value, &first);
	CHECK(bytes.releases == 1 && bytes.lent == NULL && bytes.fetches == 3);
	CHECK_OK(pa_value_document(env, value, PA_DOCUMENT_CONFIG, &again), env);
	CHECK(again.length > 0 && strlen(again.text) == again.length && bytes.fetches == 4);
	free(bytes.lent);
	pa_buf_release(&buf);
}

/* Any ranges, in any order, of two tensors: the cache must not mix them up. */
UNIT_TEST(random_ranges)
{
	uint64_t	seed = unit_seed();
	uint64_t	n[2] = {3 * PA_BLOCK_ELEMENTS + 5, PA_BLOCK_ELEMENTS + 77};
	Sample		s;
	PaBuf		buf;
	CountingBytes bytes;
	PaValue    *value;
	PaSource   *source;
	uint8_t    *out = malloc(4 * 4 * PA_BLOCK_ELEMENTS);

	sample_begin(&s, PA_KIND_LORA, seed);
	sample_module(&s, "m", 0, 0);
	CHECK_OK(sample_tensor(env, &s, "m.a", PA_ROLE_DENSE, PA_F32, 1, &n[0]), env);
	CHECK_OK(sample_tensor(env, &s, "m.b", PA_ROLE_DENSE, PA_F16, 1, &n[1]), env);
	CHECK_OK(sample_write(env, &s, 0, &buf), env);
	counting_init(&bytes, &buf);
	CHECK_OK(pa_value_open(env, &bytes.base, &value), env);
	CHECK_OK(pa_value_source(env, value, &source), env);
	for (int i = 0; i < 200; i++)
	{
		uint32_t	t = unit_random(&seed) % 2;
		uint64_t	first = unit_random(&seed) % (n[t] + 1);
		uint64_t	most = unit_random(&seed) % 3 ? 100 : n[t];
		size_t		length = (size_t) (unit_random(&seed) % ((n[t] - first < most ? n[t] - first : most) + 1));
		size_t		width = t == 0 ? 4 : 2;

		if (unit_random(&seed) % 4 == 0)
			first = first / PA_BLOCK_ELEMENTS * PA_BLOCK_ELEMENTS;
		CHECK_OK(source->read(env, source, t, first, length, out), env);
		CHECK(memcmp(out, s.data[t] + first * width, length * width) == 0);
	}
	free(out);
	free(bytes.lent);
	pa_buf_release(&buf);
}

/* A fetch that fails is told as it is, whichever it is. */
UNIT_TEST(failing_fetch)
{
	Sample		s;
	PaBuf		buf;

	CHECK_OK(sample_golden(env, 0, &s), env);
	CHECK_OK(sample_write(env, &s, 0, &buf), env);
	for (long at = 0;; at++)
	{
		CountingBytes bytes;
		PaValue    *value;
		PaStatus	status;

		counting_init(&bytes, &buf);
		bytes.fail_at = at;
		status = pa_value_open(env, &bytes.base, &value);
		if (status == PA_OK)
			status = pa_value_check(env, value);
		free(bytes.lent);
		if (bytes.fetches <= at)
		{
			CHECK(status == PA_OK && at == 2 + 6 + 3);
			break;
		}
		CHECK(status == PA_ERR_HOST);
	}
	pa_buf_release(&buf);
}

static PaStatus
failing_read(PaEnv *env, PaSource *self, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	(void) self;
	(void) first;
	memset(dst, 0, n);
	return tensor == 3 ? pa_fail(env, PA_ERR_RANGE, "tensor overflows") : PA_OK;
}

UNIT_TEST(limits)
{
	Sample		s;
	PaBuf		buf;
	uint64_t	huge = PA_MAX_RAW_BYTES + 1;
	PaSource	source = {&s.adapter, failing_read};

	/* too large: told before anything is read, and before memory is asked for */
	sample_begin(&s, PA_KIND_LORA, 1);
	sample_module(&s, "m", 0, 0);
	CHECK_OK(sample_tensor(env, &s, "m.x", PA_ROLE_DENSE, PA_U8, 1, (uint64_t[]) {8}), env);
	s.tensors[0].shape[0] = s.tensors[0].elements = s.tensors[0].bytes = s.adapter.raw_bytes = huge;
	CHECK(pa_value_bound(&s.adapter, &s.documents) < 10000);
	CHECK_OK(pa_buf_init(env, &buf, 0, 10), env);
	CHECK_STATUS(pa_value_write(env, &source, &s.adapter, &s.documents, &buf, NULL), PA_ERR_LIMIT, env);
	CHECK(strstr(env->error.hint, "adapter_split") != NULL &&
		  strstr(env->error.hint, "adapter_import_split") != NULL);
	CHECK(buf.data == NULL);
	for (int i = 0; i < PA_DOCUMENT_COUNT; i++)
	{
		CHECK_OK(sample_golden(env, 0, &s), env);
		s.documents.document[i].length = (size_t) 64 * 1024 * 1024; /* it is not read */
		CHECK_OK(pa_buf_init(env, &buf, 0, 10), env);
		CHECK_STATUS(pa_value_write(env, &source, &s.adapter, &s.documents, &buf, NULL), PA_ERR_LIMIT, env);
		s.documents.document[i].text = NULL;
		s.documents.document[i].length = 0;
		CHECK_OK(pa_buf_init(env, &buf, 0, 10), env);
		CHECK_STATUS(pa_value_write(env, &source, &s.adapter, &s.documents, &buf, NULL),
					 i == PA_DOCUMENT_HEADER ? PA_ERR_RANGE : PA_ERR_INTERNAL, env);
	}
	/* a source that fails, an adapter that could not be read again */
	CHECK_OK(sample_golden(env, 0, &s), env);
	CHECK_OK(pa_buf_init(env, &buf, 4, 10), env);
	CHECK_STATUS(pa_value_write(env, &source, &s.adapter, &s.documents, &buf, NULL), PA_ERR_RANGE, env);
	CHECK(strcmp(env->error.message, "tensor overflows") == 0 && buf.data == NULL);
	s.modules[0].path = "z";
	CHECK_OK(pa_buf_init(env, &buf, 4, 10), env);
	CHECK_STATUS(pa_value_write(env, &source, &s.adapter, &s.documents, &buf, NULL), PA_ERR_INTERNAL, env);
}

static uint8_t *
read_file(const char *path, size_t *n)
{
	FILE	   *f = fopen(path, "rb");
	uint8_t    *p;

	if (f == NULL)
		return NULL;
	p = malloc(1 << 20);
	*n = fread(p, 1, 1 << 20, f);
	fclose(f);
	return p;
}

/* What a tensor of a small adapter takes besides its data: little more than its SHA-256 and a checksum. */
UNIT_TEST(small_adapters)
{
	enum
	{
		MODULES = SAMPLE_MODULES
	};
	char		paths[MODULES][80];
	Sample		s;
	PaBuf		buf;
	uint64_t	data;

	sample_begin(&s, PA_KIND_LORA, unit_seed());
	for (int i = 0; i < MODULES; i++)
	{
		snprintf(paths[i], sizeof(paths[i]), "model.encoder.layer.%02d.attention.self.query", i);
		CHECK_OK(sample_linear(env, &s, paths[i], PA_F32, 1, 64, 64), env);
	}
	CHECK_OK(sample_write(env, &s, 0, &buf), env);
	data = pa_load_u64(buf.data + 160);
	if (!CHECK(data - PA_VALUE_HEADER_BYTES < 2 * MODULES * (PA_SHA256_LENGTH + 8 + 24)))
		printf("#   %llu bytes before the data\n", (unsigned long long) data);
	pa_buf_release(&buf);
}

static void
check_golden_files(PaEnv *env, const char *folder)
{
	char		digests[64];
	FILE	   *list;
	char		hex[2][65];
	char		name[64];
	int			n = 0;

	snprintf(digests, sizeof(digests), "%s/digests.txt", folder);
	list = fopen(digests, "r");
	if (!CHECK(list != NULL))
		return;
	while (fscanf(list, "%64s %64s %63s", hex[0], hex[1], name) == 3)
	{
		char		path[128];
		char		got[2][65];
		size_t		length = 0;
		uint8_t    *p;
		PaMemoryBytes bytes;
		PaValueHeader header;
		Sample		s;

		CHECK(n < SAMPLE_GOLDEN_COUNT && strcmp(name, sample_golden_name(n)) == 0);
		snprintf(path, sizeof(path), "%s/%s.bin", folder, name);
		p = read_file(path, &length);
		if (!CHECK(p != NULL))
			break;
		pa_bytes_from_memory(&bytes, p, length);
		CHECK_OK(pa_value_read_header(env, &bytes.base, &header), env);
		pa_hex(got[0], header.digest);
		pa_hex(got[1], header.envelope_digest);
		CHECK(strcmp(got[0], hex[0]) == 0 && strcmp(got[1], hex[1]) == 0);
		CHECK_OK(sample_golden(env, n, &s), env);
		for (uint32_t i = 0; i < s.adapter.n_tensors; i++)
		{
			CHECK_OK(pa_hash_begin(env, PA_HASH_TENSOR), env);
			CHECK_OK(pa_hash_update(env, PA_HASH_TENSOR, s.data[i], (size_t) s.tensors[i].bytes), env);
			CHECK_OK(pa_hash_finish(env, PA_HASH_TENSOR, s.tensors[i].sha256), env);
		}
		check_same(env, &s, &bytes.base);
		free(p);
		n++;
	}
	fclose(list);
	CHECK(n == SAMPLE_GOLDEN_COUNT);
}

/* Written by the code of their time; run from the top of the repository. */
UNIT_TEST(golden_files)
{
	check_golden_files(env, "test/golden/format1");
	check_golden_files(env, "test/golden/format2");
}

UNIT_SUITE(value, UNIT_CASE(samples), UNIT_CASE(dtypes_and_sizes), UNIT_CASE(documents), UNIT_CASE(slices),
		   UNIT_CASE(released_document), UNIT_CASE(random_ranges), UNIT_CASE(failing_fetch),
		   UNIT_CASE(limits), UNIT_CASE(golden_files), UNIT_CASE(small_adapters));
