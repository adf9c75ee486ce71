/*
 * strings.h
 *	  Lists of strings, in the order of their bytes (strcmp).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_STRINGS_H
#define PA_STRINGS_H

#include <stddef.h>
#include <stdint.h>

/* Sort in place. */
extern void pa_sort_strings(const char **list, size_t n);

/* Sorted, and each once: the number of those that are left, at the beginning of the list. */
extern size_t pa_sort_distinct_strings(const char **list, size_t n);

/* Where the first `length` bytes of text stand, as a whole string, in a sorted list; -1: nowhere. */
extern int64_t pa_find_string(const char *const *list, size_t n, const char *text, size_t length);

#endif
