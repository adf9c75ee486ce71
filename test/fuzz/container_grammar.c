/*
 * container_grammar.c
 *	  Files of containers from bytes, imported and looked at.  See container_grammar.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "container_grammar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "engine/export.h"
#include "engine/import.h"
#include "engine/transform.h"
#include "limited_host.h"

#define MOST_DATA 4096

/* Bytes of an input, zeros beyond its end. */
typedef struct Bytes
{
	const uint8_t *p;
	size_t		n;
} Bytes;

typedef struct File
{
	PaBuf		header;
	uint8_t		data[MOST_DATA];
	size_t		length;
	bool		fits;
} File;

static uint8_t
next(Bytes *bytes)
{
	if (bytes->n == 0)
		return 0;
	bytes->n--;
	return *bytes->p++;
}

/* An entry of the header, and its data: from the input, or ones. */
static void
add(File *file, const char *path, const char *end, PaDtype dtype, int ndim, const uint64_t *shape,
	Bytes *values)
{
	size_t		bytes = (size_t) pa_dtype_bits(dtype) / 8;

	for (int i = 0; i < ndim; i++)
		bytes *= (size_t) shape[i];
	file->fits = file->fits && file->length + bytes <= MOST_DATA;
	if (!file->fits)
		return;
	file->fits = pa_buf_printf(&file->header, ",\"%s%s\":{\"dtype\":\"%s\",\"shape\":[", path, end,
							   pa_dtype_name(dtype)) == PA_OK;
	for (int i = 0; i < ndim; i++)
		file->fits = file->fits &&
			pa_buf_printf(&file->header, "%s%d", i > 0 ? "," : "", (int) shape[i]) == PA_OK;
	file->fits = file->fits &&
		pa_buf_printf(&file->header, "],\"data_offsets\":[%zu,%zu]}", file->length, file->length + bytes) ==
			PA_OK;
	for (size_t i = 0; i < bytes; i++)
		file->data[file->length++] = values != NULL ? next(values) : (i % 2 == 0 ? 0 : 0x3c);
}

static PaDtype
dtype_of(uint8_t choice)
{
	static const PaDtype dtypes[] = {PA_F16, PA_BF16, PA_F32, PA_F64, PA_I64, PA_U8, PA_F8_E4M3, PA_BOOL};

	return dtypes[choice % 8];
}

static void
add_module(const ContainerGrammar *grammar, Bytes *bytes, File *file)
{
	uint8_t		choice = next(bytes);
	const char *path = grammar->paths[choice % 4];
	const char *const *ends = &grammar->ends[2 * ((choice >> 2) % 8)];
	uint8_t		has = next(bytes);
	uint8_t		sizes = next(bytes);
	uint64_t	a[4] = {1 + sizes % 3, 1 + (sizes >> 2) % 3, 1, 1};
	uint64_t	b[4] = {1 + (sizes >> 4) % 3, has & 64 ? 2 : a[0], 1, 1};
	uint64_t	middle[4] = {a[0], has & 128 ? 1 : a[0], 2, 1 + sizes % 2};
	int			ndim = has & 1 ? 4 : 2;
	PaDtype		dtype = dtype_of(next(bytes) % 4);

	if ((has & 3) == 1)
		a[2] = a[3] = 2;
	add(file, path, ends[0], dtype, ndim, a, NULL);
	if ((has & 32) == 0)
		add(file, path, ends[1], dtype, ndim, b, NULL);
	if (has & 2)
		add(file, path, ".lora_mid.weight", dtype, 4, middle, NULL);
	if (has & 4)
		add(file, path, ".alpha", dtype_of(next(bytes)), has & 8 ? 1 : 0, middle + 3, bytes);
	if ((has & 24) == 16)
		add(file, path, next(bytes) % 2 == 0 ? ".dora_scale" : ".diff_b", dtype, 2, a, NULL);
}

static bool
make_file(PaEnv *env, const ContainerGrammar *grammar, Bytes bytes, PaBuf *out)
{
	File	   *file = calloc(1, sizeof(File));
	int			modules = 1 + next(&bytes) % 4;
	PaBuf		body;
	bool		made;

	limited_insist(file != NULL && pa_buf_init(env, &file->header, 0, 256) == PA_OK &&
					   pa_buf_init(env, &body, 0, 256) == PA_OK,
				   "memory", env);
	file->fits = true;
	for (int i = 0; i < modules; i++)
		add_module(grammar, &bytes, file);
	made = file->fits &&
		pa_buf_printf(&body, "{\"__metadata__\":{\"format\":\"pt\",\"%s\":", grammar->key) == PA_OK &&
		pa_json_quote(&body, pa_text(bytes.p, strnlen((const char *) bytes.p, bytes.n))) == PA_OK &&
		pa_buf_u8(&body, '}') == PA_OK &&
		pa_buf_bytes(&body, file->header.data, file->header.length) == PA_OK &&
		pa_buf_u8(&body, '}') == PA_OK && pa_buf_init(env, out, 0, 8 + body.length + file->length) == PA_OK &&
		pa_buf_u64(out, body.length) == PA_OK && pa_buf_bytes(out, body.data, body.length) == PA_OK &&
		pa_buf_bytes(out, file->data, file->length) == PA_OK;
	pa_buf_release(&file->header);
	pa_buf_release(&body);
	free(file);
	return made;
}

static PaValue *
open_stored(PaEnv *env, const PaBuf *stored, PaMemoryBytes *bytes)
{
	PaValue    *value;

	pa_bytes_from_memory(bytes, stored->data, stored->length);
	limited_insist(pa_value_open(env, &bytes->base, &value) == PA_OK, "the value is opened", env);
	return value;
}

static bool
same_digest(PaValue *a, PaValue *b)
{
	return memcmp(pa_value_header(a)->digest, pa_value_header(b)->digest, PA_SHA256_LENGTH) == 0;
}

/* Exported in a form and imported again, it is the same. */
static void
check_again(PaEnv *env, PaValue *value, PaExportForm form, const PaBuf *wanted)
{
	PaBuf		out;
	PaBuf		stored;
	PaMemoryBytes bytes;
	PaValue    *again;

	limited_insist(pa_export_value(env, value, form, 0, &out) == PA_OK, "exported", env);
	limited_insist(wanted == NULL ||
					   (out.length == wanted->length && memcmp(out.data, wanted->data, out.length) == 0),
				   "byte for byte", env);
	limited_insist(pa_import_file(env, pa_text(out.data, out.length), (PaText) {0},
								  form == PA_EXPORT_ENVELOPE, 0, &stored) == PA_OK,
				   "imported again", env);
	again = open_stored(env, &stored, &bytes);
	limited_insist(same_digest(value, again), "the digest again", env);
	pa_buf_release(&out);
	pa_buf_release(&stored);
}

/* A result may have PEFT's names, which need a configuration; else it is read again. */
static void
check_file(PaEnv *env, PaValue *value)
{
	PaBuf		out;
	PaBuf		stored;
	PaStatus	status;

	limited_insist(pa_export_value(env, value, PA_EXPORT_FILE, 0, &out) == PA_OK, "exported", env);
	status = limited_proper(env,
							pa_import_file(env, pa_text(out.data, out.length), (PaText) {0}, false, 0,
										   &stored),
							"result imported");
	limited_insist(status == PA_OK || status == PA_ERR_CONFIG, "a result is read", env);
	if (status == PA_OK)
		pa_buf_release(&stored);
	pa_buf_release(&out);
}

static void
check_scaled(PaEnv *env, PaValue *value)
{
	PaBuf		stored;
	PaMemoryBytes bytes;

	if (limited_proper(env, pa_transform_scale(env, value, -0.375, 0, &stored), "scaled") != PA_OK)
		return;
	check_again(env, open_stored(env, &stored, &bytes), PA_EXPORT_ENVELOPE, NULL);
	check_file(env, open_stored(env, &stored, &bytes));
	pa_buf_release(&stored);
}

void
container_grammar_try(const ContainerGrammar *grammar, const uint8_t *data, size_t size)
{
	LimitedHost host;
	PaEnv		env;
	PaBuf		file;
	PaBuf		stored;
	PaMemoryBytes bytes;
	PaValue    *value;

	limited_host_init(&host, (size_t) 512 << 20);
	pa_env_init(&env, &host.host);
	if (make_file(&env, grammar, (Bytes) {data, size}, &file))
	{
		if (limited_proper(&env,
						   pa_import_file(&env, pa_text(file.data, file.length), (PaText) {0}, false, 0,
										  &stored),
						   "imported") == PA_OK)
		{
			value = open_stored(&env, &stored, &bytes);
			check_again(&env, value, PA_EXPORT_FILE, &file);
			check_again(&env, value, PA_EXPORT_ENVELOPE, NULL);
			check_scaled(&env, value);
			pa_buf_release(&stored);
		}
		pa_buf_release(&file);
	}
	pa_env_reset(&env);
	limited_host_release(&host);
}
