/*
 * endings.c
 *	  Names sorted, and their lengths.  See endings.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/endings.h"

#include <stdlib.h>
#include <string.h>

#include "core/strings.h"

static int
compare_lengths(const void *a, const void *b)
{
	size_t		x = *(const size_t *) a;
	size_t		y = *(const size_t *) b;

	return x < y ? -1 : x > y;
}

PaStatus
pa_endings(PaEnv *env, uint32_t n, const char *const *names, PaEndings *endings)
{
	*endings = (PaEndings) {0};
	PA_TRY(PA_NEW_ARRAY(env, n, &endings->names));
	PA_TRY(PA_NEW_ARRAY(env, n, &endings->lengths));
	if (n == 0)
		return PA_OK;
	memcpy(endings->names, names, n * sizeof(char *));
	endings->n = (uint32_t) pa_sort_distinct_strings(endings->names, n);
	for (uint32_t i = 0; i < endings->n; i++)
		endings->lengths[i] = strlen(endings->names[i]);
	qsort(endings->lengths, endings->n, sizeof(size_t), compare_lengths);
	for (uint32_t i = 0; i < endings->n; i++)
		if (i == 0 || endings->lengths[i] != endings->lengths[i - 1])
			endings->lengths[endings->n_lengths++] = endings->lengths[i];
	return PA_OK;
}

void
pa_endings_release(PaEnv *env, PaEndings *endings)
{
	pa_free(env, endings->names);
	pa_free(env, endings->lengths);
	*endings = (PaEndings) {0};
}

/* Is this text, of n bytes, one of the names? */
static bool
has_name(const PaEndings *endings, const char *text, size_t n)
{
	return pa_find_string(endings->names, endings->n, text, n) >= 0;
}

bool
pa_endings_have(const PaEndings *endings, const char *path)
{
	return has_name(endings, path, strlen(path));
}

bool
pa_endings_match(const PaEndings *endings, const char *path, size_t n, bool whole)
{
	for (uint32_t i = 0; i < endings->n_lengths; i++)
	{
		size_t		length = endings->lengths[i];

		if (length > n)
			return false;
		if (whole && length < n && path[n - length - 1] != '.')
			continue;
		if (has_name(endings, path + n - length, length))
			return true;
	}
	return false;
}
