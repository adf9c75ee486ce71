/*
 * build_file.c
 *	  See build_file.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "build_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
grow(void *p, size_t n)
{
	p = realloc(p, n > 0 ? n : 1);
	if (p == NULL)
		abort();
	return p;
}

static void
append(BuildFile *file, const char *text)
{
	size_t		n = strlen(text);

	file->header = grow(file->header, file->header_length + n + 1);
	memcpy(file->header + file->header_length, text, n + 1);
	file->header_length += n;
}

void
build_begin(BuildFile *file, const char *metadata)
{
	memset(file, 0, sizeof(*file));
	append(file, "{");
	if (metadata == NULL)
		metadata = "{\"format\":\"pt\"}";
	if (*metadata == '\0')
		return;
	append(file, "\"__metadata__\":");
	append(file, metadata);
}

static void
add_entry(BuildFile *file, const char *name, const char *dtype, int ndim, const uint64_t *shape, size_t bytes)
{
	char		text[2048];

	append(file, file->header_length > 1 ? ",\"" : "\"");
	append(file, name);
	append(file, "\":{\"dtype\":\"");
	append(file, dtype);
	append(file, "\",\"shape\":[");
	for (int i = 0; i < ndim; i++)
	{
		snprintf(text, sizeof(text), "%s%llu", i > 0 ? "," : "", (unsigned long long) shape[i]);
		append(file, text);
	}
	snprintf(text, sizeof(text), "],\"data_offsets\":[%zu,%zu]}", file->data_length,
			 file->data_length + bytes);
	append(file, text);
	file->data = grow(file->data, file->data_length + bytes);
	file->data_length += bytes;
}

static void
encode(uint8_t *p, PaDtype dtype, double v)
{
	float		f = (float) v;
	uint16_t	h = dtype == PA_F16 ? pa_f64_to_f16(v) : pa_f64_to_bf16(v);

	if (dtype == PA_F64)
		memcpy(p, &v, 8);
	else if (dtype == PA_F32)
		memcpy(p, &f, 4);
	else
		memcpy(p, &h, 2);
}

void
build_tensor(BuildFile *file, const char *name, PaDtype dtype, int ndim, const uint64_t *shape,
			 const double *values)
{
	size_t		width = (size_t) pa_dtype_bits(dtype) / 8;
	size_t		n = 1;
	uint8_t    *p;

	for (int i = 0; i < ndim; i++)
		n *= shape[i];
	add_entry(file, name, pa_dtype_name(dtype), ndim, shape, n * width);
	p = file->data + file->data_length - n * width;
	for (size_t i = 0; i < n; i++)
		encode(p + i * width, dtype, values[i]);
}

void
build_random(BuildFile *file, const char *name, PaDtype dtype, int ndim, const uint64_t *shape,
			 uint64_t *seed)
{
	size_t		n = 1;
	double	   *values;

	for (int i = 0; i < ndim; i++)
		n *= shape[i];
	values = grow(NULL, n * sizeof(double));
	for (size_t i = 0; i < n; i++)
		values[i] = build_uniform(seed);
	build_tensor(file, name, dtype, ndim, shape, values);
	free(values);
}

void
build_bytes(BuildFile *file, const char *name, const char *dtype, uint64_t elements, size_t bytes, int fill)
{
	add_entry(file, name, dtype, 1, &elements, bytes);
	memset(file->data + file->data_length - bytes, fill, bytes);
}

uint8_t *
build_finish(BuildFile *file, size_t *length)
{
	uint64_t	header;
	uint8_t    *out;

	append(file, "}");
	while (file->header_length % 8 != 0)
		append(file, " ");
	header = file->header_length;
	*length = 8 + file->header_length + file->data_length;
	out = grow(NULL, *length);
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t) (header >> (8 * i));
	memcpy(out + 8, file->header, file->header_length);
	if (file->data_length > 0)
		memcpy(out + 8 + file->header_length, file->data, file->data_length);
	free(file->header);
	free(file->data);
	memset(file, 0, sizeof(*file));
	return out;
}

void
build_lora(BuildFile *file, const char *path, PaDtype dtype, uint64_t r, uint64_t in, uint64_t out,
		   uint64_t *seed)
{
	char		name[512];
	uint64_t	a[2] = {r, in};
	uint64_t	b[2] = {out, r};

	snprintf(name, sizeof(name), "base_model.model.%s.lora_A.weight", path);
	build_random(file, name, dtype, 2, a, seed);
	snprintf(name, sizeof(name), "base_model.model.%s.lora_B.weight", path);
	build_random(file, name, dtype, 2, b, seed);
}

uint64_t
build_bits(uint64_t *seed)
{
	uint64_t	z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

double
build_uniform(uint64_t *seed)
{
	return (double) (int64_t) build_bits(seed) / 9223372036854775808.0;
}
