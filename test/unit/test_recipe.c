/*
 * test_recipe.c
 *	  Recipes: grammar, merging, the limit.  doc/format.md, "Recipe".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recipe/recipe_impl.h"
#include "build_file.h"
#include "core/limits.h"

#define AA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BB "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define CC "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define DD "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define ROOT(node) "{\"version\":1,\"root\":" node ",\"nodes\":{}}"
#define IMPORT_A "{\"op\":\"import\",\"sha256\":\"" AA "\"}"
#define IMPORT_B "{\"op\":\"import\",\"sha256\":\"" BB "\"}"

static const uint8_t *
digest_of(uint8_t out[PA_SHA256_LENGTH], int byte)
{
	memset(out, byte, PA_SHA256_LENGTH);
	return out;
}

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
	CHECK_OK(pa_recipe_check(env, recipe->text, recipe->length), env);
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
		   "{\"version\":1,\"root\":{\"op\":\"select\",\"of\":\"" AA "\",\"pattern\":\"a\\\\.\\\"b\\n\",\"invert\":true},"
		   "\"nodes\":{\"" AA "\":" IMPORT_B "}}");
	expect(env, pa_recipe_set_base_model(env, &of, "m", NULL, &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"set_base_model\",\"of\":\"" AA "\",\"base_model\":\"m\",\"revision\":null},"
		   "\"nodes\":{\"" AA "\":" IMPORT_B "}}");
	expect(env, pa_recipe_split(env, &of, INT64_MAX, 7, &r), &r,
		   "{\"version\":1,\"root\":{\"op\":\"split\",\"of\":\"" AA "\",\"max_bytes\":9223372036854775807,\"part\":7},"
		   "\"nodes\":{\"" AA "\":" IMPORT_B "}}");
	CHECK_STATUS(pa_recipe_select(env, &of, "\xff", true, &r), PA_ERR_TEXT, env);
}

/* Terms in order of digest, u, v; the operands' nodes merged, the union's digests sorted. */
UNIT_TEST(test_merge)
{
	uint8_t		a[PA_SHA256_LENGTH];
	uint8_t		b[PA_SHA256_LENGTH];
	const char *scaled = "{\"version\":1,\"root\":{\"op\":\"scale\",\"of\":\"" CC "\",\"by\":\"0x1.8p+0\"},"
		"\"nodes\":{\"" CC "\":" IMPORT_A ",\"" AA "\":" IMPORT_B "}}";
	PaOperand	of[2] = {operand(digest_of(b, 0xbb), scaled), operand(digest_of(a, 0xaa), ROOT(IMPORT_A))};
	PaTerm terms[4] = {{0, 2, 1}, {0, 1, 1}, {1, 0.5, 0.5}, {0, 1, -1}};
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
#define TERMS_AB "\"terms\":[{\"of\":\"" AA "\",\"w\":\"" HALF "\"},{\"of\":\"" BB "\",\"w\":\"-" HALF "\"},{\"of\":\"" BB "\",\"w\":\"" HALF "\"}]"
#define WEIGHTED(node) "{\"version\":1,\"root\":" node ",\"nodes\":{\"" AA "\":" IMPORT_A ",\"" BB "\":" IMPORT_B "}}"

/* The operations of delta space: one weight a term, in order of digest and weight; u does not count. */
UNIT_TEST(test_weighted)
{
	uint8_t		a[PA_SHA256_LENGTH];
	uint8_t		b[PA_SHA256_LENGTH];
	PaOperand	of[2] = {operand(digest_of(b, 0xbb), ROOT(IMPORT_B)), operand(digest_of(a, 0xaa), ROOT(IMPORT_A))};
	PaTerm terms[3] = {{0, 7, -0.5}, {0, -7, 0.5}, {1, 0, 0.5}};
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
		   WEIGHTED("{\"op\":\"merge\",\"method\":\"ties\",\"flavour\":\"peft\"," TERMS_AB ",\"density\":\"" HALF "\","
					"\"majority_sign\":\"total\",\"seed\":null}"));
	expect(env, pa_recipe_merge(env, 2, of, 3, terms, &dare, &r), &r,
		   WEIGHTED("{\"op\":\"merge\",\"method\":\"dare_linear\",\"flavour\":\"peft\"," TERMS_AB ",\"density\":\"" HALF "\","
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

/* Beyond 1 MiB the oldest nodes go, and what is left is a recipe. */
#define SCALE(of) "{\"op\":\"scale\",\"of\":\"" of "\",\"by\":\"0x1.8p+0\"}"
#define DOCUMENT(root, key, node) "{\"version\":1,\"root\":" root ",\"nodes\":{\"" key "\":" node "}}"
#define TOLD "{\"version\":1,\"root\":{\"op\":\"union\",\"of\":[\"" AA "\",\"" BB "\"]},\"nodes\":{"

/* What a value was made of is not forgotten because another recipe calls it an import, whichever is read first. */
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
}

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
	CHECK_OK(pa_recipe_check(env, r.text, r.length), env);
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
	PaTerm *terms = calloc(n, sizeof(PaTerm));
	uint8_t		a[PA_SHA256_LENGTH];
	uint8_t		b[PA_SHA256_LENGTH];
	PaOperand	of[2] = {operand(digest_of(a, 0xaa), ROOT(IMPORT_A)), operand(digest_of(b, 0xbb), ROOT(IMPORT_B))};
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

/* Bytes that are allocated, by the PaEnv and by jansson, and the most that there were. */
static size_t counted;
static size_t most_counted;

#define SIZE_ROOM 16

static void *
counted_malloc(size_t size)
{
	char	   *p = malloc(size + SIZE_ROOM);

	if (p == NULL)
		return NULL;
	memcpy(p, &size, sizeof(size));
	counted += size;
	if (counted > most_counted)
		most_counted = counted;
	return p + SIZE_ROOM;
}

static void
counted_free(void *p)
{
	size_t		size;

	if (p == NULL)
		return;
	memcpy(&size, (char *) p - SIZE_ROOM, sizeof(size));
	counted -= size;
	free((char *) p - SIZE_ROOM);
}

static void *
host_counted_malloc(void *state, size_t size)
{
	(void) state;
	return counted_malloc(size);
}

static void
host_counted_free(void *state, void *p)
{
	(void) state;
	counted_free(p);
}

/* Operand i and the nodes behind it, each made from the next: digests that begin with i and the distance. */
#define MANY 60
#define NODES_OF_ONE 4650

typedef struct Chain
{
	uint8_t		digest[PA_SHA256_LENGTH];
	int			loaded;
	int			released;
} Chain;

static const char *
chain_digest(char out[2 * PA_SHA256_LENGTH + 1], const Chain *chain, int distance)
{
	pa_hex(out, chain->digest);
	snprintf(out + 8, 9, "%08x", distance);
	out[16] = '0';
	return out;
}

static PaStatus
load_chain(PaEnv *env, void *state, PaText *recipe)
{
	Chain	   *chain = state;
	char		of[2 * PA_SHA256_LENGTH + 1];
	char		key[2 * PA_SHA256_LENGTH + 1];
	void	   *memory;
	char	   *p;

	chain->loaded++;
	PA_TRY(pa_alloc_raw(env, PA_MAX_RECIPE_BYTES, 1, &memory));
	p = memory;
	p += sprintf(p, "{\"version\":1,\"root\":{\"op\":\"scale\",\"of\":\"%s\",\"by\":\"0x1.8p+0\"},\"nodes\":{",
				 chain_digest(of, chain, 1));
	for (int k = 1; k <= NODES_OF_ONE; k++)
		p += sprintf(p, "%s\"%s\":{\"op\":\"union\",\"of\":[\"%s\",\"%s\"]}", k > 1 ? "," : "",
					 chain_digest(key, chain, k), chain_digest(of, chain, k + 1), AA);
	p += sprintf(p, "}}");
	recipe->text = memory;
	recipe->length = (size_t) (p - (char *) memory);
	CHECK(recipe->length > PA_MAX_RECIPE_BYTES * 0.95 && recipe->length <= PA_MAX_RECIPE_BYTES);
	return PA_OK;
}

static PaStatus
release_chain(PaEnv *env, void *state, const PaText *recipe)
{
	((Chain *) state)->released++;
	pa_free(env, (void *) recipe->text);
	return PA_OK;
}

static bool
has_node(const PaText *recipe, const Chain *chain, int distance)
{
	char		of[2 * PA_SHA256_LENGTH + 1];
	char		key[2 * PA_SHA256_LENGTH + 8];

	if (distance == 0)
		pa_hex(of, chain->digest);
	else
		chain_digest(of, chain, distance);
	snprintf(key, sizeof(key), "\"%s\":", of);
	return strstr(recipe->text, key) != NULL;
}

/*
 * Many operands with recipes near the limit: memory is that of a few, all roots
 * are there, and the nodes of those operands that were read within 16 MiB.
 */
static void
compose_many(PaEnv *env)
{
	static const PaRecipeLoader loader = {load_chain, release_chain};
	Chain	   *chains = calloc(MANY, sizeof(Chain));
	PaOperand  *of = calloc(MANY, sizeof(PaOperand));
	PaText		r;
	bool		all = true;

	for (int i = 0; i < MANY; i++)
	{
		digest_of(chains[i].digest, 0x11);
		chains[i].digest[0] = (uint8_t) i;
		/* in no order: the recipe is put together in that of digests */
		of[i * 77 % MANY] = (PaOperand) {.digest = chains[i].digest, .loader = &loader, .state = &chains[i]};
	}
	if (CHECK_OK(pa_recipe_union(env, MANY, of, &r), env))
	{
		CHECK(r.length <= PA_MAX_RECIPE_BYTES && r.length > PA_MAX_RECIPE_BYTES - 300);
		CHECK_OK(pa_recipe_check(env, r.text, r.length), env);
		for (int i = 0; i < MANY; i++)
			all = all && has_node(&r, &chains[i], 0) && has_node(&r, &chains[i], 1) == (i <= 16) &&
				chains[i].loaded == 1 && chains[i].released == 1;
		CHECK(all);
	}
	free(of);
	free(chains);
}

UNIT_TEST(test_many)
{
	json_malloc_t json_malloc;
	json_free_t json_free;
	PaHost		host = *env->host;
	PaEnv		own;

	counted = most_counted = 0;
	host.alloc = host_counted_malloc;
	host.release = host_counted_free;
	json_get_alloc_funcs(&json_malloc, &json_free);
	json_set_alloc_funcs(counted_malloc, counted_free);
	pa_env_init(&own, &host);
	compose_many(&own);
	pa_env_reset(&own);
	json_set_alloc_funcs(json_malloc, json_free);
	CHECK(counted == 0);
	fprintf(stderr, "recipes of %d operands: %zu bytes at most\n", MANY, most_counted);
	CHECK(most_counted > PA_MAX_RECIPE_BYTES && most_counted < (size_t) 64 * 1024 * 1024);
}

typedef struct Case
{
	const char *text;
	PaStatus	status;
} Case;

#define OF "\"of\":\"" AA "\""
#define W "\"terms\":[{" OF ",\"w\":\"0x1p+0\"}]"
#define M "\"method\":\"ties\",\"flavour\":\"peft\","
static const Case cases[] = {
	{ROOT(IMPORT_A), PA_OK},
	{" { \"nodes\" : { } , \"version\" : 1 , \"root\" : " IMPORT_A " } ", PA_OK},
	{"", PA_ERR_JSON},
	{"[]", PA_ERR_JSON},
	{ROOT(IMPORT_A) "x", PA_ERR_JSON},
	{"{\"version\":1,\"version\":1,\"root\":" IMPORT_A ",\"nodes\":{}}", PA_ERR_DUPLICATE_KEY},
	{"{\"version\":2,\"root\":" IMPORT_A ",\"nodes\":{}}", PA_ERR_CONFIG},
	{"{\"version\":1.0,\"root\":" IMPORT_A ",\"nodes\":{}}", PA_ERR_CONFIG},
	{"{\"root\":" IMPORT_A ",\"nodes\":{}}", PA_ERR_CONFIG},
	{"{\"version\":1,\"nodes\":{}}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":" IMPORT_A "}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":" IMPORT_A ",\"nodes\":[]}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":" IMPORT_A ",\"nodes\":{},\"more\":1}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":" IMPORT_A ",\"nodes\":{\"" BB "\":" IMPORT_A "}}", PA_OK},
	{"{\"version\":1,\"root\":" IMPORT_A ",\"nodes\":{\"" BB "\":1}}", PA_ERR_CONFIG},
	{"{\"version\":1,\"root\":" IMPORT_A ",\"nodes\":{\"b\":" IMPORT_A "}}", PA_ERR_CONFIG},
	{ROOT("[]"), PA_ERR_CONFIG},
	{ROOT("{}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":1}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"format\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"import\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"import\",\"sha256\":\"aa\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"import\",\"sha256\":\"AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"import\",\"sha256\":\"" AA "\",\"by\":\"0x1p+0\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x1p+0\"}"), PA_OK},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x0.0p+0\"}"), PA_OK},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"-0x1.fffffffffffffp+1023\"}"), PA_OK},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x0.0000000000001p-1022\"}"), PA_OK},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x1p+1024\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x1p\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x1\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"-\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\" 0x1p+0\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0x1p+0 \"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"0X1P+0\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"1.5\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"inf\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":\"nan\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"scale\"," OF ",\"by\":1.5}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"cast\"," OF ",\"dtype\":\"F16\"}"), PA_OK},
	{ROOT("{\"op\":\"cast\"," OF ",\"dtype\":\"f16\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"cast\"," OF ",\"dtype\":\"I32\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"select\"," OF ",\"pattern\":\"\",\"invert\":false}"), PA_OK},
	{ROOT("{\"op\":\"select\"," OF ",\"pattern\":\"\",\"invert\":0}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"select\"," OF ",\"pattern\":null,\"invert\":false}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"set_base_model\"," OF ",\"base_model\":null,\"revision\":\"r\"}"), PA_OK},
	{ROOT("{\"op\":\"set_base_model\"," OF ",\"base_model\":null}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"split\"," OF ",\"max_bytes\":10,\"part\":0}"), PA_OK},
	{ROOT("{\"op\":\"split\"," OF ",\"max_bytes\":10,\"part\":-1}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"split\"," OF ",\"max_bytes\":10.0,\"part\":0}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"union\",\"of\":[\"" AA "\"]}"), PA_OK},
	{ROOT("{\"op\":\"union\",\"of\":[]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"union\",\"of\":[1]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"union\"," OF "}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"combine\",\"terms\":[{" OF ",\"u\":\"0x1p+0\",\"v\":\"0x1p+0\"}]}"), PA_OK},
	{ROOT("{\"op\":\"combine\",\"terms\":[{" OF ",\"u\":\"0x1p+0\"}]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"combine\",\"terms\":[{" OF ",\"u\":\"0x1p+0\",\"v\":\"0x1p+0\",\"w\":1}]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"combine\",\"terms\":[]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"combine\",\"terms\":[[]]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"combine\"," W "}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"concatenate\"," W "}"), PA_OK},
	{ROOT("{\"op\":\"concatenate\",\"terms\":[]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"concatenate\",\"terms\":[{" OF "}]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"concatenate\",\"terms\":[{" OF ",\"w\":0.5}]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"concatenate\",\"terms\":[{" OF ",\"u\":\"0x1p+0\",\"v\":\"0x1p+0\"}]}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W ",\"rank\":1,\"energy\":null,\"numerics\":\"tolerance\",\"library\":\"\"}"), PA_OK},
	{ROOT("{\"op\":\"truncate\"," W ",\"rank\":null,\"energy\":\"0x1p+0\",\"numerics\":\"tolerance\",\"library\":\"\"}"), PA_OK},
	{ROOT("{\"op\":\"truncate\"," W ",\"rank\":1,\"energy\":\"0x1p+0\",\"numerics\":\"tolerance\",\"library\":\"\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W ",\"rank\":null,\"energy\":null,\"numerics\":\"tolerance\",\"library\":\"\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W ",\"rank\":-1,\"energy\":null,\"numerics\":\"tolerance\",\"library\":\"\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W ",\"rank\":null,\"energy\":1,\"numerics\":\"tolerance\",\"library\":\"\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W ",\"rank\":1,\"energy\":null,\"numerics\":\"exact\",\"library\":\"\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W ",\"rank\":1,\"energy\":null,\"numerics\":\"tolerance\"}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"truncate\"," W ",\"rank\":1,\"energy\":null,\"numerics\":\"tolerance\",\"library\":null}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":\"0x1p-1\",\"majority_sign\":null,\"seed\":-1}"), PA_OK},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":\"0x1p-1\",\"majority_sign\":\"total\",\"seed\":null}"), PA_OK},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":null,\"majority_sign\":null,\"seed\":1}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":\"0x1p-1\",\"majority_sign\":1,\"seed\":1}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":\"0x1p-1\",\"majority_sign\":null,\"seed\":1.0}"), PA_ERR_CONFIG},
	{ROOT("{\"op\":\"merge\"," M W ",\"density\":\"0x1p-1\",\"majority_sign\":null}"), PA_ERR_CONFIG},
};

UNIT_TEST(test_grammar)
{
	char	   *large = malloc(PA_MAX_RECIPE_BYTES + 1);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		PaStatus	status = pa_recipe_check(env, cases[i].text, strlen(cases[i].text));

		if (status != cases[i].status)
			fprintf(stderr, "recipe case %zu: status %d\n", i, (int) status);
		CHECK(status == cases[i].status);
	}
	memset(large, ' ', PA_MAX_RECIPE_BYTES + 1);
	memcpy(large, cases[0].text, strlen(cases[0].text));
	CHECK_OK(pa_recipe_check(env, large, PA_MAX_RECIPE_BYTES), env);
	CHECK_STATUS(pa_recipe_check(env, large, PA_MAX_RECIPE_BYTES + 1), PA_ERR_LIMIT, env);
	free(large);
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

UNIT_SUITE(recipe, UNIT_CASE(test_nodes), UNIT_CASE(test_merge), UNIT_CASE(test_weighted),
		   UNIT_CASE(test_circle), UNIT_CASE(test_told), UNIT_CASE(test_limit), UNIT_CASE(test_totals),
		   UNIT_CASE(test_many), UNIT_CASE(test_grammar), UNIT_CASE(test_hex_double));
