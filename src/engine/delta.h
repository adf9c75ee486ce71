/*
 * delta.h
 *	  The delta of a module as PEFT adds it to the base weight: s B A in double,
 *	  rounded nowhere else, in the base weight's shape (transposed for
 *	  fan_in_fan_out and embeddings; a convolution's kernel shape).  (IA)^3:
 *	  l - 1 in the vector's shape.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_DELTA_H
#define PA_ENGINE_DELTA_H

#include "value/value.h"

typedef struct PaDelta
{
	uint32_t	module;
	bool		transposed;		/* the base weight is (in, out), or an embedding's */
	int			ndim;
	uint64_t	shape[PA_MAX_NDIM];
	uint64_t	elements;
} PaDelta;

/*
 * More than PA_MAX_ARRAY_ELEMENTS is PA_ERR_LIMIT.  fan_in_fan_out: of this module;
 * NULL: the configuration's, which is one for all modules and PEFT saves as its last
 * layer had it.
 */
extern PaStatus pa_delta_measure(PaEnv *env, PaValue *value, const char *path, const bool *fan_in_fan_out,
								 PaDelta *delta);
extern PaStatus pa_delta_read(PaEnv *env, PaValue *value, const PaDelta *delta, double *out);

#endif
