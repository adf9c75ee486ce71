/*
 * transform.h
 *	  Operations on one value: adapter_scale, adapter_cast, adapter_plain,
 *	  adapter_select, adapter_select_tensors, adapter_rename, adapter_set_base_model.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_TRANSFORM_H
#define PA_ENGINE_TRANSFORM_H

#include "value/value.h"

extern PaStatus pa_transform_scale(PaEnv *env, PaValue *value, double s, size_t reserve, PaBuf *out);
extern PaStatus pa_transform_cast(PaEnv *env, PaValue *value, const char *dtype, size_t reserve, PaBuf *out);

/* rank 0: the largest.  *same: the result is the value itself, and nothing is written. */
extern PaStatus pa_transform_plain(PaEnv *env, PaValue *value, int64_t rank, size_t reserve, PaBuf *out,
								   bool *same);

/* The modules whose whole path matches; invert: the others.  None left is PA_ERR_CONFIG. */
extern PaStatus pa_transform_select(PaEnv *env, PaValue *value, const char *pattern, bool invert,
									size_t reserve, PaBuf *out);

/*
 * Each module whose whole path matches under the path that the replacement makes of
 * it (pa_pattern_expand).  None that matches, and paths that cannot be, are
 * PA_ERR_CONFIG.
 */
extern PaStatus pa_transform_rename(PaEnv *env, PaValue *value, const char *pattern, const char *replacement,
									size_t reserve, PaBuf *out);

typedef struct PaTensorSelection
{
	const char *tensors;		/* matches the whole key; NULL: any */
	const char *role;			/* its name; NULL: any */
	bool		invert;			/* the others */
} PaTensorSelection;

/*
 * The tensors that are selected, as they are.  Nothing left, and part of what is one
 * change to the weights, are PA_ERR_CONFIG.
 */
extern PaStatus pa_transform_select_tensors(PaEnv *env, PaValue *value, const PaTensorSelection *selection,
											size_t reserve, PaBuf *out);

/* NULL: null. */
extern PaStatus pa_transform_set_base_model(PaEnv *env, PaValue *value, const char *base_model,
											const char *revision, size_t reserve, PaBuf *out);

#endif
