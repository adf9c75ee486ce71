/*
 * fuzz_recompute.c
 *	  The input as a recipe: read, walked, and evaluated over two known values.
 *
 * Input: a byte that says what is left out (bits 0 and 1: nothing, the first
 * value, the second, a digest of zeros) and whether the rest is renormalized
 * (bit 2), then the recipe's text, in which @0 and @1 stand for the values'
 * digests.  A recipe comes with an envelope or
 * as jsonb, so it may claim anything:
 *
 *   - it is refused by a user's error, or gives a value that is sound, and whose
 *     own recipe gives the same value again;
 *   - what evaluating says is missing, the walk says is needed;
 *   - edges are those of nodes that the graph has, none from a node to itself.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdlib.h>
#include <string.h>

#include "engine/json_form.h"
#include "engine/recompute.h"
#include "kept_value.h"
#include "limited_host.h"
#include "recipe/recipe_walk.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_LEAVES 2
#define HEX (2 * PA_SHA256_LENGTH)
#define BUDGET ((size_t) 256 << 20)

/* Modules q and k, and q alone; both have rank 1, so that every operation has something to do. */
static const char *const leaf_texts[N_LEAVES] = {
	"{\"config\":{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"m\"},\"tensors\":{"
	"\"base_model.model.k.lora_A.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data\":[1,-2]},"
	"\"base_model.model.k.lora_B.weight\":{\"dtype\":\"F32\",\"shape\":[3,1],\"data\":[3,0.5,0]},"
	"\"base_model.model.q.lora_A.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data\":[4,5]},"
	"\"base_model.model.q.lora_B.weight\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data\":[6]}}}",
	"{\"config\":{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":1,\"base_model_name_or_path\":\"m\"},\"tensors\":{"
	"\"base_model.model.q.lora_A.weight\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data\":[7,-1]},"
	"\"base_model.model.q.lora_B.weight\":{\"dtype\":\"BF16\",\"shape\":[1,1],\"data\":[2]}}}",
};

/* The input with the digests in the place of @0 and @1. */
static PaText
expand(PaEnv *env, const uint8_t *data, size_t size, KeptValue *const *leaves)
{
	char	   *text = NULL;
	size_t		length = 0;

	limited_insist(PA_NEW_ARRAY(env, size * (HEX / 2) + HEX + 1, &text) == PA_OK, "memory", env);
	for (size_t i = 0; i < size; i++)
	{
		if (data[i] == '@' && i + 1 < size && data[i + 1] >= '0' && data[i + 1] < '0' + N_LEAVES)
		{
			pa_hex(text + length, pa_value_header(leaves[data[++i] - '0']->value)->digest);
			length += HEX;
			continue;
		}
		text[length++] = (char) data[i];
	}
	text[length] = '\0';
	return pa_text(text, length);
}

/* The graph, its ends and its edges. */
static void
check_walk(PaEnv *env, PaText recipe, KeptValue *const *leaves, PaStatus status)
{
	uint8_t		digests[N_LEAVES * PA_SHA256_LENGTH];
	PaRecipeKnown known = {N_LEAVES, digests};
	PaRecipeGraph graph;
	PaRecipeEdge *edges;
	uint32_t   *needs;
	uint32_t	n_needs;
	size_t		n_edges;
	uint32_t	missing = 0;

	for (int i = 0; i < N_LEAVES; i++)
		memcpy(digests + i * PA_SHA256_LENGTH, pa_value_header(leaves[i]->value)->digest, PA_SHA256_LENGTH);
	if (limited_proper(env, pa_recipe_read(env, recipe, &graph), "reading") != PA_OK)
	{
		limited_insist(status != PA_OK, "what cannot be read was evaluated", env);
		return;
	}
	limited_insist(pa_recipe_needs(env, &graph, &known, &needs, &n_needs) == PA_OK, "needs", env);
	for (uint32_t i = 0; i < n_needs; i++)
	{
		bool		given = false;

		limited_insist(needs[i] > 0 && needs[i] < graph.n, "a need is a node", env);
		for (int k = 0; k < N_LEAVES; k++)
			given |= memcmp(graph.nodes[needs[i]].digest, digests + k * PA_SHA256_LENGTH, PA_SHA256_LENGTH) ==
				0;
		missing += !given;
	}
	limited_insist(status != PA_OK || missing == 0, "evaluated without a value that is needed", env);
	if (limited_proper(env, pa_recipe_edges(env, &graph, digests, &known, &edges, &n_edges), "edges") !=
		PA_OK)
		return;
	for (size_t i = 0; i < n_edges; i++)
		limited_insist(edges[i].of < graph.n && edges[i].parent > 0 && edges[i].parent < graph.n &&
						   edges[i].of != edges[i].parent,
					   "an edge leads from a node to another", env);
}

/* A value that was made again is sound, and its recipe makes it once more. */
static void
check_made(PaEnv *env, PaBuf *buf, PaBytes **known)
{
	PaValue    *made = keep_value(env, buf)->value;
	PaText		recipe;
	PaRecipeGraph graph;

	limited_insist(pa_value_check(env, made) == PA_OK, "deep check", env);
	limited_insist(pa_value_document(env, made, PA_DOCUMENT_RECIPE, &recipe) == PA_OK, "recipe", env);
	limited_insist(pa_recipe_read(env, recipe, &graph) == PA_OK, "a stored recipe is read", env);
	/* nothing was left of the root but one of the known values */
	if (!pa_recipe_is_end(&graph.nodes[0]))
		check_recomputes(env, made, N_LEAVES, known);
}

static void
run(PaEnv *env, uint8_t choice, const uint8_t *data, size_t size)
{
	static const uint8_t zeros[PA_SHA256_LENGTH];
	KeptValue  *leaves[N_LEAVES];
	PaBytes    *known[N_LEAVES];
	PaRecompute task = {.n_known = N_LEAVES, .known = known};
	PaBuf		buf;
	PaStatus	status;

	for (int i = 0; i < N_LEAVES; i++)
	{
		limited_insist(pa_json_form_import(env, pa_text_of(leaf_texts[i]), 0, &buf) == PA_OK, "leaf", env);
		leaves[i] = keep_value(env, &buf);
		known[i] = &leaves[i]->bytes.base;
	}
	task.recipe = expand(env, data, size, leaves);
	task.without = (choice & 3) == 0 ? NULL
		: (choice & 3) == 3			 ? zeros
									 : pa_value_header(leaves[(choice & 3) - 1]->value)->digest;
	task.renormalize = (choice & 4) != 0;
	status = limited_proper(env, pa_recompute_recipe(env, &task, 0, &buf), "recompute");
	check_walk(env, task.recipe, leaves, task.without == NULL ? status : PA_ERR_CONFIG);
	if (status == PA_OK)
		check_made(env, &buf, known);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LimitedHost host;
	PaEnv		env;

	if (size < 1 || size > 65536)
		return 0;
	limited_host_init(&host, BUDGET);
	pa_env_init(&env, &host.host);
	run(&env, data[0], data + 1, size - 1);
	pa_env_reset(&env);
	limited_host_release(&host);
	return 0;
}
