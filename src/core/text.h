/*
 * text.h
 *	  A stretch of text in memory: a document, a name, a part of another text, a
 *	  file of which nothing is known yet.  Not NUL-terminated unless it is said;
 *	  NULL and 0 where there is none.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEXT_H
#define PA_TEXT_H

#include <stdbool.h>
#include <string.h>

typedef struct PaText
{
	const char *text;
	size_t		length;
} PaText;

static inline PaText
pa_text(const void *text, size_t length)
{
	return (PaText) {text, length};
}

/* Of a string, which may be NULL. */
static inline PaText
pa_text_of(const char *string)
{
	return (PaText) {string, string == NULL ? 0 : strlen(string)};
}

static inline bool
pa_text_equal(PaText a, PaText b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.text, b.text, a.length) == 0);
}

#endif
