/*
 * recipe_write.c
 *	  Putting recipes together: the operands' roots become nodes, their nodes
 *	  are merged, and what is reachable from the new root is written, nearest
 *	  first, until a recipe's limit is reached.  One operand's document is held
 *	  at a time, and what is kept of them is limited, whatever their number.
 *
 * Where two operands tell different stories of one digest, an import wins (it
 * is an end, so it cannot lead in a circle), then what an operand says of
 * itself, then the first in digest order.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "recipe/recipe_impl.h"

#include <string.h>

#include "core/limits.h"
#include "core/strings.h"

static PaStatus
quote(PaBuf *buf, const json_t *string)
{
	return pa_json_quote(buf, pa_text(json_string_value(string), json_string_length(string)));
}

static PaStatus
write_scalar(PaBuf *buf, const json_t *value)
{
	if (json_is_string(value))
		return quote(buf, value);
	if (json_is_boolean(value))
		return pa_buf_printf(buf, "%s", json_is_true(value) ? "true" : "false");
	if (json_is_integer(value))
		return pa_buf_printf(buf, "%lld", (long long) json_integer_value(value));
	return pa_buf_printf(buf, "null");
}

/* Digests, or terms of the form. */
static PaStatus
write_array(PaBuf *buf, const json_t *array, const PaNodeForm *form)
{
	for (size_t i = 0; i < json_array_size(array); i++)
	{
		const json_t *item = json_array_get(array, i);

		PA_TRY(pa_buf_bytes(buf, i > 0 ? "," : "[", 1));
		if (form == NULL)
		{
			PA_TRY(quote(buf, item));
			continue;
		}
		for (int k = 0; k < form->n_members; k++)
		{
			PA_TRY(pa_buf_printf(buf, "%s\"%s\":", k > 0 ? "," : "{", form->member[k].name));
			PA_TRY(write_scalar(buf, json_object_get(item, form->member[k].name)));
		}
		PA_TRY(pa_buf_bytes(buf, "}", 1));
	}
	return pa_buf_bytes(buf, "]", 1);
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
		const PaMemberForm *member = &form->member[i];
		const json_t *value = json_object_get(node, member->name);

		PA_TRY(pa_buf_printf(buf, ",\"%s\":", member->name));
		if (json_is_array(value))
			PA_TRY(write_array(buf, value, pa_recipe_term_form(member->type)));
		else
			PA_TRY(write_scalar(buf, value));
	}
	return pa_buf_bytes(buf, "}", 1);
}

/*
 * What the operands know: digest to a node's text, as it would be written.
 * Texts take a fraction of what parsed nodes take, and most of them are never
 * looked at again.
 */
typedef struct Merge
{
	PaEnv	   *env;
	json_t	   *roots;			/* what operands say of themselves */
	json_t	   *nodes;			/* what they say of their own operands */
	size_t		root_bytes;		/* in roots */
	size_t		read;			/* text of the recipes so far */
	PaBuf	   *scratch;
} Merge;

static bool
is_import(const json_t *text)
{
	static const char start[] = "{\"op\":\"import\"";

	return strncmp(json_string_value(text), start, strlen(start)) == 0;
}

static PaStatus
out_of_memory(PaEnv *env)
{
	return pa_fail(env, PA_ERR_NOMEM, "out of memory");
}

/*
 * The first node of a digest stays, unless it is an import and the other one
 * says more: whoever imports a file without its history must not make others
 * forget it.
 */
static PaStatus
keep_node(Merge *merge, json_t *map, const char *digest, const json_t *node)
{
	const json_t *known = json_object_get(map, digest);
	PaBuf	   *scratch = merge->scratch;
	const char *op = json_string_value(json_object_get(node, "op"));

	if (known != NULL && (!is_import(known) || op == NULL || strcmp(op, "import") == 0))
		return PA_OK;
	scratch->length = 0;
	PA_TRY(write_node(scratch, node));
	if (map == merge->roots)
		merge->root_bytes += scratch->length;
	if (json_object_set_new(map, digest,
							json_stringn_nocheck((const char *) scratch->data, scratch->length)) != 0)
		return out_of_memory(merge->env);
	return PA_OK;
}

static PaStatus
merge_document(Merge *merge, const uint8_t *digest, json_t *document)
{
	json_t	   *nodes = json_object_get(document, "nodes");
	char		hex[2 * PA_SHA256_LENGTH + 1];
	const char *key;
	json_t	   *node;

	PA_TRY(pa_recipe_check_document(merge->env, document));
	pa_hex(hex, digest);
	if (merge->root_bytes <= PA_RECIPE_ROOT_BYTES)
	{
		/* An operation that changed nothing made the value from itself: then the older story counts. */
		json_t	   *itself = json_object_get(nodes, hex);

		PA_TRY(
			keep_node(merge, merge->roots, hex, itself != NULL ? itself : json_object_get(document, "root")));
	}
	if (merge->read <= PA_RECIPE_READ_BYTES)
		json_object_foreach(nodes, key, node) PA_TRY(keep_node(merge, merge->nodes, key, node));
	return PA_OK;
}

static PaStatus
merge_text(Merge *merge, const uint8_t *digest, const PaText *recipe)
{
	json_t	   *document;
	PaStatus	status;

	PA_TRY(pa_json_load(merge->env, *recipe, "recipe", &document));
	status = merge_document(merge, digest, document);
	json_decref(document);
	merge->read += recipe->length;
	return status;
}

static PaStatus
merge_operand(Merge *merge, const PaOperand *operand)
{
	PaText		recipe;

	PA_TRY(pa_check_cancel(merge->env));
	if (operand->loader == NULL)
		return merge_text(merge, operand->digest, &operand->recipe);
	PA_TRY(operand->loader->load(merge->env, operand->state, &recipe));
	PA_TRY(merge_text(merge, operand->digest, &recipe));
	operand->loader->release(merge->env, operand->state, &recipe);
	return PA_OK;
}

/* merge->nodes: everything that the operands know, one after the other. */
static PaStatus
merge_operands(Merge *merge, uint32_t n, const PaOperand *operands)
{
	const char *digest;
	json_t	   *root;

	for (uint32_t i = 0; i < n; i++)
		PA_TRY(merge_operand(merge, &operands[i]));
	json_object_foreach(merge->roots, digest, root)
	{
		const json_t *other = json_object_get(merge->nodes, digest);

		if (other != NULL && is_import(root) && !is_import(other))
			continue;
		if (json_object_set(merge->nodes, digest, root) != 0)
			return out_of_memory(merge->env);
	}
	return PA_OK;
}

/* The nodes that can be reached, in order of distance from the root. */
typedef struct Walk
{
	PaEnv	   *env;
	json_t	   *map;			/* digest to text */
	json_t	   *seen;
	const char **queue;			/* keys of map */
	size_t		n;
} Walk;

static PaStatus
walk_visit(void *state, const char *digest)
{
	Walk	   *walk = state;
	void	   *found = json_object_iter_at(walk->map, digest);

	if (found == NULL || json_object_get(walk->seen, digest) != NULL)
		return PA_OK;
	if (json_object_set_new(walk->seen, digest, json_true()) != 0)
		return out_of_memory(walk->env);
	walk->queue[walk->n++] = json_object_iter_key(found);
	return PA_OK;
}

static PaStatus
walk_from(Walk *walk, const json_t *text)
{
	json_t	   *node;
	PaStatus	status;

	PA_TRY(
		pa_json_load(walk->env, pa_text(json_string_value(text), json_string_length(text)), "recipe", &node));
	status = pa_recipe_references(node, walk_visit, walk);
	json_decref(node);
	return status;
}

/* Walk until `room` bytes are full; the queue then begins with the *n nodes to write, sorted. */
static PaStatus
choose_nodes(Walk *walk, const json_t *root, size_t room, size_t *n)
{
	size_t		used = 0;

	*n = 0;
	PA_TRY(pa_recipe_references(root, walk_visit, walk));
	while (*n < walk->n)
	{
		const json_t *text = json_object_get(walk->map, walk->queue[*n]);
		size_t		need = json_string_length(text) + strlen("\"\":,") + 2 * PA_SHA256_LENGTH;

		PA_TRY(pa_check_cancel(walk->env));
		if (need > room - used)
			break;
		used += need;
		(*n)++;
		PA_TRY(walk_from(walk, text));
	}
	pa_sort_strings(walk->queue, *n);
	return PA_OK;
}

static PaStatus
write_nodes(PaEnv *env, const json_t *root, json_t *map, size_t room, PaBuf *buf)
{
	Walk		walk = {env, map, pa_json_object(), NULL, 0};
	size_t		n;

	PA_TRY(pa_json_own(env, walk.seen));
	PA_TRY(PA_NEW_ARRAY(env, json_object_size(map), &walk.queue));
	PA_TRY(choose_nodes(&walk, root, room, &n));
	for (size_t i = 0; i < n; i++)
	{
		const json_t *text = json_object_get(map, walk.queue[i]);

		PA_TRY(pa_buf_printf(buf, "%s\"%s\":", i > 0 ? "," : "", walk.queue[i]));
		PA_TRY(pa_buf_bytes(buf, json_string_value(text), json_string_length(text)));
	}
	pa_free(env, walk.queue);
	return PA_OK;
}

/* The root is measured first: one that is too large costs no reading of operands. */
static PaStatus
write_document(PaEnv *env, const json_t *root, uint32_t n, const PaOperand *operands, PaBuf *buf,
			   PaBuf *scratch)
{
	static const char tail[] = "}}";
	Merge		merge = {.env = env, .scratch = scratch};

	PA_TRY(pa_buf_printf(buf, "{\"version\":%d,\"root\":", PA_RECIPE_VERSION));
	PA_TRY(write_node(buf, root));
	PA_TRY(pa_buf_printf(buf, ",\"nodes\":{"));
	if (buf->length + strlen(tail) > PA_MAX_RECIPE_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "recipe has more than %zu bytes", PA_MAX_RECIPE_BYTES);
	merge.roots = pa_json_object();
	PA_TRY(pa_json_own(env, merge.roots));
	merge.nodes = pa_json_object();
	PA_TRY(pa_json_own(env, merge.nodes));
	PA_TRY(merge_operands(&merge, n, operands));
	PA_TRY(write_nodes(env, root, merge.nodes, PA_MAX_RECIPE_BYTES - strlen(tail) - buf->length, buf));
	json_object_clear(merge.roots);
	json_object_clear(merge.nodes);
	return pa_buf_bytes(buf, tail, strlen(tail));
}

PaStatus
pa_recipe_write(PaEnv *env, const json_t *root, uint32_t n_operands, const PaOperand *operands,
				PaText *recipe)
{
	PaBuf		buf;
	PaBuf		scratch;
	PaStatus	status;

	PA_TRY(pa_buf_init(env, &buf, 0, 1024));
	status = pa_buf_init(env, &scratch, 0, 1024);
	if (status == PA_OK)
	{
		status = write_document(env, root, n_operands, operands, &buf, &scratch);
		pa_buf_release(&scratch);
	}
	if (status == PA_OK)
		status = pa_strndup(env, (const char *) buf.data, buf.length, &recipe->text);
	recipe->length = buf.length;
	pa_buf_release(&buf);
	return status;
}
