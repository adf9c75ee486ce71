/*
 * fault.h
 *	  The two errors that every computation with weights can come to.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_FAULT_H
#define PA_FAULT_H

#include "adapter/adapter.h"

/* 22003: an input that takes part in arithmetic is NaN or infinite; digest may be NULL. */
extern PaStatus pa_fail_not_finite(PaEnv *env, const char *name, const uint8_t *digest);

/* 22003: a result is beyond its dtype */
extern PaStatus pa_fail_overflow(PaEnv *env, const PaTensor *tensor);

#endif
