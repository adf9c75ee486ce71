/*
 * sort.c
 *	  Runs sorted by qsort, then merged, with a question whether to stop for each
 *	  run's worth of elements.  See sort.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/sort.h"

#include <stdlib.h>
#include <string.h>

/* Some milliseconds, if comparing two elements is comparing two paths. */
#define RUN 4096

typedef struct Sort
{
	PaEnv	   *env;
	size_t		n;
	size_t		size;
	int			(*compare)(const void *a, const void *b);
} Sort;

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static PaStatus
sort_runs(const Sort *sort, char *base)
{
	for (size_t first = 0; first < sort->n; first += RUN)
	{
		PA_TRY(pa_check_cancel(sort->env));
		qsort(base + first * sort->size, smaller(RUN, sort->n - first), sort->size, sort->compare);
	}
	return PA_OK;
}

/* Elements [first, middle) and [middle, end) of from, both sorted, become one in to. */
static PaStatus
merge(const Sort *sort, const char *from, char *to, size_t first, size_t middle, size_t end)
{
	size_t		size = sort->size;
	size_t		left = first;
	size_t		right = middle;

	for (size_t i = first; i < end; i++)
	{
		bool		take_left = right == end ||
			(left < middle && sort->compare(from + left * size, from + right * size) <= 0);

		if ((i - first) % RUN == 0)
			PA_TRY(pa_check_cancel(sort->env));
		memcpy(to + i * size, from + (take_left ? left++ : right++) * size, size);
	}
	return PA_OK;
}

PaStatus
pa_sort(PaEnv *env, void *base, size_t n, size_t size, int (*compare)(const void *a, const void *b))
{
	const Sort	sort = {.env = env, .n = n, .size = size, .compare = compare};
	char	   *room;
	char	   *from = base;
	char	   *to;

	PA_TRY(sort_runs(&sort, base));
	if (n <= RUN)
		return PA_OK;
	PA_TRY(pa_alloc_raw(env, n, size, &room));
	to = room;
	for (size_t run = RUN; run < n; run *= 2)
	{
		char	   *merged = to;

		for (size_t first = 0; first < n; first += 2 * run)
			PA_TRY(merge(&sort, from, to, first, smaller(first + run, n), smaller(first + 2 * run, n)));
		to = from;
		from = merged;
	}
	if (from != base)
		memcpy(base, from, n * size);
	pa_free(env, room);
	return PA_OK;
}
