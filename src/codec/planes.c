/*
 * planes.c
 *	  The codec of tensor blocks and documents on zstd.  planes.h has the
 *	  format, doc/format.md the reasons.
 *
 * zstd's memory comes from the PaEnv through its custom allocator, so a context
 * needs no clean-up of its own.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "codec/planes.h"

#include <string.h>

#include "codec/plane_kernel.h"
#include "core/bytes.h"
#include "core/limits.h"

#define MAX_WIDTH 8
#define DOCUMENT_LEVEL 3

/* Far below the fastest level that exists: clamped, it means no match search. */
#define FASTEST_LEVEL (-131072)

/*
 * All is made when it is needed first: most values of a registry are small, and
 * zstd's contexts would cost more than their contents.
 */
struct PaPlanes
{
	PaEnv	   *env;
	ZSTD_CCtx  *weights;		/* Huffman only */
	ZSTD_CCtx  *documents;
	ZSTD_DCtx  *decoder;
	uint8_t    *plane;			/* the planes of a block */
	size_t		room;			/* bytes there */
};

static void *
zstd_alloc(void *opaque, size_t size)
{
	void	   *p;

	return pa_alloc_raw(opaque, size, 1, &p) == PA_OK ? p : NULL;
}

static void
zstd_free(void *opaque, void *p)
{
	pa_free(opaque, p);
}

/* Huffman coding of literals, next to no matching; level 1 where libzstd refuses that. */
static void
for_weights(ZSTD_CCtx *context)
{
	size_t		level = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, FASTEST_LEVEL);
	size_t		literals = ZSTD_CCtx_setParameter(context, ZSTD_c_literalCompressionMode, ZSTD_ps_enable);

	if (ZSTD_isError(level) || ZSTD_isError(literals))
	{
		ZSTD_CCtx_reset(context, ZSTD_reset_parameters);
		ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
	}
}

static void
for_documents(ZSTD_CCtx *context)
{
	ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, DOCUMENT_LEVEL);
}

PaStatus
pa_planes_create(PaEnv *env, PaPlanes **result)
{
	PA_TRY(PA_NEW(env, result));
	(*result)->env = env;
	return PA_OK;
}

void
pa_planes_release(PaPlanes *planes)
{
	ZSTD_freeCCtx(planes->weights);
	ZSTD_freeCCtx(planes->documents);
	ZSTD_freeDCtx(planes->decoder);
	pa_free(planes->env, planes->plane);
	pa_free(planes->env, planes);
}

static PaStatus
encoder(PaPlanes *planes, ZSTD_CCtx **context, void (*choose)(ZSTD_CCtx *))
{
	ZSTD_customMem memory = {zstd_alloc, zstd_free, planes->env};

	if (*context != NULL)
		return PA_OK;
	*context = ZSTD_createCCtx_advanced(memory);
	if (*context == NULL)
		return pa_fail(planes->env, PA_ERR_NOMEM, "out of memory");
	choose(*context);
	return PA_OK;
}

static PaStatus
decoder(PaPlanes *planes)
{
	ZSTD_customMem memory = {zstd_alloc, zstd_free, planes->env};

	if (planes->decoder == NULL)
		planes->decoder = ZSTD_createDCtx_advanced(memory);
	return planes->decoder != NULL ? PA_OK : pa_fail(planes->env, PA_ERR_NOMEM, "out of memory");
}

/* Room for the planes of a block. */
static PaStatus
plane_room(PaPlanes *planes, size_t size)
{
	if (size <= planes->room)
		return PA_OK;
	pa_free(planes->env, planes->plane);
	planes->plane = NULL;
	planes->room = 0;
	PA_TRY(PA_NEW_RAW(planes->env, size, &planes->plane));
	planes->room = size;
	return PA_OK;
}

size_t
pa_planes_bound(size_t n, int width)
{
	return (size_t) width * (n + sizeof(uint32_t));
}

/*
 * Compress n bytes into room for n: a result that would not be smaller is
 * stored as it is, and zstd says so by running out of room.
 */
static PaStatus
encode_bytes(PaPlanes *planes, ZSTD_CCtx *context, const void *raw, size_t n, uint8_t *out, size_t *stored)
{
	size_t		size = n > 0 ? ZSTD_compress2(context, out, n - 1, raw, n) : 0;

	if (ZSTD_isError(size))
	{
		if (ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation)
			return pa_fail(planes->env, PA_ERR_NOMEM, "out of memory");
		memcpy(out, raw, n);	/* an error, so n > 0 */
		size = n;
	}
	*stored = size;
	return PA_OK;
}

/*
 * libzstd also decodes its formats of before 1.0, skippable frames and several
 * frames in a row.  None of them is ever written, and the old decoders are the
 * least tested part of the library.
 */
static bool
is_one_frame(const uint8_t *stored, size_t length)
{
	return length >= sizeof(uint32_t) && pa_load_u32(stored) == ZSTD_MAGICNUMBER &&
		ZSTD_findFrameCompressedSize(stored, length) == length;
}

/* n bytes behind `length` stored ones: the stored bytes themselves, or decoded into room. */
static PaStatus
decode_bytes(PaPlanes *planes, const uint8_t *stored, size_t length, uint8_t *room, size_t n,
			 const uint8_t **raw)
{
	*raw = length == n ? stored : room;
	if (length == n)
		return PA_OK;
	if (length < n && is_one_frame(stored, length))
	{
		size_t		size;

		PA_TRY(decoder(planes));
		size = ZSTD_decompressDCtx(planes->decoder, room, n, stored, length);
		if (size == n)
			return PA_OK;
		if (ZSTD_isError(size) && ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation)
			return pa_fail(planes->env, PA_ERR_NOMEM, "out of memory");
	}
	pa_fail(planes->env, PA_ERR_CORRUPT, "stored value is damaged");
	pa_detail(planes->env, "%zu stored bytes do not decompress to %zu.", length, n);
	return PA_ERR_CORRUPT;
}

/*
 * Is a plane worth a try?  Mantissa bytes are as good as random, and finding
 * that out costs zstd as much as coding a plane that shrinks.  Of a sample of
 * bytes spread over the plane the squares of the counts are summed: uniform
 * bytes give SAMPLE + SAMPLE^2 / 256 on average.  A plane that would shrink by a
 * few percent gives twice that.
 */
#define SAMPLE 2048

static bool
promises_to_shrink(const uint8_t *plane, size_t n)
{
	uint16_t	count[256] = {0};
	uint32_t	squares = 0;

	if (n < 2 * SAMPLE)
		return true;
	for (size_t i = 0; i < SAMPLE; i++)
		count[plane[i * (n / SAMPLE)]]++;
	for (int i = 0; i < 256; i++)
		squares += (uint32_t) count[i] * count[i];
	return squares > (SAMPLE + SAMPLE * SAMPLE / 256) * 5 / 4;
}

static PaStatus
encode_plane(PaPlanes *planes, const uint8_t *plane, size_t n, uint8_t *out, size_t *stored)
{
	if (promises_to_shrink(plane, n))
	{
		PA_TRY(encoder(planes, &planes->weights, for_weights));
		return encode_bytes(planes, planes->weights, plane, n, out, stored);
	}
	memcpy(out, plane, n);
	*stored = n;
	return PA_OK;
}

PaStatus
pa_planes_encode(PaPlanes *planes, const void *raw, size_t n, PaDtype dtype, PaBuf *out, size_t *stored)
{
	int			width = pa_dtype_plane_width(dtype);
	size_t		start = out->length;
	size_t		lengths = (size_t) width * sizeof(uint32_t);

	if (n > PA_BLOCK_ELEMENTS)
		return pa_fail(planes->env, PA_ERR_INTERNAL, "block of %zu elements is too large", n);
	PA_TRY(pa_buf_room(out, pa_planes_bound(n, width)));
	PA_TRY(plane_room(planes, (size_t) width * n));
	pa_plane_split(raw, n, width, pa_dtype_rotates_sign(dtype), planes->plane);
	out->length += lengths;
	for (int k = 0; k < width; k++)
	{
		size_t		size = 0;

		PA_TRY(encode_plane(planes, planes->plane + (size_t) k * n, n, out->data + out->length, &size));
		pa_store_u32(out->data + start + (size_t) k * sizeof(uint32_t), (uint32_t) size);
		out->length += size;
	}
	*stored = out->length - start;
	return PA_OK;
}

PaStatus
pa_planes_decode(PaPlanes *planes, const void *stored, size_t length, size_t n, PaDtype dtype, void *raw)
{
	int			width = pa_dtype_plane_width(dtype);
	PaReader	sizes;
	PaReader	data;
	const uint8_t *p = NULL;
	const uint8_t *plane[MAX_WIDTH] = {NULL};

	if (n > PA_BLOCK_ELEMENTS)
		return pa_fail(planes->env, PA_ERR_INTERNAL, "block of %zu elements is too large", n);
	pa_reader_init(&data, planes->env, stored, length, PA_ERR_CORRUPT, "block of the stored value");
	PA_TRY(pa_take(&data, (size_t) width * sizeof(uint32_t), &p));
	pa_reader_init(&sizes, planes->env, p, (size_t) width * sizeof(uint32_t), PA_ERR_CORRUPT, "block");
	PA_TRY(plane_room(planes, (size_t) width * n));
	for (int k = 0; k < width; k++)
	{
		uint32_t	size = 0;

		PA_TRY(pa_take_u32(&sizes, &size));
		PA_TRY(pa_take(&data, size, &p));
		PA_TRY(decode_bytes(planes, p, size, planes->plane + (size_t) k * n, n, &plane[k]));
	}
	if (data.left != 0)
		return pa_fail(planes->env, PA_ERR_CORRUPT, "block of the stored value has %zu bytes too many",
					   data.left);
	pa_plane_join(plane, n, width, pa_dtype_rotates_sign(dtype), raw);
	return PA_OK;
}

PaStatus
pa_document_encode(PaPlanes *planes, const void *raw, size_t n, PaBuf *out, size_t *stored)
{
	PA_TRY(pa_buf_room(out, n));
	PA_TRY(encoder(planes, &planes->documents, for_documents));
	PA_TRY(encode_bytes(planes, planes->documents, raw, n, out->data + out->length, stored));
	out->length += *stored;
	return PA_OK;
}

PaStatus
pa_document_decode(PaPlanes *planes, const void *stored, size_t length, void *raw, size_t n)
{
	const uint8_t *p = NULL;

	PA_TRY(decode_bytes(planes, stored, length, raw, n, &p));
	if (p != raw && n > 0)
		memcpy(raw, p, n);
	return PA_OK;
}

uint64_t
pa_checksum(const void *p, size_t n)
{
	return XXH3_64bits(p, n);
}
