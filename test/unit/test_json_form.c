/*
 * test_json_form.c
 *	  The readable form of a small adapter, in and out.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interchange/json_form.h"

/* {"config": {}, "tensors": {"x": {...}}} read; the tensor's bytes, or NULL. */
static PaStatus
read_one(PaEnv *env, const char *dtype, const char *shape, const char *data, PaSafetensors *file)
{
	char		text[2048];
	PaText		config;

	snprintf(text, sizeof(text),
			 "{\"config\":{},\"tensors\":{\"x\":{\"dtype\":\"%s\",\"shape\":%s,\"data\":%s}}}", dtype, shape,
			 data);
	return pa_json_form_read(env, pa_text_of(text), file, &config);
}

/* An adapter of one tensor over memory, written. */
static PaStatus
write_one(PaEnv *env, PaDtype dtype, int ndim, const uint64_t *shape, const void *data, PaBuf *out)
{
	PaTensor	tensor = {.name = "x", .key = "x", .dtype = dtype, .ndim = ndim, .role = PA_ROLE_DENSE};
	PaModule	module = {.path = "x", .scaling = 1};
	PaAdapter	adapter = {
		.kind = PA_KIND_LORA, .n_modules = 1, .modules = &module, .n_tensors = 1, .tensors = &tensor};
	const uint8_t *bytes = data;
	PaSource   *source;
	PaStatus	status;

	memcpy(tensor.shape, shape, (size_t) ndim * sizeof(uint64_t));
	status = pa_tensor_measure(env, &tensor, PA_ERR_INTERNAL);
	if (status == PA_OK)
		status = pa_source_from_memory(env, &adapter, &bytes, &source);
	if (status == PA_OK)
		status = pa_buf_init(env, out, 0, 64);
	if (status == PA_OK)
		status = pa_json_form_write(env, source, pa_text_of("{}"), out);
	return status;
}

static void
expect_written(PaEnv *env, PaDtype dtype, int ndim, const uint64_t *shape, const void *data,
			   const char *expected)
{
	PaBuf		out;
	char		text[2048];

	snprintf(text, sizeof(text), "{\"config\": {}, \"tensors\": {\"x\": {\"dtype\": \"%s\", %s}}}",
			 pa_dtype_name(dtype), expected);
	if (!CHECK_OK(write_one(env, dtype, ndim, shape, data, &out), env))
		return;
	if (!CHECK(out.length == strlen(text) && memcmp(out.data, text, out.length) == 0))
		printf("#   %.*s\n", (int) out.length, (const char *) out.data);
	pa_buf_release(&out);
}

UNIT_TEST(written_texts)
{
	static const uint64_t two_three[] = {2, 3};
	static const uint64_t empty[] = {2147483647, 0};
	static const uint64_t six[] = {6};
	static const float f32[] = {0.1f, 1, -2.5f, 16777216, 1e-45f, 3.4028235e38f};
	static const double f64[] = {0.1, 1e22, -0.0, 5e-324, 1.0 / 3, 123456};
	static const float special[] = {NAN, INFINITY, -INFINITY, -0.0f, 0, 1e10f};
	static const uint16_t f16[] = {0x3C00, 0x2E66, 0x0001, 0x7BFF, 0xFC00, 0x7E00};
	static const uint16_t bf16[] = {0x3F80, 0x3DCD, 0x0001, 0x7F7F, 0xFF80, 0x8000};
	static const int8_t i8[] = {-128, 127, 0, 1, -1, 2};
	static const int64_t i64[] = {INT64_MIN, INT64_MAX, 0, 1, -1, 2};
	static const uint8_t yes[] = {1, 0, 1, 1, 0, 0};

	expect_written(env, PA_F32, 2, two_three, f32,
				   "\"shape\": [2, 3], \"data\": [[0.1, 1, -2.5], [16777216, 1e-45, 3.4028235e+38]]");
	expect_written(env, PA_F64, 1, six, f64,
				   "\"shape\": [6], \"data\": [0.1, 1e+22, -0.0, 5e-324, 0.3333333333333333, 123456]");
	expect_written(env, PA_F32, 1, six, special,
				   "\"shape\": [6], \"data\": [\"NaN\", \"Infinity\", \"-Infinity\", -0.0, 0, 10000000000]");
	expect_written(env, PA_F16, 1, six, f16,
				   "\"shape\": [6], \"data\": [1, 0.1, 6e-08, 65500, \"-Infinity\", \"NaN\"]");
	expect_written(env, PA_BF16, 1, six, bf16,
				   "\"shape\": [6], \"data\": [1, 0.1, 9e-41, 3.39e+38, \"-Infinity\", -0.0]");
	expect_written(env, PA_I8, 1, six, i8, "\"shape\": [6], \"data\": [-128, 127, 0, 1, -1, 2]");
	expect_written(env, PA_I64, 1, six, i64,
				   "\"shape\": [6], \"data\": [-9223372036854775808, 9223372036854775807, 0, 1, -1, 2]");
	expect_written(env, PA_BOOL, 2, two_three, yes,
				   "\"shape\": [2, 3], \"data\": [[true, false, true], [true, false, false]]");
	expect_written(env, PA_F32, 0, six, f32, "\"shape\": [], \"data\": 0.1");
	expect_written(env, PA_F32, 2, empty, f32, "\"shape\": [2147483647, 0], \"data\": []");
	expect_written(env, PA_F32, 1, empty + 1, f32, "\"shape\": [0], \"data\": []");
}

UNIT_TEST(dtypes_without_a_form)
{
	static const uint64_t one[] = {1};
	static const uint64_t large[] = {UINT64_MAX};
	static const PaDtype none[] = {PA_C64, PA_F8_E4M3, PA_F8_E5M2, PA_F8_E8M0};
	PaBuf		out;
	PaSafetensors file;

	for (int i = 0; i < 4; i++)
	{
		CHECK_STATUS(write_one(env, none[i], 1, one, large, &out), PA_ERR_UNSUPPORTED, env);
		CHECK_STATUS(read_one(env, pa_dtype_name(none[i]), "[1]", "[0]", &file), PA_ERR_UNSUPPORTED, env);
	}
	CHECK_STATUS(write_one(env, PA_U64, 1, one, large, &out), PA_ERR_UNSUPPORTED, env);
}

/* Every value of a type of 16 bits, and random ones of the wider types, come back as they were. */
static void
round_trip(PaEnv *env, PaDtype dtype, uint64_t n, const void *data, size_t width,
		   bool (*is_nan)(const void *))
{
	PaBuf		out;
	PaSafetensors file;
	PaText		config;
	int			wrong = 0;

	if (!CHECK_OK(write_one(env, dtype, 1, &n, data, &out), env) ||
		!CHECK_OK(pa_json_form_read(env, pa_text(out.data, out.length), &file, &config), env))
		return;
	CHECK(file.n_tensors == 1 && file.data_length == n * width && file.tensors[0].dtype == dtype);
	for (uint64_t i = 0; i < n; i++)
	{
		const uint8_t *before = (const uint8_t *) data + i * width;
		const uint8_t *after = file.data + i * width;

		if (is_nan(before) ? !is_nan(after) : memcmp(before, after, width) != 0)
			wrong++;
	}
	CHECK(wrong == 0);
	pa_buf_release(&out);
}

static bool
nan_f16(const void *p)
{
	uint16_t	v;

	memcpy(&v, p, 2);
	return (v & 0x7FFF) > 0x7C00;
}

static bool
nan_bf16(const void *p)
{
	uint16_t	v;

	memcpy(&v, p, 2);
	return (v & 0x7FFF) > 0x7F80;
}

static bool
nan_f32(const void *p)
{
	float		v;

	memcpy(&v, p, 4);
	return isnan(v);
}

static bool
nan_f64(const void *p)
{
	double		v;

	memcpy(&v, p, 8);
	return isnan(v);
}

static bool
never(const void *p)
{
	(void) p;
	return false;
}

UNIT_TEST(every_value_comes_back)
{
	static uint16_t every[65536];
	static uint64_t random[20000];
	uint64_t	state = unit_seed();

	for (int i = 0; i < 65536; i++)
		every[i] = (uint16_t) i;
	for (int i = 0; i < 20000; i++)
		random[i] = unit_random(&state);
	round_trip(env, PA_F16, 65536, every, 2, nan_f16);
	round_trip(env, PA_BF16, 65536, every, 2, nan_bf16);
	round_trip(env, PA_I16, 65536, every, 2, never);
	round_trip(env, PA_U16, 65536, every, 2, never);
	round_trip(env, PA_F32, 40000, random, 4, nan_f32);
	round_trip(env, PA_F64, 20000, random, 8, nan_f64);
	round_trip(env, PA_I64, 20000, random, 8, never);
	round_trip(env, PA_U32, 40000, random, 4, never);
	round_trip(env, PA_I32, 40000, random, 4, never);
	round_trip(env, PA_U8, 100000, random, 1, never);
	round_trip(env, PA_I8, 100000, random, 1, never);
}

UNIT_TEST(numbers_are_rounded_once)
{
	PaSafetensors file;
	uint16_t	v;
	float		f;

	if (CHECK_OK(read_one(env, "BF16", "[2]", "[1.00390625, 1.01171875]", &file), env))
	{
		/* halfway between neighbours: to the even one */
		memcpy(&v, file.data, 2);
		CHECK(v == 0x3F80);
		memcpy(&v, file.data + 2, 2);
		CHECK(v == 0x3F82);
	}
	if (CHECK_OK(read_one(env, "F16", "[1]", "[1e-9]", &file), env))
	{
		memcpy(&v, file.data, 2);
		CHECK(v == 0);
	}
	if (CHECK_OK(read_one(env, "F32", "[2]", "[16777217, \"Infinity\"]", &file), env))
	{
		memcpy(&f, file.data, 4);
		CHECK(f == 16777216.0f);
		memcpy(&f, file.data + 4, 4);
		CHECK(isinf(f));
	}
	CHECK_STATUS(read_one(env, "F16", "[1]", "[65520]", &file), PA_ERR_RANGE, env);
	CHECK_OK(read_one(env, "F16", "[1]", "[65519]", &file), env);
	CHECK_STATUS(read_one(env, "BF16", "[1]", "[-3.4e38]", &file), PA_ERR_RANGE, env);
	CHECK_STATUS(read_one(env, "F32", "[1]", "[3.5e38]", &file), PA_ERR_RANGE, env);
	CHECK_STATUS(read_one(env, "F64", "[1]", "[1e309]", &file), PA_ERR_JSON, env);
	CHECK_STATUS(read_one(env, "U8", "[1]", "[256]", &file), PA_ERR_RANGE, env);
	CHECK_STATUS(read_one(env, "U8", "[1]", "[-1]", &file), PA_ERR_RANGE, env);
	CHECK_STATUS(read_one(env, "I8", "[1]", "[-129]", &file), PA_ERR_RANGE, env);
	CHECK_OK(read_one(env, "I8", "[1]", "[-128]", &file), env);
	CHECK_OK(read_one(env, "U64", "[1]", "[9223372036854775807]", &file), env);
}

UNIT_TEST(forms_of_data)
{
	static const char *const same[] = {"[[1,2,3],[4,5,6]]", "[1,2,3,4,5,6]"};
	PaSafetensors file;

	for (int i = 0; i < 2; i++)
		if (CHECK_OK(read_one(env, "U8", "[2,3]", same[i], &file), env))
			CHECK(file.data_length == 6 && memcmp(file.data, "\1\2\3\4\5\6", 6) == 0);
	CHECK_OK(read_one(env, "U8", "[]", "7", &file), env);
	CHECK_OK(read_one(env, "U8", "[]", "[7]", &file), env);
	CHECK_OK(read_one(env, "U8", "[0]", "[]", &file), env);
	CHECK_OK(read_one(env, "U8", "[2,0]", "[[],[]]", &file), env);
	CHECK_OK(read_one(env, "U8", "[2,0]", "[]", &file), env);
	CHECK_OK(read_one(env, "BOOL", "[2]", "[true,false]", &file), env);
}

UNIT_TEST(refusals)
{
	static const struct
	{
		const char *dtype;
		const char *shape;
		const char *data;
		PaStatus	status;
	} rows[] = {
		{"U8", "[2,3]", "[[1,2,3],[4,5]]", PA_ERR_TEXT},
		{"U8", "[2,3]", "[[1,2,3]]", PA_ERR_TEXT},
		{"U8", "[2,3]", "[1,2,3,4,5]", PA_ERR_TEXT},
		{"U8", "[2,3]", "[1,2,3,4,5,[6]]", PA_ERR_TEXT},
		{"U8", "[2,3]", "[[1,2,3],4]", PA_ERR_TEXT},
		{"U8", "[2]", "[[1],[2]]", PA_ERR_TEXT},
		{"U8", "[2]", "7", PA_ERR_TEXT},
		{"U8", "[]", "[[7]]", PA_ERR_TEXT},
		{"U8", "[1]", "[1.0]", PA_ERR_TEXT},
		{"U8", "[1]", "[\"1\"]", PA_ERR_TEXT},
		{"U8", "[1]", "[true]", PA_ERR_TEXT},
		{"BOOL", "[1]", "[1]", PA_ERR_TEXT},
		{"F32", "[1]", "[null]", PA_ERR_TEXT},
		{"F32", "[1]", "[\"nan\"]", PA_ERR_TEXT},
		{"F32", "[1]", "[NaN]", PA_ERR_JSON},
		{"F32", "[1]", "{}", PA_ERR_TEXT},
		{"f32", "[1]", "[1]", PA_ERR_TEXT},
		{"F32", "[-1]", "[1]", PA_ERR_TEXT},
		{"F32", "[1.0]", "[1]", PA_ERR_TEXT},
		{"F32", "1", "[1]", PA_ERR_TEXT},
		{"F32", "[1,1,1,1,1,1,1,1,1]", "[1]", PA_ERR_LIMIT},
		{"F32", "[100001]", "[]", PA_ERR_LIMIT},
		{"F32", "[2147483647]", "[]", PA_ERR_LIMIT},
		{"F32", "[2147483647,2147483647]", "[]", PA_ERR_TEXT},
		{"F32", "[2147483648,0]", "[]", PA_ERR_TEXT},
		{"F64", "[2147483647,2147483647,2147483647]", "[]", PA_ERR_TEXT},
	};
	static const struct
	{
		const char *text;
		PaStatus	status;
	} documents[] = {
		{"{}", PA_ERR_TEXT},
		{"[]", PA_ERR_JSON},
		{"{\"config\":{}}", PA_ERR_TEXT},
		{"{\"tensors\":{}}", PA_OK},
		{"{\"tensors\":{},\"config\":null}", PA_ERR_TEXT},
		{"{\"tensors\":{},\"names\":\"diffusion\"}", PA_OK},
		{"{\"tensors\":{},\"names\":\"wrapped\"}", PA_ERR_TEXT},
		{"{\"tensors\":{},\"names\":1}", PA_ERR_TEXT},
		{"{\"config\":\"{}\",\"tensors\":{}}", PA_ERR_TEXT},
		{"{\"config\":{},\"tensors\":[]}", PA_ERR_TEXT},
		{"{\"config\":{},\"tensors\":{},\"x\":1}", PA_ERR_TEXT},
		{"{\"config\":{},\"tensors\":{\"x\":1}}", PA_ERR_TEXT},
		{"{\"config\":{},\"tensors\":{\"x\":{}}}", PA_ERR_TEXT},
		{"{\"config\":{},\"tensors\":{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data\":[1],\"y\":1}}}",
		 PA_ERR_TEXT},
		{"{\"config\":{},\"tensors\":{\"\":{\"dtype\":\"F32\",\"shape\":[1],\"data\":[1]}}}", PA_ERR_TEXT},
		{"{\"config\":{},\"tensors\":{\"a\\n\":{\"dtype\":\"F32\",\"shape\":[1],\"data\":[1]}}}",
		 PA_ERR_TEXT},
		{"{\"config\":{},\"config\":{},\"tensors\":{}}", PA_ERR_DUPLICATE_KEY},
		{"{\"config\":{},\"tensors\":{}}", PA_OK},
	};
	PaSafetensors file;
	PaText		config;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!CHECK_STATUS(read_one(env, rows[i].dtype, rows[i].shape, rows[i].data, &file), rows[i].status,
						  env))
			printf("#   %s %s %s\n", rows[i].dtype, rows[i].shape, rows[i].data);
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
		if (!CHECK_STATUS(pa_json_form_read(env, pa_text_of(documents[i].text), &file, &config),
						  documents[i].status, env))
			printf("#   %s\n", documents[i].text);
}

UNIT_TEST(a_whole_adapter)
{
	static const char text[] =
		"{\"tensors\": {\"b\": {\"data\": [1, 2], \"shape\": [2], \"dtype\": \"F16\"}, "
		"\"z\": {\"dtype\": \"F32\", \"shape\": [1], \"data\": [1]}, \"a\": {\"dtype\": \"F16\", \"shape\": [], \"data\": 3}}, "
		"\"config\": {\"r\": 8, \"a\": 1.5}}";
	PaSafetensors file;
	PaText		config;

	if (!CHECK_OK(pa_json_form_read(env, pa_text_of(text), &file, &config), env))
		return;
	CHECK(strcmp(config.text, "{\n  \"a\": 1.5,\n  \"r\": 8\n}") == 0 &&
		  config.length == strlen(config.text));
	/* canonical order: wider dtypes first, then by name */
	CHECK(file.n_tensors == 3 && file.header.text == NULL && file.data_length == 10);
	CHECK(strcmp(file.tensors[0].name, "z") == 0 && file.tensors[0].offset == 0);
	CHECK(strcmp(file.tensors[1].name, "a") == 0 && file.tensors[1].offset == 4);
	CHECK(strcmp(file.tensors[2].name, "b") == 0 && file.tensors[2].offset == 6);
	CHECK(memcmp(file.data, "\0\0\x80\x3f\x00\x42\x00\x3c\x00\x40", 10) == 0);
}

UNIT_TEST(number_of_elements)
{
	static float zeros[PA_MAX_JSON_FORM_ELEMENTS + 1];
	uint64_t	n = PA_MAX_JSON_FORM_ELEMENTS;
	PaBuf		out;

	round_trip(env, PA_F32, n, zeros, 4, nan_f32);
	n++;
	CHECK_STATUS(write_one(env, PA_F32, 1, &n, zeros, &out), PA_ERR_LIMIT, env);
}

static PaStatus
there_and_back(PaEnv *env, void *arg)
{
	static const uint64_t shape[] = {2, 2};
	PaBuf		out = {0};
	PaSafetensors file;
	PaText		config;
	PaStatus	status = write_one(env, PA_F32, 2, shape, arg, &out);

	if (status == PA_OK)
		status = pa_json_form_read(env, pa_text(out.data, out.length), &file, &config);
	if (out.data != NULL)
		pa_buf_release(&out);
	return status;
}

UNIT_TEST(without_memory)
{
	float		data[4] = {1, 2, 3, 4};

	unit_fail_every_allocation(there_and_back, data);
	unit_cancel_everywhere(there_and_back, data);
	CHECK_OK(there_and_back(env, data), env);
}

UNIT_SUITE(json_form, UNIT_CASE(written_texts), UNIT_CASE(dtypes_without_a_form),
		   UNIT_CASE(every_value_comes_back), UNIT_CASE(numbers_are_rounded_once), UNIT_CASE(forms_of_data),
		   UNIT_CASE(refusals), UNIT_CASE(a_whole_adapter), UNIT_CASE(number_of_elements),
		   UNIT_CASE(without_memory));
