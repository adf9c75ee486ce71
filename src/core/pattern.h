/*
 * pattern.h
 *	  Regular expressions of configurations and of adapter_select, by PCRE2,
 *	  with limits on matching (steps, depth, heap) so that no pattern can hold
 *	  a backend.
 *
 * Expressions are read as Python's re reads them (pattern_python.h), since PEFT's
 * are Python's.  A pattern holds memory, so a list of them is compiled, matched
 * and released one after the other; what is left is released at pa_env_reset.
 * Subjects and patterns are UTF-8.  Errors: PA_ERR_REGEX for a bad pattern
 * (message with the reason and the place), PA_ERR_UNSUPPORTED for what only
 * Python can match, PA_ERR_LIMIT when a match gives up.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PATTERN_H
#define PA_PATTERN_H

#include "core/env.h"

typedef struct PaPattern PaPattern;

typedef enum PaPatternMode
{
	PA_PATTERN_WHOLE,			/* must match the whole subject: Python's re.fullmatch */
	PA_PATTERN_KEY				/* (.*\.)?(K)$ from the start: PEFT's rank_pattern keys */
} PaPatternMode;

/* A pattern of at most 64 KiB. */
extern PaStatus pa_pattern_compile(PaEnv *env, const char *text, PaPatternMode mode, PaPattern **p);

extern void pa_pattern_release(PaEnv *env, PaPattern *p);

/*
 * So many subjects will be matched: together they may take a few thousand million
 * steps, so that a list of subjects ends too, but each some hundred in any case.
 */
extern void pa_pattern_share(PaPattern *p, uint64_t n_subjects);

/* Does the subject match, in the mode that the pattern was compiled for? */
extern PaStatus pa_pattern_match(PaEnv *env, PaPattern *p, const char *subject, bool *matches);

/*
 * The same, and of a subject that matches what the template makes of it, as
 * Python's Match.expand: \1 to \9, \g<number> and \g<name> are groups, empty
 * where they have matched nothing, \\ is a backslash, and no other escape is
 * taken (PA_ERR_REGEX).  PA_ERR_LIMIT above PA_MAX_NAME_BYTES.
 */
extern PaStatus pa_pattern_expand(PaEnv *env, PaPattern *p, const char *subject, const char *template,
								  bool *matches, const char **expanded);

/* "^" and the text with every regex special escaped by a backslash, in env memory. */
extern PaStatus pa_pattern_escape(PaEnv *env, const char *literal, const char **pattern);

/*
 * The other way: the byte that an expression spells at *text, escaped or no special, and *text
 * behind it; false where it spells none, at a special or the end.
 */
extern bool pa_pattern_unescape(const char **text, char *byte);

#endif
