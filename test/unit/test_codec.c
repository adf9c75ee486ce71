/*
 * test_codec.c
 *	  Byte planes, blocks and documents: what goes in comes out, and damaged
 *	  bytes are an error and nothing worse.
 *
 * Every buffer that is handed to a decoder is malloc'ed in its exact size, so
 * that a sanitizer sees the first byte too far.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/plane_kernel.h"
#include "codec/planes.h"
#include "core/bytes.h"
#include "core/limits.h"

typedef enum Filling
{
	ZEROS,
	ONES,
	RANDOM,
	GAUSSIAN,
	RAMP,
	FILLINGS
} Filling;

static const PaDtype weights[] = {PA_F64, PA_F32, PA_F16, PA_BF16};

/* One element of normally distributed weights. */
static void
put_gaussian(uint8_t *p, PaDtype dtype, uint64_t *seed)
{
	double		v = 0.02 * unit_gaussian(seed);
	float		f = (float) v;

	if (dtype == PA_F64)
		memcpy(p, &v, 8);
	else if (dtype == PA_F32)
		memcpy(p, &f, 4);
	else if (dtype == PA_F16)
		pa_store_u16(p, pa_f64_to_f16(v));
	else
		pa_store_u16(p, pa_f64_to_bf16(v));
}

static void
fill(uint8_t *p, size_t n, PaDtype dtype, Filling filling, uint64_t *seed)
{
	size_t		width = (size_t) pa_dtype_plane_width(dtype);

	for (size_t i = 0; i < n * width; i++)
		p[i] = filling == ZEROS ? 0
			: filling == ONES	? 0xFF
			: filling == RAMP	? (uint8_t) (i / width)
								: (uint8_t) unit_random(seed);
	if (filling == GAUSSIAN && pa_dtype_is_arithmetic(dtype))
		for (size_t i = 0; i < n; i++)
			put_gaussian(p + i * width, dtype, seed);
}

/* Planes as the header says, one element at a time. */
static void
slow_split(const uint8_t *elements, size_t n, int width, bool rotate, uint8_t *planes)
{
	for (size_t i = 0; i < n; i++)
	{
		uint64_t	v = 0;

		for (int k = width - 1; k >= 0; k--)
			v = v << 8 | elements[i * (size_t) width + (size_t) k];
		if (rotate)
			v = v << 1 | (v >> (8 * width - 1) & 1);
		for (int k = 0; k < width; k++)
			planes[(size_t) k * n + i] = (uint8_t) (v >> (8 * (width - 1 - k)));
	}
}

/* Every instance against the slow one, byte for byte. */
static void
check_planes(PaPlaneSplit split, PaPlaneJoin join)
{
	uint64_t	seed = unit_seed();

	for (int width = 1; width <= 8; width *= 2)
		for (int rotate = 0; rotate <= (width > 1); rotate++)
			for (size_t n = 0; n < 200; n = n < 80 ? n + 1 : n + 37)
			{
				size_t		size = n * (size_t) width;
				uint8_t    *in = malloc(size + 1);	/* + 1: an odd address */
				uint8_t    *fast = malloc(size + 1);
				uint8_t    *slow = malloc(size + 1);
				uint8_t    *back = malloc(size + 1);
				const uint8_t *plane[8] = {NULL};

				for (size_t i = 0; i <= size; i++)
					in[i] = (uint8_t) unit_random(&seed);
				slow_split(in + 1, n, width, rotate, slow);
				split(in + 1, n, width, rotate, fast);
				CHECK(memcmp(slow, fast, size) == 0);
				for (int k = 0; k < width; k++)
					plane[k] = fast + (size_t) k * n;
				join(plane, n, width, rotate, back + 1);
				CHECK(memcmp(back + 1, in + 1, size) == 0);
				free(in);
				free(fast);
				free(slow);
				free(back);
			}
}

UNIT_TEST(plane_kernels)
{
	(void) env;
	check_planes(pa_plane_split, pa_plane_join);
	for (size_t i = 0; i < pa_plane_set_count; i++)
		if (pa_plane_sets[i].runs())
			check_planes(pa_plane_sets[i].split, pa_plane_sets[i].join);
}

static void
round_trip(PaEnv *env, PaPlanes *planes, const uint8_t *raw, size_t n, PaDtype dtype)
{
	int			width = pa_dtype_plane_width(dtype);
	size_t		size = n * (size_t) width;
	uint8_t    *back = malloc(size);
	uint8_t    *exact;
	PaBuf		out;
	size_t		stored = 0;

	CHECK_OK(pa_buf_init(env, &out, 3, 0), env);
	CHECK_OK(pa_planes_encode(planes, raw, n, dtype, &out, &stored), env);
	CHECK(stored == out.length - 3 && stored <= pa_planes_bound(n, width));
	exact = malloc(stored);
	memcpy(exact, out.data + 3, stored);
	CHECK_OK(pa_planes_decode(planes, exact, stored, n, dtype, back), env);
	CHECK(memcmp(raw, back, size) == 0);
	free(exact);
	free(back);
	pa_buf_release(&out);
}

UNIT_TEST(round_trips)
{
	static const size_t sizes[] = {1,	 2,	   3,	 4,	   5,	  6,	 7,
								   8,	 9,	   15,	 16,   17,	  31,	 32,
								   33,	 63,   64,	 65,   100,	  127,	 128,
								   129,	 255,  256,	 257,  1000,  1023,	 1024,
								   1025, 4095, 4096, 4097, 16384, 32767, PA_BLOCK_ELEMENTS};
	uint64_t	seed = unit_seed();
	PaPlanes   *planes;
	uint8_t    *raw = malloc(8 * PA_BLOCK_ELEMENTS);

	CHECK_OK(pa_planes_create(env, &planes), env);
	for (int d = 1; d < PA_DTYPE_COUNT; d++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			for (int f = 0; f < FILLINGS; f++)
			{
				fill(raw, sizes[i], (PaDtype) d, (Filling) f, &seed);
				round_trip(env, planes, raw, sizes[i], (PaDtype) d);
			}
	free(raw);
}

UNIT_TEST(empty_and_too_large)
{
	PaPlanes   *planes;
	PaBuf		out;
	size_t		stored;
	uint8_t		lengths[32] = {0};
	uint8_t    *large = calloc(PA_BLOCK_ELEMENTS + 1, 1);

	CHECK_OK(pa_planes_create(env, &planes), env);
	CHECK_OK(pa_buf_init(env, &out, 0, 0), env);
	CHECK_OK(pa_planes_encode(planes, large, 0, PA_F32, &out, &stored), env);
	CHECK(stored == 16 && memcmp(out.data, lengths, 16) == 0);
	CHECK_OK(pa_planes_decode(planes, out.data, 16, 0, PA_F32, large), env);
	CHECK_STATUS(pa_planes_encode(planes, large, PA_BLOCK_ELEMENTS + 1, PA_U8, &out, &stored),
				 PA_ERR_INTERNAL, env);
	CHECK_STATUS(pa_planes_decode(planes, large, 4, PA_BLOCK_ELEMENTS + 1, PA_U8, large), PA_ERR_INTERNAL,
				 env);
	pa_buf_release(&out);
	free(large);
}

/* What the format promises for weights; the random bits of the mantissas are the bound. */
UNIT_TEST(ratio)
{
	static const double limits[] = {0.90, 0.85, 0.86, 0.68};
	uint64_t	seed = unit_seed();
	uint8_t    *raw = malloc(8 * PA_BLOCK_ELEMENTS);
	PaPlanes   *planes;

	CHECK_OK(pa_planes_create(env, &planes), env);
	for (int i = 0; i < 4; i++)
	{
		PaBuf		out;
		size_t		stored = 0;
		double		ratio;

		fill(raw, PA_BLOCK_ELEMENTS, weights[i], GAUSSIAN, &seed);
		CHECK_OK(pa_buf_init(env, &out, 0, 0), env);
		CHECK_OK(pa_planes_encode(planes, raw, PA_BLOCK_ELEMENTS, weights[i], &out, &stored), env);
		ratio = (double) stored / (PA_BLOCK_ELEMENTS * pa_dtype_plane_width(weights[i]));
		if (!CHECK(ratio <= limits[i]))
			printf("#   %s: %.4f\n", pa_dtype_name(weights[i]), ratio);
		pa_buf_release(&out);
	}
	/* repetitions are no weights, but zeros (fresh B factors) must nearly vanish */
	memset(raw, 0, 8 * PA_BLOCK_ELEMENTS);
	{
		PaBuf		out;
		size_t		stored = 0;

		CHECK_OK(pa_buf_init(env, &out, 0, 0), env);
		CHECK_OK(pa_planes_encode(planes, raw, PA_BLOCK_ELEMENTS, PA_F32, &out, &stored), env);
		CHECK(stored < 200);
		pa_buf_release(&out);
	}
	free(raw);
}

/* Decode a copy of exact size; a fault must be reported as damage. */
static PaStatus
decode_copy(PaEnv *env, PaPlanes *planes, const uint8_t *bytes, size_t length, size_t n, PaDtype dtype)
{
	uint8_t    *exact = malloc(length);
	uint8_t    *raw = malloc(n * (size_t) pa_dtype_plane_width(dtype));
	PaStatus	status;

	memcpy(exact, bytes, length);
	status = pa_planes_decode(planes, exact, length, n, dtype, raw);
	CHECK(status == PA_OK || (status == PA_ERR_CORRUPT && env->error.code == PA_ERR_CORRUPT));
	free(exact);
	free(raw);
	return status;
}

static void
damage(PaEnv *env, PaPlanes *planes, PaBuf *block, size_t n, PaDtype dtype)
{
	int			refused = 0;

	for (size_t length = 0; length < block->length; length++)
		CHECK(decode_copy(env, planes, block->data, length, n, dtype) == PA_ERR_CORRUPT);
	for (size_t i = 0; i < block->length; i++)
		for (int bit = 0; bit < 8; bit++)
		{
			block->data[i] ^= (uint8_t) (1 << bit);
			refused += decode_copy(env, planes, block->data, block->length, n, dtype) != PA_OK;
			block->data[i] ^= (uint8_t) (1 << bit);
		}
	/* lengths always; a plane that is stored as it is has the checksum of its block */
	CHECK(refused >= 32 * pa_dtype_plane_width(dtype));
	CHECK(decode_copy(env, planes, block->data, block->length, n - 1, dtype) == PA_ERR_CORRUPT);
	CHECK(decode_copy(env, planes, block->data, block->length, n + 1, dtype) == PA_ERR_CORRUPT);
	CHECK_OK(pa_buf_u8(block, 0), env);
	CHECK(decode_copy(env, planes, block->data, block->length, n, dtype) == PA_ERR_CORRUPT);
	block->length--;
	CHECK(decode_copy(env, planes, block->data, block->length, n, dtype) == PA_OK);
}

UNIT_TEST(damaged_blocks)
{
	uint64_t	seed = unit_seed();
	uint8_t		raw[8 * 700];
	PaPlanes   *planes;

	CHECK_OK(pa_planes_create(env, &planes), env);
	for (int i = 0; i < 4; i++)
		for (int f = 0; f < FILLINGS; f++)
		{
			PaBuf		out;
			size_t		stored;

			fill(raw, 700, weights[i], (Filling) f, &seed);
			CHECK_OK(pa_buf_init(env, &out, 0, 0), env);
			CHECK_OK(pa_planes_encode(planes, raw, 700, weights[i], &out, &stored), env);
			damage(env, planes, &out, 700, weights[i]);
			pa_buf_release(&out);
		}
}

UNIT_TEST(random_bytes)
{
	uint64_t	seed = unit_seed();
	uint8_t		bytes[600];
	PaPlanes   *planes;

	CHECK_OK(pa_planes_create(env, &planes), env);
	for (int i = 0; i < 20000; i++)
	{
		size_t		length = unit_random(&seed) % sizeof(bytes);
		size_t		n = 1 + unit_random(&seed) % 400;
		PaDtype		dtype = weights[unit_random(&seed) % 4];
		int			width = pa_dtype_plane_width(dtype);
		size_t		rest = length;

		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t) unit_random(&seed);
		/* lengths that fit, and frames that begin well: past the first checks */
		for (int k = 0; k < width; k++)
		{
			size_t		size = k == width - 1 ? rest : unit_random(&seed) % (rest + 1);

			pa_store_u32(bytes + 4 * k, (uint32_t) (length > 4 * (size_t) width ? size : unit_random(&seed)));
			rest -= size;
		}
		pa_store_u32(bytes + 4 * width, UINT32_C(0xFD2FB528));
		decode_copy(env, planes, bytes,
					length + (size_t) (4 * width) > sizeof(bytes) ? sizeof(bytes)
																  : length + (size_t) (4 * width),
					n, dtype);
	}
	CHECK(decode_copy(env, planes, bytes, 3, 1, PA_U8) == PA_ERR_CORRUPT);
}

/* Frames that libzstd decodes and this format does not have. */
UNIT_TEST(foreign_frames)
{
	static const uint8_t skippable[] = {0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 'x'};
	/* valid frames: of version 0.7, one run of 200 bytes; of today, 5 bytes as they are */
	static const uint8_t old[] = {0x27, 0xB5, 0x2F, 0xFD, 0x20, 200, 0x80, 0, 200, 'x', 0xC0, 0, 0};
	static const uint8_t longer[] = {0x28, 0xB5, 0x2F, 0xFD, 0x20, 5,	5 << 3 | 1,
									 0,	   0,	 'a',  'b',	 'c',  'd', 'e'};
	uint8_t		raw[500] = {0};
	uint8_t		both[600];
	uint8_t		back[1000];
	PaPlanes   *planes;
	PaBuf		out;
	size_t		n;

	CHECK_OK(pa_planes_create(env, &planes), env);
	CHECK_OK(pa_buf_init(env, &out, 0, 0), env);
	CHECK_OK(pa_document_encode(planes, raw, sizeof(raw), &out, &n), env);
	CHECK(n < 100);
	CHECK_OK(pa_document_decode(planes, out.data, n, back, 500), env);
	memcpy(both, skippable, sizeof(skippable));
	memcpy(both + sizeof(skippable), out.data, n);
	CHECK_STATUS(pa_document_decode(planes, both, sizeof(skippable) + n, back, 500), PA_ERR_CORRUPT, env);
	memcpy(both, out.data, n);
	memcpy(both + n, skippable, sizeof(skippable));
	CHECK_STATUS(pa_document_decode(planes, both, n + sizeof(skippable), back, 500), PA_ERR_CORRUPT, env);
	memcpy(both + n, out.data, n);
	CHECK_STATUS(pa_document_decode(planes, both, 2 * n, back, 1000), PA_ERR_CORRUPT, env);
	CHECK_STATUS(pa_document_decode(planes, old, sizeof(old), back, 200), PA_ERR_CORRUPT, env);
	CHECK_STATUS(pa_document_decode(planes, longer, sizeof(longer), back, 5), PA_ERR_CORRUPT, env);
	/* the magics of the formats before 1.0 */
	for (uint32_t magic = UINT32_C(0xFD2FB522); magic <= UINT32_C(0xFD2FB527); magic++)
	{
		memcpy(both, out.data, n);
		pa_store_u32(both, magic);
		CHECK_STATUS(pa_document_decode(planes, both, n, back, 500), PA_ERR_CORRUPT, env);
	}
	pa_buf_release(&out);
}

UNIT_TEST(documents)
{
	uint64_t	seed = unit_seed();
	uint8_t    *raw = malloc(100000);
	uint8_t    *back = malloc(100000);
	PaPlanes   *planes;

	CHECK_OK(pa_planes_create(env, &planes), env);
	for (size_t n = 0; n <= 100000; n = n < 20 ? n + 1 : 3 * n)
		for (int text = 0; text < 2; text++)
		{
			PaBuf		out;
			size_t		stored = 0;

			for (size_t i = 0; i < n; i++)
				raw[i] = text ? (uint8_t) "\"lora_alpha\": 16, "[i % 18] : (uint8_t) unit_random(&seed);
			CHECK_OK(pa_buf_init(env, &out, 5, 0), env);
			CHECK_OK(pa_document_encode(planes, raw, n, &out, &stored), env);
			CHECK(stored == out.length - 5 && stored <= n);
			CHECK(!text || n < 100 || stored < n / 2);
			CHECK_OK(pa_document_decode(planes, out.data + 5, stored, back, n), env);
			CHECK(n == 0 || memcmp(raw, back, n) == 0);
			CHECK_STATUS(pa_document_decode(planes, out.data + 5, stored, back, n > 0 ? n - 1 : 100000),
						 PA_ERR_CORRUPT, env);
			pa_buf_release(&out);
		}
	CHECK_STATUS(pa_document_decode(planes, raw, 7, back, 0), PA_ERR_CORRUPT, env);
	free(raw);
	free(back);
}

UNIT_TEST(checksums)
{
	uint8_t		bytes[300];

	(void) env;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t) i;
	/* known values of XXH3-64 */
	CHECK(pa_checksum("", 0) == UINT64_C(0x2D06800538D394C2));
	CHECK(pa_checksum("a", 1) == UINT64_C(0xE6C632B61E964E1F));
	CHECK(pa_checksum("abc", 3) == UINT64_C(0x78AF5F94892F3950));
	CHECK(pa_checksum(bytes, 300) != pa_checksum(bytes, 299));
}

static PaStatus
use_everything(PaEnv *env, void *arg)
{
	const uint8_t *raw = arg;
	uint8_t		back[4 * 3000];
	PaPlanes   *planes;
	PaBuf		out;
	size_t		block = 0;
	size_t		document = 0;
	PaStatus	status;

	PA_TRY(pa_planes_create(env, &planes));
	PA_TRY(pa_buf_init(env, &out, 0, 0));
	status = pa_planes_encode(planes, raw, 3000, PA_F32, &out, &block);
	if (status == PA_OK)
		status = pa_planes_decode(planes, out.data, block, 3000, PA_F32, back);
	if (status == PA_OK)
	{
		CHECK(memcmp(raw, back, sizeof(back)) == 0);
		status = pa_document_encode(planes, raw, 4 * 3000, &out, &document);
	}
	if (status == PA_OK)
		status = pa_document_decode(planes, out.data + block, document, back, 4 * 3000);
	if (status == PA_OK)
		CHECK(memcmp(raw, back, sizeof(back)) == 0);
	pa_buf_release(&out);
	return status;
}

UNIT_TEST(no_memory)
{
	uint64_t	seed = unit_seed();
	uint8_t		raw[4 * 3000];

	(void) env;
	fill(raw, 3000, PA_F32, GAUSSIAN, &seed);
	unit_fail_every_allocation(use_everything, raw);
}

UNIT_SUITE(codec, UNIT_CASE(plane_kernels), UNIT_CASE(round_trips), UNIT_CASE(empty_and_too_large),
		   UNIT_CASE(ratio), UNIT_CASE(damaged_blocks), UNIT_CASE(random_bytes), UNIT_CASE(foreign_frames),
		   UNIT_CASE(documents), UNIT_CASE(checksums), UNIT_CASE(no_memory));
