/*
 * peft_names.c
 *	  PEFT's tensor names, both ways: the name of a tensor tells its module and
 *	  role, and module and role give the name.
 *
 * PEFT takes the adapter's own name out of what it saves, so a dialect's suffix
 * is the whole of what stands behind the module's path; but others save it too.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft.h"

#include <string.h>

#include "core/utf8.h"
#include "interchange/peft_dialect.h"
#include "interchange/peft_path.h"

#define PREFIX_MODEL "base_model.model."

/* The suffix of the dialect that the key has behind a path, or NULL. */
static const PaPeftSuffix *
find_suffix(const PaPeftDialect *dialect, const char *key)
{
	size_t		n = strlen(key);

	for (size_t i = 0; i < dialect->n_suffixes; i++)
		if (n > strlen(dialect->suffixes[i].text) && pa_peft_path_ends(key, n, dialect->suffixes[i].text))
			return &dialect->suffixes[i];
	return NULL;
}

static bool
is_component(const char *component, size_t n, const char *name)
{
	return strlen(name) == n && memcmp(component, name, n) == 0;
}

/*
 * PEFT keeps what a suffix names by the adapter's name, and takes that out when it
 * saves: it stood behind the suffix's first component.  Of the n bytes of a name
 * that end in such a suffix: where the adapter's name begins, and its length.
 */
static bool
find_adapter_name(const PaPeftSuffix *suffix, const char *name, const char **begin, size_t *length)
{
	size_t		head = 1 + strcspn(suffix->text + 1, ".");
	const char *tail = suffix->text + head;
	size_t		n = strlen(name);
	size_t		end;

	if (!pa_peft_path_ends(name, n, tail))
		return false;
	end = n - strlen(tail);
	for (n = end; n > 0 && name[n - 1] != '.';)
		n--;
	*begin = name + n;
	*length = end - n;
	if (n == 0 || *length == 0 || is_component(*begin, *length, "weight") ||
		is_component(*begin, *length, "bias"))
		return false;
	n--;						/* the dot */
	return n > head && memcmp(name + n - head, suffix->text, head) == 0;
}

static bool
is_own(const PaPeftDialect *dialect, const char *component, size_t n)
{
	for (size_t i = 0; i < dialect->n_own_components; i++)
		if (is_component(component, n, dialect->own_components[i]))
			return true;
	return false;
}

PaStatus
pa_peft_name_adapter(PaEnv *env, PaKind kind, const char *name, const char **adapter)
{
	const PaPeftDialect *dialect = pa_peft_dialect(kind);

	*adapter = NULL;
	if (find_suffix(dialect, name) != NULL)
		return PA_OK;
	for (size_t i = 0; i < dialect->n_suffixes; i++)
	{
		const PaPeftSuffix *suffix = &dialect->suffixes[i];
		const char *begin;
		size_t		n;

		/* behind another component it may be anything */
		if (is_own(dialect, suffix->text + 1, strcspn(suffix->text + 1, ".")) &&
			find_adapter_name(suffix, name, &begin, &n))
			return pa_strndup(env, begin, n, adapter);
	}
	return PA_OK;
}

static const PaPeftDialect *
dialect_of(const PaPeftReading *how)
{
	return pa_container_dialect(how->container, how->kind);
}

/* The suffix behind a path, with the adapter's name where there is one; *length is that of the path. */
static const PaPeftSuffix *
find_path(const PaPeftReading *how, const char *key, size_t *length)
{
	const PaPeftDialect *dialect = dialect_of(how);
	const PaPeftSuffix *suffix;

	if (how->adapter == NULL)
	{
		suffix = find_suffix(dialect, key);
		*length = suffix != NULL ? strlen(key) - strlen(suffix->text) : 0;
		return suffix;
	}
	for (size_t i = 0; i < dialect->n_suffixes; i++)
	{
		const char *begin;
		size_t		n;

		suffix = &dialect->suffixes[i];
		if (!find_adapter_name(suffix, key, &begin, &n) || !is_component(begin, n, how->adapter))
			continue;
		*length = strlen(key) - strlen(suffix->text) - n - 1;
		return suffix;
	}
	return NULL;
}

static PaStatus
refuse_form(PaEnv *env, const PaPeftDialect *dialect, const char *name, const char *component)
{
	pa_fail(env, PA_ERR_FILE, "tensor name \"%.300s\" has \"%s\" and is none of PEFT's names", name,
			component);
	pa_detail(env, "PEFT's names end in %s; an adapter's own name in them must be the same in all.",
			  dialect->forms);
	pa_hint(env,
			"Save the adapter with PEFT's save_pretrained(), "
			"which takes the adapter's own name out of the tensor names.");
	return PA_ERR_FILE;
}

/* What a component of a name without a suffix tells of this dialect. */
static PaStatus
check_component(PaEnv *env, const PaPeftDialect *dialect, const char *name, const char *component, size_t n,
				uint32_t *features)
{
	for (size_t i = 0; i < dialect->n_own_components; i++)
		if (is_component(component, n, dialect->own_components[i]))
			return refuse_form(env, dialect, name, dialect->own_components[i]);
	if (dialect->family != NULL && strncmp(component, dialect->family, strlen(dialect->family)) == 0)
		*features |= PA_FEATURE_UNKNOWN_TENSOR;
	return PA_OK;
}

/* A dense tensor has no component that belongs to a method. */
static PaStatus
check_components(PaEnv *env, const char *name, const char *key, uint32_t *features)
{
	const char *component = key;

	while (true)
	{
		size_t		n = strcspn(component, ".");

		for (size_t i = 0; pa_peft_dialects[i] != NULL; i++)
			PA_TRY(check_component(env, pa_peft_dialects[i], name, component, n, features));
		if (is_component(component, n, "token_adapter"))
			*features |= PA_FEATURE_TRAINABLE_TOKENS;
		if (component[n] == '\0')
			return PA_OK;
		component += n + 1;
	}
}

/* A name that has none of its dialect's suffixes must not look as if it were another's. */
static PaStatus
check_without_suffix(PaEnv *env, const PaPeftReading *how, const char *name, const char *key,
					 uint32_t *features)
{
	const PaPeftDialect *dialect = dialect_of(how);

	if (dialect->keyed.any_name)
		return PA_OK;
	if (how->adapter != NULL && find_suffix(dialect, key) != NULL)
	{
		pa_fail(env, PA_ERR_FILE, "tensor name \"%.300s\" lacks the adapter's own name, \"%.100s\"", name,
				how->adapter);
		pa_detail(env, "Other tensors of the file have it, so they may be of two adapters.");
		return PA_ERR_FILE;
	}
	if (how->adapter != NULL && strstr(key, "modules_to_save.") != NULL)
		return refuse_form(env, dialect, name, "modules_to_save");
	for (size_t i = 0; pa_peft_dialects[i] != NULL; i++)
	{
		if (find_suffix(pa_peft_dialects[i], key) == NULL)
			continue;
		pa_fail(env, PA_ERR_CONFIG,
				"tensor \"%.300s\" is of another kind of adapter than the configuration says", name);
		pa_hint(env, "Pass the adapter_config.json that stands beside the file.");
		return PA_ERR_CONFIG;
	}
	return dialect->keyed.role == PA_ROLE_DENSE ? check_components(env, name, key, features) : PA_OK;
}

static PaStatus
join(PaEnv *env, const char *before, const char *path, const char *suffix, const char **name)
{
	size_t		prefix = strlen(before);
	size_t		n = strlen(path);
	size_t		end = strlen(suffix);
	char	   *p;

	if (prefix + n + end > PA_MAX_NAME_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "tensor name of %zu bytes is longer than %d", prefix + n + end,
					   PA_MAX_NAME_BYTES);
	PA_TRY(PA_NEW_RAW(env, prefix + n + end + 1, &p));
	memcpy(p, before, prefix);
	memcpy(p + prefix, path, n);
	memcpy(p + prefix + n, suffix, end + 1);
	*name = p;
	return PA_OK;
}

/* The path before a suffix, as it is and without wrappers, and the key, which is without the own name too. */
static PaStatus
read_path(PaEnv *env, const PaPeftReading *how, const char *name, const PaPeftSuffix *suffix, size_t length,
		  PaPeftName *out)
{
	const char *key = name + out->prefix;
	size_t		n;

	out->role = suffix->role;
	out->module_flags = suffix->module_flags;
	out->features = suffix->features;
	PA_TRY(pa_strndup(env, key, length, &out->path));
	out->named = out->path;
	out->key = key;
	if (how->unwrap)
	{
		PA_TRY(pa_peft_path_without_wrappers(env, out->named, &out->path));
		n = pa_peft_path_prefix(name);
		if (n < out->prefix)
			PA_TRY(pa_strndup(env, name + n, length + out->prefix - n, &out->named));
	}
	if (out->path == out->named && how->adapter == NULL)
		return PA_OK;
	return join(env, "", out->path, suffix->text, &out->key);
}

/* Where the key begins.  What is a wrapper and nothing else before the suffix is the model's own. */
static size_t
key_place(const PaPeftReading *how, const char *name)
{
	size_t		prefix = pa_peft_path_prefix(name);
	size_t		front = pa_peft_path_front(name);
	size_t		length;

	if (!how->unwrap || name[front] == '\0' || strchr(name + front, '.') == NULL)
		return prefix;
	if (find_path(how, name + front, &length) == NULL && find_path(how, name + prefix, &length) != NULL)
		return prefix;
	return front;
}

PaStatus
pa_peft_name_parse(PaEnv *env, const PaPeftReading *how, const char *name, PaPeftName *out)
{
	const PaPeftDialect *dialect = dialect_of(how);
	const PaPeftSuffix *suffix;
	const char *key;
	size_t		length;

	memset(out, 0, sizeof(*out));
	out->prefix = key_place(how, name);
	key = name + out->prefix;
	if (strlen(name) > PA_MAX_NAME_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "tensor name of %zu bytes is longer than %d", strlen(name),
					   PA_MAX_NAME_BYTES);
	if (!pa_utf8_valid_name(name, strlen(name)) || *key == '\0')
		return pa_fail(env, PA_ERR_FILE, "tensor name \"%.300s\" is not a name", name);
	suffix = find_path(how, key, &length);
	if (suffix != NULL)
		return read_path(env, how, name, suffix, length, out);
	PA_TRY(check_without_suffix(env, how, name, key, &out->features));
	out->role = dialect->keyed.role;
	out->module_flags = dialect->keyed.module_flags;
	out->key = key;
	PA_TRY(dialect->keyed.path(env, key, &out->path));
	out->named = out->path;
	return PA_OK;
}

/* As it is found in all the names, or NULL. */
static PaStatus
adapter_of(PaEnv *env, const PaAdapter *adapter, const char **own)
{
	*own = NULL;
	if (pa_container_of(adapter) != PA_CONTAINER_PEFT)
		return PA_OK;
	for (uint32_t i = 0; *own == NULL && i < adapter->n_tensors; i++)
	{
		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_peft_name_adapter(env, adapter->kind, adapter->tensors[i].name, own));
	}
	return PA_OK;
}

PaStatus
pa_peft_names_tell(PaEnv *env, const PaAdapter *adapter, bool unwrap, bool *tell)
{
	PaPeftReading how = {
		.kind = adapter->kind,
		.container = pa_container_of(adapter),
		.unwrap = unwrap && pa_peft_dialect(adapter->kind)->n_suffixes > 0,
	};

	*tell = true;
	PA_TRY(adapter_of(env, adapter, &how.adapter));
	for (uint32_t i = 0; *tell && i < adapter->n_tensors; i++)
	{
		const PaTensor *t = &adapter->tensors[i];
		PaPeftName	name;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_peft_name_parse(env, &how, t->name, &name));
		*tell = strcmp(name.path, adapter->modules[t->module].path) == 0;
		pa_free(env, (void *) name.path);
	}
	pa_free(env, (void *) how.adapter);
	return PA_OK;
}

static PaStatus
spell(PaEnv *env, const PaSpelling *spelling, const PaModule *module, const PaDraftTensor *tensor,
	  const char **name)
{
	const char *path = module->path;
	bool		embedding = (module->flags & PA_MODULE_EMBEDDING) != 0;

	switch ((int) tensor->role)
	{
		case PA_ROLE_FACTOR_A:
			return join(env, "", path, embedding ? PA_EMBEDDING_A : spelling->a, name);
		case PA_ROLE_FACTOR_B:
			return join(env, "", path, embedding ? PA_EMBEDDING_B : spelling->b, name);
		case PA_ROLE_MIDDLE:
			return join(env, "", path, spelling->middle, name);
		case PA_ROLE_ALPHA:
			return join(env, "", path, PA_SPELLING_ALPHA, name);
		case PA_ROLE_BIAS:
			return join(env, "", path, ".lora_B.bias", name);
	}
	if (tensor->key != NULL)
		return join(env, "", tensor->key, "", name);
	return pa_fail(env, PA_ERR_INTERNAL, "no name for a tensor of role %d", (int) tensor->role);
}

PaStatus
pa_peft_name_write(PaEnv *env, const PaDraft *draft, const PaDraftTensor *tensor, const char **name)
{
	const PaModule *module = &draft->facts.modules[tensor->module];
	const PaPeftDialect *dialect = pa_peft_dialect(draft->facts.kind);

	if (draft->spelling != NULL)
		return spell(env, draft->spelling, module, tensor, name);
	if (tensor->role == dialect->keyed.role)
	{
		/* a key that begins like a prefix would lose its beginning when it is read */
		bool		prefixed = dialect->keyed.prefixed || pa_peft_path_prefix(tensor->key) > 0;

		return join(env, prefixed ? PREFIX_MODEL : "", tensor->key, "", name);
	}
	for (size_t i = 0; i < dialect->n_suffixes; i++)
	{
		const PaPeftSuffix *s = &dialect->suffixes[i];

		if (s->role == tensor->role && (s->module_flags & ~module->flags) == 0)
			return join(env, PREFIX_MODEL, module->path, s->text, name);
	}
	return pa_fail(env, PA_ERR_INTERNAL, "no name for a tensor of role %d", (int) tensor->role);
}
