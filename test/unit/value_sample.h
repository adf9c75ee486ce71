/*
 * value_sample.h
 *	  Adapters made by hand for tests of the adapter and value rooms, which know
 *	  no file format: facts, modules and tensors with deterministic bytes.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_VALUE_SAMPLE_H
#define PA_TEST_VALUE_SAMPLE_H

#include "adapter/source.h"
#include "value/value.h"

#define SAMPLE_MODULES 40
#define SAMPLE_TENSORS 80

/* Does not move once begun: the adapter points into it. */
typedef struct Sample
{
	PaAdapter	adapter;
	PaModule	modules[SAMPLE_MODULES];
	PaTensor	tensors[SAMPLE_TENSORS];
	const uint8_t *data[SAMPLE_TENSORS];
	const char *list[4];
	PaDocuments documents;
	uint64_t	seed;			/* state of the data's random numbers */
} Sample;

extern void sample_begin(Sample *sample, PaKind kind, uint64_t seed);

/* In path order; the scaling of a target is 2, of others 1. */
extern void sample_module(Sample *sample, const char *path, uint32_t flags, uint64_t rank);

/*
 * A tensor of the module added last, in name order; random bytes in env memory,
 * about as predictable as weights (the top byte of an element has 16 values).
 */
extern PaStatus sample_tensor(PaEnv *env, Sample *sample, const char *name, PaRole role, PaDtype dtype,
							  int ndim, const uint64_t *shape);

/* The most usual one: a linear module with factors A and B. */
extern PaStatus sample_linear(PaEnv *env, Sample *sample, const char *path, PaDtype dtype, uint64_t r,
							  uint64_t in, uint64_t out);

extern PaStatus sample_source(PaEnv *env, Sample *sample, PaSource **source);

/* Into a fresh buffer, with `reserve` bytes in front. */
extern PaStatus sample_write(PaEnv *env, Sample *sample, size_t reserve, PaBuf *out);

/* What test/golden/format1 and format2 hold, and other tests use too. */
#define SAMPLE_GOLDEN_COUNT 8

extern const char *sample_golden_name(int i);
extern PaStatus sample_golden(PaEnv *env, int i, Sample *sample);

#endif
