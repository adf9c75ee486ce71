/*
 * pattern.c
 *	  PCRE2 behind pattern.h: compiled once, matched under limits.
 *
 * Patterns come with adapters, so from strangers.  JIT is not used: its
 * matches do not count steps.  PCRE2's memory comes from the PaEnv.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/pattern.h"

#include <string.h>

#include "core/limits.h"
#include "core/pattern_python.h"

/* Steps, nesting and memory of one match; a path matches in some hundred steps. */
#define MATCH_STEPS 1000000
#define LEAST_STEPS 1000
#define SHARED_STEPS UINT64_C(4000000000)
#define MATCH_DEPTH 10000
#define MATCH_HEAP_KIB 8192
#define MAX_PATTERN_BYTES 65536

#define KEY_HEAD "(.*\\.)?("
#define KEY_TAIL ")$"

/* What has to be escaped to be itself. */
#define SPECIALS "\\^$.|?*+()[]{}"

struct PaPattern
{
	const char *text;
	bool		caseless;
	pcre2_general_context *memory;
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
};

static void *
pattern_alloc(size_t size, void *env)
{
	void	   *p;

	return pa_alloc_raw(env, size, 1, &p) == PA_OK ? p : NULL;
}

static void
pattern_free(void *p, void *env)
{
	pa_free(env, p);
}

/* PCRE2's own text for one of its codes, positive or negative. */
static const char *
reason(int code, PCRE2_UCHAR out[128])
{
	if (pcre2_get_error_message(code, out, 128) < 0)
		return "unknown error";
	return (const char *) out;
}

static PaStatus
compile_failed(PaEnv *env, const char *text, int code, size_t offset)
{
	PCRE2_UCHAR buffer[128];

	if (code == PCRE2_ERROR_HEAP_FAILED)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	pa_fail(env, PA_ERR_REGEX, "invalid regular expression: %s", reason(code, buffer));
	pa_detail(env, "The expression is \"%.200s\"; the fault is at byte %zu.", text, offset);
	return PA_ERR_REGEX;
}

/* PEFT hands its keys to re.match as (.*\.)?(K)$: the same around our K. */
static PaStatus
wrap_key(PaEnv *env, const PaPythonPattern *key, char **wrapped)
{
	size_t		head = strlen(KEY_HEAD);

	PA_TRY(PA_NEW_RAW(env, head + key->length + sizeof(KEY_TAIL), wrapped));
	memcpy(*wrapped, KEY_HEAD, head);
	memcpy(*wrapped + head, key->text, key->length);
	memcpy(*wrapped + head + key->length, KEY_TAIL, sizeof(KEY_TAIL));
	return PA_OK;
}

/* head: how many bytes stand before the expression in what PCRE2 is given */
static PaStatus
compile_text(PaEnv *env, PaPattern *p, const PaPythonPattern *python, const char *text, size_t head,
			 uint32_t options)
{
	pcre2_compile_context *context = pcre2_compile_context_create(p->memory);
	int			code;
	PCRE2_SIZE	offset;

	if (context == NULL)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	/* "." and "$" know one end of a line, as Python's do */
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	p->code = pcre2_compile((PCRE2_SPTR) text, PCRE2_ZERO_TERMINATED, options, &code, &offset, context);
	pcre2_compile_context_free(context);
	if (p->code != NULL)
		return PA_OK;
	/* a fault that shows only behind the key is at its end */
	return compile_failed(env, p->text, code,
						  pa_pattern_python_place(python, strlen(p->text),
												  offset > head ? offset - head : 0));
}

static PaStatus
compile(PaEnv *env, PaPattern *p, PaPatternMode mode)
{
	uint32_t	options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED;
	PaPythonPattern python;
	char	   *wrapped = NULL;

	PA_TRY(pa_pattern_from_python(env, p->text, mode == PA_PATTERN_WHOLE, &python));
	p->caseless = python.caseless;
	if (mode == PA_PATTERN_KEY)
	{
		PA_TRY(wrap_key(env, &python, &wrapped));
		PA_TRY(compile_text(env, p, &python, wrapped, strlen(KEY_HEAD), options));
	}
	else
		PA_TRY(compile_text(env, p, &python, python.text, 0, options | PCRE2_ENDANCHORED));
	pa_free(env, wrapped);
	pa_pattern_python_release(env, &python);
	p->data = pcre2_match_data_create_from_pattern(p->code, p->memory);
	p->limits = pcre2_match_context_create(p->memory);
	if (p->data == NULL || p->limits == NULL)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	pcre2_set_match_limit(p->limits, MATCH_STEPS);
	pcre2_set_depth_limit(p->limits, MATCH_DEPTH);
	pcre2_set_heap_limit(p->limits, MATCH_HEAP_KIB);
	return PA_OK;
}

PaStatus
pa_pattern_compile(PaEnv *env, const char *text, PaPatternMode mode, PaPattern **result)
{
	size_t		n = strlen(text);
	PaPattern  *p;

	if (n > MAX_PATTERN_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "regular expression of %zu bytes is longer than %d", n,
					   MAX_PATTERN_BYTES);
	PA_TRY(PA_NEW(env, &p));
	PA_TRY(pa_strndup(env, text, n, &p->text));
	p->memory = pcre2_general_context_create(pattern_alloc, pattern_free, env);
	if (p->memory == NULL)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	PA_TRY(compile(env, p, mode));
	*result = p;
	return PA_OK;
}

void
pa_pattern_release(PaEnv *env, PaPattern *p)
{
	pcre2_match_context_free(p->limits);
	pcre2_match_data_free(p->data);
	pcre2_code_free(p->code);
	pcre2_general_context_free(p->memory);
	pa_free(env, (void *) p->text);
	pa_free(env, p);
}

void
pa_pattern_share(PaPattern *p, uint64_t n_subjects)
{
	uint64_t	steps = n_subjects > 0 ? SHARED_STEPS / n_subjects : MATCH_STEPS;

	if (steps < LEAST_STEPS)
		steps = LEAST_STEPS;
	pcre2_set_match_limit(p->limits, steps < MATCH_STEPS ? (uint32_t) steps : MATCH_STEPS);
}

static PaStatus
match_failed(PaEnv *env, const PaPattern *p, int code)
{
	PCRE2_UCHAR buffer[128];

	switch (code)
	{
		case PCRE2_ERROR_NOMEMORY:
			return pa_fail(env, PA_ERR_NOMEM, "out of memory");
		case PCRE2_ERROR_MATCHLIMIT:
		case PCRE2_ERROR_DEPTHLIMIT:
		case PCRE2_ERROR_HEAPLIMIT:
			pa_fail(env, PA_ERR_LIMIT, "regular expression takes too long to match");
			pa_detail(env, "The expression is \"%.200s\".", p->text);
			pa_hint(env, "Write it without nested repetitions.");
			return PA_ERR_LIMIT;
		default:
			pa_fail(env, PA_ERR_REGEX, "could not match regular expression: %s", reason(code, buffer));
			pa_detail(env, "The expression is \"%.200s\".", p->text);
			return PA_ERR_REGEX;
	}
}

/*
 * Python and PCRE2 know different pairs of letters.  Beyond ASCII these alone have
 * a pair in it, in one of them or both: dotted and dotless i, long s, Kelvin.
 */
static PaStatus
check_letters(PaEnv *env, const PaPattern *p, const char *subject)
{
	static const char *const letters[] = {"\304\260", "\304\261", "\305\277", "\342\204\252"};

	for (size_t i = 0; p->caseless && i < sizeof(letters) / sizeof(letters[0]); i++)
	{
		if (strstr(subject, letters[i]) == NULL)
			continue;
		pa_fail(env, PA_ERR_UNSUPPORTED, "regular expression with the flag i is matched with \"%s\"",
				letters[i]);
		pa_detail(env, "The expression is \"%.200s\", the name \"%.200s\".", p->text, subject);
		pa_hint(env, "Write both forms of each letter instead of the flag.");
		return PA_ERR_UNSUPPORTED;
	}
	return PA_OK;
}

PaStatus
pa_pattern_match(PaEnv *env, PaPattern *p, const char *subject, bool *matches)
{
	int			code;

	PA_TRY(pa_check_cancel(env));
	PA_TRY(check_letters(env, p, subject));
	code = pcre2_match(p->code, (PCRE2_SPTR) subject, PCRE2_ZERO_TERMINATED, 0, 0, p->data, p->limits);
	*matches = code >= 0;
	if (code >= 0 || code == PCRE2_ERROR_NOMATCH)
		return PA_OK;
	return match_failed(env, p, code);
}

static PaStatus
refuse_template(PaEnv *env, const char *template, const char *reason)
{
	pa_fail(env, PA_ERR_REGEX, "invalid replacement: %s", reason);
	pa_detail(env, "The replacement is \"%.200s\".", template);
	pa_hint(env, "Groups are \\1 to \\9, \\g<number> and \\g<name>; a backslash is \\\\.");
	return PA_ERR_REGEX;
}

/* The number that stands between *at and the end, or of the group of that name; -1: there is none. */
static int
group_number(const PaPattern *p, const char *at, size_t n)
{
	char		name[64];
	int			number = 0;

	if (n == 0 || n >= sizeof(name))
		return -1;
	memcpy(name, at, n);
	name[n] = '\0';
	if (strspn(name, "0123456789") < n)
		return pcre2_substring_number_from_name(p->code, (PCRE2_SPTR) name);
	for (size_t i = 0; i < n && number <= MAX_PATTERN_BYTES; i++)
		number = 10 * number + (name[i] - '0');
	return number;
}

/* The group that is spelled at *at, behind a backslash, and *at behind it. */
static PaStatus
read_group(PaEnv *env, const PaPattern *p, const char *template, const char **at, uint32_t *group)
{
	const char *s = *at;
	size_t		n = 1;
	int			number;

	if (s[0] == 'g' && s[1] == '<')
	{
		s += 2;
		n = strcspn(s, ">");
		if (s[n] == '\0')
			return refuse_template(env, template, "unfinished name of a group");
		*at = s + n + 1;
	}
	else if (*s >= '1' && *s <= '9' && !(s[1] >= '0' && s[1] <= '9'))
		*at = s + 1;
	else
		return refuse_template(env, template, "a backslash that names no group");
	number = group_number(p, s, n);
	if (number < 0 || (uint32_t) number >= pcre2_get_ovector_count(p->data))
		return refuse_template(env, template, "a group that the expression does not have");
	*group = (uint32_t) number;
	return PA_OK;
}

/* Of the match that was found last. */
static PaStatus
expand(PaEnv *env, const PaPattern *p, const char *subject, const char *template, const char **expanded)
{
	const PCRE2_SIZE *places = pcre2_get_ovector_pointer(p->data);
	char		out[PA_MAX_NAME_BYTES];
	size_t		length = 0;

	for (const char *s = template; *s != '\0';)
	{
		const char *piece = s;
		size_t		n = 1;

		if (*s == '\\' && s[1] != '\\')
		{
			uint32_t	group;

			s++;
			PA_TRY(read_group(env, p, template, &s, &group));
			piece = places[2 * group] == PCRE2_UNSET ? "" : subject + places[2 * group];
			n = places[2 * group] == PCRE2_UNSET ? 0 : places[2 * group + 1] - places[2 * group];
		}
		else
			s += *s == '\\' ? 2 : 1;
		if (n > sizeof(out) - length)
			return pa_fail(env, PA_ERR_LIMIT, "replacement for \"%.200s\" is longer than %d bytes", subject,
						   PA_MAX_NAME_BYTES);
		memcpy(out + length, piece, n);
		length += n;
	}
	return pa_strndup(env, out, length, expanded);
}

PaStatus
pa_pattern_expand(PaEnv *env, PaPattern *p, const char *subject, const char *template, bool *matches,
				  const char **expanded)
{
	PA_TRY(pa_pattern_match(env, p, subject, matches));
	return *matches ? expand(env, p, subject, template, expanded) : PA_OK;
}

PaStatus
pa_pattern_escape(PaEnv *env, const char *literal, const char **pattern)
{
	char	   *memory;
	char	   *out;

	PA_TRY(PA_NEW_RAW(env, 2 * strlen(literal) + 2, &memory));
	out = memory;
	*out++ = '^';
	for (const char *s = literal; *s != '\0'; s++)
	{
		if (strchr(SPECIALS, *s) != NULL)
			*out++ = '\\';
		*out++ = *s;
	}
	*out = '\0';
	*pattern = memory;
	return PA_OK;
}

bool
pa_pattern_unescape(const char **text, char *byte)
{
	const char *s = *text;

	if (*s == '\\' && s[1] != '\0' && strchr(SPECIALS, s[1]) != NULL)
		s++;
	else if (strchr(SPECIALS, *s) != NULL)
		return false;			/* the end too */
	*byte = *s;
	*text = s + 1;
	return true;
}
