/*
 * test_pattern_python.c
 *	  Expressions that Python's re and PCRE2 read otherwise: what Python 3.11
 *	  answers to re.fullmatch() of each, or the refusal.  test/oracle/test_patterns.py
 *	  compares more of them with Python itself.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "core/pattern.h"
#include "core/pattern_python.h"

typedef struct PatternRow
{
	const char *expression;
	const char *subject;
	bool		matches;
} PatternRow;

static const PatternRow rows[] = {
	/* quantifiers without a lower bound, and braces that are none */
	{"a{,2}", "aa", true},
	{"a{,2}", "", true},
	{"a{,2}", "aaa", false},
	{"a{,2}", "a{,2}", false},
	{"a{,}", "aaaa", true},
	{"a{2}", "aa", true},
	{"a{2,}", "aaa", true},
	{"a{}", "a{}", true},
	{"a{x", "a{x", true},
	{"a{ 1}", "a{ 1}", true},
	{"a{1, 2}", "a{1, 2}", true},
	{"{a}", "{a}", true},
	{"(?:ab){,1}?c", "abc", true},
	/* letters, digits and spaces beyond ASCII */
	{"m\\w+le", "mod\303\250le", true},
	{"\\w", "\316\273", true},
	{"\\w", "\314\210", false},
	{"\\W", "\303\251", false},
	{"\\W", "-", true},
	{"\\w\\d", "\316\2731", true},
	{"q\\d", "q\331\243", true},
	{"q\\D", "q\331\243", false},
	{"\\d", "\302\262", false},
	{"x\\sy", "x\302\240y", true},
	{"x\\sy", "x\342\200\250y", true},
	{"x\\sy", "x\341\240\216y", false},
	{"x\\Sy", "x\302\240y", false},
	{"[\\w.]+", "\303\251.a_1", true},
	{"[\\s\\d]+", "\331\243\302\240", true},
	{"[^\\D]", "7", true},
	{"\\ba\\b.\\bb\\b", "a.b", true},
	{"a\\b\303\251", "a\303\251", false},
	{"a\\B\303\251", "a\303\251", true},
	/* sets */
	{"[[:alpha:]]", "a", false},
	{"[[:alpha:]]", "a]", true},
	{"[[:alpha:]]", ":]", true},
	{"[:alpha:]+", ":a", true},
	{"[.a.]", ".", true},
	{"[]a]+", "]a", true},
	{"[^]a]", "]", false},
	{"[a[b]", "[", true},
	{"[\\]\\-]+", "]-", true},
	{"[-a]+", "-a", true},
	{"[a-]+", "-a", true},
	{"[\\b]", "\b", true},
	{"[\\x41-\\x43]", "B", true},
	/* escapes */
	{"\\Aa\\Z", "a", true},
	{"\\x41\\u00e9\\U0001F600", "A\303\251\360\237\230\200", true},
	{"\\v", "\v", true},
	{"\\v", "\n", false},
	{"\\a\\f\\t", "\a\f\t", true},
	{"\\.\\-\\_\\@", ".-_@", true},
	{"\\\303\251", "\303\251", true},
	/* groups */
	{"(a)\\1", "aa", true},
	{"(?P<n>a)(?P=n)", "aa", true},
	{"(?:a|b)(?=c).", "ac", true},
	{"(?i:AB)c", "abc", true},
	{"(?i)ab", "AB", true},
	{"(?s:.)", "x", true},
	{"a(?#comment)*", "aaa", true},
	{"(?>a+)b", "aab", true},
	{"a++b", "aab", true},
	{"a*?b", "aab", true},
	{"", "", true},
	{".", "\n", false},
	{".", "\302\205", true},
};

/* "": PA_ERR_REGEX; a word: named in the refusal of what is not supported. */
static const struct
{
	const char *expression;
	const char *construct;
} refused[] = {
	{"\\C", ""},
	{"\\R", ""},
	{"\\pL", ""},
	{"\\Qa\\E", ""},
	{"\\h", ""},
	{"\\K", ""},
	{"\\g{1}", ""},
	{"\\z", ""},
	{"(?<n>a)", ""},
	{"(?|a|b)", ""},
	{"(?R)", ""},
	{"(?1)", ""},
	{"(?&n)", ""},
	{"(*ACCEPT)", ""},
	{"(*UTF)a", ""},
	{"*a", ""},
	{"a**", ""},
	{"a{2}{3}", ""},
	{"a{2}*", ""},
	{"a*?+", ""},
	{"^*", ""},
	{"(?i", ""},
	{"a(?i)", ""},
	{"(?#a", ""},
	{"\\x4", ""},
	{"\\u12", ""},
	{"[\\d-z]", ""},
	{"[a", ""},
	{"[]", ""},
	{"(?P>n)", ""},
	{"(?P<n", ""},
	{"\\", ""},
	{"a|*", ""},
	{"{2}", ""},
	{"(?'n'a)", ""},
	{"()", NULL},
	{"[\\W_]", "\\W"},
	{"[\\S]", "\\S"},
	{"\\012", "octal"},
	{"[\\1]", "octal"},
	{"\\N{EN DASH}", "\\N"},
	{"(a)(?(1)b|c)", "condition"},
	{"(?x:a)", "flags"},
	{"(?a)\\w", "flags"},
	{"(?i:\303\251)", "beyond ASCII"},
	{"(?i:\\u00e9)", "beyond ASCII"},
	{"(?i:\\xc9)", "beyond ASCII"},
	{"(?i:\\x41\\u0042)", NULL},
	{"(?i:(a)\\1)", "a reference"},
	{"[a-\\d]", "class"},
	{"(a\\1)", ""},
	{"(?P<n>a(?P=n))", ""},
	{"((a)\\2)", NULL},
	{"(a)(?:b\\1)", NULL},
	{"(?<=a|bc)d", "look behind"},
	{"(?<=(?:a|b))d", "look behind"},
	{"(?<=a)b|c", NULL},
	{"a{65536}", "65535"},
	{"a{1,99999}", "65535"},
	{"a{65535}", NULL},
};

UNIT_TEST(as_python_reads_them)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		PaPattern  *p;
		bool		matches = !rows[i].matches;

		if (!CHECK_OK(pa_pattern_compile(env, rows[i].expression, PA_PATTERN_WHOLE, &p), env) ||
			!CHECK_OK(pa_pattern_match(env, p, rows[i].subject, &matches), env) ||
			!CHECK(matches == rows[i].matches))
			printf("#   %s of %s\n", rows[i].expression, rows[i].subject);
	}
}

UNIT_TEST(refusals)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		const char *construct = refused[i].construct;
		PaStatus	expected = construct == NULL ? PA_OK
			: construct[0] == '\0'			  ? PA_ERR_REGEX
											  : PA_ERR_UNSUPPORTED;
		PaPattern  *p;

		if (!CHECK_STATUS(pa_pattern_compile(env, refused[i].expression, PA_PATTERN_WHOLE, &p), expected,
						  env) ||
			(expected == PA_ERR_UNSUPPORTED &&
			 !CHECK(strstr(env->error.message, construct) != NULL && env->error.hint[0] != '\0')))
			printf("#   %s: %s\n", refused[i].expression, env->error.message);
	}
}

/* Flags in a key stand in the middle of PEFT's expression, which Python refuses. */
UNIT_TEST(keys)
{
	PaPattern  *p;
	bool		yes;

	CHECK_STATUS(pa_pattern_compile(env, "(?i)a", PA_PATTERN_KEY, &p), PA_ERR_REGEX, env);
	CHECK_STATUS(pa_pattern_compile(env, "*ACCEPT)(a", PA_PATTERN_KEY, &p), PA_ERR_REGEX, env);
	if (CHECK_OK(pa_pattern_compile(env, "(?i:a)b", PA_PATTERN_KEY, &p), env))
	{
		CHECK_OK(pa_pattern_match(env, p, "x.Ab", &yes), env);
		CHECK(yes);
		CHECK_OK(pa_pattern_match(env, p, "\303\251.Ab", &yes), env);
		CHECK(yes);
		CHECK_STATUS(pa_pattern_match(env, p, "\305\277.Ab", &yes), PA_ERR_UNSUPPORTED, env);
		CHECK(strstr(env->error.detail, "(?i:a)b") != NULL && env->error.hint[0] != '\0');
	}
}

/* The place of a fault is the source's, however much longer the rewritten text is. */
UNIT_TEST(places)
{
	PaPattern  *p;

	CHECK_STATUS(pa_pattern_compile(env, "\\b\\b\\w[z-a]", PA_PATTERN_WHOLE, &p), PA_ERR_REGEX, env);
	CHECK(strstr(env->error.detail, "at byte 6.") != NULL);
	CHECK_STATUS(pa_pattern_compile(env, "\\s\\s)", PA_PATTERN_KEY, &p), PA_ERR_REGEX, env);
	CHECK(strstr(env->error.detail, "at byte 5.") != NULL);
}

/* Every prefix of an expression with all constructs has its answer, and takes no more room than it has. */
UNIT_TEST(prefixes)
{
	static const char all[] =
		"(?s:\\b\\B)\\w\\W\\s\\S\\d\\D[^]\\w\\s[\\d\\b\\x41]{,3}?(?P<n>a)(?P=n)\\1(?#c)(?<!b)\\u0041\\v|\\Z$";
	char		prefix[sizeof(all)];
	PaPythonPattern text;

	for (size_t n = 0; n < sizeof(all); n++)
	{
		PaStatus	status;

		memcpy(prefix, all, n);
		prefix[n] = '\0';
		status = pa_pattern_from_python(env, prefix, true, &text);
		CHECK(status == PA_OK || status == PA_ERR_REGEX);
		if (status == PA_OK)
		{
			CHECK(strlen(text.text) == text.length && text.places[n] == text.length);
			pa_pattern_python_release(env, &text);
		}
	}
}

UNIT_SUITE(pattern_python, UNIT_CASE(as_python_reads_them), UNIT_CASE(refusals), UNIT_CASE(keys),
		   UNIT_CASE(places), UNIT_CASE(prefixes));
