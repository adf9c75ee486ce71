/*
 * inspect.h
 *	  Looking into a value: rank, norm, the elements of one tensor.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_INSPECT_H
#define PA_ENGINE_INSPECT_H

#include "value/value.h"

/* Rank of a module, or (path NULL) the largest rank; 0 if there is none. */
extern PaStatus pa_inspect_rank(PaEnv *env, PaValue *value, const char *path, uint64_t *rank);

/* Frobenius norm of one tensor: square root of the sum of squares in element order, in double. */
extern PaStatus pa_inspect_norm(PaEnv *env, PaValue *value, uint32_t tensor, double *norm);

/* Elements of a tensor widened to double; at most PA_MAX_ARRAY_ELEMENTS (PA_ERR_LIMIT). */
extern PaStatus pa_inspect_measure(PaEnv *env, PaValue *value, const char *name, const PaTensor **tensor);
extern PaStatus pa_inspect_read(PaEnv *env, PaValue *value, const PaTensor *tensor, double *out);

/* The same of a source, whose tensor it is. */
extern PaStatus pa_inspect_read_from(PaEnv *env, PaSource *source, const PaTensor *tensor, double *out);

#endif
