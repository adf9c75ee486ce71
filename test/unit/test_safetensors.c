/*
 * test_safetensors.c
 *	  Reading and writing safetensors files.  doc/format.md, "Safetensors" and
 *	  "Envelope".
 *
 * The expected canonical headers were written by the safetensors library
 * (safetensors.torch.save with metadata {"format": "pt"}).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "interchange/safetensors.h"

#define F32_2 "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
#define GOOD "{\"x\":" F32_2 "}"

/* A file in malloc'ed memory of exactly its size, so that sanitizers see every byte too far. */
static uint8_t *
make_file(const char *header, size_t header_length, size_t data_length, size_t *length)
{
	uint8_t    *file;

	*length = 8 + header_length + data_length;
	file = malloc(*length);
	if (file == NULL)
		abort();
	pa_store_u64(file, header_length);
	memcpy(file + 8, header, header_length);
	for (size_t i = 0; i < data_length; i++)
		file[8 + header_length + i] = (uint8_t) i;
	return file;
}

static PaStatus
read_text(PaEnv *env, const char *header, size_t data_length, PaSafetensors *out)
{
	size_t		length;
	uint8_t    *file = make_file(header, strlen(header), data_length, &length);
	PaStatus	status = pa_safetensors_read(env, pa_text(file, length), out);

	free(file);
	return status;
}

UNIT_TEST(reads_what_is_there)
{
	static const char header[] =
		"{\"b\" : {\"shape\":[2,3], \"dtype\":\"F16\", \"data_offsets\":[4,16]},\n"
		"\"__metadata__\":{\"format\":\"pt\",\"note\":\"\"},"
		"\"none\":{\"dtype\":\"F64\",\"shape\":[0,7],\"data_offsets\":[4,4]},"
		"\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]},"
		"\"caf\\u00e9\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[16,17]}}   ";
	size_t		length;
	uint8_t    *file = make_file(header, strlen(header), 17, &length);
	PaSafetensors st;

	if (CHECK_OK(pa_safetensors_read(env, pa_text(file, length), &st), env))
	{
		CHECK(st.header.text == (const char *) file + 8 && st.header.length == strlen(header));
		CHECK(st.data == file + 8 + strlen(header) && st.data_length == 17);
		CHECK(st.n_tensors == 4 && st.config.text == NULL && st.recipe.text == NULL &&
			  st.inner_header.text == NULL);
		CHECK(strcmp(st.tensors[0].name, "a") == 0 && st.tensors[0].dtype == PA_BF16);
		CHECK(strcmp(st.tensors[1].name, "none") == 0 && st.tensors[1].bytes == 0 &&
			  st.tensors[1].offset == 4);
		CHECK(strcmp(st.tensors[2].name, "b") == 0 && st.tensors[2].ndim == 2 &&
			  st.tensors[2].shape[0] == 2 && st.tensors[2].shape[1] == 3 && st.tensors[2].bytes == 12);
		CHECK(strcmp(st.tensors[3].name, "caf\xc3\xa9") == 0 && st.tensors[3].ndim == 0 &&
			  st.tensors[3].offset == 16);
	}
	free(file);
}

typedef struct Refusal
{
	const char *header;
	size_t		data;
	PaStatus	status;
} Refusal;

static const Refusal refusals[] = {
	{GOOD, 7, PA_ERR_FILE},
	{GOOD, 9, PA_ERR_FILE},
	{" " GOOD, 8, PA_ERR_FILE},
	{GOOD "\n", 8, PA_ERR_FILE},
	{GOOD "}", 8, PA_ERR_JSON},
	{"{}", 1, PA_ERR_FILE},
	{"[]", 0, PA_ERR_FILE},
	{"{\"x\":" F32_2, 8, PA_ERR_JSON},
	{"{\"x\":[1", 8, PA_ERR_FILE},
	{"{\"x\":" F32_2 ",}", 8, PA_ERR_JSON},
	{"{\"x\":" F32_2 ",\"x\":" F32_2 "}", 8, PA_ERR_DUPLICATE_KEY},
	{"{\"x\":" F32_2 ",\"\\u0078\":" F32_2 "}", 8, PA_ERR_DUPLICATE_KEY},
	{"{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
	 PA_ERR_DUPLICATE_KEY},
	{"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, PA_ERR_DUPLICATE_KEY},
	{"{\"__metadata__\":{\"a\":1}}", 0, PA_ERR_FILE},
	{"{\"__metadata__\":" F32_2 "}", 8, PA_ERR_FILE},
	{"{\"__metadata__\":\"\"}", 0, PA_ERR_FILE},
	{"{\"\":" F32_2 "}", 8, PA_ERR_FILE},
	{"{\"a\\nb\":" F32_2 "}", 8, PA_ERR_FILE},
	{"{\"a\\u0000b\":" F32_2 "}", 8, PA_ERR_JSON},
	{"{\"a\x7f\":" F32_2 "}", 8, PA_ERR_FILE},
	{"{\"\xff\":" F32_2 "}", 8, PA_ERR_JSON},
	{"{\"x\":1}", 0, PA_ERR_FILE},
	{"{\"x\":[\"F32\",[2],[0,8]]}", 8, PA_ERR_FILE},
	{"{\"x\":{}}", 0, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"s\":1}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[[2]],\"data_offsets\":[0,8]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[-0],\"data_offsets\":[0,0]}}", 0, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0.0,8]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,7]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}", 9, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, PA_ERR_FILE},
	{"{\"x\":" F32_2 ",\"y\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[7,8]}}", 8, PA_ERR_FILE},
	{"{\"x\":" F32_2 ",\"y\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[4,4]}}", 8, PA_ERR_FILE},
	{"{\"x\":" F32_2 ",\"y\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[9,9]}}", 8, PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[2147483648],\"data_offsets\":[0,2147483648]}}", 8, PA_ERR_LIMIT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[0,2147483648],\"data_offsets\":[0,0]}}", 0, PA_ERR_LIMIT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, PA_ERR_LIMIT},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2147483647,2147483647,2147483647,0],\"data_offsets\":[0,0]}}", 0,
	 PA_ERR_FILE},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[1073741824,1073741824,16],\"data_offsets\":[0,0]}}", 0,
	 PA_ERR_FILE},
	{"{\"__metadata__\":{\"peftarith.recipe\":\"{}\"}}", 0, PA_ERR_FILE},
	{"{\"__metadata__\":{\"peftarith.config\":\"{}\",\"peftarith.part\":\"1\"}}", 0, PA_ERR_UNSUPPORTED},
	{"{\"__metadata__\":{\"peftarith.\":\"\"}}", 0, PA_ERR_UNSUPPORTED},
	{"{\"__metadata__\":{\"peftarith.header\":\"{}\"}}", 0, PA_ERR_FILE},
	{"{\"__metadata__\":{\"peftarith.envelope_digest\":\"{}\"}}", 0, PA_ERR_FILE},
};

UNIT_TEST(refuses_malformed_headers)
{
	PaSafetensors st;

	CHECK_OK(read_text(env, GOOD, 8, &st), env);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
	{
		if (!CHECK_STATUS(read_text(env, refusals[i].header, refusals[i].data, &st), refusals[i].status, env))
			printf("#   %s\n", refusals[i].header);
		CHECK(env->error.message[0] != '\0');
	}
}

UNIT_TEST(accepts_what_the_reference_accepts)
{
	PaSafetensors st;

	CHECK_OK(read_text(env, "{}", 0, &st), env);
	CHECK_OK(read_text(env, "{}      ", 0, &st), env);
	CHECK_OK(read_text(env, "{\"__metadata__\":null}", 0, &st), env);
	CHECK_OK(read_text(env, "{\"__metadata__\":{}}", 0, &st), env);
	CHECK_OK(read_text(env, "{\"x\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}}", 2, &st), env);
	CHECK_OK(read_text(env, "{\"x\":{\"dtype\":\"U8\",\"shape\":[0,2147483647],\"data_offsets\":[0,0]}}", 0,
					   &st),
			 env);
	CHECK_OK(read_text(env, "{\"x\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,2],\"data_offsets\":[0,2]}}",
					   2, &st),
			 env);
	/* reserved keys as names of tensors are nothing special */
	CHECK_OK(read_text(env, "{\"peftarith.recipe\":" F32_2 "}", 8, &st), env);
	CHECK(st.recipe.text == NULL);
}

UNIT_TEST(refuses_every_truncation)
{
	size_t		length;
	uint8_t    *file = make_file(GOOD, strlen(GOOD), 8, &length);
	PaSafetensors st;

	for (size_t n = 0; n < length; n++)
	{
		uint8_t    *cut = malloc(n > 0 ? n : 1);

		memcpy(cut, file, n);
		CHECK_STATUS(pa_safetensors_read(env, pa_text(cut, n), &st), PA_ERR_FILE, env);
		free(cut);
	}
	free(file);
}

/* A zip archive up to the length of its first name. */
#define ZIP "PK\003\004\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

UNIT_TEST(names_other_files)
{
	static const struct
	{
		const char *bytes;
		size_t		length;
		const char *type;
	} files[] = {
		{"PK\003\004xxxxxxxxxxxx", 16, "zip"},
		{ZIP "\020\0\0\0archive/data.pkl", 46, "torch.save"},
		{ZIP "\005\0\0\0a.npy", 35, ".npz"},
		{ZIP "\377\377\0\0archive/data.pkl", 46, "(.pt, .bin or .npz)"},
		{ZIP "\003\0\0\0pkl", 33, "(.pt, .bin or .npz)"},
		{"GGUF\003\0\0\0xxxxxxxx", 16, "GGUF"},
		{"\211HDF\r\n\032\nxxxxxxxx", 16, "HDF5"},
		{"\223NUMPY\001\0xxxxxxxx", 16, "numpy"},
		{"\037\213\010\0xxxxxxxxxxxx", 16, "gzip"},
		{"\050\265\057\375xxxxxxxxxxxx", 16, "zstd"},
		{"\200\002}q\000(X\001\000\000\000a.", 14, "pickle"},
		{"\200\004\225\0\0\0\0\0\0\0\0}.", 13, "pickle"},
		{"}q.", 3, "pickle"},
		{"{\"peft_type\": \"LORA\"}\n", 22, "JSON"},
		{"{}", 2, "JSON"},
		{"version https://git-lfs.github.com/spec/v1\n", 43, "Git LFS"},
		{"<!DOCTYPE html><html></html>", 28, "HTML"},
		{"\211PAD\r\n\032\nxxxxxxxx", 16, "stored adapter"},
	};
	PaSafetensors st;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
	{
		uint8_t    *file = malloc(files[i].length);

		memcpy(file, files[i].bytes, files[i].length);
		CHECK_STATUS(pa_safetensors_read(env, pa_text(file, files[i].length), &st), PA_ERR_FILE, env);
		if (!CHECK(strstr(env->error.message, files[i].type) != NULL && env->error.hint[0] != '\0'))
			printf("#   %s: %s\n", files[i].type, env->error.message);
		free(file);
	}
}

/* 80 02 is a pickle's beginning, and that of a header of 640 bytes. */
UNIT_TEST(a_length_may_look_like_a_magic)
{
	char		header[641];
	PaSafetensors st;

	snprintf(header, sizeof(header), "%-640s", GOOD);
	CHECK_OK(read_text(env, header, 8, &st), env);
}

/* Many entries without data, for the limits on a header. */
static char *
many_entries(size_t n, size_t *length)
{
	char	   *text = malloc(64 * n + 64);
	char	   *p = text;

	*p++ = '{';
	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%s\"t%zu\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
					 i > 0 ? "," : "", i);
	*p++ = '}';
	*length = (size_t) (p - text);
	return text;
}

UNIT_TEST(number_of_tensors)
{
	static const size_t counts[] = {PA_MAX_TENSORS, PA_MAX_TENSORS + 1, 3 * PA_MAX_TENSORS};

	for (int i = 0; i < 3; i++)
	{
		size_t		length;
		char	   *text = many_entries(counts[i], &length);
		PaSafetensors st;

		CHECK_STATUS(pa_safetensors_read_header(env, pa_text(text, length), 0, PA_ERR_FILE, &st),
					 i == 0 ? PA_OK : PA_ERR_LIMIT, env);
		if (i == 0)
			CHECK(st.n_tensors == PA_MAX_TENSORS && strcmp(st.tensors[0].name, "t0") == 0);
		free(text);
	}
}

/* A header of n bytes, padded; with or without the reserved key. */
static PaStatus
read_long(PaEnv *env, size_t n, bool envelope)
{
	const char *begin = envelope ? "{\"__metadata__\":{\"peftarith.config\":\"{}\"}}" : "{}";
	char	   *header = malloc(n);
	uint8_t    *file;
	size_t		length;
	PaSafetensors st;
	PaStatus	status;

	memset(header, ' ', n);
	memcpy(header, begin, strlen(begin));
	file = make_file(header, n, 0, &length);
	status = pa_safetensors_read(env, pa_text(file, length), &st);
	free(header);
	free(file);
	return status;
}

UNIT_TEST(length_of_the_header)
{
	CHECK_STATUS(read_long(env, PA_MAX_HEADER_BYTES, false), PA_OK, env);
	CHECK_STATUS(read_long(env, PA_MAX_HEADER_BYTES + 1, false), PA_ERR_LIMIT, env);
	CHECK_STATUS(read_long(env, PA_MAX_HEADER_BYTES + 1, true), PA_OK, env);
	CHECK_STATUS(read_long(env, PA_MAX_ENVELOPE_HEADER_BYTES, true), PA_OK, env);
	CHECK_STATUS(read_long(env, PA_MAX_ENVELOPE_HEADER_BYTES + 1, true), PA_ERR_LIMIT, env);
}

/* Text that would take many times its size in memory is refused before it is parsed. */
UNIT_TEST(bombs)
{
	static const struct
	{
		const char *begin;
		const char *part;
		const char *end;
		PaStatus	status;
	} bombs[] = {
		{"{\"x\":", "[", "}", PA_ERR_LIMIT},
		{"{\"x\":{\"shape\":[1", ",1", "]}}", PA_ERR_LIMIT},
		{"{\"x\":{\"shape\":[[]", ",[]", "]}}", PA_ERR_LIMIT},
		{"{\"x\":[[]", ",[[]]", "]}", PA_ERR_LIMIT},
		{"{\"__metadata__\":{\"\":\"\"", ",\"\":\"\"", "}}", PA_ERR_LIMIT},
		{"{\"\":{}",
		 ",\"\":{\"\":1,\"\":1,\"\":1,\"\":1,\"\":1,\"\":1,\"\":1,\"\":1,\"\":1,\"\":1,\"\":1,\"\":1,\"\":1}",
		 "}", PA_ERR_LIMIT},
	};

	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++)
	{
		size_t		n = 8 * 1024 * 1024;
		size_t		step = strlen(bombs[i].part);
		char	   *text = malloc(n + 64);
		size_t		length = strlen(bombs[i].begin);
		PaSafetensors st;

		memcpy(text, bombs[i].begin, length);
		for (; length + step < n; length += step)
			memcpy(text + length, bombs[i].part, step);
		memcpy(text + length, bombs[i].end, strlen(bombs[i].end));
		length += strlen(bombs[i].end);
		CHECK_STATUS(pa_safetensors_read_header(env, pa_text(text, length), 0, PA_ERR_FILE, &st),
					 bombs[i].status, env);
		/* nothing but the error was taken from the host */
		CHECK(env->allocations == NULL && env->deferred == NULL);
		free(text);
	}
}

/* An adapter that is only a list of tensors, sorted by name: what the canonical header needs. */
static void
only_tensors(PaAdapter *adapter, PaTensor *tensors, uint32_t n)
{
	memset(adapter, 0, sizeof(*adapter));
	adapter->tensors = tensors;
	adapter->n_tensors = n;
	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t	elements = 1;

		for (int d = 0; d < tensors[i].ndim; d++)
			elements *= tensors[i].shape[d];
		tensors[i].elements = elements;
		tensors[i].bytes = elements * (uint64_t) pa_dtype_bits(tensors[i].dtype) / 8;
	}
}

static void
expect_canonical(PaEnv *env, PaTensor *tensors, uint32_t n, const char *expected)
{
	PaAdapter	adapter;
	PaText		header;
	uint32_t   *order;
	PaSafetensors st;

	only_tensors(&adapter, tensors, n);
	if (!CHECK_OK(pa_safetensors_canonical_header(env, &adapter, &header, &order), env))
		return;
	if (!CHECK(header.length == strlen(expected) && memcmp(header.text, expected, header.length) == 0))
		printf("#   %.*s\n", (int) header.length, header.text);
	if (!CHECK_OK(pa_safetensors_read_header(env, header, UINT64_MAX, PA_ERR_FILE, &st), env))
		return;
	CHECK(st.n_tensors == n);
	for (uint32_t k = 0; k < n; k++)
		CHECK(strcmp(st.tensors[k].name, tensors[order[k]].name) == 0 &&
			  st.tensors[k].bytes == tensors[order[k]].bytes);
}

static const char every_dtype[] =
	"{\"__metadata__\":{\"format\":\"pt\"},\"zU64\":{\"dtype\":\"U64\",\"shape\":[4],\"data_offsets\":[0,32]},"
	"\"zI64\":{\"dtype\":\"I64\",\"shape\":[4],\"data_offsets\":[32,64]},\"zF64\":{\"dtype\":\"F64\",\"shape\":[4],\"data_offsets\":[64,96]},"
	"\"zC64\":{\"dtype\":\"C64\",\"shape\":[4],\"data_offsets\":[96,128]},\"zF32\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[128,144]},"
	"\"zU32\":{\"dtype\":\"U32\",\"shape\":[4],\"data_offsets\":[144,160]},\"zI32\":{\"dtype\":\"I32\",\"shape\":[4],\"data_offsets\":[160,176]},"
	"\"aBF16\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[176,184]},\"zF16\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[184,192]},"
	"\"zU16\":{\"dtype\":\"U16\",\"shape\":[4],\"data_offsets\":[192,200]},\"zI16\":{\"dtype\":\"I16\",\"shape\":[4],\"data_offsets\":[200,208]},"
	"\"zF8_E5M2FNUZ\":{\"dtype\":\"F8_E5M2FNUZ\",\"shape\":[4],\"data_offsets\":[208,212]},"
	"\"zF8_E4M3FNUZ\":{\"dtype\":\"F8_E4M3FNUZ\",\"shape\":[4],\"data_offsets\":[212,216]},"
	"\"zF8_E8M0\":{\"dtype\":\"F8_E8M0\",\"shape\":[4],\"data_offsets\":[216,220]},"
	"\"zF8_E4M3\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[220,224]},"
	"\"zF8_E5M2\":{\"dtype\":\"F8_E5M2\",\"shape\":[4],\"data_offsets\":[224,228]},\"aI8\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[228,232]},"
	"\"aU8\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[232,236]},\"aF4\":{\"dtype\":\"F4\",\"shape\":[8],\"data_offsets\":[236,240]},"
	"\"aBOOL\":{\"dtype\":\"BOOL\",\"shape\":[4],\"data_offsets\":[240,244]}}  ";

UNIT_TEST(canonical_headers)
{
	PaTensor	one[] = {
		{.name = "aBF16", .dtype = PA_BF16, .ndim = 1, .shape = {4}},
		{.name = "aBOOL", .dtype = PA_BOOL, .ndim = 1, .shape = {4}},
		{.name = "aF4", .dtype = PA_F4, .ndim = 1, .shape = {8}},
		{.name = "aI8", .dtype = PA_I8, .ndim = 1, .shape = {4}},
		{.name = "aU8", .dtype = PA_U8, .ndim = 1, .shape = {4}},
		{.name = "zC64", .dtype = PA_C64, .ndim = 1, .shape = {4}},
		{.name = "zF16", .dtype = PA_F16, .ndim = 1, .shape = {4}},
		{.name = "zF32", .dtype = PA_F32, .ndim = 1, .shape = {4}},
		{.name = "zF64", .dtype = PA_F64, .ndim = 1, .shape = {4}},
		{.name = "zF8_E4M3", .dtype = PA_F8_E4M3, .ndim = 1, .shape = {4}},
		{.name = "zF8_E4M3FNUZ", .dtype = PA_F8_E4M3FNUZ, .ndim = 1, .shape = {4}},
		{.name = "zF8_E5M2", .dtype = PA_F8_E5M2, .ndim = 1, .shape = {4}},
		{.name = "zF8_E5M2FNUZ", .dtype = PA_F8_E5M2FNUZ, .ndim = 1, .shape = {4}},
		{.name = "zF8_E8M0", .dtype = PA_F8_E8M0, .ndim = 1, .shape = {4}},
		{.name = "zI16", .dtype = PA_I16, .ndim = 1, .shape = {4}},
		{.name = "zI32", .dtype = PA_I32, .ndim = 1, .shape = {4}},
		{.name = "zI64", .dtype = PA_I64, .ndim = 1, .shape = {4}},
		{.name = "zU16", .dtype = PA_U16, .ndim = 1, .shape = {4}},
		{.name = "zU32", .dtype = PA_U32, .ndim = 1, .shape = {4}},
		{.name = "zU64", .dtype = PA_U64, .ndim = 1, .shape = {4}},
	};
	PaTensor	two[] = {
		{.name = "a", .dtype = PA_F32, .ndim = 2, .shape = {0, 3}},
		{.name = "a\"b\\c/\x7f\xc3\xa9", .dtype = PA_F32, .ndim = 1, .shape = {1}},
		{.name = "b", .dtype = PA_F16},
	};
	PaTensor	three[] = {
		{.name = "base_model.model.m.lora_A.weight", .dtype = PA_BF16, .ndim = 2, .shape = {2, 3}},
		{.name = "base_model.model.m.lora_B.weight", .dtype = PA_BF16, .ndim = 2, .shape = {3, 2}},
	};
	PaAdapter	adapter;
	PaText		header;
	uint32_t   *order;

	expect_canonical(env, one, 20, every_dtype);
	expect_canonical(
		env, three, 2,
		"{\"__metadata__\":{\"format\":\"pt\"},"
		"\"base_model.model.m.lora_A.weight\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
		"\"base_model.model.m.lora_B.weight\":{\"dtype\":\"BF16\",\"shape\":[3,2],\"data_offsets\":[12,24]}}       ");
	expect_canonical(env, NULL, 0, "{\"__metadata__\":{\"format\":\"pt\"}}");
	/* a name that our reader would refuse for its DEL: only the text is compared */
	only_tensors(&adapter, two, 3);
	if (CHECK_OK(pa_safetensors_canonical_header(env, &adapter, &header, &order), env))
		CHECK(
			strcmp(
				header.text,
				"{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]},"
				"\"a\\\"b\\\\c/\x7f\xc3\xa9\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
				"\"b\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[4,6]}}      ") == 0);
}

UNIT_TEST(envelopes)
{
	static const char config[] = "{\n  \"r\": 1, \"s\": \"\\u00e9\\\\ \xc3\xa9\t\"\r\n}";
	static const char inner[] = GOOD "   ";
	const PaEnvelope envelope = {
		.config = pa_text_of(config),
		.recipe = pa_text_of("{}"),
		.inner_header = pa_text_of(inner),
		.envelope_digest = (const uint8_t *) "0123456789abcdefghijklmnopqrstuv",
	};
	PaFileTensor tensors[] = {
		{.name = "y", .dtype = PA_U8, .ndim = 1, .shape = {3}, .bytes = 3, .offset = 0},
		{.name = "x", .dtype = PA_F32, .ndim = 2, .shape = {1, 2}, .bytes = 8, .offset = 3},
	};
	PaText		header;
	PaSafetensors st;

	if (!CHECK_OK(pa_safetensors_envelope_header(env, 2, tensors, &envelope, &header), env))
		return;
	CHECK(header.length % 8 == 0);
	if (!CHECK_OK(pa_safetensors_read_header(env, header, 11, PA_ERR_FILE, &st), env))
		return;
	CHECK(st.config.length == strlen(config) && memcmp(st.config.text, config, st.config.length) == 0);
	CHECK(st.recipe.length == 2 && memcmp(st.recipe.text, "{}", 2) == 0);
	CHECK(st.inner_header.length == strlen(inner) &&
		  memcmp(st.inner_header.text, inner, st.inner_header.length) == 0);
	CHECK(st.envelope_digest.length == 64 &&
		  memcmp(st.envelope_digest.text, "303132333435363738396162", 24) == 0);
	CHECK(st.n_tensors == 2 && strcmp(st.tensors[0].name, "y") == 0 && st.tensors[1].offset == 3);
	if (CHECK_OK(pa_safetensors_envelope_header(env, 0, NULL, &(PaEnvelope) {.config = pa_text_of("{}")},
												&header),
				 env))
		CHECK(strcmp(header.text, "{\"__metadata__\":{\"format\":\"pt\",\"peftarith.config\":\"{}\"}}") == 0);
	{
		size_t		n = PA_MAX_ENVELOPE_HEADER_BYTES;
		char	   *text = malloc(n);

		memset(text, 'x', n);
		CHECK_STATUS(pa_safetensors_envelope_header(env, 0, NULL,
													&(PaEnvelope) {
														.config = pa_text_of("{}"),
														.inner_header = pa_text(text, n),
													},
													&header),
					 PA_ERR_LIMIT, env);
		free(text);
	}
}

/* Whatever a mutant is taken for, its tensors lie inside the data and cover it. */
UNIT_TEST(mutants)
{
	static const char header[] =
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
		"\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[8,12]},\"__metadata__\":{\"k\":\"v\"}}";
	static const char bytes[] = "0123456789{}[],:\"\\ -.eabU\x80";
	uint64_t	state = unit_seed();
	int			accepted = 0;

	for (int round = 0; round < 20000; round++)
	{
		size_t		length;
		uint8_t    *file = make_file(header, strlen(header), 12, &length);
		int			changes = 1 + (int) (unit_random(&state) % 3);
		PaSafetensors st;

		for (int i = 0; i < changes; i++)
			file[unit_random(&state) % (length - 12)] = (uint8_t)
				bytes[unit_random(&state) % (sizeof(bytes) - 1)];
		if (pa_safetensors_read(env, pa_text(file, length), &st) == PA_OK)
		{
			uint64_t	end = 0;

			accepted++;
			for (uint32_t i = 0; i < st.n_tensors; i++)
			{
				CHECK(st.tensors[i].offset == end);
				end += st.tensors[i].bytes;
			}
			CHECK(end == st.data_length && st.data + st.data_length == file + length);
		}
		else
			CHECK(env->error.message[0] != '\0');
		free(file);
		pa_env_reset(env);
	}
	CHECK(accepted > 100);
}

static PaStatus
read_good(PaEnv *env, void *arg)
{
	PaSafetensors st;

	return read_text(env, arg, 8, &st);
}

static PaStatus
write_canonical(PaEnv *env, void *arg)
{
	PaText		header;
	uint32_t   *order;

	return pa_safetensors_canonical_header(env, arg, &header, &order);
}

UNIT_TEST(without_memory)
{
	PaTensor	tensors[] = {{.name = "a", .dtype = PA_F32, .ndim = 1, .shape = {1}},
						  {.name = "b", .dtype = PA_F16}};
	PaAdapter	adapter;
	char		good[] = GOOD;

	only_tensors(&adapter, tensors, 2);
	unit_fail_every_allocation(read_good, good);
	unit_fail_every_allocation(write_canonical, &adapter);
	CHECK(env->allocations == NULL);
}

UNIT_SUITE(safetensors, UNIT_CASE(reads_what_is_there), UNIT_CASE(refuses_malformed_headers),
		   UNIT_CASE(accepts_what_the_reference_accepts), UNIT_CASE(refuses_every_truncation),
		   UNIT_CASE(names_other_files), UNIT_CASE(a_length_may_look_like_a_magic),
		   UNIT_CASE(number_of_tensors), UNIT_CASE(length_of_the_header), UNIT_CASE(bombs),
		   UNIT_CASE(canonical_headers), UNIT_CASE(envelopes), UNIT_CASE(mutants), UNIT_CASE(without_memory));
