/*
 * plain_keys.h
 *	  Keys of rank_pattern and alpha_pattern in which every character but "." is
 *	  itself, as paths of modules are: which of them match the end of a path.
 *
 * To a reader "." is any one character.  Asking costs a search for each end of the
 * path and each arrangement of dots of its length among the keys, not one for each
 * key: there may be a key for each of thousands of modules.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PLAIN_KEYS_H
#define PA_PLAIN_KEYS_H

#include "core/env.h"

/* A key, and the caller's number of it. */
typedef struct PaPlainKey
{
	const char *text;
	uint32_t	index;
} PaPlainKey;

/* Keys of one length whose dots stand in the same places. */
typedef struct PaPlainShape
{
	size_t		length;
	uint32_t	first;			/* among the keys, which are sorted */
	uint32_t	n;
} PaPlainShape;

typedef struct PaPlainKeys
{
	uint32_t	n;
	PaPlainKey *keys;			/* by length, arrangement of dots, text */
	uint32_t	n_shapes;
	PaPlainShape *shapes;
	size_t		longest;		/* of the keys */
	char	   *room;			/* for a key to look up */
} PaPlainKeys;

/* Where a walk over the keys that match one path stands. */
typedef struct PaPlainWalk
{
	char	   *path;			/* a byte for each of its characters */
	size_t		length;
	size_t		end;			/* where the end that is looked up begins */
	uint32_t	shape;			/* the next one to ask */
} PaPlainWalk;

/* Is it such a key: letters and digits of ASCII, ".", "_" and "-"? */
extern bool pa_plain_key(const char *key);

/* The array is taken over and sorted; all its keys are plain ones. */
extern PaStatus pa_plain_keys(PaEnv *env, uint32_t n, PaPlainKey *keys, PaPlainKeys *plain);

extern void pa_plain_keys_release(PaEnv *env, PaPlainKeys *plain);

/* Begin with a path; the walk is the caller's to release. */
extern PaStatus pa_plain_walk(PaEnv *env, const char *path, PaPlainWalk *walk);
extern void pa_plain_walk_release(PaEnv *env, PaPlainWalk *walk);

/* The number of another key that matches the path, or the end of it behind a dot; false: no more. */
extern bool pa_plain_keys_next(const PaPlainKeys *plain, PaPlainWalk *walk, uint32_t *index);

#endif
