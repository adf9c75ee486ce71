/*
 * test_json.c
 *	  What JSON is accepted, how it is refused, and how it is written.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/limits.h"

static PaStatus
parse(PaEnv *env, const char *text, size_t n)
{
	json_t	   *root = NULL;
	char	   *exact = malloc(n);	/* so that reading on is seen */
	PaStatus	status;

	memcpy(exact, text, n);
	status = pa_json_parse(env, pa_text(exact, n), "recipe", &root);
	free(exact);
	if (status == PA_OK)
		CHECK(json_is_object(root));
	else
		CHECK(env->error.code == status &&
			  (status == PA_ERR_NOMEM || strstr(env->error.message, "recipe") != NULL));
	return status;
}

UNIT_TEST(verdicts)
{
	static const struct
	{
		const char *text;
		PaStatus	expected;
	} cases[] = {
		{"{}", PA_OK},
		{" \t\r\n{ } \n", PA_OK},
		{"{\"a\":1}", PA_OK},
		{"{\"a\":[1,2.5,-3e4,true,false,null,\"x\",{}]}", PA_OK},
		{"{\"a\":\"\\u00e9\\ud83d\\ude00\"}", PA_OK},
		{"{\"\":0}", PA_OK},
		{"{\"\303\244\":\"\360\237\230\200\"}", PA_OK},
		{"{\"a\":9223372036854775807}", PA_OK},
		{"{\"a\":1e308}", PA_OK},
		{"{\"a\":1e-400}", PA_OK},
		{"{\"a\":\"[[[[\"}", PA_OK},
		{"{\"a\\\\\":\"\\\"{\"}", PA_OK},
		{"", PA_ERR_JSON},
		{" ", PA_ERR_JSON},
		{"{", PA_ERR_JSON},
		{"}", PA_ERR_JSON},
		{"{}}", PA_ERR_JSON},
		{"{} x", PA_ERR_JSON},
		{"{}{}", PA_ERR_JSON},
		{"[]", PA_ERR_JSON},
		{"1", PA_ERR_JSON},
		{"\"a\"", PA_ERR_JSON},
		{"null", PA_ERR_JSON},
		{"{\"a\":NaN}", PA_ERR_JSON},
		{"{\"a\":Infinity}", PA_ERR_JSON},
		{"{\"a\":-Infinity}", PA_ERR_JSON},
		{"{\"a\":nan}", PA_ERR_JSON},
		{"{\"a\":1e309}", PA_ERR_JSON},
		{"{\"a\":9223372036854775808}", PA_ERR_JSON},
		{"{\"a\":01}", PA_ERR_JSON},
		{"{\"a\":+1}", PA_ERR_JSON},
		{"{\"a\":.5}", PA_ERR_JSON},
		{"{\"a\":1.}", PA_ERR_JSON},
		{"{\"a\":0x1}", PA_ERR_JSON},
		{"{'a':1}", PA_ERR_JSON},
		{"{a:1}", PA_ERR_JSON},
		{"{\"a\":1,}", PA_ERR_JSON},
		{"{\"a\":[1,]}", PA_ERR_JSON},
		{"{\"a\"}", PA_ERR_JSON},
		{"{\"a\":}", PA_ERR_JSON},
		{"{,}", PA_ERR_JSON},
		{"{\"a\":1 /* x */}", PA_ERR_JSON},
		{"\357\273\277{}", PA_ERR_JSON},
		{"{\"a\":tru}", PA_ERR_JSON},
		{"{\"a\":\"\\u0000\"}", PA_ERR_JSON},
		{"{\"\\u0000\":1}", PA_ERR_JSON},
		{"{\"a\":\"\\ud83d\"}", PA_ERR_JSON},
		{"{\"a\":\"\\ude00\"}", PA_ERR_JSON},
		{"{\"a\":\"\\ud83d\\u0041\"}", PA_ERR_JSON},
		{"{\"a\":\"\\x41\"}", PA_ERR_JSON},
		{"{\"a\":\"\n\"}", PA_ERR_JSON},
		{"{\"a\":\"\001\"}", PA_ERR_JSON},
		{"{\"a\":\"\377\"}", PA_ERR_JSON},
		{"{\"a\":\"\300\200\"}", PA_ERR_JSON},
		{"{\"a\":\"\355\240\200\"}", PA_ERR_JSON},
		{"{\"a\":\"x}", PA_ERR_JSON},
		{"{\"a\":\"\\", PA_ERR_JSON},
		{"{\"a\":\"\\u12", PA_ERR_JSON},
		{"]]]]", PA_ERR_JSON},
		{"{\"a\":1,\"a\":1}", PA_ERR_DUPLICATE_KEY},
		{"{\"x\":{\"a\":1,\"b\":2,\"a\":3}}", PA_ERR_DUPLICATE_KEY},
		{"{\"x\":[{\"a\":1,\"\\u0061\":3}]}", PA_ERR_DUPLICATE_KEY},
		{"{\"\":1,\"\":2}", PA_ERR_DUPLICATE_KEY},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_STATUS(parse(env, cases[i].text, strlen(cases[i].text)), cases[i].expected, env);
	CHECK(parse(env, "{}\0", 3) == PA_ERR_JSON && parse(env, "\0{}", 3) == PA_ERR_JSON);
	CHECK(parse(env, "{\"a\":\"x\0y\"}", 11) == PA_ERR_JSON && parse(env, "{\"a\0b\":1}", 9) == PA_ERR_JSON);
}

/* Truncated or damaged at every byte: a verdict, and no more. */
UNIT_TEST(damage)
{
	static const char text[] = "{\"a\":[1,-2.5e3,true,null,{\"b\\u00e9\":\"\\n\303\244\"}],\"c\":{}}";
	char		copy[sizeof(text)];

	CHECK_OK(parse(env, text, strlen(text)), env);
	for (size_t n = 0; n < strlen(text); n++)
		CHECK(parse(env, text, n) == PA_ERR_JSON);
	for (size_t i = 0; i < strlen(text); i++)
		for (int byte = 0; byte < 256; byte++)
		{
			PaStatus	status;

			memcpy(copy, text, sizeof(text));
			copy[i] = (char) byte;
			status = parse(env, copy, strlen(text));
			CHECK(status == PA_OK || status == PA_ERR_JSON || status == PA_ERR_DUPLICATE_KEY);
		}
}

/* {"a": then n brackets and their ends } */
static PaStatus
parse_nested(PaEnv *env, size_t n, bool closed)
{
	char	   *text = malloc(2 * n + 8);
	size_t		length = 5;
	PaStatus	status;

	memcpy(text, "{\"a\":", 5);
	memset(text + length, '[', n);
	length += n;
	if (closed)
	{
		memset(text + length, ']', n);
		length += n;
		text[length++] = '}';
	}
	status = parse(env, text, length);
	free(text);
	return status;
}

UNIT_TEST(depth)
{
	CHECK_OK(parse_nested(env, PA_MAX_JSON_DEPTH - 1, true), env);
	CHECK_STATUS(parse_nested(env, PA_MAX_JSON_DEPTH, true), PA_ERR_LIMIT, env);
	CHECK_STATUS(parse_nested(env, 1000000, true), PA_ERR_LIMIT, env);
	CHECK_STATUS(parse_nested(env, 1000000, false), PA_ERR_LIMIT, env);
	CHECK_STATUS(parse_nested(env, 3, false), PA_ERR_JSON, env);
}

/* n values in the root's one array, itself among them. */
static PaStatus
parse_many(PaEnv *env, size_t n)
{
	char	   *text = malloc(2 * n + 10);
	size_t		length = 6;
	PaStatus	status;

	memcpy(text, "{\"a\":[", 6);
	for (size_t i = 1; i < n; i++)
	{
		text[length++] = '0';
		text[length++] = ',';
	}
	memcpy(text + length - 1, "]}", 2);
	status = parse(env, text, length + 1);
	free(text);
	return status;
}

UNIT_TEST(values)
{
	CHECK_OK(parse_many(env, 100000), env);
	CHECK_STATUS(parse_many(env, PA_MAX_JSON_VALUES + 10), PA_ERR_LIMIT, env);
}

static bool
writes_as(PaEnv *env, const char *in, bool pretty, const char *expected)
{
	json_t	   *root;
	PaText		text;

	if (!CHECK_OK(pa_json_parse(env, pa_text_of(in), "test", &root), env) ||
		!CHECK_OK(pa_json_write(env, root, pretty ? PA_JSON_PRETTY : PA_JSON_COMPACT, &text), env))
		return false;
	return text.length == strlen(expected) && strcmp(text.text, expected) == 0;
}

UNIT_TEST(writing)
{
	CHECK(writes_as(env, "{ \"b\" : [ ] , \"a\" : { } }", false, "{\"b\":[],\"a\":{}}"));
	CHECK(writes_as(env, "{\"b\":[],\"a\":{}}", true, "{\n  \"a\": {},\n  \"b\": []\n}"));
	CHECK(writes_as(env, "{}", true, "{}"));
	CHECK(writes_as(env, "{\"z\":[1,[2,{\"k\":null}]],\"a\":true,\"B\":false}", true,
					"{\n  \"B\": false,\n  \"a\": true,\n  \"z\": [\n    1,\n    [\n      2,\n      {\n"
					"        \"k\": null\n      }\n    ]\n  ]\n}"));
	CHECK(writes_as(env, "{\"a\":[0.1,1.0,-0.0,1e22,1e-7,20.0,123456.0,5e-324,-1,9223372036854775807]}",
					false, "{\"a\":[0.1,1.0,-0.0,1e+22,1e-07,20.0,123456.0,5e-324,-1,9223372036854775807]}"));
	CHECK(writes_as(env, "{\"a\":\"\\u0001\\n\\\"\\\\\\/\\u00e9\\ud83d\\ude00\\u007f\"}", false,
					"{\"a\":\"\\u0001\\n\\\"\\\\/\303\251\360\237\230\200\177\"}"));
}

UNIT_TEST(quoting)
{
	char		all[255];
	PaBuf		buf;
	json_t	   *root;

	CHECK_OK(pa_buf_init(env, &buf, 0, 0), env);
	/* every ASCII character, and one of two bytes; read back by the parser */
	for (int i = 0; i < 127; i++)
		all[i] = (char) (i + 1);
	memcpy(all + 127, "\303\251", 2);
	CHECK_OK(pa_buf_bytes(&buf, "{\"k\":", 5), env);
	CHECK_OK(pa_json_quote(&buf, pa_text(all, 129)), env);
	CHECK(buf.length == 5 + pa_json_quoted_length(pa_text(all, 129)));
	CHECK_OK(pa_buf_bytes(&buf, "}", 1), env);
	CHECK_OK(pa_json_parse(env, pa_text(buf.data, buf.length), "test", &root), env);
	CHECK(json_string_length(json_object_get(root, "k")) == 129);
	CHECK(memcmp(json_string_value(json_object_get(root, "k")), all, 129) == 0);
	buf.length = 0;
	CHECK_OK(pa_json_quote(&buf, pa_text_of("")), env);
	CHECK(buf.length == 2 && memcmp(buf.data, "\"\"", 2) == 0 && pa_json_quoted_length(pa_text_of("")) == 2);
	pa_buf_release(&buf);
}

static bool
shortest_is(double v, const char *expected)
{
	char		text[32];

	pa_shortest_double(text, v);
	return strcmp(text, expected) == 0;
}

UNIT_TEST(shortest)
{
	uint64_t	seed = unit_seed();
	char		text[32];

	(void) env;
	CHECK(shortest_is(0, "0") && shortest_is(-0.0, "-0") && shortest_is(16, "16") && shortest_is(-20, "-20"));
	CHECK(shortest_is(0.1, "0.1") && shortest_is(1.0 / 3, "0.3333333333333333") &&
		  shortest_is(0.30000000000000004, "0.30000000000000004"));
	CHECK(shortest_is(0.0001, "0.0001") && shortest_is(0.00001, "1e-05") &&
		  shortest_is(1e15, "1000000000000000"));
	CHECK(shortest_is(1e16, "1e+16") && shortest_is(9007199254740993.0, "9007199254740992"));
	CHECK(shortest_is(0x1.fffffffffffffp1023, "1.7976931348623157e+308") && shortest_is(0x1p-1074, "5e-324"));
	for (int i = 0; i < 100000; i++)
	{
		uint64_t	bits = unit_random(&seed);
		double		v;
		double		back;

		memcpy(&v, &bits, sizeof(v));
		if (i % 2)
			v = ldexp((double) (int64_t) bits, -(int) (bits % 90));
		if (!isfinite(v))
			continue;
		pa_shortest_double(text, v);
		back = strtod(text, NULL);
		CHECK(memcmp(&back, &v, sizeof(v)) == 0 && strlen(text) < 28);
	}
}

static PaStatus
parse_and_write(PaEnv *env, void *arg)
{
	const char *in = arg;
	json_t	   *root;
	PaText		text;

	PA_TRY(pa_json_parse(env, pa_text_of(in), "test", &root));
	PA_TRY(pa_json_write(env, root, PA_JSON_PRETTY, &text));
	PA_TRY(pa_json_own(env, json_object()));
	return pa_json_write(env, root, PA_JSON_SORTED, &text);
}

static char document[] =
	"{\"a\":[1,2.5,{\"b\":\"text\"}],\"c\":{\"d\":null},\"long\":\""
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"}";

UNIT_TEST(no_host_memory)
{
	(void) env;
	unit_fail_every_allocation(parse_and_write, document);
}

/* jansson's own memory, which is not the host's. */
static long jansson_left;
static long jansson_live;

static void *
limited_malloc(size_t size)
{
	if (jansson_left == 0)
		return NULL;
	jansson_left--;
	jansson_live++;
	return malloc(size);
}

static void
counted_free(void *p)
{
	jansson_live -= p != NULL;
	free(p);
}

UNIT_TEST(no_jansson_memory)
{
	PaStatus	status = PA_ERR_NOMEM;
	int			out_of_memory = 0;
	long		n;

	json_set_alloc_funcs(limited_malloc, counted_free);
	for (n = 0; n < 10000 && status != PA_OK; n++)
	{
		jansson_left = n;
		status = parse_and_write(env, document);
		/* inside a token jansson calls it bad syntax: refused, if not for the right reason */
		CHECK(status == PA_OK || status == PA_ERR_NOMEM || status == PA_ERR_JSON);
		out_of_memory += status == PA_ERR_NOMEM;
		pa_env_reset(env);
		CHECK(jansson_live == 0);
	}
	CHECK(status == PA_OK && out_of_memory > n / 2);
	json_set_alloc_funcs(malloc, free);
	CHECK_STATUS(pa_json_own(env, NULL), PA_ERR_NOMEM, env);
}

UNIT_SUITE(json, UNIT_CASE(verdicts), UNIT_CASE(damage), UNIT_CASE(depth), UNIT_CASE(values),
		   UNIT_CASE(writing), UNIT_CASE(quoting), UNIT_CASE(shortest), UNIT_CASE(no_host_memory),
		   UNIT_CASE(no_jansson_memory));
