/*
 * build_file.h
 *	  Small safetensors files made in memory, for tests that need a whole
 *	  adapter: tensors in the order in which they were added, values given as
 *	  doubles.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_BUILD_FILE_H
#define PA_TEST_BUILD_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"

typedef struct BuildFile
{
	char	   *header;			/* entries so far */
	size_t		header_length;
	uint8_t    *data;
	size_t		data_length;
} BuildFile;

/* metadata: a JSON object's text, or NULL for {"format":"pt"}, or "" for none */
extern void build_begin(BuildFile *file, const char *metadata);

/* values has as many doubles as the shape says; rounded once to dtype (F64, F32, F16, BF16). */
extern void build_tensor(BuildFile *file, const char *name, PaDtype dtype, int ndim, const uint64_t *shape,
						 const double *values);

/* The same with random values of about unit size. */
extern void build_random(BuildFile *file, const char *name, PaDtype dtype, int ndim, const uint64_t *shape,
						 uint64_t *seed);

/* A vector of any type, its bytes all `fill`. */
extern void build_bytes(BuildFile *file, const char *name, const char *dtype, uint64_t elements, size_t bytes,
						int fill);

/* malloc'ed; the builder is empty afterwards. */
extern uint8_t *build_finish(BuildFile *file, size_t *length);

/* Factors lora_A (r, in) and lora_B (out, r) of a linear module, named as PEFT names them. */
extern void build_lora(BuildFile *file, const char *path, PaDtype dtype, uint64_t r, uint64_t in,
					   uint64_t out, uint64_t *seed);

/* Between -1 and 1, and a random number of 64 bits. */
extern double build_uniform(uint64_t *seed);
extern uint64_t build_bits(uint64_t *seed);

#endif
