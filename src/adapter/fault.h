/*
 * fault.h
 *	  Errors that can come from every adapter: of computing with its weights, and of
 *	  what a later version wrote.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_FAULT_H
#define PA_FAULT_H

#include "adapter/adapter.h"

/* 22003: an input that takes part in arithmetic is NaN or infinite; digest may be NULL. */
extern PaStatus pa_fail_not_finite(PaEnv *env, const char *name, const uint8_t *digest);

typedef struct PaCallText
{
	char		text[320];
} PaCallText;

/* The call that leaves a dense tensor out, for hints: "adapter_drop_dense(b, 'score.weight')". */
extern PaCallText pa_drop_dense_call(const char *adapter, const char *key);

/* The call that leaves a tensor out of a difference: "adapter_difference(tuned, base, config,
 * 'lm_head.weight')". */
extern PaCallText pa_leave_out_call(const char *key);

/* 22003: a result is beyond its dtype */
extern PaStatus pa_fail_overflow(PaEnv *env, const PaTensor *tensor);

/*
 * 0A000: sound bytes have a number in them that this version does not know
 * (doc/format.md, "What a later version may add").  The text is the detail.
 */
extern PaStatus pa_fail_later(PaEnv *env, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
