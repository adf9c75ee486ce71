/*
 * fuzz_safetensors.c
 *	  The input as a whole safetensors file, and as a header alone.
 *
 * What is accepted covers its data without holes, takes memory in proportion to
 * the input, and comes back from the envelope's header as it was.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdlib.h>
#include <string.h>

#include "interchange/safetensors.h"
#include "limited_host.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_cover(const PaEnv *env, const PaSafetensors *st)
{
	uint64_t	end = 0;

	for (uint32_t i = 0; i < st->n_tensors; i++)
	{
		const PaFileTensor *t = &st->tensors[i];
		size_t		n = strlen(t->name);

		limited_insist(n > 0 && n <= PA_MAX_NAME_BYTES && t->ndim >= 0 && t->ndim <= PA_MAX_NDIM,
					   "name and dimensions", env);
		limited_insist(t->offset == end && t->bytes <= UINT64_MAX - end, "cover", env);
		for (int d = 0; d < t->ndim; d++)
			limited_insist(t->shape[d] <= (uint64_t) PA_MAX_DIMENSION, "dimension", env);
		end += t->bytes;
	}
	limited_insist(end == st->data_length, "length of the data", env);
	limited_insist(st->config.text != NULL || (st->recipe.text == NULL && st->inner_header.text == NULL),
				   "reserved keys", env);
}

static bool
same_document(PaText a, PaText b)
{
	return (a.text == NULL) == (b.text == NULL) && pa_text_equal(a, b);
}

/* The same tensors and documents, written as an envelope and read. */
static void
check_envelope(PaEnv *env, const PaSafetensors *st)
{
	PaEnvelope	envelope = {
		.config = st->config.text != NULL ? st->config : pa_text_of("{}"),
		.recipe = st->recipe,
		.inner_header = st->inner_header,
		.kind = st->kind,
	};
	PaSafetensors again;
	PaText		header;

	limited_insist(pa_safetensors_envelope_header(env, st->n_tensors, st->tensors, &envelope, &header) ==
					   PA_OK,
				   "envelope is written", env);
	limited_insist(header.length % 8 == 0, "padding", env);
	limited_insist(pa_safetensors_read_header(env, header, st->data_length, PA_ERR_FILE, &again) == PA_OK,
				   "envelope is read", env);
	limited_insist(again.n_tensors == st->n_tensors, "tensors of the envelope", env);
	for (uint32_t i = 0; i < st->n_tensors; i++)
	{
		const PaFileTensor *a = &st->tensors[i];
		const PaFileTensor *b = &again.tensors[i];

		limited_insist(strcmp(a->name, b->name) == 0 && a->dtype == b->dtype && a->ndim == b->ndim &&
						   a->bytes == b->bytes && a->offset == b->offset &&
						   memcmp(a->shape, b->shape, sizeof(a->shape)) == 0,
					   "tensor of the envelope", env);
	}
	limited_insist(same_document(st->recipe, again.recipe) &&
					   same_document(st->inner_header, again.inner_header),
				   "documents of the envelope", env);
}

static void
run(const uint8_t *data, size_t size, bool whole)
{
	LimitedHost host;
	PaEnv		env;
	PaSafetensors st;
	PaStatus	status;

	/* the shortest entry, some 48 bytes, is a structure of about 130, and is written again */
	limited_host_init(&host, 64 * size + 65536);
	pa_env_init(&env, &host.host);
	if (whole)
		status = pa_safetensors_read(&env, pa_text(data, size), &st);
	else
		status = pa_safetensors_read_header(&env, pa_text(data, size), UINT64_MAX, PA_ERR_FILE, &st);
	if (limited_proper(&env, status, whole ? "file" : "header") == PA_OK)
	{
		if (whole)
			limited_insist(st.data + st.data_length == data + size, "end of the file", &env);
		check_cover(&env, &st);
		check_envelope(&env, &st);
	}
	pa_env_reset(&env);
	limited_host_release(&host);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run(data, size, true);
	run(data, size, false);
	return 0;
}
