/*
 * transform.h
 *	  Operations on one value: adapter_scale, adapter_cast, adapter_plain,
 *	  adapter_select, adapter_drop_dense, adapter_rename, adapter_set_base_model.
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

/* Without the dense tensors whose whole key matches; NULL: without any.  Nothing left is PA_ERR_CONFIG. */
extern PaStatus pa_transform_drop_dense(PaEnv *env, PaValue *value, const char *tensors, size_t reserve,
										PaBuf *out);

/* NULL: null. */
extern PaStatus pa_transform_set_base_model(PaEnv *env, PaValue *value, const char *base_model,
											const char *revision, size_t reserve, PaBuf *out);

#endif
