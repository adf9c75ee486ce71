/*
 * peft_names.c
 *	  PEFT's tensor names, both ways: the name of a tensor tells its module and
 *	  role, and module and role give the name.
 *
 * PEFT takes the adapter's own name out of what it saves, so a dialect's suffix
 * is the whole of what stands behind the module's path.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft.h"

#include <string.h>

#include "core/utf8.h"
#include "interchange/peft_dialect.h"
#include "interchange/peft_path.h"

#define PREFIX_MODEL "base_model.model."
#define PREFIX_BASE "base_model."

static size_t
prefix_length(const char *name)
{
	if (strncmp(name, PREFIX_MODEL, strlen(PREFIX_MODEL)) == 0)
		return strlen(PREFIX_MODEL);
	if (strncmp(name, PREFIX_BASE, strlen(PREFIX_BASE)) == 0)
		return strlen(PREFIX_BASE);
	return 0;
}

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

static PaStatus
refuse_form(PaEnv *env, const PaPeftDialect *dialect, const char *name, const char *component)
{
	pa_fail(env, PA_ERR_FILE, "tensor name \"%.300s\" has \"%s\" and is none of PEFT's names", name,
			component);
	pa_detail(env, "PEFT's names end in %s.", dialect->forms);
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
check_without_suffix(PaEnv *env, const PaPeftDialect *dialect, const char *name, const char *key,
					 uint32_t *features)
{
	if (dialect->keyed.any_name)
		return PA_OK;
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

PaStatus
pa_peft_name_parse(PaEnv *env, PaKind kind, const char *name, PaPeftName *out)
{
	const PaPeftDialect *dialect = pa_peft_dialect(kind);
	const PaPeftSuffix *suffix;
	const char *key;

	memset(out, 0, sizeof(*out));
	out->prefix = prefix_length(name);
	key = name + out->prefix;
	if (strlen(name) > PA_MAX_NAME_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "tensor name of %zu bytes is longer than %d", strlen(name),
					   PA_MAX_NAME_BYTES);
	if (!pa_utf8_valid_name(name, strlen(name)) || *key == '\0')
		return pa_fail(env, PA_ERR_FILE, "tensor name \"%.300s\" is not a name", name);
	suffix = find_suffix(dialect, key);
	if (suffix != NULL)
	{
		out->role = suffix->role;
		out->module_flags = suffix->module_flags;
		out->features = suffix->features;
		return pa_strndup(env, key, strlen(key) - strlen(suffix->text), &out->path);
	}
	PA_TRY(check_without_suffix(env, dialect, name, key, &out->features));
	out->role = dialect->keyed.role;
	out->module_flags = dialect->keyed.module_flags;
	return dialect->keyed.path(env, key, &out->path);
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

PaStatus
pa_peft_name_write(PaEnv *env, const PaDraft *draft, const PaDraftTensor *tensor, const char **name)
{
	const PaModule *module = &draft->facts.modules[tensor->module];
	const PaPeftDialect *dialect = pa_peft_dialect(draft->facts.kind);

	if (tensor->role == dialect->keyed.role)
	{
		/* a key that begins like a prefix would lose its beginning when it is read */
		bool		prefixed = dialect->keyed.prefixed || prefix_length(tensor->key) > 0;

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
