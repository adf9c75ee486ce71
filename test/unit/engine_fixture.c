/*
 * engine_fixture.c
 *	  See engine_fixture.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/evaluate.h"
#include "engine/import.h"
#include "engine/inspect.h"

typedef struct Kept
{
	PaBuf		buf;
	PaMemoryBytes bytes;
} Kept;

static void
release_kept(void *arg)
{
	pa_buf_release(&((Kept *) arg)->buf);
}

PaValue *
fixture_open(PaEnv *env, PaBuf *buf)
{
	Kept	   *kept;
	PaValue    *value;

	if (PA_NEW(env, &kept) != PA_OK)
	{
		pa_buf_release(buf);
		return NULL;
	}
	kept->buf = *buf;
	if (pa_defer(env, release_kept, kept) != PA_OK)
		return NULL;
	pa_bytes_from_memory(&kept->bytes, kept->buf.data, kept->buf.length);
	if (pa_value_open(env, &kept->bytes.base, &value) != PA_OK)
		return NULL;
	return value;
}

PaValue *
fixture_import(PaEnv *env, BuildFile *file, const char *config)
{
	size_t		length;
	uint8_t    *bytes = build_finish(file, &length);
	PaBuf		buf;
	PaStatus	status = pa_import_file(env, pa_text(bytes, length), pa_text_of(config), false, 0, &buf);

	free(bytes);
	if (status == PA_OK)
		return fixture_open(env, &buf);
	fprintf(stderr, "import: %s (%s)\n", env->error.message, env->error.detail);
	return NULL;
}

PaStatus
fixture_evaluate(PaEnv *env, uint32_t n, PaValue *const *leaves, size_t n_terms, const PaTerm *terms,
				 PaValue **value)
{
	PaBuf		buf;
	int64_t		same_as;

	*value = NULL;
	PA_TRY(pa_evaluate_terms(env, PA_SPACE_PARAMETER, n, leaves, n_terms, terms, 0, &buf, &same_as));
	*value = same_as >= 0 ? leaves[same_as] : fixture_open(env, &buf);
	return *value != NULL ? PA_OK : env->error.code;
}

PaStatus
fixture_sum(PaEnv *env, uint32_t n, PaValue *const *leaves, const double *w, PaValue **value)
{
	PaTerm		terms[16];

	for (uint32_t i = 0; i < n; i++)
	{
		terms[i] = (PaTerm) {i, 1, 1};
		PA_TRY(pa_terms_multiply(env, &terms[i], 1, w[i]));
	}
	return fixture_evaluate(env, n, leaves, n, terms, value);
}

double *
fixture_tensor(PaEnv *env, PaValue *value, const char *name, uint64_t *n)
{
	const PaTensor *tensor;
	double	   *out;

	*n = 0;
	if (pa_inspect_measure(env, value, name, &tensor) != PA_OK ||
		PA_NEW_ARRAY(env, tensor->elements + 1, &out) != PA_OK ||
		pa_inspect_read(env, value, tensor, out) != PA_OK)
		return NULL;
	*n = tensor->elements;
	return out;
}

bool
fixture_holds(PaEnv *env, PaValue *value, const char *name, uint64_t n, const double *wanted)
{
	uint64_t	got_n;
	double	   *got = value == NULL ? NULL : fixture_tensor(env, value, name, &got_n);

	if (got == NULL || got_n != n)
		return false;
	for (uint64_t i = 0; i < n; i++)
	{
		if (memcmp(&got[i], &wanted[i], sizeof(double)) == 0)
			continue;
		fprintf(stderr, "%s[%d] is %.17g, not %.17g\n", name, (int) i, got[i], wanted[i]);
		return false;
	}
	return true;
}

double
fixture_scaling(PaValue *value, const char *path)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	int64_t		module = pa_adapter_find_module(adapter, path);

	return module < 0 ? NAN : adapter->modules[module].scaling;
}

PaDtype
fixture_dtype(PaValue *value, const char *name)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	int64_t		tensor = pa_adapter_find_tensor(adapter, name);

	return tensor < 0 ? PA_DTYPE_INVALID : adapter->tensors[tensor].dtype;
}

const uint8_t *
fixture_sha256(PaValue *value, const char *name)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	int64_t		tensor = pa_adapter_find_tensor(adapter, name);

	return tensor < 0 ? NULL : adapter->tensors[tensor].sha256;
}

const char *
fixture_document(PaEnv *env, PaValue *value, PaDocument which)
{
	PaText		document;

	if (pa_value_document(env, value, which, &document) != PA_OK || document.text == NULL)
		return "";
	return document.text;
}

bool
fixture_same_digest(PaValue *a, PaValue *b)
{
	return memcmp(pa_value_header(a)->digest, pa_value_header(b)->digest, PA_SHA256_LENGTH) == 0;
}
