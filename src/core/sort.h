/*
 * sort.h
 *	  Sorting that can be stopped: a stable merge sort whose comparison is told
 *	  what it needs to know.
 *
 * For lists that grow with what a caller hands in.  Elements that compare equal
 * stay in the order in which they were given.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_SORT_H
#define PA_SORT_H

#include "core/env.h"

/* Negative, 0 or positive as a is before, beside or behind b. */
typedef int (*PaCompare)(const void *a, const void *b, const void *context);

/* n elements of a size, in place; needs as much memory again while it runs. */
extern PaStatus pa_sort(PaEnv *env, void *base, size_t n, size_t size, PaCompare compare,
						const void *context);

#endif
