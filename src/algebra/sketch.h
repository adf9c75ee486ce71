/*
 * sketch.h
 *	  A linear map of deltas to a few numbers whose inner products estimate
 *	  those of the deltas.  doc/algebra.md, "Sketch".
 *
 * Factors are streamed, the delta is never formed.  Everything is in double, in
 * a fixed order: stacks as they are added (modules in path order), parts as
 * they stand in the stack, ranks in order, the bias last; of differences tensor by
 * tensor; each convolution sums over the bins of B in order, those that are 0 left out.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_SKETCH_H
#define PA_SKETCH_H

#include "adapter/stack.h"

#define PA_MAX_SKETCH 4096

typedef struct PaSketch
{
	uint32_t	dims;			/* 1..PA_MAX_SKETCH */
	int64_t		seed;
	double	   *sums;			/* dims numbers: the sketch so far */
	uint64_t	room;			/* ranks that bins_b has room for */
	double	   *bins_b;			/* the count sketches of so many of B's columns */
	double	   *bins_a;			/* of one rank: that of A's row */
	double	   *convolved;
	uint8_t    *raw;			/* a block as it is read */
	double	   *x;				/* the same as doubles */
} PaSketch;

/* All zero.  dims must be in range. */
extern PaStatus pa_sketch_begin(PaEnv *env, uint32_t dims, int64_t seed, PaSketch **sketch);

/*
 * Add a module's delta; weights are the leaves'.  Grouped convolutions and
 * experts are PA_ERR_UNSUPPORTED.  Uses PA_HASH_FILE.
 */
extern PaStatus pa_sketch_add(PaEnv *env, PaSketch *sketch, const PaStack *stack, const double *weights);

#endif
