/*
 * planes.h
 *	  The lossless codec of tensor blocks: byte planes, each entropy-coded or
 *	  stored as it is.
 *
 * A block is up to PA_BLOCK_ELEMENTS elements of `width` bytes.  For float
 * types the sign bit is first rotated to the low end of the element, so that
 * the top byte holds exponent bits only; that byte is what compresses.  Then
 * the block is cut into `width` planes, most significant byte first.
 *
 *   block := for each plane: u32 stored length; then the planes' bytes
 *
 * A plane whose stored length is the number of elements is stored as it is;
 * a shorter one is an ordinary zstd frame of exactly that many bytes.  It is
 * made with Huffman coding and next to no match search: for weights that is
 * both smaller and faster than any level (doc/format.md has the figures), and
 * where libzstd refuses the parameter it is level 1.  An empty block has no
 * planes: it is never written.
 *
 * A PaPlanes holds the zstd contexts and a plane buffer; it serves one caller
 * at a time and is released at pa_env_reset.  The same bytes come out for the
 * same library version only; the digest is over the raw bytes, so that is
 * allowed.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PLANES_H
#define PA_PLANES_H

#include "core/buf.h"
#include "core/dtype.h"

typedef struct PaPlanes PaPlanes;

/* Contexts for both directions; PA_ERR_NOMEM if zstd gets no memory. */
extern PaStatus pa_planes_create(PaEnv *env, PaPlanes **planes);

/* Before pa_env_reset: gives the memory back. */
extern void pa_planes_release(PaPlanes *planes);

/* Largest stored size of a block of n elements. */
extern size_t pa_planes_bound(size_t n, int width);

/* Append the block; *stored is the number of bytes appended. */
extern PaStatus pa_planes_encode(PaPlanes *planes, const void *raw, size_t n, PaDtype dtype, PaBuf *out,
								 size_t *stored);

/* Fill raw with n elements, or PA_ERR_CORRUPT if the bytes are not such a block. */
extern PaStatus pa_planes_decode(PaPlanes *planes, const void *stored, size_t length, size_t n, PaDtype dtype,
								 void *raw);

/*
 * Documents (configuration, header, recipe, facts, table of contents): zstd level 3 when that is smaller,
 * else as they are.  A stored length below the raw length means compressed.
 */
extern PaStatus pa_document_encode(PaPlanes *planes, const void *raw, size_t n, PaBuf *out, size_t *stored);
extern PaStatus pa_document_decode(PaPlanes *planes, const void *stored, size_t length, void *raw, size_t n);

/* XXH3-64 of stored bytes: the checksum of blocks, sections and the header. */
extern uint64_t pa_checksum(const void *p, size_t n);

#endif
