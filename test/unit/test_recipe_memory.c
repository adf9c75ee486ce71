/*
 * test_recipe_memory.c
 *	  A recipe of many operands whose recipes are near the limit, and the memory
 *	  that it takes.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/limits.h"
#include "recipe/recipe.h"
#include "recipe_fixture.h"

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
	p += sprintf(p,
				 "{\"version\":1,\"root\":{\"op\":\"scale\",\"of\":\"%s\",\"by\":\"0x1.8p+0\"},\"nodes\":{",
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

static void
release_chain(PaEnv *env, void *state, const PaText *recipe)
{
	((Chain *) state)->released++;
	pa_free(env, (void *) recipe->text);
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
		CHECK_OK(pa_recipe_check(env, r), env);
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

UNIT_SUITE(recipe_memory, UNIT_CASE(test_many));
