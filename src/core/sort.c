/*
 * sort.c
 *	  Runs of 1, 2, 4 ... elements are merged from one array into another, and
 *	  back.  See sort.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/sort.h"

#include <string.h>

/* Elements that are placed before the host is asked again whether to stop. */
#define CHECK_EVERY 1024

typedef struct Sort
{
	size_t		n;
	size_t		size;
	PaCompare	compare;
	const void *context;
} Sort;

/* Do two runs follow each other as they are?  Lists often come in pieces that are sorted. */
static bool
in_order(const Sort *self, const uint8_t *from, size_t middle, size_t end)
{
	return middle == end ||
		self->compare(from + (middle - 1) * self->size, from + middle * self->size, self->context) <= 0;
}

/* Two sorted runs, [first, middle) and [middle, end), become one. */
static PaStatus
merge_runs(PaEnv *env, const Sort *self, const uint8_t *from, uint8_t *to, size_t first, size_t middle,
		   size_t end)
{
	size_t		left = first;
	size_t		right = middle;

	for (size_t at = first; at < end; at++)
	{
		bool		take_left = right == end;

		if (at % CHECK_EVERY == 0)
			PA_TRY(pa_check_cancel(env));
		if (left < middle && right < end)
			take_left = self->compare(from + left * self->size, from + right * self->size, self->context) <=
				0;
		memcpy(to + at * self->size, from + (take_left ? left++ : right++) * self->size, self->size);
	}
	return PA_OK;
}

static PaStatus
merge_pass(PaEnv *env, const Sort *self, const uint8_t *from, uint8_t *to, size_t run)
{
	for (size_t first = 0; first < self->n;)
	{
		size_t		middle = self->n - first < run ? self->n : first + run;
		size_t		end = self->n - middle < run ? self->n : middle + run;

		PA_TRY(pa_check_cancel(env));
		if (in_order(self, from, middle, end))
			memcpy(to + first * self->size, from + first * self->size, (end - first) * self->size);
		else
			PA_TRY(merge_runs(env, self, from, to, first, middle, end));
		first = end;
	}
	return PA_OK;
}

PaStatus
pa_sort(PaEnv *env, void *base, size_t n, size_t size, PaCompare compare, const void *context)
{
	const Sort	self = {n, size, compare, context};
	size_t		run = 1;
	uint8_t    *from = base;
	uint8_t    *to;
	void	   *other;

	if (n < 2)
		return PA_OK;
	PA_TRY(pa_alloc_raw(env, n, size, &other));
	to = other;
	while (run < n)
	{
		uint8_t    *merged = to;

		PA_TRY(merge_pass(env, &self, from, to, run));
		to = from;
		from = merged;
		run = n - run < run ? n : 2 * run;
	}
	if (from != base)
		memcpy(base, from, n * size);
	pa_free(env, other);
	return PA_OK;
}
