/*
 * test_core.c
 *	  Memory and errors of a PaEnv, output buffers, the checked reader, UTF-8
 *	  and patterns.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/arith.h"
#include "core/buf.h"
#include "core/bytes.h"
#include "core/pattern.h"
#include "core/utf8.h"

UNIT_TEST(sizes)
{
	uint64_t	v = 7;

	(void) env;
	CHECK(pa_add_u64(UINT64_MAX - 1, 1, &v) && v == UINT64_MAX);
	CHECK(!pa_add_u64(UINT64_MAX, 1, &v) && v == UINT64_MAX);
	CHECK(pa_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 31, &v) && v == UINT64_C(1) << 63);
	CHECK(!pa_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &v) && v == UINT64_C(1) << 63);
}

UNIT_TEST(memory)
{
	void	   *p[5];
	const char *copy;

	for (int i = 0; i < 5; i++)
	{
		CHECK_OK(pa_alloc(env, 1, 100, &p[i]), env);
		CHECK((uintptr_t) p[i] % 16 == 0);
		for (int k = 0; k < 100; k++)
			CHECK(((uint8_t *) p[i])[k] == 0);
	}
	/* the newest, the oldest, one between: the list must hold together */
	pa_free(env, p[4]);
	pa_free(env, p[0]);
	pa_free(env, p[2]);
	pa_free(env, NULL);
	CHECK_OK(pa_alloc(env, 1, 0, &p[0]), env);
	CHECK(p[0] != NULL);
	CHECK_OK(pa_strndup(env, "abcdef", 3, &copy), env);
	CHECK(strcmp(copy, "abc") == 0);
	CHECK_OK(pa_alloc(env, 3, 8, &p[0]), env);
	CHECK_STATUS(pa_alloc(env, SIZE_MAX / 4, 8, &p[1]), PA_ERR_LIMIT, env);
	CHECK_STATUS(pa_alloc_raw(env, SIZE_MAX, 1, &p[1]), PA_ERR_NOMEM, env);
	CHECK_STATUS(pa_alloc(env, 1, SIZE_MAX - 8, &p[1]), PA_ERR_NOMEM, env);
}

static int	order[3];
static int	n_cleaned;

static void
note(void *arg)
{
	order[n_cleaned++] = *(int *) arg;
}

UNIT_TEST(clean_ups)
{
	static int	numbers[3] = {1, 2, 3};
	UnitHost   *host = env->host->state;

	n_cleaned = 0;
	for (int i = 0; i < 2; i++)
		CHECK_OK(pa_defer(env, note, &numbers[i]), env);
	host->fail_at = host->allocated;
	CHECK_STATUS(pa_defer(env, note, &numbers[2]), PA_ERR_NOMEM, env);
	CHECK(n_cleaned == 1 && order[0] == 3);
	pa_env_run_deferred(env);
	CHECK(n_cleaned == 3 && order[1] == 2 && order[2] == 1);
	pa_env_reset(env);
	CHECK(n_cleaned == 3 && env->allocations == NULL && env->deferred == NULL);
}

UNIT_TEST(cancelling)
{
	UnitHost   *host = env->host->state;

	CHECK_OK(pa_check_cancel(env), env);
	host->cancel_at = host->asked + 1;
	CHECK_OK(pa_check_cancel(env), env);
	CHECK_STATUS(pa_check_cancel(env), PA_ERR_CANCELLED, env);
	CHECK(env->error.code == PA_ERR_CANCELLED);
}

UNIT_TEST(hashes)
{
	static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	UnitHost   *host = env->host->state;
	uint8_t		digest[32];
	uint8_t		back[32];
	char		text[65];

	CHECK_OK(pa_hash_begin(env, PA_HASH_TENSOR), env);
	CHECK_OK(pa_hash_begin(env, PA_HASH_FILE), env);
	CHECK_OK(pa_hash_update(env, PA_HASH_TENSOR, "ab", 2), env);
	CHECK_OK(pa_hash_update(env, PA_HASH_FILE, "other", 5), env);
	CHECK_OK(pa_hash_update(env, PA_HASH_TENSOR, "c", 1), env);
	CHECK_OK(pa_hash_finish(env, PA_HASH_TENSOR, digest), env);
	pa_hex(text, digest);
	CHECK(strcmp(text, abc) == 0);
	CHECK(pa_unhex(back, abc, 64) && memcmp(back, digest, 32) == 0);
	CHECK(!pa_unhex(back, abc, 63) && !pa_unhex(back, "", 0));
	for (int i = 0; i < 64; i++)
		for (int byte = 0; byte < 256; byte++)
		{
			memcpy(text, abc, 65);
			text[i] = (char) byte;
			CHECK(pa_unhex(back, text, 64) == (byte != 0 && strchr("0123456789abcdef", byte) != NULL));
		}
	host->hash_fails = true;
	CHECK_STATUS(pa_hash_begin(env, PA_HASH_TENSOR), PA_ERR_HOST, env);
	CHECK_STATUS(pa_hash_update(env, PA_HASH_FILE, "x", 1), PA_ERR_HOST, env);
	CHECK_STATUS(pa_hash_finish(env, PA_HASH_FILE, digest), PA_ERR_HOST, env);
}

/* Whatever is quoted in a message, and wherever it is cut, it stays UTF-8. */
UNIT_TEST(messages)
{
	char		wide[2001];

	CHECK(pa_fail(env, PA_ERR_FILE, "value %d of %s", 3, "x") == PA_ERR_FILE);
	pa_detail(env, "Detail %d.", 1);
	pa_hint(env, "Hint %d.", 2);
	CHECK(env->error.code == PA_ERR_FILE && strcmp(env->error.message, "value 3 of x") == 0);
	CHECK(strcmp(env->error.detail, "Detail 1.") == 0 && strcmp(env->error.hint, "Hint 2.") == 0);
	pa_fail(env, PA_ERR_TEXT, "next");
	CHECK(env->error.detail[0] == '\0' && env->error.hint[0] == '\0');
	pa_fail(env, PA_ERR_TEXT, "bad \377\300\200 \303");
	CHECK(strcmp(env->error.message, "bad ??? ?") == 0);
	for (int i = 0; i < 500; i++)
		memcpy(wide + 4 * i, "\360\237\230\200", 4);
	wide[2000] = '\0';
	for (int shift = 0; shift < 5; shift++)
	{
		pa_fail(env, PA_ERR_TEXT, "%.*s%s", shift, "abcd", wide);
		CHECK(strlen(env->error.message) == sizeof(env->error.message) - 1);
		CHECK(pa_utf8_valid(env->error.message, strlen(env->error.message)));
		pa_detail(env, "\"%.*s\" was cut", 10 + shift, wide);
		CHECK(pa_utf8_valid(env->error.detail, strlen(env->error.detail)) &&
			  strstr(env->error.detail, "\" was cut"));
	}
}

UNIT_TEST(buffers)
{
	PaBuf		buf;
	static const uint8_t expected[] = {0, 0, 0,	  7,   0x34, 0x12, 0xEF, 0xBE, 0xAD, 0xDE, 8,	 7,	   6,  5,
									   4, 3, 2,	  1,   0,	 0,	   0,	 0,	   0,	 0,	   0xF8, 0xBF, 2,  0,
									   0, 0, 'h', 'i', 0,	 1,	   0,	 0,	   0,	 0,	   'n',	 '=',  '5'};

	CHECK_OK(pa_buf_init(env, &buf, 3, 0), env);
	CHECK(buf.length == 3);
	CHECK_OK(pa_buf_u8(&buf, 7), env);
	CHECK_OK(pa_buf_u16(&buf, 0x1234), env);
	CHECK_OK(pa_buf_u32(&buf, 0xDEADBEEF), env);
	CHECK_OK(pa_buf_u64(&buf, UINT64_C(0x0102030405060708)), env);
	CHECK_OK(pa_buf_f64(&buf, -1.5), env);
	CHECK_OK(pa_buf_str(&buf, "hi"), env);
	CHECK_OK(pa_buf_optstr(&buf, NULL), env);
	CHECK_OK(pa_buf_optstr(&buf, ""), env);
	CHECK_OK(pa_buf_printf(&buf, "n=%d", 5), env);
	CHECK(buf.length == sizeof(expected) && memcmp(buf.data, expected, sizeof(expected)) == 0);
	for (size_t i = 0; i < 100000; i++)
		CHECK_OK(pa_buf_u8(&buf, (uint8_t) (i * 7)), env);
	CHECK_OK(pa_buf_zero(&buf, 1000), env);
	CHECK_OK(pa_buf_bytes(&buf, NULL, 0), env);
	CHECK(memcmp(buf.data, expected, sizeof(expected)) == 0);
	for (size_t i = 0; i < 100000; i++)
		CHECK(buf.data[sizeof(expected) + i] == (uint8_t) (i * 7));
	for (size_t i = 0; i < 1000; i++)
		CHECK(buf.data[sizeof(expected) + 100000 + i] == 0);
	CHECK_STATUS(pa_buf_room(&buf, SIZE_MAX), PA_ERR_LIMIT, env);
	pa_buf_release(&buf);
	CHECK(buf.data == NULL && buf.length == 0);
	pa_buf_release(&buf);
}

/* Everything that the reader reads, in one row. */
static PaStatus
read_row(PaEnv *env, const void *p, size_t n, size_t max)
{
	PaReader	r;
	uint8_t		u8;
	uint16_t	u16;
	uint32_t	u32;
	uint64_t	u64;
	double		f64;
	const char *s;
	const uint8_t *bytes;

	pa_reader_init(&r, env, p, n, PA_ERR_CORRUPT, "stored value");
	PA_TRY(pa_take_u8(&r, &u8));
	PA_TRY(pa_take_u16(&r, &u16));
	PA_TRY(pa_take_u32(&r, &u32));
	PA_TRY(pa_take_u64(&r, &u64));
	PA_TRY(pa_take_f64(&r, &f64));
	CHECK(u8 == 7 && u16 == 0x1234 && u32 == 0xDEADBEEF && u64 == UINT64_C(0x0102030405060708) &&
		  f64 == -1.5);
	PA_TRY(pa_take_str(&r, max, &s));
	CHECK(strcmp(s, "h\303\251") == 0);
	PA_TRY(pa_take_optstr(&r, max, &s));
	CHECK(s == NULL);
	PA_TRY(pa_take_optstr(&r, max, &s));
	CHECK(s != NULL && strcmp(s, "x") == 0);
	PA_TRY(pa_take(&r, 2, &bytes));
	CHECK(memcmp(bytes, "zz", 2) == 0 && r.left == 0);
	return PA_OK;
}

UNIT_TEST(reading)
{
	PaBuf		buf;
	uint8_t    *exact;

	CHECK_OK(pa_buf_init(env, &buf, 0, 0), env);
	pa_buf_u8(&buf, 7);
	pa_buf_u16(&buf, 0x1234);
	pa_buf_u32(&buf, 0xDEADBEEF);
	pa_buf_u64(&buf, UINT64_C(0x0102030405060708));
	pa_buf_f64(&buf, -1.5);
	pa_buf_str(&buf, "h\303\251");
	pa_buf_optstr(&buf, NULL);
	pa_buf_optstr(&buf, "x");
	pa_buf_bytes(&buf, "zz", 2);
	for (size_t n = 0; n <= buf.length; n++)
	{
		exact = malloc(n);
		memcpy(exact, buf.data, n);
		CHECK_STATUS(read_row(env, exact, n, 3), n < buf.length ? PA_ERR_CORRUPT : PA_OK, env);
		if (n < buf.length)
			CHECK(strncmp(env->error.message, "stored value", 12) == 0);
		free(exact);
	}
	CHECK_STATUS(read_row(env, buf.data, buf.length, 2), PA_ERR_CORRUPT, env);
	pa_buf_release(&buf);
}

UNIT_TEST(bad_strings)
{
	static const struct
	{
		const char *bytes;
		size_t		n;
	} bad[] = {{"\1\0\0\0\0", 5},			{"\2\0\0\0\303\050", 6},
			   {"\1\0\0\0\303", 5},			{"\377\377\377\377x", 5},
			   {"\3\0\0\0ab", 6},			{"\4\0\0\0\0abc", 8},
			   {"\3\0\0\0\355\240\200", 7}, {"\1\0", 2},
			   {"\377\377\377\177", 4}};
	PaReader	r;
	const char *s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		pa_reader_init(&r, env, bad[i].bytes, bad[i].n, PA_ERR_FILE, "file");
		CHECK_STATUS(pa_take_str(&r, SIZE_MAX, &s), PA_ERR_FILE, env);
	}
	pa_reader_init(&r, env, "\2\1\0\0\0x", 6, PA_ERR_FILE, "file");
	CHECK_STATUS(pa_take_optstr(&r, 10, &s), PA_ERR_FILE, env);
	pa_reader_init(&r, env, "\0\0\0\0", 4, PA_ERR_FILE, "file");
	CHECK_OK(pa_take_str(&r, 0, &s), env);
	CHECK(s[0] == '\0');
}

static size_t
encode(uint32_t c, char *s)
{
	if (c < 0x80)
		return s[0] = (char) c, 1;
	if (c < 0x800)
		return s[0] = (char) (0xC0 | c >> 6), s[1] = (char) (0x80 | (c & 63)), 2;
	if (c < 0x10000)
		return s[0] = (char) (0xE0 | c >> 12), s[1] = (char) (0x80 | (c >> 6 & 63)),
			   s[2] = (char) (0x80 | (c & 63)), 3;
	s[0] = (char) (0xF0 | c >> 18);
	s[1] = (char) (0x80 | (c >> 12 & 63));
	s[2] = (char) (0x80 | (c >> 6 & 63));
	s[3] = (char) (0x80 | (c & 63));
	return 4;
}

/*
 * Every code point is valid; and as many strings of up to three bytes are valid
 * as can be put together of code points, so nothing else is.
 */
UNIT_TEST(utf8)
{
	char		s[4];
	long		valid[4] = {0};

	(void) env;
	for (uint32_t c = 0; c < 0x110000; c++)
	{
		size_t		n = encode(c, s);
		bool		surrogate = c >= 0xD800 && c < 0xE000;
		bool		control = c < 0x20 || (c >= 0x7F && c < 0xA0);

		CHECK(pa_utf8_valid(s, n) == !surrogate);
		CHECK(pa_utf8_valid_name(s, n) == (!surrogate && !control));
		CHECK(n == 1 || !pa_utf8_valid(s, n - 1));
	}
	for (uint32_t i = 0; i < 1u << 24; i++)
	{
		s[0] = (char) i, s[1] = (char) (i >> 8), s[2] = (char) (i >> 16);
		valid[1] += i < 1u << 8 && pa_utf8_valid(s, 1);
		valid[2] += i < 1u << 16 && pa_utf8_valid(s, 2);
		valid[3] += pa_utf8_valid(s, 3);
	}
	CHECK(valid[1] == 128 && valid[2] == 128 * 128 + 1920);
	CHECK(valid[3] == 128 * 128 * 128 + 2 * 128 * 1920 + (65536 - 2048 - 2048));
	CHECK(!pa_utf8_valid("\360\200\200\200", 4) && !pa_utf8_valid("\360\217\277\277", 4));
	CHECK(!pa_utf8_valid("\364\220\200\200", 4) && !pa_utf8_valid("\370\210\200\200\200", 5));
	CHECK(pa_utf8_valid("", 0) && !pa_utf8_valid_name("", 0));
	CHECK(pa_utf8_valid_name("base.q", 6) && !pa_utf8_valid_name("a\0b", 3));
}

static bool
matches(PaEnv *env, const char *pattern, PaPatternMode mode, const char *subject)
{
	PaPattern  *p = NULL;
	bool		yes = false;

	if (CHECK_OK(pa_pattern_compile(env, pattern, mode, &p), env))
		CHECK_OK(pa_pattern_match(env, p, subject, &yes), env);
	return yes;
}

UNIT_TEST(patterns)
{
	CHECK(matches(env, "a.*z", PA_PATTERN_WHOLE, "a.b.z") &&
		  !matches(env, "a.*z", PA_PATTERN_WHOLE, "a.b.zy"));
	CHECK(!matches(env, "b", PA_PATTERN_WHOLE, "abc") && matches(env, "a|ab", PA_PATTERN_WHOLE, "ab"));
	CHECK(matches(env, "", PA_PATTERN_WHOLE, "") && !matches(env, "", PA_PATTERN_WHOLE, "a"));
	CHECK(matches(env, ".", PA_PATTERN_WHOLE, "\303\251") && !matches(env, ".", PA_PATTERN_WHOLE, "ee"));
	/* PEFT's keys: the end of a path, after a point */
	CHECK(matches(env, "q_proj", PA_PATTERN_KEY, "q_proj") &&
		  matches(env, "q_proj", PA_PATTERN_KEY, "h.0.q_proj"));
	CHECK(!matches(env, "q_proj", PA_PATTERN_KEY, "h.0.xq_proj") &&
		  !matches(env, "q_proj", PA_PATTERN_KEY, "q_proj.x"));
	CHECK(matches(env, "h\\.\\d+\\.q", PA_PATTERN_KEY, "model.h.12.q"));
	CHECK(matches(env, "a|b", PA_PATTERN_KEY, "x.b") && !matches(env, "a|b", PA_PATTERN_KEY, "x.ab"));
	CHECK(matches(env, "^h.q", PA_PATTERN_KEY, "h.q") && !matches(env, "^h.q", PA_PATTERN_KEY, "x.h.q"));
}

UNIT_TEST(bad_patterns)
{
	static const char *const bad[] = {"(",	  "a{2", "[", "*",		  "a**b",  "\\", "(?<x>a)(?<x>b)",
									  "(?P<", "\\C", ")", "(?<=a+)b", "\\g{9}"};
	PaPattern  *p;
	char	   *large = malloc(70001);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		PaStatus	status = pa_pattern_compile(env, bad[i], PA_PATTERN_WHOLE, &p);

		/* PCRE2 reads an unfinished quantifier as letters */
		CHECK(status == (strcmp(bad[i], "a{2") == 0 ? PA_OK : PA_ERR_REGEX));
	}
	CHECK_STATUS(pa_pattern_compile(env, "ab(", PA_PATTERN_WHOLE, &p), PA_ERR_REGEX, env);
	CHECK(strstr(env->error.message, "invalid regular expression: ") &&
		  strstr(env->error.detail, "at byte 3"));
	CHECK_STATUS(pa_pattern_compile(env, "ab\\", PA_PATTERN_KEY, &p), PA_ERR_REGEX, env);
	CHECK_STATUS(pa_pattern_compile(env, "\377", PA_PATTERN_WHOLE, &p), PA_ERR_REGEX, env);
	memset(large, 'a', 70000);
	large[70000] = '\0';
	CHECK_STATUS(pa_pattern_compile(env, large, PA_PATTERN_WHOLE, &p), PA_ERR_LIMIT, env);
	memset(large, '(', 60000);
	large[60000] = '\0';
	CHECK_STATUS(pa_pattern_compile(env, large, PA_PATTERN_WHOLE, &p), PA_ERR_REGEX, env);
	free(large);
	CHECK_OK(pa_pattern_compile(env, "a", PA_PATTERN_WHOLE, &p), env);
	{
		bool		yes;

		CHECK_STATUS(pa_pattern_match(env, p, "\377", &yes), PA_ERR_REGEX, env);
	}
}

/* Patterns that take for ever elsewhere give up here, soon. */
UNIT_TEST(endless_patterns)
{
	static const char *const patterns[] = {"(a+)+b",		   "(a|aa)+b",
										   "(a*)*b",		   "(.*)(.*)(.*)(.*)(.*)(.*)(.*)b",
										   "(?:(?:a?){30})*b", "((((a*)*)*)*)*b"};
	char		subject[1001];
	clock_t		start = clock();

	/* a b that is there but not at the end, or PCRE2 sees at once that it is missing */
	memset(subject, 'a', 1000);
	memcpy(subject + 998, "bc", 3);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		for (int mode = 0; mode < 2; mode++)
		{
			PaPattern  *p = NULL;
			bool		yes;

			CHECK_OK(pa_pattern_compile(env, patterns[i], (PaPatternMode) mode, &p), env);
			CHECK_STATUS(pa_pattern_match(env, p, subject, &yes), PA_ERR_LIMIT, env);
			CHECK(env->error.hint[0] != '\0');
		}
	CHECK((double) (clock() - start) / CLOCKS_PER_SEC / 12 < 0.5 * unit_slowness());
}

UNIT_TEST(escaping)
{
	char		literal[128];
	const char *pattern;
	size_t		n = 0;

	for (char c = 0x20; c < 0x7F; c++)
		literal[n++] = c;
	memcpy(literal + n, "\303\251", 3);
	CHECK_OK(pa_pattern_escape(env, literal, &pattern), env);
	CHECK(pattern[0] == '^' && matches(env, pattern, PA_PATTERN_KEY, literal));
	CHECK_OK(pa_pattern_escape(env, "h.0.q", &pattern), env);
	CHECK(strcmp(pattern, "^h\\.0\\.q") == 0);
	CHECK(matches(env, pattern, PA_PATTERN_KEY, "h.0.q") && !matches(env, pattern, PA_PATTERN_KEY, "hx0.q"));
	CHECK(!matches(env, pattern, PA_PATTERN_KEY, "x.h.0.q"));
}

static PaStatus
use_core(PaEnv *env, void *arg)
{
	PaPattern  *p;
	PaBuf		buf;
	const char *s;
	void	   *memory;
	bool		yes;
	PaStatus	status = PA_OK;

	(void) arg;
	PA_TRY(pa_alloc(env, 1, 10, &memory));
	PA_TRY(pa_alloc(env, 10, 10, &memory));
	PA_TRY(pa_strndup(env, "text", 4, &s));
	PA_TRY(pa_pattern_escape(env, "a.b", &s));
	PA_TRY(pa_pattern_compile(env, "((?:a|b)*)c\\1?(?P<n>x(?:y(z))?)*", PA_PATTERN_KEY, &p));
	PA_TRY(pa_pattern_match(env, p, "ababababababc", &yes));
	PA_TRY(pa_pattern_compile(env, s, PA_PATTERN_WHOLE, &p));
	PA_TRY(pa_pattern_match(env, p, "a.b", &yes));
	PA_TRY(pa_buf_init(env, &buf, 4, 0));
	for (int i = 0; i < 100 && status == PA_OK; i++)
		status = pa_buf_printf(&buf, "number %d", i);
	pa_buf_release(&buf);
	return status;
}

UNIT_TEST(faults)
{
	(void) env;
	unit_fail_every_allocation(use_core, NULL);
	unit_cancel_everywhere(use_core, NULL);
}

UNIT_SUITE(core, UNIT_CASE(sizes), UNIT_CASE(memory), UNIT_CASE(clean_ups), UNIT_CASE(cancelling),
		   UNIT_CASE(hashes), UNIT_CASE(messages), UNIT_CASE(buffers), UNIT_CASE(reading),
		   UNIT_CASE(bad_strings), UNIT_CASE(utf8), UNIT_CASE(patterns), UNIT_CASE(bad_patterns),
		   UNIT_CASE(endless_patterns), UNIT_CASE(escaping), UNIT_CASE(faults));
