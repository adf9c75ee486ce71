/*
 * peft_selection.c
 *	  PEFT's rule for the modules that a configuration selects.  See
 *	  peft_selection.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_selection.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "interchange/endings.h"
#include "interchange/peft_path.h"

/* A list of ends of paths, or of paths, or an expression. */
typedef struct Selector
{
	bool		given;
	bool		paths;			/* names are whole paths */
	PaEndings	names;
	PaPattern  *pattern;		/* or NULL */
} Selector;

/*
 * The paths that an expression of escaped paths and "|" lists, as composed
 * configurations have it: they may be more than an expression can hold.
 */
static PaStatus
read_paths(PaEnv *env, const char *text, Selector *selector, bool *are)
{
	char	   *copy;
	const char **list;
	uint32_t	n = 1;
	char	   *out;

	*are = false;
	PA_TRY(PA_NEW_RAW(env, strlen(text) + 1, &copy));
	PA_TRY(PA_NEW_ARRAY(env, strlen(text) / 2 + 2, &list));
	out = copy;
	list[0] = copy;
	for (const char *s = text; *s != '\0'; out++)
	{
		if (*s == '|' && s[1] != '|' && s[1] != '\0')
		{
			*out = '\0';
			list[n++] = out + 1;
			s++;
		}
		else if (!pa_pattern_unescape(&s, out))
			return PA_OK;
	}
	*out = '\0';
	*are = true;
	selector->paths = true;
	return pa_endings(env, n, list, &selector->names);
}

static PaStatus
make_selector(PaEnv *env, const json_t *v, uint32_t n_modules, Selector *selector)
{
	const char *text = json_string_value(v);
	const char **list;
	uint32_t	n = 0;
	bool		are;

	*selector = (Selector) {0};
	if (json_is_array(v))
	{
		selector->given = true;
		PA_TRY(PA_NEW_ARRAY(env, json_array_size(v), &list));
		for (size_t i = 0; i < json_array_size(v); i++)
			if (json_is_string(json_array_get(v, i)))
				list[n++] = json_string_value(json_array_get(v, i));
		return pa_endings(env, n, list, &selector->names);
	}
	if (text == NULL || text[0] == '\0' || strcasecmp(text, "all-linear") == 0)
		return PA_OK;
	selector->given = true;
	PA_TRY(read_paths(env, text, selector, &are));
	if (are)
		return PA_OK;
	PA_TRY(pa_pattern_compile(env, text, PA_PATTERN_WHOLE, &selector->pattern));
	pa_pattern_share(selector->pattern, n_modules);
	return PA_OK;
}

static PaStatus
selects(PaEnv *env, const Selector *selector, const char *path, bool *is)
{
	if (selector->pattern != NULL)
		return pa_pattern_match(env, selector->pattern, path, is);
	*is = selector->paths ? pa_endings_have(&selector->names, path)
						  : pa_endings_match(&selector->names, path, strlen(path), true);
	return PA_OK;
}

/* The number at the beginning of the text, if a dot follows; or -1. */
static int64_t
layer_number(const char *s)
{
	size_t		n = strspn(s, "0123456789");

	return n > 0 && n < 10 && s[n] == '.' ? strtol(s, NULL, 10) : -1;
}

/* The first numbered component behind this word; without one, behind any two components. */
static int64_t
layer_of(const char *path, const char *word)
{
	int			dots = 0;

	for (const char *dot = strchr(path, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
	{
		size_t		n = (size_t) (dot - path);
		size_t		length = word != NULL ? strlen(word) : 0;
		int64_t		layer = layer_number(dot + 1);

		dots++;
		if (layer < 0)
			continue;
		if (word == NULL ? dots >= 2
						 : pa_peft_path_ends(path, n, word) && (n == length || path[n - length - 1] == '.'))
			return layer;
	}
	return -1;
}

/* The layer by the first word of layers_pattern that finds one. */
static PaStatus
find_layer(PaEnv *env, const json_t *words, const char *path, int64_t *layer)
{
	size_t		n = json_is_array(words) ? json_array_size(words) : 1;

	*layer = -1;
	if (n == 0 || words == NULL || json_is_null(words) ||
		(json_is_string(words) && json_string_length(words) == 0))
	{
		*layer = layer_of(path, NULL);
		return PA_OK;
	}
	for (size_t i = 0; *layer < 0 && i < n; i++)
	{
		const char *word = json_string_value(json_is_array(words) ? json_array_get(words, i) : words);

		if (word == NULL || strpbrk(word, "\\^$|?*+()[]{}") != NULL)
			return pa_fail(
				env, PA_ERR_UNSUPPORTED,
				"layers_pattern of the adapter configuration is an expression, which is not supported");
		*layer = layer_of(path, word);
	}
	return PA_OK;
}

static PaStatus
has_layer(PaEnv *env, const PaConfig *config, const char *path, bool *has)
{
	const json_t *layers = config->layers_to_transform;
	int64_t		layer;

	*has = true;
	if (!json_is_integer(layers) && json_array_size(layers) == 0)
		return PA_OK;
	PA_TRY(find_layer(env, config->layers_pattern, path, &layer));
	*has = json_is_integer(layers) && json_integer_value(layers) == layer;
	for (size_t i = 0; !*has && layer >= 0 && i < json_array_size(layers); i++)
		*has = json_integer_value(json_array_get(layers, i)) == layer;
	return PA_OK;
}

typedef struct Selection
{
	const PaConfig *config;
	const PaAdapter *adapter;
	Selector	target;
	Selector	exclude;
	size_t		n;
	const char **paths;			/* of the modules that PEFT selects so */
} Selection;

/* The member that leaves the module of this path out; NULL: it is selected. */
static PaStatus
leaves_out(PaEnv *env, const Selection *selection, const char *path, const char **left_out)
{
	const PaConfig *config = selection->config;
	const char *member = NULL;
	const char *unwrapped;
	bool		is;

	PA_TRY(pa_check_cancel(env));
	PA_TRY(pa_peft_path_selected(env, selection->n, selection->paths, path, &unwrapped, NULL));
	if (selection->exclude.given)
	{
		PA_TRY(selects(env, &selection->exclude, unwrapped, &is));
		member = is ? "exclude_modules" : member;
	}
	if (selection->target.given)
	{
		PA_TRY(selects(env, &selection->target, unwrapped, &is));
		member = is ? member : "target_modules";
	}
	if (json_is_array(config->target_modules))
	{
		PA_TRY(has_layer(env, config, unwrapped, &is));
		member = is ? member : "layers_to_transform";
	}
	*left_out = member;
	return PA_OK;
}

/* Is the module of no file for diffusion models, which says its scaling itself? */
static bool
needs_config(const Selection *selection, const PaModule *module)
{
	int64_t		a = module->tensor[PA_ROLE_FACTOR_A];

	return selection->config->container != PA_CONTAINER_DIFFUSION || a < 0 ||
		(module->tensor[PA_ROLE_ALPHA] < 0 && !pa_spelling_means_one(selection->adapter->tensors[a].name));
}

/* Whether the model was wrapped before PEFT selected or afterwards, the file does not say: either will do. */
static PaStatus
check_module(PaEnv *env, const Selection *selection, const PaModule *module, const char *named)
{
	const char *path = module->path;
	const char *member;
	const char *of_named;

	PA_TRY(leaves_out(env, selection, path, &member));
	if (member == NULL)
		return PA_OK;
	if (named != NULL)
	{
		PA_TRY(leaves_out(env, selection, named, &of_named));
		if (of_named == NULL)
			return PA_OK;
	}
	pa_fail(env, PA_ERR_CONFIG, "module \"%.300s\" is left out by %s of the adapter configuration", path,
			member);
	pa_detail(env, "PEFT would not load its tensors.");
	pa_hint(env, "%s",
			needs_config(selection, module) ? "It may be the configuration of another adapter."
											: PA_HINT_NO_CONFIG);
	return PA_ERR_CONFIG;
}

PaStatus
pa_peft_check_selection(PaEnv *env, const PaConfig *config, const PaAdapter *adapter)
{
	Selection	selection = {.config = config, .adapter = adapter};

	PA_TRY(make_selector(env, config->target_modules, adapter->n_modules, &selection.target));
	PA_TRY(make_selector(env, config->exclude_modules, adapter->n_modules, &selection.exclude));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &selection.paths));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		if (pa_module_is_layer(&adapter->modules[i]))
			selection.paths[selection.n++] = adapter->modules[i].path;
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		if (pa_module_is_layer(&adapter->modules[i]))
			PA_TRY(check_module(env, &selection, &adapter->modules[i], config->named_paths[i]));
	pa_free(env, selection.paths);
	return PA_OK;
}
