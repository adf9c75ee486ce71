/*
 * endings.h
 *	  A list of names that select by the ends of paths, as most lists of a
 *	  configuration do.
 *
 * Asking costs a search for each length that occurs in the list, however many
 * names it has: lists and modules are many thousands, and come from strangers.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENDINGS_H
#define PA_ENDINGS_H

#include "core/env.h"

typedef struct PaEndings
{
	uint32_t	n;
	const char **names;			/* sorted, distinct; the texts are the caller's */
	uint32_t	n_lengths;
	size_t	   *lengths;		/* those that occur, ascending */
} PaEndings;

/* The caller's list stays as it is. */
extern PaStatus pa_endings(PaEnv *env, uint32_t n, const char *const *names, PaEndings *endings);

extern void pa_endings_release(PaEnv *env, PaEndings *endings);

/* Is the path one of the names? */
extern bool pa_endings_have(const PaEndings *endings, const char *path);

/* Do the first n bytes of the path end in one of the names?  whole: behind a dot, or as all of it. */
extern bool pa_endings_match(const PaEndings *endings, const char *path, size_t n, bool whole);

#endif
