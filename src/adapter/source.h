/*
 * source.h
 *	  Where the weights of an adapter come from.  A file in memory, a stored
 *	  value read by slices, and every operation on other sources are all a
 *	  PaSource; so there is one writer, one exporter and one pass.
 *
 * read() fills dst with elements [first, first + n) of a tensor as raw bytes of
 * the tensor's dtype.  Callers read forward in blocks that begin at a multiple
 * of PA_BLOCK_ELEMENTS and have PA_BLOCK_ELEMENTS elements (the last one fewer):
 * any other range is right too, only slower.  For sub-byte types elements count
 * bytes (pa_tensor_units).  A source keeps at most a few blocks in memory.
 *
 * Outlines (value/value.h) have no elements, and their tensors fingerprints in the
 * place of SHA-256s: fingerprint() says what read() would give, by the fingerprints or
 * SHA-256s of what it would read.  Equal ones are equal bytes; bytes that are equal by
 * their numbers alone have others.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_SOURCE_H
#define PA_SOURCE_H

#include "adapter/adapter.h"

typedef struct PaSource PaSource;

struct PaSource
{
	const PaAdapter *adapter;
	PaStatus	(*read)(PaEnv *env, PaSource *self, uint32_t tensor, uint64_t first, size_t n, void *dst);

	/* NULL, or *known false: the recipe and the tensor's name say what it is.  Uses PA_HASH_TENSOR. */
	PaStatus	(*fingerprint)(PaEnv *env, PaSource *self, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH],
							   bool *known);
};

static inline PaStatus
pa_source_fingerprint(PaEnv *env, PaSource *self, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH], bool *known)
{
	*known = self->fingerprint != NULL;
	return *known ? self->fingerprint(env, self, tensor, out, known) : PA_OK;
}

/* Where read() hands on another tensor's bytes as they are. */
extern PaStatus pa_fingerprint_same(const PaTensor *of, uint8_t out[PA_SHA256_LENGTH]);

/* Where it makes them of one fingerprint, by what n bytes at `by` say. */
extern PaStatus pa_fingerprint_of(PaEnv *env, const char *what, const void *by, size_t n,
								  const uint8_t of[PA_SHA256_LENGTH], uint8_t out[PA_SHA256_LENGTH]);

/* How many units read() counts in (elements, or bytes for sub-byte types), and their width. */
static inline uint64_t
pa_tensor_units(const PaTensor *tensor)
{
	return tensor->bytes / (uint64_t) pa_dtype_plane_width(tensor->dtype);
}

/* How far a walk goes in one step: a block, or what is left. */
static inline size_t
pa_block_step(uint64_t left)
{
	return left < PA_BLOCK_ELEMENTS ? (size_t) left : PA_BLOCK_ELEMENTS;
}

/* A source over tensor data in memory: data[i] is the raw bytes of tensor i. */
extern PaStatus pa_source_from_memory(PaEnv *env, const PaAdapter *adapter, const uint8_t *const *data,
									  PaSource **source);

/* A source whose tensor i is tensor from[i] of parent, unchanged (names may differ). */
extern PaStatus pa_source_subset(PaEnv *env, const PaAdapter *adapter, PaSource *parent, const uint32_t *from,
								 PaSource **source);

#endif
