/*
 * recipe_read.c
 *	  A recipe as a graph.  See recipe_read.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "recipe/recipe_read.h"

#include <stdlib.h>
#include <string.h>

#include "recipe/recipe_impl.h"

typedef uint8_t Digest[PA_SHA256_LENGTH];

/* Digests as they come, not distinct. */
typedef struct Names
{
	size_t		n;
	Digest	   *digests;		/* NULL: counted only */
} Names;

static PaStatus
add_name(void *state, const char *hex)
{
	Names	   *names = state;

	if (names->digests != NULL)
		(void) pa_unhex(names->digests[names->n], hex, strlen(hex));
	names->n++;
	return PA_OK;
}

static PaStatus
list_names(PaEnv *env, const json_t *document, Names *names, size_t *others)
{
	json_t	   *nodes = json_object_get(document, "nodes");
	const char *key;
	json_t	   *stories;
	const json_t *node;

	names->n = 0;
	*others = 0;
	PA_TRY(pa_recipe_references(json_object_get(document, "root"), add_name, names));
	json_object_foreach(nodes, key, stories)
	{
		PA_TRY(pa_check_cancel(env));
		PA_TRY(add_name(names, key));
		for (size_t i = 0; (node = pa_recipe_story(stories, i)) != NULL; i++)
		{
			PA_TRY(pa_recipe_references(node, add_name, names));
			*others += i > 0;
		}
	}
	return PA_OK;
}

static int
compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, PA_SHA256_LENGTH);
}

/* Node 0, and one for each digest, in order. */
static PaStatus
number_nodes(PaEnv *env, const json_t *document, PaRecipeGraph *graph)
{
	Names		names = {0, NULL};
	size_t		others;

	PA_TRY(list_names(env, document, &names, &others));
	PA_TRY(PA_NEW_ARRAY(env, names.n, &names.digests));
	PA_TRY(list_names(env, document, &names, &others));
	qsort(names.digests, names.n, sizeof(Digest), compare_digests);
	PA_TRY(PA_NEW_ARRAY(env, names.n + others + 1, &graph->nodes));
	graph->n = 1;
	for (size_t i = 0; i < names.n; i++)
		if (i == 0 || compare_digests(names.digests[i - 1], names.digests[i]) != 0)
			memcpy(graph->nodes[graph->n++].digest, names.digests[i], PA_SHA256_LENGTH);
	graph->n_digests = graph->n;
	pa_free(env, names.digests);
	return PA_OK;
}

static int
compare_node(const void *digest, const void *node)
{
	return memcmp(digest, ((const PaRecipeNode *) node)->digest, PA_SHA256_LENGTH);
}

uint32_t
pa_recipe_find(const PaRecipeGraph *graph, const uint8_t digest[PA_SHA256_LENGTH])
{
	const PaRecipeNode *found = bsearch(digest, graph->nodes + 1, graph->n_digests - 1, sizeof(PaRecipeNode),
										compare_node);

	return found == NULL ? 0 : (uint32_t) (found - graph->nodes);
}

static uint32_t
find_hex(const PaRecipeGraph *graph, const json_t *hex)
{
	Digest		digest = {0};

	(void) pa_unhex(digest, json_string_value(hex), json_string_length(hex));
	return pa_recipe_find(graph, digest);
}

static double
weight_of(const json_t *value)
{
	return value == NULL ? 0 : strtod(json_string_value(value), NULL);
}

static void
read_term(const PaRecipeGraph *graph, const json_t *term, PaTerm *operand)
{
	const json_t *w = json_object_get(term, "w");

	operand->leaf = find_hex(graph, json_object_get(term, "of"));
	operand->u = weight_of(json_object_get(term, "u"));
	operand->v = weight_of(w != NULL ? w : json_object_get(term, "v"));
}

static PaStatus
read_node(PaEnv *env, const PaRecipeGraph *graph, const json_t *json, PaRecipeNode *node)
{
	const json_t *of = json_object_get(json, "of");
	const json_t *terms = json_object_get(json, "terms");
	size_t		n = json_is_string(of) ? 1 : json_array_size(of) + json_array_size(terms);

	node->op = json_string_value(json_object_get(json, "op"));
	node->members = json;
	node->weighted = terms != NULL;
	node->tolerance = json_object_get(json, "numerics") != NULL;
	node->n_operands = (uint32_t) n;
	PA_TRY(PA_NEW_ARRAY(env, n, &node->operands));
	for (size_t i = 0; i < n; i++)
		if (terms != NULL)
			read_term(graph, json_array_get(terms, i), &node->operands[i]);
		else
			node->operands[i] = (PaTerm) {find_hex(graph, json_is_string(of) ? of : json_array_get(of, i)), 1,
										  1};
	return PA_OK;
}

/* All stories of a digest, in the recipe's order. */
static PaStatus
read_stories(PaEnv *env, PaRecipeGraph *graph, uint32_t number, const json_t *stories)
{
	const json_t *node;

	for (size_t i = 0; (node = pa_recipe_story(stories, i)) != NULL; i++)
	{
		if (i > 0)
		{
			memcpy(graph->nodes[graph->n].digest, graph->nodes[number].digest, PA_SHA256_LENGTH);
			graph->nodes[number].other = graph->n;
			number = graph->n++;
			graph->nodes[number].number = (uint32_t) i;
		}
		PA_TRY(read_node(env, graph, node, &graph->nodes[number]));
	}
	return PA_OK;
}

PaStatus
pa_recipe_read(PaEnv *env, PaText recipe, PaRecipeGraph *graph)
{
	json_t	   *document;
	json_t	   *nodes;
	const char *key;
	json_t	   *stories;

	if (recipe.length > PA_RECIPE_READ_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "recipe has %zu bytes, more than %zu", recipe.length,
					   PA_RECIPE_READ_BYTES);
	PA_TRY(pa_json_parse(env, recipe, "recipe", &document));
	PA_TRY(pa_recipe_check_document(env, document));
	PA_TRY(number_nodes(env, document, graph));
	PA_TRY(read_node(env, graph, json_object_get(document, "root"), &graph->nodes[0]));
	nodes = json_object_get(document, "nodes");
	json_object_foreach(nodes, key, stories)
	{
		Digest		digest = {0};

		PA_TRY(pa_check_cancel(env));
		(void) pa_unhex(digest, key, strlen(key));
		PA_TRY(read_stories(env, graph, pa_recipe_find(graph, digest), stories));
	}
	return PA_OK;
}

bool
pa_recipe_is_end(const PaRecipeNode *node)
{
	return node->op == NULL || strcmp(node->op, "import") == 0;
}

bool
pa_recipe_same_story(const PaRecipeNode *a, const PaRecipeNode *b)
{
	return a->members != NULL && b->members != NULL && json_equal(a->members, b->members);
}

bool
pa_recipe_is_untold(const PaRecipeGraph *graph, uint32_t node)
{
	for (; pa_recipe_is_end(&graph->nodes[node]); node = graph->nodes[node].other)
		if (graph->nodes[node].other == 0)
			return true;
	return false;
}

const char *
pa_recipe_text(const PaRecipeNode *node, const char *member)
{
	return json_string_value(json_object_get(node->members, member));
}

double
pa_recipe_number(const PaRecipeNode *node, const char *member)
{
	const char *s = pa_recipe_text(node, member);

	return s == NULL ? 0 : strtod(s, NULL);
}

int64_t
pa_recipe_integer(const PaRecipeNode *node, const char *member)
{
	return json_integer_value(json_object_get(node->members, member));
}

bool
pa_recipe_flag(const PaRecipeNode *node, const char *member)
{
	return json_is_true(json_object_get(node->members, member));
}
