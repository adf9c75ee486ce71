/*
 * recipe_write.c
 *	  Putting recipes together: the operands' roots become nodes, their nodes
 *	  are merged, and what is reachable from the new root is written, nearest
 *	  first, until a recipe's limit is reached.
 *
 * Where two operands tell different stories of one digest, an import wins (it
 * is an end, so it cannot lead in a circle), then what an operand says of
 * itself, then the first in digest order.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/recipe_impl.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

static PaStatus
quote(PaBuf *buf, const json_t *string)
{
	return pa_json_quote(buf, json_string_value(string), json_string_length(string));
}

static PaStatus
write_array(PaBuf *buf, const json_t *array)
{
	static const char *const term_members[] = {"of", "u", "v"};

	for (size_t i = 0; i < json_array_size(array); i++)
	{
		const json_t *item = json_array_get(array, i);

		PA_TRY(pa_buf_bytes(buf, i > 0 ? "," : "[", 1));
		if (json_is_string(item))
		{
			PA_TRY(quote(buf, item));
			continue;
		}
		for (int k = 0; k < 3; k++)
		{
			PA_TRY(pa_buf_printf(buf, "%s\"%s\":", k > 0 ? "," : "{", term_members[k]));
			PA_TRY(quote(buf, json_object_get(item, term_members[k])));
		}
		PA_TRY(pa_buf_bytes(buf, "}", 1));
	}
	return pa_buf_bytes(buf, "]", 1);
}

static PaStatus
write_member(PaBuf *buf, const json_t *value)
{
	if (json_is_string(value))
		return quote(buf, value);
	if (json_is_array(value))
		return write_array(buf, value);
	if (json_is_boolean(value))
		return pa_buf_printf(buf, "%s", json_is_true(value) ? "true" : "false");
	if (json_is_integer(value))
		return pa_buf_printf(buf, "%lld", (long long) json_integer_value(value));
	return pa_buf_printf(buf, "null");
}

/* A checked node, compact, members in the grammar's order. */
static PaStatus
write_node(PaBuf *buf, const json_t *node)
{
	const PaNodeForm *form = pa_recipe_form(json_object_get(node, "op"));

	if (form == NULL)
		return pa_fail(buf->env, PA_ERR_INTERNAL, "recipe node has no operation");
	PA_TRY(pa_buf_printf(buf, "{\"op\":\"%s\"", form->op));
	for (int i = 0; i < form->n_members; i++)
	{
		PA_TRY(pa_buf_printf(buf, ",\"%s\":", form->member[i].name));
		PA_TRY(write_member(buf, json_object_get(node, form->member[i].name)));
	}
	return pa_buf_bytes(buf, "}", 1);
}

static bool
is_import(const json_t *node)
{
	const char *op = json_string_value(json_object_get(node, "op"));

	return op != NULL && strcmp(op, "import") == 0;
}

static PaStatus
set_node(PaEnv *env, json_t *map, const char *digest, json_t *node)
{
	json_t	   *known = json_object_get(map, digest);

	if (known != NULL && (is_import(known) || !is_import(node)))
		return PA_OK;
	if (json_object_set(map, digest, node) != 0)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	return PA_OK;
}

/* map: digest to node, of everything that the operands know */
static PaStatus
merge_operands(PaEnv *env, uint32_t n, const PaOperand *operands, json_t *map)
{
	json_t	  **documents;
	const char *key;
	json_t	   *node;

	PA_TRY(pa_alloc_array(env, n, sizeof(json_t *), (void **) &documents));
	for (uint32_t i = 0; i < n; i++)
	{
		char		hex[2 * PA_SHA256_LENGTH + 1];
		json_t	   *itself;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_json_parse(env, operands[i].recipe.text, operands[i].recipe.length, "recipe", &documents[i]));
		PA_TRY(pa_recipe_check_document(env, documents[i]));
		pa_hex(hex, operands[i].digest);
		/* An operation that changed nothing made the value from itself: then the older story counts. */
		itself = json_object_get(json_object_get(documents[i], "nodes"), hex);
		if (itself == NULL)
			itself = json_object_get(documents[i], "root");
		PA_TRY(set_node(env, map, hex, itself));
	}
	for (uint32_t i = 0; i < n; i++)
	{
		json_object_foreach(json_object_get(documents[i], "nodes"), key, node)
			PA_TRY(set_node(env, map, key, node));
	}
	pa_free(env, documents);
	return PA_OK;
}

/* The nodes that can be reached, in order of distance from the root. */
typedef struct Walk
{
	PaEnv	   *env;
	json_t	   *map;
	json_t	   *seen;
	const char **queue;
	size_t		n;
} Walk;

static PaStatus
walk_visit(void *state, const char *digest)
{
	Walk	   *walk = state;

	if (json_object_get(walk->map, digest) == NULL || json_object_get(walk->seen, digest) != NULL)
		return PA_OK;
	if (json_object_set_new(walk->seen, digest, json_true()) != 0)
		return pa_fail(walk->env, PA_ERR_NOMEM, "out of memory");
	walk->queue[walk->n++] = digest;
	return PA_OK;
}

/* A node's text, written and measured before it is known whether it fits. */
typedef struct NodeText
{
	const char *digest;
	const char *text;
	size_t		length;
} NodeText;

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(((const NodeText *) a)->digest, ((const NodeText *) b)->digest);
}

/* Walk and write as many nodes as fit into `room` bytes. */
static PaStatus
collect_nodes(Walk *walk, const json_t *root, size_t room, PaBuf *scratch, NodeText *texts, size_t *n)
{
	size_t		used = 0;

	*n = 0;
	PA_TRY(pa_recipe_references(root, walk_visit, walk));
	for (size_t i = 0; i < walk->n; i++)
	{
		const json_t *node = json_object_get(walk->map, walk->queue[i]);
		size_t		need;

		PA_TRY(pa_check_cancel(walk->env));
		scratch->length = 0;
		PA_TRY(write_node(scratch, node));
		need = scratch->length + strlen("\"\":,") + 2 * PA_SHA256_LENGTH;
		if (need > room - used)
			break;
		used += need;
		texts[*n].digest = walk->queue[i];
		texts[*n].length = scratch->length;
		PA_TRY(pa_strndup(walk->env, (const char *) scratch->data, scratch->length, &texts[*n].text));
		(*n)++;
		PA_TRY(pa_recipe_references(node, walk_visit, walk));
	}
	qsort(texts, *n, sizeof(NodeText), compare_texts);
	return PA_OK;
}

static PaStatus
write_document(PaEnv *env, const json_t *root, json_t *map, PaBuf *buf, PaBuf *scratch)
{
	static const char tail[] = "}}";
	Walk		walk = {env, map, pa_json_object(), NULL, 0};
	size_t		room = json_object_size(map);
	NodeText   *texts;
	size_t		n;

	PA_TRY(pa_json_own(env, walk.seen));
	PA_TRY(pa_alloc_array(env, room, sizeof(char *), (void **) &walk.queue));
	PA_TRY(pa_alloc_array(env, room, sizeof(NodeText), (void **) &texts));
	PA_TRY(pa_buf_printf(buf, "{\"version\":%d,\"root\":", PA_RECIPE_VERSION));
	PA_TRY(write_node(buf, root));
	PA_TRY(pa_buf_printf(buf, ",\"nodes\":{"));
	if (buf->length + strlen(tail) > PA_MAX_RECIPE_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "recipe has more than %zu bytes", PA_MAX_RECIPE_BYTES);
	PA_TRY(collect_nodes(&walk, root, PA_MAX_RECIPE_BYTES - strlen(tail) - buf->length, scratch, texts, &n));
	for (size_t i = 0; i < n; i++)
	{
		PA_TRY(pa_buf_printf(buf, "%s\"%s\":", i > 0 ? "," : "", texts[i].digest));
		PA_TRY(pa_buf_bytes(buf, texts[i].text, texts[i].length));
	}
	return pa_buf_bytes(buf, tail, strlen(tail));
}

PaStatus
pa_recipe_write(PaEnv *env, const json_t *root, uint32_t n_operands, const PaOperand *operands, PaText *recipe)
{
	json_t	   *map = pa_json_object();
	PaBuf		buf;
	PaBuf		scratch;
	PaStatus	status;

	PA_TRY(pa_json_own(env, map));
	PA_TRY(merge_operands(env, n_operands, operands, map));
	PA_TRY(pa_buf_init(env, &buf, 0, 1024));
	status = pa_buf_init(env, &scratch, 0, 1024);
	if (status == PA_OK)
	{
		status = write_document(env, root, map, &buf, &scratch);
		pa_buf_release(&scratch);
	}
	if (status == PA_OK)
		status = pa_strndup(env, (const char *) buf.data, buf.length, &recipe->text);
	recipe->length = buf.length;
	pa_buf_release(&buf);
	return status;
}
