/*
 * sort.h
 *	  A sort that can be cancelled, for arrays that grow with the number of
 *	  operands.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_SORT_H
#define PA_SORT_H

#include "core/env.h"

/* As qsort; takes memory for a second array while it runs.  base may be NULL if n is 0. */
extern PaStatus pa_sort(PaEnv *env, void *base, size_t n, size_t size,
						int (*compare)(const void *a, const void *b));

#endif
