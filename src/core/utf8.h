/*
 * utf8.h
 *	  Validation of names: strict UTF-8 (no overlong forms, no surrogates), no
 *	  NUL, no control characters (U+0000 to U+001F, U+007F to U+009F).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_UTF8_H
#define PA_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Replace every byte that is not part of well-formed UTF-8 by a question mark. */
extern void pa_utf8_clean(char *s);

/* Well-formed, whatever the characters. */
extern bool pa_utf8_valid(const char *s, size_t n);
extern bool pa_utf8_valid_name(const char *s, size_t n);	/* also: not empty, no control character */

#endif
