/*
 * pattern.c
 *	  PCRE2 behind pattern.h: compiled once, matched under limits.
 *
 * Patterns come with adapters, so from strangers.  JIT is not used: its
 * matches do not count steps.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/pattern.h"

#include <string.h>

#include "core/buf.h"
#include "core/limits.h"

/* Steps, nesting and memory of one match; a path matches in some hundred steps. */
#define MATCH_STEPS 1000000
#define MATCH_DEPTH 10000
#define MATCH_HEAP_KIB 8192
#define MAX_PATTERN_BYTES 65536

struct PaPattern
{
	const char *text;
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
};

static void
pattern_release(void *arg)
{
	PaPattern  *p = arg;

	pcre2_match_context_free(p->limits);
	pcre2_match_data_free(p->data);
	pcre2_code_free(p->code);
}

static PaStatus
compile_failed(PaEnv *env, const char *text, int code, PCRE2_SIZE offset)
{
	PCRE2_UCHAR reason[128];

	if (pcre2_get_error_message(code, reason, sizeof(reason)) < 0)
		memcpy(reason, "unknown error", sizeof("unknown error"));
	pa_fail(env, PA_ERR_REGEX, "invalid regular expression: %s", (const char *) reason);
	pa_detail(env, "The expression is \"%.200s\"; the fault is at byte %zu.", text, (size_t) offset);
	return PA_ERR_REGEX;
}

/* PEFT matches its keys with re.match and (.*\.)?(K)$: the same around our K. */
static PaStatus
wrap_key(PaEnv *env, const char *text, const char **wrapped)
{
	size_t		n = strlen(text);
	void	   *p;

	PA_TRY(pa_alloc_raw(env, n + 16, &p));
	memcpy(p, "(.*\\.)?(", 8);
	memcpy((char *) p + 8, text, n);
	memcpy((char *) p + 8 + n, ")$", 3);
	*wrapped = p;
	return PA_OK;
}

PaStatus
pa_pattern_compile(PaEnv *env, const char *text, PaPatternMode mode, PaPattern **result)
{
	const char *wrapped = text;
	uint32_t	options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED;
	int			code;
	PCRE2_SIZE	offset;
	void	   *memory;
	PaPattern  *p;

	if (strlen(text) > MAX_PATTERN_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "regular expression of %zu bytes is longer than %d",
					   strlen(text), MAX_PATTERN_BYTES);
	if (mode == PA_PATTERN_KEY)
		PA_TRY(wrap_key(env, text, &wrapped));
	else
		options |= PCRE2_ENDANCHORED;
	PA_TRY(pa_alloc(env, sizeof(PaPattern), &memory));
	p = memory;
	PA_TRY(pa_strndup(env, text, strlen(text), &p->text));
	PA_TRY(pa_defer(env, pattern_release, p));
	p->code = pcre2_compile((PCRE2_SPTR) wrapped, PCRE2_ZERO_TERMINATED, options, &code, &offset, NULL);
	if (p->code == NULL)
		return compile_failed(env, text, code, mode == PA_PATTERN_KEY && offset >= 8 ? offset - 8 : offset);
	p->data = pcre2_match_data_create_from_pattern(p->code, NULL);
	p->limits = pcre2_match_context_create(NULL);
	if (p->data == NULL || p->limits == NULL)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	pcre2_set_match_limit(p->limits, MATCH_STEPS);
	pcre2_set_depth_limit(p->limits, MATCH_DEPTH);
	pcre2_set_heap_limit(p->limits, MATCH_HEAP_KIB);
	*result = p;
	return PA_OK;
}

PaStatus
pa_pattern_match(PaEnv *env, PaPattern *p, const char *subject, bool *matches)
{
	int			code;

	PA_TRY(pa_check_cancel(env));
	code = pcre2_match(p->code, (PCRE2_SPTR) subject, PCRE2_ZERO_TERMINATED, 0, 0, p->data, p->limits);
	*matches = code >= 0;
	if (code >= 0 || code == PCRE2_ERROR_NOMATCH)
		return PA_OK;
	if (code == PCRE2_ERROR_NOMEMORY)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	pa_fail(env, PA_ERR_LIMIT, "regular expression takes too long to match");
	pa_detail(env, "The expression is \"%.200s\".", p->text);
	pa_hint(env, "Write it without nested repetitions.");
	return PA_ERR_LIMIT;
}

PaStatus
pa_pattern_escape(PaEnv *env, const char *literal, const char **pattern)
{
	void	   *memory;
	char	   *out;

	PA_TRY(pa_alloc_raw(env, 2 * strlen(literal) + 2, &memory));
	out = memory;
	*out++ = '^';
	for (const char *s = literal; *s != '\0'; s++)
	{
		if (strchr("\\^$.|?*+()[]{}", *s) != NULL)
			*out++ = '\\';
		*out++ = *s;
	}
	*out = '\0';
	*pattern = memory;
	return PA_OK;
}
