/*
 * recipe_check.c
 *	  The grammar of a recipe: doc/format.md, "Recipe".  A recipe that comes in
 *	  with an envelope is a claim and stays one, but a well-formed claim.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "recipe/recipe_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/dtype.h"
#include "core/limits.h"

static const PaNodeForm node_forms[] = {
	{"import", 1, 1, {{"sha256", PA_MEMBER_DIGEST}}},
	{"combine", 1, 1, {{"terms", PA_MEMBER_TERMS}}},
	{"concatenate", 1, 1, {{"terms", PA_MEMBER_WEIGHTED_TERMS}}},
	{"truncate",
	 1,
	 5,
	 {{"terms", PA_MEMBER_WEIGHTED_TERMS},
	  {"rank", PA_MEMBER_OPTIONAL_COUNT},
	  {"energy", PA_MEMBER_OPTIONAL_WEIGHT},
	  {"numerics", PA_MEMBER_TOLERANCE},
	  {"library", PA_MEMBER_TEXT}}},
	{"merge",
	 1,
	 6,
	 {{"method", PA_MEMBER_TEXT},
	  {"flavour", PA_MEMBER_TEXT},
	  {"terms", PA_MEMBER_WEIGHTED_TERMS},
	  {"density", PA_MEMBER_WEIGHT},
	  {"majority_sign", PA_MEMBER_OPTIONAL_TEXT},
	  {"seed", PA_MEMBER_OPTIONAL_INTEGER}}},
	{"scale", 1, 2, {{"of", PA_MEMBER_DIGEST}, {"by", PA_MEMBER_WEIGHT}}},
	{"cast", 1, 2, {{"of", PA_MEMBER_DIGEST}, {"dtype", PA_MEMBER_DTYPE}}},
	{"select", 1, 3, {{"of", PA_MEMBER_DIGEST}, {"pattern", PA_MEMBER_TEXT}, {"invert", PA_MEMBER_BOOL}}},
	{"set_base_model",
	 1,
	 3,
	 {{"of", PA_MEMBER_DIGEST},
	  {"base_model", PA_MEMBER_OPTIONAL_TEXT},
	  {"revision", PA_MEMBER_OPTIONAL_TEXT}}},
	{"split", 1, 3, {{"of", PA_MEMBER_DIGEST}, {"max_bytes", PA_MEMBER_COUNT}, {"part", PA_MEMBER_COUNT}}},
	{"plain", 2, 2, {{"of", PA_MEMBER_DIGEST}, {"rank", PA_MEMBER_OPTIONAL_COUNT}}},
	{"select_tensors",
	 2,
	 4,
	 {{"of", PA_MEMBER_DIGEST},
	  {"tensors", PA_MEMBER_OPTIONAL_TEXT},
	  {"role", PA_MEMBER_OPTIONAL_TEXT},
	  {"invert", PA_MEMBER_BOOL}}},
	{"to_lora", 2, 2, {{"of", PA_MEMBER_DIGEST}, {"shapes", PA_MEMBER_OPTIONAL_TEXT}}},
	{"extract",
	 2,
	 8,
	 {{"of", PA_MEMBER_DIGEST},
	  {"rank", PA_MEMBER_OPTIONAL_COUNT},
	  {"energy", PA_MEMBER_OPTIONAL_WEIGHT},
	  {"drop_others", PA_MEMBER_BOOL},
	  {"embeddings", PA_MEMBER_OPTIONAL_TEXT},
	  {"fan_in_fan_out", PA_MEMBER_BOOL},
	  {"numerics", PA_MEMBER_TOLERANCE},
	  {"library", PA_MEMBER_TEXT}}},
	{"rename",
	 2,
	 3,
	 {{"of", PA_MEMBER_DIGEST}, {"pattern", PA_MEMBER_TEXT}, {"replacement", PA_MEMBER_TEXT}}},
	{"union", 1, 1, {{"of", PA_MEMBER_DIGESTS}}},
};

static const PaNodeForm term_form = {
	"term", 1, 3, {{"of", PA_MEMBER_DIGEST}, {"u", PA_MEMBER_WEIGHT}, {"v", PA_MEMBER_WEIGHT}}};

static const PaNodeForm weighted_term_form = {"term",
											  1,
											  2,
											  {{"of", PA_MEMBER_DIGEST}, {"w", PA_MEMBER_WEIGHT}}};

const PaNodeForm *
pa_recipe_form(const json_t *op)
{
	const char *name = json_string_value(op);

	for (size_t i = 0; name != NULL && i < sizeof(node_forms) / sizeof(node_forms[0]); i++)
		if (strcmp(node_forms[i].op, name) == 0)
			return &node_forms[i];
	return NULL;
}

int
pa_recipe_text_version(const char *node)
{
	static const char start[] = "{\"op\":\"";
	const char *op = node + strlen(start);

	for (size_t i = 0; i < sizeof(node_forms) / sizeof(node_forms[0]); i++)
		if (strcspn(op, "\"") == strlen(node_forms[i].op) &&
			memcmp(op, node_forms[i].op, strlen(node_forms[i].op)) == 0)
			return node_forms[i].version;
	return PA_RECIPE_VERSION;
}

const PaNodeForm *
pa_recipe_term_form(PaMemberType type)
{
	switch (type)
	{
		case PA_MEMBER_TERMS:
			return &term_form;
		case PA_MEMBER_WEIGHTED_TERMS:
			return &weighted_term_form;
		default:
			return NULL;
	}
}

static bool
is_digest(const json_t *value)
{
	uint8_t		digest[PA_SHA256_LENGTH];

	return json_is_string(value) && pa_unhex(digest, json_string_value(value), json_string_length(value));
}

/* -0x1.8p+1: hexadecimal, normalised, finite; nothing else that strtod would take. */
static bool
is_weight(const json_t *value)
{
	const char *s = json_string_value(value);
	char	   *end;

	if (s == NULL || json_string_length(value) >= PA_HEX_DOUBLE_BYTES)
		return false;
	if (*s == '-')
		s++;
	if (strncmp(s, "0x", 2) != 0 || (s[2] != '0' && s[2] != '1') || (s[3] != '.' && s[3] != 'p'))
		return false;
	if (strspn(s, "0123456789abcdefxp.+-") != strlen(s) || strchr(s, 'p') == NULL)
		return false;
	return isfinite(strtod(s, &end)) && *end == '\0';
}

static bool
is_dtype(const json_t *value)
{
	return json_is_string(value) &&
		pa_dtype_is_arithmetic(pa_dtype_by_name(json_string_value(value), json_string_length(value)));
}

static bool is_member(const json_t *value, PaMemberType type);

static bool
has_members(const json_t *object, const PaNodeForm *form, size_t others)
{
	if (json_object_size(object) != (size_t) form->n_members + others)
		return false;
	for (int i = 0; i < form->n_members; i++)
		if (!is_member(json_object_get(object, form->member[i].name), form->member[i].type))
			return false;
	return true;
}

static bool
is_terms(const json_t *value, const PaNodeForm *form)
{
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!json_is_object(json_array_get(value, i)) || !has_members(json_array_get(value, i), form, 0))
			return false;
	return json_array_size(value) > 0;
}

static bool
is_digests(const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!is_digest(json_array_get(value, i)))
			return false;
	return json_array_size(value) > 0;
}

static bool
is_member(const json_t *value, PaMemberType type)
{
	switch (type)
	{
		case PA_MEMBER_DIGEST:
			return is_digest(value);
		case PA_MEMBER_DIGESTS:
			return is_digests(value);
		case PA_MEMBER_WEIGHT:
			return is_weight(value);
		case PA_MEMBER_OPTIONAL_WEIGHT:
			return is_weight(value) || json_is_null(value);
		case PA_MEMBER_TERMS:
		case PA_MEMBER_WEIGHTED_TERMS:
			return is_terms(value, pa_recipe_term_form(type));
		case PA_MEMBER_DTYPE:
			return is_dtype(value);
		case PA_MEMBER_TEXT:
			return json_is_string(value);
		case PA_MEMBER_OPTIONAL_TEXT:
			return json_is_string(value) || json_is_null(value);
		case PA_MEMBER_BOOL:
			return json_is_boolean(value);
		case PA_MEMBER_COUNT:
			return json_is_integer(value) && json_integer_value(value) >= 0;
		case PA_MEMBER_OPTIONAL_COUNT:
			return is_member(value, PA_MEMBER_COUNT) || json_is_null(value);
		case PA_MEMBER_OPTIONAL_INTEGER:
			return json_is_integer(value) || json_is_null(value);
		case PA_MEMBER_TOLERANCE:
			return json_is_string(value) && strcmp(json_string_value(value), "tolerance") == 0;
	}
	return false;
}

/* where: "root", or the digest that the node belongs to; version: the document's */
static PaStatus
check_node(PaEnv *env, const json_t *node, const char *where, json_int_t version)
{
	const json_t *op = json_object_get(node, "op");
	const PaNodeForm *form = pa_recipe_form(op);

	if (!json_is_object(node) || op == NULL)
		return pa_fail(env, PA_ERR_CONFIG, "recipe node \"%.64s\" has no operation", where);
	if (form == NULL || form->version > version)
		return pa_fail(env, PA_ERR_CONFIG, "recipe node \"%.64s\" has an unknown operation", where);
	/* what has two measures is by one of them */
	if (has_members(node, form, 1) &&
		(json_object_get(node, "energy") == NULL ||
		 json_is_null(json_object_get(node, "rank")) != json_is_null(json_object_get(node, "energy"))))
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "recipe node \"%.64s\" is malformed", where);
	pa_detail(env, "Members of operation \"%s\" are missing, unknown or of another form.", form->op);
	return PA_ERR_CONFIG;
}

const json_t *
pa_recipe_story(const json_t *stories, size_t i)
{
	if (json_is_array(stories))
		return json_array_get(stories, i);
	return i == 0 ? stories : NULL;
}

/* A node, or an array of at least two. */
static PaStatus
check_stories(PaEnv *env, const json_t *stories, const char *digest, json_int_t version)
{
	const json_t *node;

	if (json_is_array(stories) && json_array_size(stories) < 2)
		return pa_fail(env, PA_ERR_CONFIG, "recipe node \"%.64s\" is an array of fewer than two", digest);
	for (size_t i = 0; (node = pa_recipe_story(stories, i)) != NULL; i++)
	{
		PA_TRY(pa_check_cancel(env));
		PA_TRY(check_node(env, node, digest, version));
	}
	return PA_OK;
}

PaStatus
pa_recipe_check_document(PaEnv *env, const json_t *document)
{
	const json_t *version = json_object_get(document, "version");
	json_t	   *nodes = json_object_get(document, "nodes");
	const char *key;
	json_t	   *node;

	if (!json_is_integer(version))
		return pa_fail(env, PA_ERR_CONFIG, "recipe has no version");
	if (json_integer_value(version) > PA_RECIPE_VERSION)
	{
		pa_fail(env, PA_ERR_UNSUPPORTED, "recipe was written by a later version of the extension");
		pa_detail(env, "It has version %lld; this version reads %d and earlier ones.",
				  (long long) json_integer_value(version), PA_RECIPE_VERSION);
		pa_hint(env, "Install the version of the extension that wrote it, or a later one.");
		return PA_ERR_UNSUPPORTED;
	}
	if (json_integer_value(version) < 1)
		return pa_fail(env, PA_ERR_CONFIG, "recipe has version %lld",
					   (long long) json_integer_value(version));
	if (json_object_size(document) != 3 || !json_is_object(nodes))
		return pa_fail(env, PA_ERR_CONFIG, "recipe does not have the members version, root and nodes");
	PA_TRY(check_node(env, json_object_get(document, "root"), "root", json_integer_value(version)));
	json_object_foreach(nodes, key, node)
	{
		uint8_t		digest[PA_SHA256_LENGTH];

		PA_TRY(pa_check_cancel(env));
		if (!pa_unhex(digest, key, strlen(key)))
			return pa_fail(env, PA_ERR_CONFIG, "recipe node \"%.64s\" is not named by a digest", key);
		PA_TRY(check_stories(env, node, key, json_integer_value(version)));
	}
	return PA_OK;
}

PaStatus
pa_recipe_check(PaEnv *env, PaText recipe)
{
	json_t	   *document;

	if (recipe.length > PA_MAX_RECIPE_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "recipe has %zu bytes, more than %zu", recipe.length,
					   PA_MAX_RECIPE_BYTES);
	PA_TRY(pa_json_parse(env, recipe, "recipe", &document));
	return pa_recipe_check_document(env, document);
}

PaStatus
pa_recipe_references(const json_t *node, PaRecipeVisit visit, void *state)
{
	const json_t *of = json_object_get(node, "of");
	const json_t *terms = json_object_get(node, "terms");

	if (json_is_string(of))
		return visit(state, json_string_value(of));
	for (size_t i = 0; i < json_array_size(of); i++)
		PA_TRY(visit(state, json_string_value(json_array_get(of, i))));
	for (size_t i = 0; i < json_array_size(terms); i++)
		PA_TRY(visit(state, json_string_value(json_object_get(json_array_get(terms, i), "of"))));
	return PA_OK;
}
