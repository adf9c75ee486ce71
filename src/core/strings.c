/*
 * strings.c
 *	  Lists of strings.  See strings.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/strings.h"

#include <stdlib.h>
#include <string.h>

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

void
pa_sort_strings(const char **list, size_t n)
{
	/* an empty list may be NULL, which qsort does not take */
	if (n > 0)
		qsort(list, n, sizeof(char *), compare_strings);
}

size_t
pa_sort_distinct_strings(const char **list, size_t n)
{
	size_t		kept = 0;

	pa_sort_strings(list, n);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(list[kept - 1], list[i]) != 0)
			list[kept++] = list[i];
	return kept;
}

int64_t
pa_find_string(const char *const *list, size_t n, const char *text, size_t length)
{
	size_t		low = 0;

	while (low < n)
	{
		size_t		middle = low + (n - low) / 2;
		int			order = strncmp(list[middle], text, length);

		if (order == 0 && list[middle][length] == '\0')
			return (int64_t) middle;
		if (order < 0)
			low = middle + 1;
		else
			n = middle;
	}
	return -1;
}
