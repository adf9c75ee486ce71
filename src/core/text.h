/*
 * text.h
 *	  A stretch of text: a document, a name, a part of another text.  UTF-8, not
 *	  NUL-terminated unless it is said; NULL and 0 where there is none.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEXT_H
#define PA_TEXT_H

#include "core/env.h"

typedef struct PaText
{
	const char *text;
	size_t		length;
} PaText;

#endif
