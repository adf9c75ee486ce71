/*
 * plain_keys.c
 *	  Plain keys in order of length and arrangement of dots.  See plain_keys.h.
 *
 * Among keys with the same arrangement there is at most one that matches: it has
 * dots there, and the path's own characters elsewhere.  That one is looked up.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/plain_keys.h"

#include <string.h>

#include "core/sort.h"

/* What a character beyond ASCII becomes, which no key has. */
#define OTHER_CHARACTER '\x80'

bool
pa_plain_key(const char *key)
{
	const char *s = key;

	while ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
		   (*s != '\0' && strchr("._-", *s) != NULL))
		s++;
	return *s == '\0';
}

/* Of two keys of one length, by where their dots stand. */
static int
compare_dots(const char *a, const char *b)
{
	while (*a != '\0' && (*a == '.') == (*b == '.'))
	{
		a++;
		b++;
	}
	return *a == '\0' ? 0 : *a == '.' ? -1 : 1;
}

static int
compare_shapes(const char *a, const char *b)
{
	size_t		n = strlen(a);
	size_t		m = strlen(b);

	if (n != m)
		return n < m ? -1 : 1;
	return compare_dots(a, b);
}

static int
compare_keys(const void *a, const void *b, const void *context)
{
	const PaPlainKey *x = a;
	const PaPlainKey *y = b;
	int			order = compare_shapes(x->text, y->text);

	(void) context;
	return order != 0 ? order : strcmp(x->text, y->text);
}

PaStatus
pa_plain_keys(PaEnv *env, uint32_t n, PaPlainKey *keys, PaPlainKeys *plain)
{
	PaPlainShape *shape = NULL;

	*plain = (PaPlainKeys) {.n = n, .keys = keys};
	PA_TRY(pa_sort(env, keys, n, sizeof(PaPlainKey), compare_keys, NULL));
	PA_TRY(PA_NEW_ARRAY(env, n, &plain->shapes));
	for (uint32_t i = 0; i < n; i++)
	{
		if (shape == NULL || compare_shapes(keys[i - 1].text, keys[i].text) != 0)
		{
			shape = &plain->shapes[plain->n_shapes++];
			*shape = (PaPlainShape) {strlen(keys[i].text), i, 0};
			plain->longest = shape->length;
		}
		shape->n++;
	}
	return PA_NEW_RAW(env, plain->longest + 1, &plain->room);
}

void
pa_plain_keys_release(PaEnv *env, PaPlainKeys *plain)
{
	pa_free(env, plain->keys);
	pa_free(env, plain->shapes);
	pa_free(env, plain->room);
}

PaStatus
pa_plain_walk(PaEnv *env, const char *path, PaPlainWalk *walk)
{
	*walk = (PaPlainWalk) {0};
	PA_TRY(PA_NEW_RAW(env, strlen(path) + 1, &walk->path));
	for (const unsigned char *s = (const unsigned char *) path; *s != '\0'; s++)
		if ((*s & 0xC0) != 0x80)
			walk->path[walk->length++] = *s < 0x80 ? (char) *s : OTHER_CHARACTER;
	walk->path[walk->length] = '\0';
	return PA_OK;
}

void
pa_plain_walk_release(PaEnv *env, PaPlainWalk *walk)
{
	pa_free(env, walk->path);
}

/* The first shape whose keys are not shorter than this. */
static uint32_t
first_shape(const PaPlainKeys *plain, size_t length)
{
	uint32_t	low = 0;
	uint32_t	high = plain->n_shapes;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (plain->shapes[middle].length < length)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The key of this shape that the text has, dots aside; NULL: none. */
static const PaPlainKey *
find_key(const PaPlainKeys *plain, const PaPlainShape *shape, const char *text)
{
	const PaPlainKey *keys = plain->keys + shape->first;
	uint32_t	low = 0;
	uint32_t	high = shape->n;

	for (size_t i = 0; i < shape->length; i++)
		plain->room[i] = keys->text[i] == '.' ? '.' : text[i];
	plain->room[shape->length] = '\0';
	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (strcmp(keys[middle].text, plain->room) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < shape->n && strcmp(keys[low].text, plain->room) == 0 ? &keys[low] : NULL;
}

/* To the next end of the path, which begins behind a dot. */
static void
next_end(PaPlainWalk *walk)
{
	const char *dot = memchr(walk->path + walk->end, '.', walk->length - walk->end);

	walk->end = dot != NULL ? (size_t) (dot - walk->path) + 1 : walk->length + 1;
	walk->shape = 0;
}

bool
pa_plain_keys_next(const PaPlainKeys *plain, PaPlainWalk *walk, uint32_t *index)
{
	for (; walk->end <= walk->length; next_end(walk))
	{
		size_t		length = walk->length - walk->end;

		if (length > plain->longest)
			continue;
		if (walk->shape == 0)
			walk->shape = first_shape(plain, length);
		while (walk->shape < plain->n_shapes && plain->shapes[walk->shape].length == length)
		{
			const PaPlainKey *found = find_key(plain, &plain->shapes[walk->shape++], walk->path + walk->end);

			if (found == NULL)
				continue;
			*index = found->index;
			return true;
		}
	}
	return false;
}
