/*
 * draw.h
 *	  Random draws that are the same everywhere: a draw depends on the purpose,
 *	  the seed, the module, the role and the position, never on the order in
 *	  which anything is computed.  doc/algebra.md, "Random draws".
 *
 * A stream is a key, and its draw number i is a function of key and i alone
 * (SplitMix64's output number i from the state `key`), so blocks can be read in
 * any order.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_DRAW_H
#define PA_DRAW_H

#include "core/env.h"

/*
 * The key of a stream.  purpose, path and role are texts without NUL; hashes are
 * n_hashes SHA-256s of whose own the stream is, one after the other; none where
 * it is nobody's.  Uses PA_HASH_FILE: sources are read while the value writer
 * holds PA_HASH_TENSOR.
 */
extern PaStatus pa_draw_key(PaEnv *env, const char *purpose, int64_t seed, const char *path, const char *role,
							const uint8_t *hashes, size_t n_hashes, uint64_t *key);

/* Draw number i: 64 bits. */
static inline uint64_t
pa_draw_bits(uint64_t key, uint64_t i)
{
	uint64_t	z = key + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* The same as a number in [0, 1): the upper 53 bits over 2^53. */
static inline double
pa_draw_uniform(uint64_t key, uint64_t i)
{
	return (double) (pa_draw_bits(key, i) >> 11) * 0x1p-53;
}

/* One of 0..n-1 from the upper half of a draw's bits; n is at most 2^32. */
static inline uint32_t
pa_draw_below(uint64_t bits, uint64_t n)
{
	return (uint32_t) (((bits >> 32) * n) >> 32);
}

/* 1 or -1 from the lowest bit of a draw's bits. */
static inline double
pa_draw_sign(uint64_t bits)
{
	return bits & 1 ? -1 : 1;
}

#endif
