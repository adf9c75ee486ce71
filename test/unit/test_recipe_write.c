/*
 * test_recipe_write.c
 *	  Recipes as they are written: each operation's node, merging, the limit.
 *	  doc/format.md, "Recipe".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "recipe/recipe_impl.h"
#include "build_file.h"
#include "core/limits.h"
#include "recipe_fixture.h"

static PaOperand
operand(const uint8_t *digest, const char *recipe)
{
	return (PaOperand) {.digest = digest, .recipe = {recipe, strlen(recipe)}};
}

static void
expect(PaEnv *env, PaStatus status, const PaText *recipe, const char *wanted)
{
	CHECK_OK(status, env);
	if (status != PA_OK)
		return;
	CHECK(recipe->length == strlen(wanted) && memcmp(recipe->text, wanted, recipe->length) == 0);
	CHECK_OK(pa_recipe_check(env, *recipe), env);
}

UNIT_TEST(test_nodes)
{
	uint8_t		a[PA_SHA256_LENGTH];
	PaOperand	of = operand(digest_of(a, 0xaa), ROOT(IMPORT_B));
	PaText		r;

	expect(env, pa_recipe_import(env, a, &r), &r, ROOT(IMPORT_A));
	expect(env, pa_recipe_scale(env, &of, -0.4, &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"scale\",\"of\":\"" AA "\",\"by\":\"-0x1.999999999999ap-2\"},"
		   "\"nodes\":{\"" AA "\":" IMPORT_B "}}");
	expect(env, pa_recipe_cast(env, &of, "BF16", &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"cast\",\"of\":\"" AA "\",\"dtype\":\"BF16\"},"
		   "\"nodes\":{\"" AA "\":" IMPORT_B "}}");
	expect(env, pa_recipe_select(env, &of, "a\\.\"b\n", true, &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"select\",\"of\":\"" AA
		   "\",\"pattern\":\"a\\\\.\\\"b\\n\",\"invert\":true},"
		   "\"nodes\":{\"" AA "\":" IMPORT_B "}}");
	expect(env, pa_recipe_set_base_model(env, &of, "m", NULL, &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"set_base_model\",\"of\":\"" AA
		   "\",\"base_model\":\"m\",\"revision\":null},"
		   "\"nodes\":{\"" AA "\":" IMPORT_B "}}");
	expect(env, pa_recipe_split(env, &of, INT64_MAX, 7, &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"split\",\"of\":\"" AA
		   "\",\"max_bytes\":9223372036854775807,\"part\":7},"
		   "\"nodes\":{\"" AA "\":" IMPORT_B "}}");
	CHECK_STATUS(pa_recipe_select(env, &of, "\xff", true, &r), PA_ERR_TEXT, env);
	CHECK_STATUS(pa_recipe_rename(env, &of, "a", "\xff", &r), PA_ERR_TEXT, env);
}

/* The version is that of the youngest operation, wherever it is. */
UNIT_TEST(young_operations)
{
	uint8_t		a[PA_SHA256_LENGTH];
	uint8_t		b[PA_SHA256_LENGTH];
	PaOperand	of = operand(digest_of(a, 0xaa), ROOT(IMPORT_B));
	PaText		r;

#define RENAME_A "{\"op\":\"rename\",\"of\":\"" AA "\",\"pattern\":\"(a)\",\"replacement\":\"\\\\1\"}"
	expect(env, pa_recipe_rename(env, &of, "(a)", "\\1", &r), &r,
		   "{\"version\":2,\"root\":" RENAME_A ",\"nodes\":{\"" AA "\":" IMPORT_B "}}");
	of = operand(digest_of(b, 0xbb),
				 "{\"version\":2,\"root\":" RENAME_A ",\"nodes\":{\"" AA "\":" IMPORT_B "}}");
	expect(env, pa_recipe_cast(env, &of, "F32", &r), &r,
		   "{\"version\":2,\"root\":{\"op\":\"cast\",\"of\":\"" BB "\",\"dtype\":\"F32\"},\"nodes\":{\"" AA
		   "\":" IMPORT_B ",\"" BB "\":" RENAME_A "}}");
	/* a text is no operation */
	of = operand(a, ROOT(IMPORT_B));
	expect(env, pa_recipe_select(env, &of, "{\"op\":\"rename\"", false, &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"select\",\"of\":\"" AA
		   "\",\"pattern\":\"{\\\"op\\\":\\\"rename\\\"\",\"invert\":false},\"nodes\":{\"" AA "\":" IMPORT_B
		   "}}");
}

/* Terms in order of digest, u, v; the operands' nodes merged, the union's digests sorted. */
UNIT_TEST(test_merge)
{
	uint8_t		a[PA_SHA256_LENGTH];
	uint8_t		b[PA_SHA256_LENGTH];
	const char *scaled = "{\"version\":1,\"root\":{\"op\":\"scale\",\"of\":\"" CC "\",\"by\":\"0x1.8p+0\"},"
						 "\"nodes\":{\"" CC "\":" IMPORT_A ",\"" AA "\":" IMPORT_B "}}";
	PaOperand	of[2] = {operand(digest_of(b, 0xbb), scaled), operand(digest_of(a, 0xaa), ROOT(IMPORT_A))};
	PaTerm		terms[4] = {{0, 2, 1}, {0, 1, 1}, {1, 0.5, 0.5}, {0, 1, -1}};
	PaText		r;

	expect(env, pa_recipe_combine(env, 2, of, 4, terms, &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"combine\",\"terms\":["
		   "{\"of\":\"" AA "\",\"u\":\"0x1.0000000000000p-1\",\"v\":\"0x1.0000000000000p-1\"},"
		   "{\"of\":\"" BB "\",\"u\":\"0x1.0000000000000p+0\",\"v\":\"-0x1.0000000000000p+0\"},"
		   "{\"of\":\"" BB "\",\"u\":\"0x1.0000000000000p+0\",\"v\":\"0x1.0000000000000p+0\"},"
		   "{\"of\":\"" BB "\",\"u\":\"0x1.0000000000000p+1\",\"v\":\"0x1.0000000000000p+0\"}]},"
		   "\"nodes\":{\"" AA "\":" IMPORT_A ","
		   "\"" BB "\":{\"op\":\"scale\",\"of\":\"" CC "\",\"by\":\"0x1.8p+0\"},"
		   "\"" CC "\":" IMPORT_A "}}");
	expect(env, pa_recipe_union(env, 2, of, &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"union\",\"of\":[\"" AA "\",\"" BB "\"]},"
		   "\"nodes\":{\"" AA "\":" IMPORT_A ","
		   "\"" BB "\":{\"op\":\"scale\",\"of\":\"" CC "\",\"by\":\"0x1.8p+0\"},"
		   "\"" CC "\":" IMPORT_A "}}");
}

#define HALF "0x1.0000000000000p-1"
#define TERMS_AB \
	"\"terms\":[{\"of\":\"" AA "\",\"w\":\"" HALF "\"},{\"of\":\"" BB "\",\"w\":\"-" HALF \
	"\"},{\"of\":\"" BB "\",\"w\":\"" HALF "\"}]"
#define WEIGHTED(node) \
	"{\"version\":1,\"root\":" node ",\"nodes\":{\"" AA "\":" IMPORT_A ",\"" BB "\":" IMPORT_B "}}"

/* The operations of delta space: one weight a term, in order of digest and weight; u does not count. */
UNIT_TEST(test_weighted)
{
	uint8_t		a[PA_SHA256_LENGTH];
	uint8_t		b[PA_SHA256_LENGTH];
	PaOperand	of[2] = {operand(digest_of(b, 0xbb), ROOT(IMPORT_B)),
					   operand(digest_of(a, 0xaa), ROOT(IMPORT_A))};
	PaTerm		terms[3] = {{0, 7, -0.5}, {0, -7, 0.5}, {1, 0, 0.5}};
	int64_t		seed = INT64_MIN;
	PaRecipeMerge ties = {"ties", "peft", 0.5, "total", NULL};
	PaRecipeMerge dare = {"dare_linear", "peft", 0.5, NULL, &seed};
	PaText		r;

	expect(env, pa_recipe_concatenate(env, 2, of, 3, terms, &r), &r,
		   WEIGHTED("{\"op\":\"concatenate\"," TERMS_AB "}"));
	expect(env, pa_recipe_truncate(env, 2, of, 3, terms, 4, 0, "L 1", &r), &r,
		   WEIGHTED("{\"op\":\"truncate\"," TERMS_AB ",\"rank\":4,\"energy\":null,"
					"\"numerics\":\"tolerance\",\"library\":\"L 1\"}"));
	expect(env, pa_recipe_truncate(env, 2, of, 3, terms, 0, 0.5, "L", &r), &r,
		   WEIGHTED("{\"op\":\"truncate\"," TERMS_AB ",\"rank\":null,\"energy\":\"" HALF "\","
					"\"numerics\":\"tolerance\",\"library\":\"L\"}"));
	expect(env, pa_recipe_merge(env, 2, of, 3, terms, &ties, &r), &r,
		   WEIGHTED("{\"op\":\"merge\",\"method\":\"ties\",\"flavour\":\"peft\"," TERMS_AB
					",\"density\":\"" HALF "\","
					"\"majority_sign\":\"total\",\"seed\":null}"));
	expect(env, pa_recipe_merge(env, 2, of, 3, terms, &dare, &r), &r,
		   WEIGHTED("{\"op\":\"merge\",\"method\":\"dare_linear\",\"flavour\":\"peft\"," TERMS_AB
					",\"density\":\"" HALF "\","
					"\"majority_sign\":null,\"seed\":-9223372036854775808}"));
	CHECK_STATUS(pa_recipe_truncate(env, 2, of, 3, terms, 4, 0, "\xff", &r), PA_ERR_TEXT, env);
	ties.majority_sign = "\xff";
	CHECK_STATUS(pa_recipe_merge(env, 2, of, 3, terms, &ties, &r), PA_ERR_TEXT, env);
}

/* A value that was made from itself (a cast to the dtype that it has) keeps its origin. */
UNIT_TEST(test_circle)
{
	uint8_t		a[PA_SHA256_LENGTH];
	PaOperand	of = operand(digest_of(a, 0xaa),
							 "{\"version\":1,\"root\":{\"op\":\"cast\",\"of\":\"" AA "\",\"dtype\":\"F32\"},"
							 "\"nodes\":{\"" AA "\":" IMPORT_B "}}");
	PaText		r;

	expect(env, pa_recipe_cast(env, &of, "F16", &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"cast\",\"of\":\"" AA "\",\"dtype\":\"F16\"},"
		   "\"nodes\":{\"" AA "\":" IMPORT_B "}}");
}

#define SCALE(of) "{\"op\":\"scale\",\"of\":\"" of "\",\"by\":\"0x1.8p+0\"}"
#define DOCUMENT(root, key, node) "{\"version\":1,\"root\":" root ",\"nodes\":{\"" key "\":" node "}}"
#define UNION_AB "{\"op\":\"union\",\"of\":[\"" AA "\",\"" BB "\"]}"
#define TOLD "{\"version\":1,\"root\":{\"op\":\"union\",\"of\":[\"" AA "\",\"" BB "\"]},\"nodes\":{"

/*
 * What a value was made of is not forgotten because another recipe calls it an
 * import, whichever is read first.
 */
UNIT_TEST(test_told)
{
	uint8_t		a[PA_SHA256_LENGTH];
	uint8_t		b[PA_SHA256_LENGTH];
	PaOperand	of[2] = {operand(digest_of(a, 0xaa), DOCUMENT(SCALE(CC), CC, IMPORT_A)),
					   operand(digest_of(b, 0xbb), DOCUMENT(SCALE(AA), AA, IMPORT_B))};
	PaText		r;

	/* of itself */
	expect(env, pa_recipe_union(env, 2, of, &r), &r,
		   TOLD "\"" AA "\":" SCALE(CC) ",\"" BB "\":" SCALE(AA) ",\"" CC "\":" IMPORT_A "}}");
	of[0] = operand(a, DOCUMENT(SCALE(BB), BB, IMPORT_B));
	of[1] = operand(b, DOCUMENT(SCALE(CC), CC, IMPORT_A));
	expect(env, pa_recipe_union(env, 2, of, &r), &r,
		   TOLD "\"" AA "\":" SCALE(BB) ",\"" BB "\":" SCALE(CC) ",\"" CC "\":" IMPORT_A "}}");
	/* of a third one */
	of[0] = operand(a, DOCUMENT(SCALE(CC), CC, SCALE(DD)));
	of[1] = operand(b, DOCUMENT(SCALE(CC), CC, IMPORT_A));
	expect(env, pa_recipe_union(env, 2, of, &r), &r,
		   TOLD "\"" AA "\":" SCALE(CC) ",\"" BB "\":" SCALE(CC) ",\"" CC "\":" SCALE(DD) "}}");
	of[0] = operand(a, DOCUMENT(SCALE(CC), CC, IMPORT_A));
	of[1] = operand(b, DOCUMENT(SCALE(CC), CC, SCALE(DD)));
	expect(env, pa_recipe_union(env, 2, of, &r), &r,
		   TOLD "\"" AA "\":" SCALE(CC) ",\"" BB "\":" SCALE(CC) ",\"" CC "\":" SCALE(DD) "}}");
	/* of an import of its own, which a recipe knows more of */
	of[0] = operand(a, ROOT(IMPORT_A));
	of[1] = operand(b, DOCUMENT(SCALE(AA), AA, SCALE(DD)));
	expect(env, pa_recipe_union(env, 2, of, &r), &r,
		   TOLD "\"" AA "\":" SCALE(DD) ",\"" BB "\":" SCALE(AA) "}}");
	/* of itself and another, whose value did not show: both stories stay, the older one first */
	of[0] = operand(a, DOCUMENT(UNION_AB, AA, SCALE(DD)));
	of[1] = operand(b, ROOT(IMPORT_B));
	expect(env, pa_recipe_union(env, 2, of, &r), &r,
		   TOLD "\"" AA "\":[" SCALE(DD) "," UNION_AB "],\"" BB "\":" IMPORT_B "}}");
	/* twice: by its root and by an older story of the same digest, or in one recipe's list */
	of[0] = operand(a, DOCUMENT(SCALE(BB), AA, SCALE(BB)));
	of[1] = operand(b, DOCUMENT(SCALE(CC), CC, "[" SCALE(DD) "," SCALE(DD) "]"));
	expect(env, pa_recipe_union(env, 2, of, &r), &r,
		   TOLD "\"" AA "\":" SCALE(BB) ",\"" BB "\":" SCALE(CC) ",\"" CC "\":" SCALE(DD) "}}");
}

/* Beyond 1 MiB the oldest nodes go, and what is left is a recipe. */
UNIT_TEST(test_limit)
{
	char	   *name = malloc(20001);
	uint8_t		digest[PA_SHA256_LENGTH];
	PaText		r;
	char		oldest[2 * PA_SHA256_LENGTH + 1];
	char		newest[2 * PA_SHA256_LENGTH + 1];

	memset(name, 'x', 20000);
	name[20000] = '\0';
	CHECK_OK(pa_recipe_import(env, digest_of(digest, 0), &r), env);
	for (int i = 1; i <= 70; i++)
	{
		PaOperand	of = {.digest = digest_of(digest, i), .recipe = r};

		CHECK_OK(pa_recipe_set_base_model(env, &of, name, NULL, &r), env);
	}
	CHECK(r.length <= PA_MAX_RECIPE_BYTES && r.length > PA_MAX_RECIPE_BYTES - 20300);
	CHECK_OK(pa_recipe_check(env, r), env);
	pa_hex(oldest, digest_of(digest, 1));
	pa_hex(newest, digest_of(digest, 69));
	CHECK(strstr(r.text, oldest) == NULL && strstr(r.text, newest) != NULL);
	free(name);
}

/* Too many terms for a recipe: one term with the totals for each leaf. */
UNIT_TEST(test_totals)
{
	size_t		n = 20001;
	PaRecipeMerge merge = {"ties", "peft", 0.5, "total", NULL};
	PaTerm	   *terms = calloc(n, sizeof(PaTerm));
	uint8_t		a[PA_SHA256_LENGTH];
	uint8_t		b[PA_SHA256_LENGTH];
	PaOperand	of[2] = {operand(digest_of(a, 0xaa), ROOT(IMPORT_A)),
					   operand(digest_of(b, 0xbb), ROOT(IMPORT_B))};
	PaText		r;

	for (size_t i = 0; i < n; i++)
		terms[i] = (PaTerm) {i == 0, 0.5, -0.25};
	expect(env, pa_recipe_combine(env, 2, of, n, terms, &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"combine\",\"terms\":["
		   "{\"of\":\"" AA "\",\"u\":\"0x1.3880000000000p+13\",\"v\":\"-0x1.3880000000000p+12\"},"
		   "{\"of\":\"" BB "\",\"u\":\"0x1.0000000000000p-1\",\"v\":\"-0x1.0000000000000p-2\"}]},"
		   "\"nodes\":{\"" AA "\":" IMPORT_A ",\"" BB "\":" IMPORT_B "}}");
	expect(env, pa_recipe_concatenate(env, 2, of, n, terms, &r), &r,
		   WEIGHTED("{\"op\":\"concatenate\",\"terms\":["
					"{\"of\":\"" AA "\",\"w\":\"-0x1.3880000000000p+12\"},"
					"{\"of\":\"" BB "\",\"w\":\"-0x1.0000000000000p-2\"}]}"));
	expect(env, pa_recipe_truncate(env, 2, of, n, terms, 1, 0, "L", &r), &r,
		   WEIGHTED("{\"op\":\"truncate\",\"terms\":["
					"{\"of\":\"" AA "\",\"w\":\"-0x1.3880000000000p+12\"},"
					"{\"of\":\"" BB "\",\"w\":\"-0x1.0000000000000p-2\"}],"
					"\"rank\":1,\"energy\":null,\"numerics\":\"tolerance\",\"library\":\"L\"}"));
	CHECK_STATUS(pa_recipe_merge(env, 2, of, n, terms, &merge, &r), PA_ERR_LIMIT, env);
	free(terms);
}

UNIT_TEST(test_hex_double)
{
	uint64_t	seed = unit_seed();
	char		text[PA_HEX_DOUBLE_BYTES];

	(void) env;
	pa_hex_double(text, -0.0);
	CHECK(strcmp(text, "-0x0.0p+0") == 0);
	pa_hex_double(text, 1e-310);
	CHECK(strcmp(text, "0x0.012688b70e62bp-1022") == 0);
	for (int i = 0; i < 20000; i++)
	{
		uint64_t	bits = build_bits(&seed);
		double		v;
		double		back;

		memcpy(&v, &bits, sizeof(v));
		if (!isfinite(v))
			continue;
		pa_hex_double(text, v);
		back = strtod(text, NULL);
		CHECK(memcmp(&v, &back, sizeof(v)) == 0);
	}
}

UNIT_SUITE(recipe_write, UNIT_CASE(test_nodes), UNIT_CASE(test_merge), UNIT_CASE(test_weighted),
		   UNIT_CASE(test_circle), UNIT_CASE(test_told), UNIT_CASE(test_limit), UNIT_CASE(test_totals),
		   UNIT_CASE(test_hex_double), UNIT_CASE(young_operations));
