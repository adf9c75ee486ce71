/*
 * safetensors_in.c
 *	  Reading safetensors files: doc/format.md, "Safetensors".
 *
 * The order of checks is: size of the header against the file, a scan that
 * bounds what parsing may allocate, the JSON, each entry alone, and last that the
 * tensors cover the data without a hole or an overlap.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* memmem */
#endif
#include "interchange/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/fault.h"
#include "core/arith.h"
#include "core/bytes.h"
#include "core/utf8.h"
#include "interchange/file_sniff.h"
#include "interchange/header_scan.h"

#define METADATA "__metadata__"

static PaStatus
read_integer(PaEnv *env, const json_t *v, const char *name, const char *member, PaStatus code, uint64_t *out)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return pa_fail(env, code, "%s of tensor \"%.300s\" has a value that is not a non-negative integer",
					   member, name);
	*out = (uint64_t) json_integer_value(v);
	return PA_OK;
}

static PaStatus
read_dtype(PaEnv *env, const json_t *v, PaFileTensor *t, PaStatus code)
{
	if (!json_is_string(v))
		return pa_fail(env, code, "dtype of tensor \"%.300s\" is not a string", t->name);
	t->dtype = pa_dtype_by_name(json_string_value(v), json_string_length(v));
	if (t->dtype == PA_DTYPE_INVALID)
		return pa_fail(env, code, "tensor \"%.300s\" has unknown dtype \"%.40s\"", t->name,
					   json_string_value(v));
	return PA_OK;
}

static PaStatus
read_shape(PaEnv *env, const json_t *v, PaFileTensor *t, PaStatus code)
{
	size_t		n = json_array_size(v);

	if (!json_is_array(v))
		return pa_fail(env, code, "shape of tensor \"%.300s\" is not an array", t->name);
	if (n > PA_MAX_NDIM)
		return pa_fail(env, PA_ERR_LIMIT, "tensor \"%.300s\" has %zu dimensions, more than %d", t->name, n,
					   PA_MAX_NDIM);
	for (size_t i = 0; i < n; i++)
	{
		PA_TRY(read_integer(env, json_array_get(v, i), t->name, "shape", code, &t->shape[i]));
		if (t->shape[i] > (uint64_t) PA_MAX_DIMENSION)
			return pa_fail(env, PA_ERR_LIMIT, "tensor \"%.300s\" has a dimension of %llu, more than %lld",
						   t->name, (unsigned long long) t->shape[i], (long long) PA_MAX_DIMENSION);
	}
	t->ndim = (int) n;
	return PA_OK;
}

static PaStatus
read_offsets(PaEnv *env, const json_t *v, PaFileTensor *t, PaStatus code)
{
	uint64_t	end = 0;

	if (!json_is_array(v) || json_array_size(v) != 2)
		return pa_fail(env, code, "data_offsets of tensor \"%.300s\" is not an array of two", t->name);
	PA_TRY(read_integer(env, json_array_get(v, 0), t->name, "data_offsets", code, &t->offset));
	PA_TRY(read_integer(env, json_array_get(v, 1), t->name, "data_offsets", code, &end));
	if (end < t->offset)
		return pa_fail(env, code, "tensor \"%.300s\" ends before it begins", t->name);
	t->bytes = end - t->offset;
	return PA_OK;
}

/* What dtype and shape say must be what the offsets say. */
static PaStatus
check_size(PaEnv *env, const PaFileTensor *t, PaStatus code)
{
	uint64_t	bits = 1;
	bool		fits = true;

	for (int i = 0; i < t->ndim; i++)
		fits = fits && pa_mul_u64(bits, t->shape[i], &bits);
	if (!fits || !pa_mul_u64(bits, (uint64_t) pa_dtype_bits(t->dtype), &bits))
		return pa_fail(env, code, "size of tensor \"%.300s\" overflows", t->name);
	if (bits % 8 != 0)
		return pa_fail(env, code, "tensor \"%.300s\" is not a whole number of bytes", t->name);
	if (bits / 8 == t->bytes)
		return PA_OK;
	pa_fail(env, code, "tensor \"%.300s\" has %llu bytes where its dtype and shape need %llu", t->name,
			(unsigned long long) t->bytes, (unsigned long long) (bits / 8));
	return code;
}

static PaStatus
check_name(PaEnv *env, const char *name, PaStatus code)
{
	size_t		n = strlen(name);

	if (n > PA_MAX_NAME_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "tensor name of %zu bytes is longer than %d", n, PA_MAX_NAME_BYTES);
	if (n == 0)
		return pa_fail(env, code, "safetensors file has a tensor without a name");
	if (!pa_utf8_valid_name(name, n))
		return pa_fail(env, code, "safetensors file has a tensor name with a control character");
	return PA_OK;
}

static PaStatus
read_entry(PaEnv *env, const char *name, json_t *entry, PaStatus code, PaFileTensor *t)
{
	const char *member;
	json_t	   *v;

	PA_TRY(check_name(env, name, code));
	t->name = name;
	if (!json_is_object(entry))
		return pa_fail(env, code, "entry of tensor \"%.300s\" is not an object", name);
	if (!json_object_get(entry, "dtype") || !json_object_get(entry, "shape") ||
		!json_object_get(entry, "data_offsets"))
		return pa_fail(env, code, "entry of tensor \"%.300s\" lacks dtype, shape or data_offsets", name);
	json_object_foreach(entry, member, v)
	{
		if (strcmp(member, "dtype") == 0)
			PA_TRY(read_dtype(env, v, t, code));
		else if (strcmp(member, "shape") == 0)
			PA_TRY(read_shape(env, v, t, code));
		else if (strcmp(member, "data_offsets") == 0)
			PA_TRY(read_offsets(env, v, t, code));
		else
			return pa_fail(env, code, "entry of tensor \"%.300s\" has an unknown member \"%.100s\"", name,
						   member);
	}
	return check_size(env, t, code);
}

static PaStatus
read_metadata(PaEnv *env, json_t *metadata, PaStatus code, PaSafetensors *out)
{
	const struct
	{
		const char *key;
		PaText	   *text;
	} reserved[] = {
		{PA_META_CONFIG, &out->config},		  {PA_META_RECIPE, &out->recipe},
		{PA_META_HEADER, &out->inner_header}, {PA_META_DIGEST, &out->envelope_digest},
		{PA_META_KIND, &out->kind},			  {PA_META_NAMES, &out->names},
	};
	const char *key;
	json_t	   *v;
	size_t		at;

	/* the reference reader takes null as absent */
	if (json_is_null(metadata))
		return PA_OK;
	if (!json_is_object(metadata))
		return pa_fail(env, code, "%s of the safetensors file is not an object", METADATA);
	out->metadata = metadata;
	json_object_foreach(metadata, key, v)
	{
		if (!json_is_string(v))
			return pa_fail(env, code, "metadata \"%.100s\" of the safetensors file is not a string", key);
		if (strncmp(key, PA_META_PREFIX, strlen(PA_META_PREFIX)) != 0)
			continue;
		for (at = 0; at < sizeof(reserved) / sizeof(reserved[0]) && strcmp(key, reserved[at].key) != 0;)
			at++;
		if (at == sizeof(reserved) / sizeof(reserved[0]))
			return pa_fail_later(
				env, "The file has the metadata key \"%.100s\", which this version does not know.", key);
		*reserved[at].text = pa_text(json_string_value(v), json_string_length(v));
	}
	for (size_t i = 1; out->config.text == NULL && i < sizeof(reserved) / sizeof(reserved[0]); i++)
	{
		if (reserved[i].text->text == NULL)
			continue;
		pa_fail(env, code, "safetensors file has the metadata key \"%s\" but not \"%s\"", reserved[i].key,
				PA_META_CONFIG);
		pa_detail(env, "These keys are reserved for the envelope of an adapter.");
		return code;
	}
	return PA_OK;
}

/* Tensors without elements come before the one that begins at their place. */
static int
compare_places(const void *a, const void *b)
{
	const PaFileTensor *x = a;
	const PaFileTensor *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

static PaStatus
check_cover(PaEnv *env, PaSafetensors *out, uint64_t data_length, PaStatus code)
{
	uint64_t	end = 0;

	qsort(out->tensors, out->n_tensors, sizeof(PaFileTensor), compare_places);
	for (uint32_t i = 0; i < out->n_tensors; i++)
	{
		const PaFileTensor *t = &out->tensors[i];

		if (t->offset != end)
			return pa_fail(env, code,
						   "tensor \"%.300s\" begins at offset %llu of the data, where %llu is expected",
						   t->name, (unsigned long long) t->offset, (unsigned long long) end);
		if (!pa_add_u64(end, t->bytes, &end))
			return pa_fail(env, code, "size of tensor \"%.300s\" overflows", t->name);
	}
	out->data_length = end;
	if (data_length != UINT64_MAX && data_length != end)
	{
		pa_fail(env, code, "safetensors file has %llu bytes of data, its header describes %llu",
				(unsigned long long) data_length, (unsigned long long) end);
		if (data_length < end)
			pa_hint(env, "The file may be cut.");
		return code;
	}
	return PA_OK;
}

/* The text (it begins with a brace) without its padding, which is spaces and nothing else. */
static PaStatus
trim_header(PaEnv *env, PaText *header, PaStatus code)
{
	while (header->text[header->length - 1] == ' ')
		header->length--;
	if (header->text[header->length - 1] != '}')
		return pa_fail(env, code, "safetensors header does not end with \"}\" and spaces");
	return PA_OK;
}

PaStatus
pa_safetensors_read_header(PaEnv *env, PaText header, uint64_t data_length, PaStatus code, PaSafetensors *out)
{
	json_t	   *root;
	json_t	   *v;
	const char *key;
	size_t		n;

	memset(out, 0, sizeof(*out));
	out->header = header;
	if (header.length > PA_MAX_ENVELOPE_HEADER_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "safetensors header of %zu bytes is larger than %zu", header.length,
					   PA_MAX_ENVELOPE_HEADER_BYTES);
	if (header.length == 0 || header.text[0] != '{')
		return pa_fail(env, code, "safetensors header does not begin with \"{\"");
	PA_TRY(pa_header_scan(env, header, code));
	PA_TRY(trim_header(env, &header, code));
	PA_TRY(pa_json_parse(env, header, "safetensors header", &root));
	n = json_object_size(root) - (json_object_get(root, METADATA) != NULL ? 1 : 0);
	if (n > PA_MAX_TENSORS)
		return pa_fail(env, PA_ERR_LIMIT, "safetensors file has %zu tensors, more than %d", n,
					   PA_MAX_TENSORS);
	PA_TRY(PA_NEW_ARRAY(env, n, &out->tensors));
	json_object_foreach(root, key, v)
	{
		PA_TRY(pa_check_cancel(env));
		if (strcmp(key, METADATA) == 0)
			PA_TRY(read_metadata(env, v, code, out));
		else
			PA_TRY(read_entry(env, key, v, code, &out->tensors[out->n_tensors++]));
	}
	return check_cover(env, out, data_length, code);
}

/* An imported header has a lower limit than an envelope's, whose metadata holds three documents. */
static PaStatus
check_header_length(PaEnv *env, const uint8_t *p, uint64_t header, size_t length)
{
	if (header < 2 || header > length - 8 || p[8] != '{')
		PA_TRY(pa_file_sniff(env, p, length));
	if (header < 2)
		return pa_fail(env, PA_ERR_FILE, "safetensors header of %llu bytes is too short",
					   (unsigned long long) header);
	if (header > length - 8)
	{
		pa_fail(env, PA_ERR_FILE, "safetensors header of %llu bytes does not fit into a file of %zu bytes",
				(unsigned long long) header, length);
		pa_hint(env, "The file is not safetensors, or it is cut.");
		return PA_ERR_FILE;
	}
	if (header > PA_MAX_ENVELOPE_HEADER_BYTES ||
		(header > PA_MAX_HEADER_BYTES &&
		 memmem(p + 8, (size_t) header, "\"" PA_META_CONFIG "\"", strlen(PA_META_CONFIG) + 2) == NULL))
	{
		pa_fail(env, PA_ERR_LIMIT, "safetensors header of %llu bytes is too large",
				(unsigned long long) header);
		pa_detail(env, "A header may have %zu bytes, that of an envelope %zu.", PA_MAX_HEADER_BYTES,
				  PA_MAX_ENVELOPE_HEADER_BYTES);
		return PA_ERR_LIMIT;
	}
	return PA_OK;
}

PaStatus
pa_safetensors_read(PaEnv *env, PaText file, PaSafetensors *out)
{
	const uint8_t *p = (const uint8_t *) file.text;
	size_t		length = file.length;
	uint64_t	header;

	memset(out, 0, sizeof(*out));
	if (length == 0)
		return pa_fail(env, PA_ERR_FILE, "file is empty");
	if (length > PA_MAX_FILE_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "file of %zu bytes is larger than %llu", length,
					   (unsigned long long) PA_MAX_FILE_BYTES);
	if (length < 8)
	{
		PA_TRY(pa_file_sniff(env, p, length));
		return pa_fail(env, PA_ERR_FILE, "file of %zu bytes is too short for safetensors", length);
	}
	header = pa_load_u64(p);
	PA_TRY(check_header_length(env, p, header, length));
	PA_TRY(pa_safetensors_read_header(env, pa_text(p + 8, (size_t) header), length - 8 - (size_t) header,
									  PA_ERR_FILE, out));
	if (header > PA_MAX_HEADER_BYTES && out->config.text == NULL)
		return pa_fail(env, PA_ERR_LIMIT, "safetensors header of %llu bytes is larger than %zu",
					   (unsigned long long) header, PA_MAX_HEADER_BYTES);
	out->data = p + 8 + header;
	return PA_OK;
}
