/*
 * fuzz_value.c
 *	  Stored bytes from anywhere, as they are and with their checksums made
 *	  right (value_seal.h), so that the checks behind these are reached.
 *
 * Whatever opens is read in blocks and in odd steps, which must agree, with all
 * documents; the deep check may refuse it.  If all of it can be read, it is
 * written again: the new value must pass the deep check and have the digest of
 * what was read.  The only errors are damage and a version from the future.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/host.h"
#include "test/unit/value_later.h"
#include "test/unit/value_seal.h"
#include "value/value.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool held, const PaEnv *env, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "%s: %s (%s)\n", what, env->error.message, env->error.detail);
	abort();
}

static bool
passed(const PaEnv *env, PaStatus status, const char *what)
{
	must(status == PA_OK || status == PA_ERR_CORRUPT || status == PA_ERR_UNSUPPORTED, env, what);
	must(status == PA_OK || (env->error.code == status && env->error.message[0] != '\0'), env, what);
	return status == PA_OK;
}

/* Blocks, then steps that do not fit blocks: the same bytes. */
static bool
read_tensor(PaEnv *env, PaSource *source, uint32_t i)
{
	const PaTensor *t = &source->adapter->tensors[i];
	uint64_t	units = pa_tensor_units(t);
	size_t		width = (size_t) pa_dtype_plane_width(t->dtype);
	uint8_t    *whole;
	uint8_t    *steps;
	bool		good = true;

	/* claimed, and so possible: blocks of equal bytes are stored in a few */
	if (t->bytes > 16 * 1024 * 1024)
		return false;
	whole = malloc((size_t) t->bytes + 1);
	steps = malloc((size_t) t->bytes + 1);
	for (uint64_t at = 0; at < units && good; at += PA_BLOCK_ELEMENTS)
	{
		size_t		n = units - at < PA_BLOCK_ELEMENTS ? (size_t) (units - at) : PA_BLOCK_ELEMENTS;

		good = passed(env, source->read(env, source, i, at, n, whole + at * width), "block");
	}
	for (uint64_t at = 0, n = 1; at < units && good; at += n)
	{
		n = at < 40000 ? 977 : 50001;
		n = units - at < n ? units - at : n;
		good = passed(env, source->read(env, source, i, at, (size_t) n, steps + at * width), "step");
	}
	must(!good || memcmp(whole, steps, (size_t) t->bytes) == 0, env, "blocks and steps differ");
	free(whole);
	free(steps);
	return good;
}

static void
write_again(PaEnv *env, PaValue *value, PaSource *source, const PaDocuments *documents)
{
	PaAdapter	adapter = *pa_value_adapter(value);
	PaBuf		buf;
	PaValueHeader header;
	PaMemoryBytes bytes;
	PaValue    *again;
	PaTensor   *tensors;
	bool		was_right;

	was_right = passed(env, pa_value_check(env, value), "deep check");
	must(PA_NEW_ARRAY(env, adapter.n_tensors, &tensors) == PA_OK, env, "memory");
	if (adapter.n_tensors > 0)
		memcpy(tensors, adapter.tensors, adapter.n_tensors * sizeof(PaTensor));
	adapter.tensors = tensors;
	must(pa_buf_init(env, &buf, 4, 4 + pa_value_bound(&adapter, documents)) == PA_OK, env, "memory");
	must(pa_value_write(env, source, &adapter, documents, &buf, &header) == PA_OK, env, "written again");
	must(buf.length <= 4 + pa_value_bound(&adapter, documents), env, "bound");
	pa_bytes_from_memory(&bytes, buf.data + 4, buf.length - 4);
	must(pa_value_open(env, &bytes.base, &again) == PA_OK, env, "opened again");
	must(pa_value_check(env, again) == PA_OK, env, "checked again");
	if (was_right)
	{
		const PaValueHeader *before = pa_value_header(value);

		must(memcmp(before->digest, header.digest, PA_SHA256_LENGTH) == 0 &&
				 memcmp(before->envelope_digest, header.envelope_digest, PA_SHA256_LENGTH) == 0,
			 env, "digests differ");
	}
	pa_buf_release(&buf);
}

/* A number that only a later version knows is nobody's damage, and is not gone on without. */
static void
try_later(PaEnv *env, const uint8_t *p, size_t n)
{
	for (int sort = 0; sort < VALUE_LATER_COUNT; sort++)
	{
		uint8_t    *copy = malloc(n);
		PaMemoryBytes bytes;
		PaValue    *value;

		memcpy(copy, p, n);
		pa_bytes_from_memory(&bytes, copy, n);
		if (value_later(copy, n, sort))
			must(pa_value_open(env, &bytes.base, &value) == PA_ERR_UNSUPPORTED, env, value_later_name(sort));
		free(copy);
	}
}

static void
try_value(PaEnv *env, const uint8_t *p, size_t n)
{
	PaMemoryBytes bytes;
	PaValueHeader header;
	PaValue    *value;
	PaSource   *source;
	PaDocuments documents;
	bool		good = true;

	pa_bytes_from_memory(&bytes, p, n);
	good = passed(env, pa_value_read_header(env, &bytes.base, &header), "header");
	if (!passed(env, pa_value_open(env, &bytes.base, &value), "open"))
		return;
	must(good, env, "opened without a header");
	try_later(env, p, n);
	must(passed(env, pa_value_source(env, value, &source), "source"), env, "source");
	for (int i = 0; i < PA_DOCUMENT_COUNT; i++)
		good = passed(env, pa_value_document(env, value, (PaDocument) i, &documents.document[i]),
					  "document") &&
			good;
	for (uint32_t i = 0; i < pa_value_adapter(value)->n_tensors; i++)
		good = good && read_tensor(env, source, i);
	if (good && pa_value_adapter(value)->raw_bytes <= 16 * 1024 * 1024)
		write_again(env, value, source, &documents);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	UnitHost	host;
	PaEnv		env;
	uint8_t    *copy = malloc(size + 1);

	memcpy(copy, data, size);
	unit_host_init(&host);
	for (int pass = 0; pass < 3; pass++)
	{
		if (pass > 0)
			value_seal(copy, size, pass == 2);
		pa_env_init(&env, &host.host);
		try_value(&env, copy, size);
		pa_env_reset(&env);
		must(host.live == 0, &env, "memory is left");
	}
	unit_host_release(&host);
	free(copy);
	return 0;
}
