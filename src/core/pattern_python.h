/*
 * pattern_python.h
 *	  Python's regular expressions in PCRE2's words.
 *
 * PEFT hands the expressions of a configuration to Python's re.  Where PCRE2
 * reads the same text otherwise it is rewritten, so that it says what Python
 * reads, with every version of PCRE2; what cannot be said is refused.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PATTERN_PYTHON_H
#define PA_PATTERN_PYTHON_H

#include "core/env.h"

typedef struct PaPythonPattern
{
	char	   *text;			/* for PCRE2 */
	size_t		length;
	uint32_t   *places;			/* of byte i of the source, and of its end, in text */
	bool		caseless;		/* has the flag i somewhere; then all of it is ASCII */
} PaPythonPattern;

/*
 * whole: the expression is not put into another one, so that flags may stand at
 * its beginning.  PA_ERR_REGEX for what Python refuses (not for all of it: the
 * rest is PCRE2's to refuse), PA_ERR_UNSUPPORTED for what only Python has; the
 * error names the construct and its place.
 */
extern PaStatus pa_pattern_from_python(PaEnv *env, const char *source, bool whole, PaPythonPattern *pattern);

extern void pa_pattern_python_release(PaEnv *env, PaPythonPattern *pattern);

/* The byte of the source that this byte of the text came from. */
extern size_t pa_pattern_python_place(const PaPythonPattern *pattern, size_t n_source, size_t offset);

#endif
