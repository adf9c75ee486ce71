/*
 * recipe_write.c
 *	  Putting recipes together: the operands' roots become nodes, their nodes
 *	  are merged, and what is reachable from the new root is written, nearest
 *	  first and as much of each operand, until a recipe's limit is reached.  One
 *	  operand's document is held at a time, and what is kept of them is limited,
 *	  whatever their number.
 *
 * Where operands tell different stories of one digest all are kept: first what
 * an operand says of itself, then the others in order of the operands.  Only an
 * import gives way to a story.
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
 * What the operands know: digest to the texts of its stories, as they would be
 * written.  Texts take a fraction of what parsed nodes take, and most of them
 * are never looked at again.
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

static bool
is_told(const json_t *stories, const json_t *text)
{
	for (size_t i = 0; i < json_array_size(stories); i++)
		if (json_equal(json_array_get(stories, i), text))
			return true;
	return false;
}

static bool
is_only_import(const json_t *stories)
{
	return json_array_size(stories) == 1 && is_import(json_array_get(stories, 0));
}

/*
 * What one more recipe tells of a digest.  An import says nothing, so one that is
 * all that was told gives way: whoever imports a file without its history must
 * not make others forget it.  Before a story of the same recipe it stays: then
 * the story leads back to the digest, and an evaluation has to begin there.
 */
static PaStatus
add_stories(PaEnv *env, json_t *map, const char *digest, json_t *told)
{
	json_t	   *stories = json_object_get(map, digest);

	if (stories == NULL || (is_only_import(stories) && !is_only_import(told)))
		return json_object_set(map, digest, told) == 0 ? PA_OK : out_of_memory(env);
	for (size_t i = 0; i < json_array_size(told); i++)
	{
		json_t	   *text = json_array_get(told, i);

		if (!is_import(text) && !is_told(stories, text) && json_array_append(stories, text) != 0)
			return out_of_memory(env);
	}
	return PA_OK;
}

/* Append a node's text, unless it is told already: a value's root may be among the older stories of it. */
static PaStatus
spell(Merge *merge, json_t *told, const json_t *node)
{
	PaBuf	   *scratch = merge->scratch;
	json_t	   *text;

	scratch->length = 0;
	PA_TRY(write_node(scratch, node));
	text = json_stringn_nocheck((const char *) scratch->data, scratch->length);
	if (text != NULL && is_told(told, text))
	{
		json_decref(text);
		return PA_OK;
	}
	return json_array_append_new(told, text) == 0 ? PA_OK : out_of_memory(merge->env);
}

static PaStatus
spell_stories(Merge *merge, json_t *told, const json_t *stories)
{
	const json_t *node;

	for (size_t i = 0; (node = pa_recipe_story(stories, i)) != NULL; i++)
		PA_TRY(spell(merge, told, node));
	return PA_OK;
}

static PaStatus
keep_stories(Merge *merge, const char *digest, const json_t *stories)
{
	json_t	   *told = json_array();
	PaStatus	status;

	if (told == NULL)
		return out_of_memory(merge->env);
	status = spell_stories(merge, told, stories);
	if (status == PA_OK)
		status = add_stories(merge->env, merge->nodes, digest, told);
	json_decref(told);
	return status;
}

static PaStatus
notice_other(void *itself, const char *digest)
{
	const char **hex = itself;

	if (*hex != NULL && strcmp(*hex, digest) != 0)
		*hex = NULL;
	return PA_OK;
}

/* An operation that changed nothing says that the value was made of itself alone, which is no story. */
static bool
is_of_itself(const json_t *root, const char *digest)
{
	const char *hex = digest;

	(void) pa_recipe_references(root, notice_other, &hex);
	return hex != NULL;
}

static PaStatus
spell_root(Merge *merge, json_t *told, const char *digest, const json_t *document)
{
	const json_t *older = json_object_get(json_object_get(document, "nodes"), digest);
	const json_t *root = json_object_get(document, "root");

	if (older != NULL)
		PA_TRY(spell_stories(merge, told, older));
	if (older != NULL && is_of_itself(root, digest))
		return PA_OK;
	return spell(merge, told, root);
}

/* What an operand says of itself: older stories that it tells come first, as an evaluation takes the first.
 */
static PaStatus
keep_root(Merge *merge, const char *digest, const json_t *document)
{
	json_t	   *told = json_array();
	PaStatus	status;

	if (told == NULL)
		return out_of_memory(merge->env);
	status = spell_root(merge, told, digest, document);
	for (size_t i = 0; i < json_array_size(told); i++)
		merge->root_bytes += json_string_length(json_array_get(told, i));
	if (status == PA_OK)
		status = add_stories(merge->env, merge->roots, digest, told);
	json_decref(told);
	return status;
}

static PaStatus
merge_document(Merge *merge, const uint8_t *digest, json_t *document)
{
	json_t	   *nodes = json_object_get(document, "nodes");
	char		hex[2 * PA_SHA256_LENGTH + 1];
	const char *key;
	json_t	   *stories;

	PA_TRY(pa_recipe_check_document(merge->env, document));
	pa_hex(hex, digest);
	if (merge->root_bytes <= PA_RECIPE_ROOT_BYTES)
		PA_TRY(keep_root(merge, hex, document));
	if (merge->read <= PA_RECIPE_READ_BYTES)
		json_object_foreach(nodes, key, stories) PA_TRY(keep_stories(merge, key, stories));
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

/* merge->roots becomes everything that the operands know, what they say of themselves first. */
static PaStatus
merge_operands(Merge *merge, uint32_t n, const PaOperand *operands)
{
	const char *digest;
	json_t	   *stories;

	for (uint32_t i = 0; i < n; i++)
		PA_TRY(merge_operand(merge, &operands[i]));
	json_object_foreach(merge->nodes, digest, stories)
		PA_TRY(add_stories(merge->env, merge->roots, digest, stories));
	return PA_OK;
}

/* The digests that can be reached, in order of distance from where the walk began. */
typedef struct Walk
{
	PaEnv	   *env;
	json_t	   *map;			/* digest to texts */
	json_t	   *seen;
	const char **queue;			/* keys of map */
	size_t		n;
	const char **chosen;
	size_t		n_chosen;
	size_t		room;			/* bytes that are left of the recipe */
	bool		cut;			/* something did not fit into a share */
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
walk_from(Walk *walk, const json_t *stories)
{
	for (size_t i = 0; i < json_array_size(stories); i++)
	{
		const json_t *text = json_array_get(stories, i);
		json_t	   *node;
		PaStatus	status;

		PA_TRY(pa_json_load(walk->env, pa_text(json_string_value(text), json_string_length(text)), "recipe",
							&node));
		status = pa_recipe_references(node, walk_visit, walk);
		json_decref(node);
		PA_TRY(status);
	}
	return PA_OK;
}

/* As write_nodes and write_stories spell it, with a comma. */
static size_t
size_of(const json_t *stories)
{
	size_t		n = json_array_size(stories);
	size_t		size = strlen("\"\":,") + 2 * PA_SHA256_LENGTH + (n > 1 ? n + 1 : 0);

	for (size_t i = 0; i < n; i++)
		size += json_string_length(json_array_get(stories, i));
	return size;
}

/* From what is in the queue until `share` bytes are full; what did not fit can be met again. */
static PaStatus
choose_share(Walk *walk, size_t share)
{
	size_t		done = 0;

	for (; done < walk->n; done++)
	{
		const json_t *stories = json_object_get(walk->map, walk->queue[done]);
		size_t		need = size_of(stories);

		PA_TRY(pa_check_cancel(walk->env));
		if (need > share)
			break;
		share -= need;
		walk->room -= need;
		walk->chosen[walk->n_chosen++] = walk->queue[done];
		PA_TRY(walk_from(walk, stories));
	}
	walk->cut |= done < walk->n;
	for (; done < walk->n; done++)
		(void) json_object_del(walk->seen, walk->queue[done]);
	walk->n = 0;
	return PA_OK;
}

/* The whole of what was chosen is walked again, to where it ends. */
static PaStatus
choose_rest(Walk *walk, const json_t *root)
{
	size_t		n = walk->n_chosen;

	PA_TRY(pa_recipe_references(root, walk_visit, walk));
	for (size_t i = 0; i < n; i++)
		PA_TRY(walk_from(walk, json_object_get(walk->map, walk->chosen[i])));
	return choose_share(walk, walk->room);
}

/*
 * Each operand has its share of the room, nearest first, so that a long history
 * of one makes nothing of another's forgotten; what is left over goes to what is
 * nearest to the root.
 */
static PaStatus
choose_nodes(Walk *walk, const json_t *root, uint32_t n_operands, const PaOperand *operands)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];

	for (uint32_t i = 0; i < n_operands; i++)
	{
		pa_hex(hex, operands[i].digest);
		PA_TRY(walk_visit(walk, hex));
		PA_TRY(choose_share(walk, walk->room / (n_operands - i)));
	}
	if (walk->cut)
		PA_TRY(choose_rest(walk, root));
	pa_sort_strings(walk->chosen, walk->n_chosen);
	return PA_OK;
}

static PaStatus
write_stories(PaBuf *buf, const json_t *stories)
{
	size_t		n = json_array_size(stories);

	for (size_t i = 0; i < n; i++)
	{
		const json_t *text = json_array_get(stories, i);

		PA_TRY(pa_buf_printf(buf, "%s", n == 1 ? "" : i == 0 ? "[" : ","));
		PA_TRY(pa_buf_bytes(buf, json_string_value(text), json_string_length(text)));
	}
	return pa_buf_printf(buf, "%s", n == 1 ? "" : "]");
}

/* The version that a document needs for the nodes of a digest. */
static int
version_of(const json_t *stories)
{
	int			version = 1;

	for (size_t i = 0; i < json_array_size(stories); i++)
	{
		int			needs = pa_recipe_text_version(json_string_value(json_array_get(stories, i)));

		version = needs > version ? needs : version;
	}
	return version;
}

static PaStatus
write_nodes(PaEnv *env, const json_t *root, uint32_t n_operands, const PaOperand *operands, json_t *map,
			size_t room, PaBuf *buf, int *version)
{
	Walk		walk = {.env = env, .map = map, .seen = pa_json_object(), .room = room};

	PA_TRY(pa_json_own(env, walk.seen));
	PA_TRY(PA_NEW_ARRAY(env, json_object_size(map), &walk.queue));
	PA_TRY(PA_NEW_ARRAY(env, json_object_size(map), &walk.chosen));
	PA_TRY(choose_nodes(&walk, root, n_operands, operands));
	for (size_t i = 0; i < walk.n_chosen; i++)
	{
		int			needs = version_of(json_object_get(map, walk.chosen[i]));

		*version = needs > *version ? needs : *version;
		PA_TRY(pa_buf_printf(buf, "%s\"%s\":", i > 0 ? "," : "", walk.chosen[i]));
		PA_TRY(write_stories(buf, json_object_get(map, walk.chosen[i])));
	}
	json_object_clear(walk.seen);
	pa_free(env, walk.queue);
	pa_free(env, walk.chosen);
	return PA_OK;
}

/*
 * A quote inside a string has a backslash before it, so neither is found in one.
 * The version is a digit that is put in last, when all nodes are known.
 */
#define VERSION_BEGINS "{\"version\":"
#define ROOT_BEGINS VERSION_BEGINS "0,\"root\":"
#define ROOT_ENDS ",\"nodes\":{"

/* The root is measured first: one that is too large costs no reading of operands. */
static PaStatus
write_document(PaEnv *env, const json_t *root, uint32_t n, const PaOperand *operands, PaBuf *buf,
			   PaBuf *scratch)
{
	static const char tail[] = "}}";
	Merge		merge = {.env = env, .scratch = scratch};
	int			version;

	PA_TRY(pa_buf_printf(buf, "%s", ROOT_BEGINS));
	PA_TRY(write_node(buf, root));
	version = pa_recipe_form(json_object_get(root, "op"))->version;
	PA_TRY(pa_buf_printf(buf, "%s", ROOT_ENDS));
	if (buf->length + strlen(tail) > PA_MAX_RECIPE_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "recipe has more than %zu bytes", PA_MAX_RECIPE_BYTES);
	merge.roots = pa_json_object();
	PA_TRY(pa_json_own(env, merge.roots));
	merge.nodes = pa_json_object();
	PA_TRY(pa_json_own(env, merge.nodes));
	PA_TRY(merge_operands(&merge, n, operands));
	PA_TRY(write_nodes(env, root, n, operands, merge.roots, PA_MAX_RECIPE_BYTES - strlen(tail) - buf->length,
					   buf, &version));
	buf->data[strlen(VERSION_BEGINS)] = (uint8_t) ('0' + version);
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

PaText
pa_recipe_root(PaText recipe)
{
	static const char name[] = "\"root\":";
	const char *end = recipe.text + recipe.length;
	const char *root = recipe.text;
	const char *p;

	while ((size_t) (end - root) > strlen(name) && memcmp(root, name, strlen(name)) != 0)
		root++;
	root += strlen(name);
	for (p = root; (size_t) (end - p) > strlen(ROOT_ENDS); p++)
		if (memcmp(p, ROOT_ENDS, strlen(ROOT_ENDS)) == 0)
			break;
	return pa_text(root, (size_t) (p - root));
}
