/*
 * pattern_python.c
 *	  One pass over a Python expression, construct by construct.  See
 *	  pattern_python.h.
 *
 * What differs: \w, \d, \s and \b, which are Unicode's in Python; the numeric
 * escapes; \Z; quantifiers without a lower bound; brackets inside a set; and all
 * that only PCRE2 has, from \R to (*verbs), which Python refuses.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/pattern_python.h"

#include <stdlib.h>
#include <string.h>

/* Python's str.isalnum() and "_"; str.isspace(), which is the Z categories and some controls. */
#define WORD_MEMBERS "\\p{L}\\p{N}_"
#define SPACE_MEMBERS "\\t-\\r\\x1c-\\x1f\\x{85}\\p{Z}"
#define WORD "[" WORD_MEMBERS "]"
#define BOUNDARY "(?:(?<=" WORD ")(?!" WORD ")|(?<!" WORD ")(?=" WORD "))"
#define NO_BOUNDARY "(?:(?<=" WORD ")(?=" WORD ")|(?<!" WORD ")(?!" WORD "))"

/* The longest rewriting is a boundary, for two bytes. */
#define MOST_BYTES_FOR_ONE ((sizeof(BOUNDARY) + 1) / 2)

/* What a quantifier would find before it. */
typedef enum Before
{
	BEFORE_NOTHING,				/* the beginning, "(", "|", or a place such as "^" */
	BEFORE_ITEM,
	BEFORE_QUANTIFIER,			/* which "?" or "+" may follow */
	BEFORE_WHOLE_QUANTIFIER
} Before;

/* The most that PCRE2 repeats. */
#define MOST_REPEATS 65535

/* A "(" that waits for its ")". */
typedef struct Open
{
	uint32_t	number;			/* of a group that can be referred to; 0: of none */
	const char *name;			/* or NULL */
	size_t		n_name;
	bool		lookbehind;
} Open;

typedef struct Scan
{
	PaEnv	   *env;
	const char *source;
	const char *p;
	bool		whole;
	char	   *out;
	Before		before;
	bool		caseless;
	bool		beyond_ascii;	/* a character, or the number of one */
	bool		refers_back;
	uint32_t	groups;			/* that were opened so far */
	size_t		n_open;
	Open	   *opened;
} Scan;

static void
put(Scan *s, const char *text, size_t n)
{
	memcpy(s->out, text, n);
	s->out += n;
}

static void
put_text(Scan *s, const char *text)
{
	put(s, text, strlen(text));
}

/* Copy n bytes of the source. */
static void
copy(Scan *s, size_t n)
{
	put(s, s->p, n);
	s->p += n;
}

static PaStatus
refuse(Scan *s, PaStatus status, const char *what)
{
	if (status == PA_ERR_REGEX)
		pa_fail(s->env, status, "invalid regular expression: %s", what);
	else
		pa_fail(s->env, status, "regular expression has %s, which is not supported", what);
	pa_detail(s->env, "The expression is \"%.200s\"; the fault is at byte %zu.", s->source,
			  (size_t) (s->p - s->source));
	if (status == PA_ERR_UNSUPPORTED)
		pa_hint(s->env,
				"It is read as Python's re reads it; write it without this, "
				"or name the modules by their paths.");
	return status;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Is the hexadecimal number of so many digits none of ASCII? */
static bool
is_beyond_ascii(const char *number, size_t digits)
{
	return strspn(number, "0") < digits - 2 || number[digits - 2] >= '8';
}

/* \xHH, \uHHHH, \UHHHHHHHH: exactly so many digits. */
static PaStatus
hexadecimal(Scan *s, size_t digits)
{
	if (strspn(s->p + 2, "0123456789abcdefABCDEF") < digits)
		return refuse(s, PA_ERR_REGEX, "incomplete escape");
	s->beyond_ascii = s->beyond_ascii || is_beyond_ascii(s->p + 2, digits);
	put_text(s, "\\x{");
	s->p += 2;
	copy(s, digits);
	put_text(s, "}");
	return PA_OK;
}

static PaStatus
replace(Scan *s, const char *text)
{
	put_text(s, text);
	s->p += 2;
	return PA_OK;
}

/* What an escape is in a set and elsewhere alike: one character, or \d and \D. */
static PaStatus
character_escape(Scan *s)
{
	static const char names[] = "afnrtv";
	static const char *const values[] = {"\\x07", "\\x0c", "\\n", "\\r", "\\t", "\\x0b"};
	char		c = s->p[1];
	const char *name = c != '\0' ? strchr(names, c) : NULL;

	if (name != NULL)
		return replace(s, values[name - names]);
	switch (c)
	{
		case '\0':
			return refuse(s, PA_ERR_REGEX, "\\ at end of pattern");
		case 'd':
			return replace(s, "\\p{Nd}");
		case 'D':
			return replace(s, "\\P{Nd}");
		case 'x':
			return hexadecimal(s, 2);
		case 'u':
			return hexadecimal(s, 4);
		case 'U':
			return hexadecimal(s, 8);
		case 'N':
			return refuse(s, PA_ERR_UNSUPPORTED, "a character by its name (\\N)");
	}
	if (is_digit(c))
		return refuse(s, PA_ERR_UNSUPPORTED, "a character by its octal number");
	if (is_letter(c))
		return refuse(s, PA_ERR_REGEX, "escape that Python does not have");
	if ((unsigned char) c >= 0x80)
		s->p++;					/* the character comes as the next */
	else
		copy(s, 2);
	return PA_OK;
}

/* Python does not refer to a group from inside it. */
static PaStatus
check_reference(Scan *s, uint32_t number, const char *name, size_t n_name)
{
	for (size_t i = 0; i < s->n_open; i++)
	{
		const Open *open = &s->opened[i];

		if (name != NULL
				? open->name != NULL && open->n_name == n_name && memcmp(open->name, name, n_name) == 0
				: open->number == number)
			return refuse(s, PA_ERR_REGEX, "cannot refer to an open group");
	}
	return PA_OK;
}

/* \1 to \99; a zero, or three octal digits, is a character. */
static PaStatus
back_reference(Scan *s)
{
	size_t		n = is_digit(s->p[2]) ? 2 : 1;
	uint32_t	number = (uint32_t) (s->p[1] - '0');

	if (s->p[1] == '0' || (n == 2 && strspn(s->p + 1, "01234567") >= 3))
		return character_escape(s);
	if (n == 2)
		number = 10 * number + (uint32_t) (s->p[2] - '0');
	PA_TRY(check_reference(s, number, NULL, 0));
	s->before = BEFORE_ITEM;
	s->refers_back = true;
	s->p++;
	put_text(s, "\\g{");
	copy(s, n);
	put_text(s, "}");
	return PA_OK;
}

static PaStatus
escape(Scan *s)
{
	char		c = s->p[1];

	s->before = c != '\0' && strchr("AZbB", c) != NULL ? BEFORE_NOTHING : BEFORE_ITEM;
	switch (c)
	{
		case 'w':
			return replace(s, WORD);
		case 'W':
			return replace(s, "[^" WORD_MEMBERS "]");
		case 's':
			return replace(s, "[" SPACE_MEMBERS "]");
		case 'S':
			return replace(s, "[^" SPACE_MEMBERS "]");
		case 'b':
			return replace(s, BOUNDARY);
		case 'B':
			return replace(s, NO_BOUNDARY);
		case 'A':
			return replace(s, "\\A");
		case 'Z':
			return replace(s, "\\z");
	}
	return is_digit(c) ? back_reference(s) : character_escape(s);
}

/* An escape inside [ ], where \b is a character. */
static PaStatus
set_escape(Scan *s, bool first)
{
	char		c = s->p[1];

	if (c == 'W' || c == 'S')
		return refuse(s, PA_ERR_UNSUPPORTED, "\\W or \\S in a set");
	if (c != '\0' && strchr("dDws", c) != NULL)
	{
		if (s->p[2] == '-' && s->p[3] != ']')
			return refuse(s, PA_ERR_REGEX, "bad character range");
		if (!first && s->p[-1] == '-' && s->p[-2] != '\\')
			return refuse(s, PA_ERR_UNSUPPORTED, "a class behind \"-\" in a set");
	}
	if (c == 'w')
		return replace(s, WORD_MEMBERS);
	if (c == 's')
		return replace(s, SPACE_MEMBERS);
	return c == 'b' ? replace(s, "\\x08") : character_escape(s);
}

/* [ ]: "[" in it is itself, and so is "]" at its beginning. */
static PaStatus
set(Scan *s)
{
	const char *begin;

	copy(s, s->p[1] == '^' ? 2 : 1);
	begin = s->p;
	while (*s->p != ']' || s->p == begin)
	{
		if (*s->p == '\0')
			return refuse(s, PA_ERR_REGEX, "unterminated character set");
		if (*s->p == '\\')
		{
			/* "-" is no range at the beginning */
			PA_TRY(set_escape(s, s->p <= begin + 1));
			continue;
		}
		/* PCRE2 takes "[:x:]" for its own, in a set and as one */
		if (*s->p == '[' || *s->p == ']' || (s->p == begin && strchr(":.=", *s->p) != NULL))
			put_text(s, "\\");
		copy(s, 1);
	}
	copy(s, 1);
	s->before = BEFORE_ITEM;
	return PA_OK;
}

/* Up to and with this character, as it stands: names. */
static PaStatus
copy_to(Scan *s, char last)
{
	const char *end = strchr(s->p, last);

	if (end == NULL)
		return refuse(s, PA_ERR_REGEX, "unfinished group");
	copy(s, (size_t) (end + 1 - s->p));
	return PA_OK;
}

/* The "(" at p, of which names and the number are kept until its ")". */
static void
open_group(Scan *s, bool captures, const char *name)
{
	s->opened[s->n_open++] = (Open) {
		.number = captures ? ++s->groups : 0,
		.name = name,
		.n_name = name != NULL ? strcspn(name, ">") : 0,
		.lookbehind = s->p[1] == '?' && s->p[2] == '<',
	};
}

/* (?i:...), and (?i) where Python takes it; none of the others has to be read otherwise. */
static PaStatus
flags(Scan *s)
{
	size_t		n = 2 + strspn(s->p + 2, "aiLmsux-");
	bool		global = s->p[n] == ')';

	if (n == 2 || (s->p[n] != ':' && !global))
		return refuse(s, PA_ERR_REGEX, "group that Python does not have");
	if (global && (s->p != s->source || !s->whole))
		return refuse(s, PA_ERR_REGEX, "flags that are not at the beginning");
	if (strspn(s->p + 2, "ims-") < n - 2)
		return refuse(s, PA_ERR_UNSUPPORTED, "flags other than i, m and s");
	s->caseless = s->caseless || memchr(s->p + 2, 'i', n - 2) != NULL;
	if (!global)
		open_group(s, false, NULL);
	copy(s, n + 1);
	return PA_OK;
}

/* Python wants one width of all that it looks behind at, PCRE2 of each alternative. */
static PaStatus
alternative(Scan *s)
{
	for (size_t i = 0; i < s->n_open; i++)
		if (s->opened[i].lookbehind)
			return refuse(s, PA_ERR_UNSUPPORTED, "alternatives in a look behind");
	s->before = BEFORE_NOTHING;
	return PA_OK;
}

static PaStatus
group(Scan *s)
{
	Before		before = s->before;
	char		c = s->p[1] == '?' ? s->p[2] : '\0';
	const char *end;

	s->before = BEFORE_NOTHING;
	if (s->p[1] != '?')
	{
		open_group(s, true, NULL);
		copy(s, 1);
		return PA_OK;
	}
	if (c != '\0' && strchr(":=!>", c) != NULL)
	{
		open_group(s, false, NULL);
		copy(s, 3);
		return PA_OK;
	}
	if (c == '<' && (s->p[3] == '=' || s->p[3] == '!'))
	{
		open_group(s, false, NULL);
		copy(s, 4);
		return PA_OK;
	}
	if (c == 'P' && s->p[3] == '<')
	{
		open_group(s, true, s->p + 4);
		return copy_to(s, '>');
	}
	if (c == 'P' && s->p[3] == '=')
	{
		PA_TRY(check_reference(s, 0, s->p + 4, strcspn(s->p + 4, ")")));
		s->before = BEFORE_ITEM;
		s->refers_back = true;
		return copy_to(s, ')');
	}
	if (c == '(')
		return refuse(s, PA_ERR_UNSUPPORTED, "a condition, (?(...)");
	if (c != '#')
		return flags(s);
	end = strchr(s->p, ')');
	if (end == NULL)
		return refuse(s, PA_ERR_REGEX, "unfinished comment");
	s->p = end + 1;
	s->before = before;
	return PA_OK;
}

/* Is there something to repeat, and not more than once? */
static PaStatus
quantifier(Scan *s)
{
	bool		mode = s->before == BEFORE_QUANTIFIER && (*s->p == '?' || *s->p == '+');

	if (s->before == BEFORE_NOTHING)
		return refuse(s, PA_ERR_REGEX, "nothing to repeat");
	if (s->before != BEFORE_ITEM && !mode)
		return refuse(s, PA_ERR_REGEX, "multiple repeat");
	s->before = mode ? BEFORE_WHOLE_QUANTIFIER : BEFORE_QUANTIFIER;
	return PA_OK;
}

/* {2}, {2,}, {,3}, {2,3}; any other brace is itself. */
static PaStatus
brace(Scan *s)
{
	size_t		low = strspn(s->p + 1, "0123456789");
	const char *comma = s->p + 1 + low;
	size_t		high = *comma == ',' ? strspn(comma + 1, "0123456789") : 0;
	const char *end = *comma == ',' ? comma + 1 + high : comma;

	if (*end != '}' || end == s->p + 1)
	{
		put_text(s, "\\");
		copy(s, 1);
		s->before = BEFORE_ITEM;
		return PA_OK;
	}
	PA_TRY(quantifier(s));
	if (strtoul(s->p + 1, NULL, 10) > MOST_REPEATS ||
		(high > 0 && strtoul(comma + 1, NULL, 10) > MOST_REPEATS))
		return refuse(s, PA_ERR_UNSUPPORTED, "a repetition of more than 65535");
	copy(s, 1);
	if (low == 0)
		put_text(s, "0");
	copy(s, (size_t) (end + 1 - s->p));
	return PA_OK;
}

static PaStatus
construct(Scan *s)
{
	switch (*s->p)
	{
		case '\\':
			return escape(s);
		case '[':
			return set(s);
		case '(':
			return group(s);
		case '{':
			return brace(s);
		case '*':
		case '+':
		case '?':
			PA_TRY(quantifier(s));
			break;
		case '|':
			PA_TRY(alternative(s));
			break;
		case ')':
			s->n_open -= s->n_open > 0;
			s->before = BEFORE_ITEM;
			break;
		case '^':
		case '$':
			s->before = BEFORE_NOTHING;
			break;
		default:
			s->before = BEFORE_ITEM;
	}
	copy(s, 1);
	return PA_OK;
}

static bool
is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text >= 0x80)
			return false;
	return true;
}

PaStatus
pa_pattern_from_python(PaEnv *env, const char *source, bool whole, PaPythonPattern *pattern)
{
	size_t		n = strlen(source);
	Scan		s = {.env = env, .source = source, .p = source, .whole = whole};

	*pattern = (PaPythonPattern) {0};
	PA_TRY(PA_NEW_RAW(env, MOST_BYTES_FOR_ONE * n + 1, &pattern->text));
	PA_TRY(PA_NEW_ARRAY(env, n + 1, &pattern->places));
	PA_TRY(PA_NEW_ARRAY(env, n + 3, &s.opened));
	if (!whole)
	{
		/* PEFT's prefix of a key is one, and the key itself another, which is open until its end */
		s.groups = 2;
		s.opened[s.n_open++] = (Open) {.number = 2};
	}
	s.out = pattern->text;
	while (*s.p != '\0')
	{
		const char *begin = s.p;
		uint32_t	place = (uint32_t) (s.out - pattern->text);

		PA_TRY(construct(&s));
		for (const char *p = begin; p < s.p; p++)
			pattern->places[p - source] = place;
	}
	*s.out = '\0';
	pa_free(env, s.opened);
	pattern->length = (size_t) (s.out - pattern->text);
	pattern->places[n] = (uint32_t) pattern->length;
	pattern->caseless = s.caseless;
	if (s.caseless && (s.beyond_ascii || !is_ascii(source)))
		return refuse(&s, PA_ERR_UNSUPPORTED, "letters beyond ASCII under the flag i");
	if (s.caseless && s.refers_back)
		return refuse(&s, PA_ERR_UNSUPPORTED, "a reference to a group under the flag i");
	return PA_OK;
}

void
pa_pattern_python_release(PaEnv *env, PaPythonPattern *pattern)
{
	pa_free(env, pattern->text);
	pa_free(env, pattern->places);
	*pattern = (PaPythonPattern) {0};
}

size_t
pa_pattern_python_place(const PaPythonPattern *pattern, size_t n_source, size_t offset)
{
	size_t		i = n_source;

	while (i > 0 && pattern->places[i] > offset)
		i--;
	/* the beginning of the construct */
	while (i > 0 && pattern->places[i - 1] == pattern->places[i])
		i--;
	return i;
}
