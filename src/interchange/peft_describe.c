/*
 * peft_describe.c
 *	  From tensor names, shapes and a configuration to an adapter.
 *
 * The names say which modules there are and what each tensor is in its module;
 * the configuration says what the tensors mean.  Ranks come from the tensors; a
 * configuration that contradicts them is refused.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/role.h"
#include "adapter/shape.h"
#include "core/strings.h"
#include "interchange/endings.h"
#include "interchange/peft_dialect.h"
#include "interchange/peft_path.h"

typedef struct Named
{
	const PaFileTensor *from;
	uint32_t	index;			/* in the caller's array */
	PaPeftName	name;
} Named;

static int
compare_named(const void *a, const void *b)
{
	return strcmp(((const Named *) a)->from->name, ((const Named *) b)->from->name);
}

/*
 * Where the module is known, its path is what the name says, or what it says
 * without wrappers: values of before wrappers were taken off have the former.
 */
static PaStatus
parse_name(PaEnv *env, PaPeftReading how, Named *named)
{
	const PaFileTensor *from = named->from;

	if (from->module == NULL)
		return pa_peft_name_parse(env, &how, from->name, &named->name);
	for (int unwrap = 0; unwrap < 2; unwrap++)
	{
		how.unwrap = unwrap;
		PA_TRY(pa_peft_name_parse(env, &how, from->name, &named->name));
		if (!how.unwrap && strcmp(named->name.path, from->module) == 0)
			break;
	}
	return PA_OK;
}

/* The tensors in name order, each name parsed. */
static PaStatus
parse_names(PaEnv *env, const PaConfig *config, uint32_t n, const PaFileTensor *tensors, Named **named)
{
	PaPeftReading how = {
		.kind = config->kind,
		.container = config->container,
		.unwrap = config->unwrap_names && config->container == PA_CONTAINER_PEFT &&
			pa_peft_dialect(config->kind)->n_suffixes > 0,
	};

	if (n > PA_MAX_TENSORS)
		return pa_fail(env, PA_ERR_LIMIT, "adapter has %u tensors, more than %d", n, PA_MAX_TENSORS);
	PA_TRY(PA_NEW_ARRAY(env, n, named));
	for (uint32_t i = 0; i < n; i++)
	{
		(*named)[i].from = &tensors[i];
		(*named)[i].index = i;
	}
	qsort(*named, n, sizeof(Named), compare_named);
	for (uint32_t i = 0; how.container == PA_CONTAINER_PEFT && how.adapter == NULL && i < n; i++)
	{
		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_peft_name_adapter(env, how.kind, (*named)[i].from->name, &how.adapter));
	}
	for (uint32_t i = 0; i < n; i++)
	{
		const char *name = (*named)[i].from->name;

		PA_TRY(pa_check_cancel(env));
		if (i > 0 && strcmp((*named)[i - 1].from->name, name) == 0)
			return pa_fail(env, PA_ERR_FILE, "tensor \"%.300s\" is there twice", name);
		PA_TRY(parse_name(env, how, &(*named)[i]));
	}
	return PA_OK;
}

/* Two names that differ only in their prefix, or in what is taken off, are one tensor. */
static PaStatus
check_keys(PaEnv *env, uint32_t n, const Named *named)
{
	const char **keys;

	PA_TRY(PA_NEW_ARRAY(env, n, &keys));
	for (uint32_t i = 0; i < n; i++)
		keys[i] = named[i].name.key;
	pa_sort_strings(keys, n);
	for (uint32_t i = 1; i < n; i++)
	{
		if (strcmp(keys[i - 1], keys[i]) != 0)
			continue;
		pa_fail(env, PA_ERR_FILE, "tensor \"%.300s\" is there twice, under two prefixes", keys[i]);
		pa_detail(env, "What trainers put into names, as \"_orig_mod.\", is taken off.");
		return PA_ERR_FILE;
	}
	pa_free(env, keys);
	return PA_OK;
}

static PaStatus
make_modules(PaEnv *env, PaConfig *config, uint32_t n, const Named *named, PaAdapter *adapter)
{
	uint32_t	n_tensors = n;
	const char **paths;

	PA_TRY(PA_NEW_ARRAY(env, n, &paths));
	for (uint32_t i = 0; i < n; i++)
		paths[i] = named[i].name.path;
	n = (uint32_t) pa_sort_distinct_strings(paths, n);
	PA_TRY(PA_NEW_ARRAY(env, n, &adapter->modules));
	adapter->n_modules = n;
	for (uint32_t i = 0; i < n; i++)
	{
		PaModule   *module = &adapter->modules[i];

		module->path = paths[i];
		module->scaling = 1;
		module->alpha = 1;
		pa_module_clear(module);
	}
	PA_TRY(PA_NEW_ARRAY(env, n, &config->named_paths));
	for (uint32_t i = 0; i < n_tensors; i++)
	{
		int64_t		m = pa_adapter_find_module(adapter, named[i].name.path);

		if (!config->composed && named[i].name.named != named[i].name.path)
			config->named_paths[m] = named[i].name.named;
	}
	pa_free(env, paths);
	return PA_OK;
}

static PaStatus
place_tensor(PaEnv *env, const Named *named, uint32_t i, PaAdapter *adapter)
{
	const PaFileTensor *from = named->from;
	PaTensor   *t = &adapter->tensors[i];
	int64_t		m = pa_adapter_find_module(adapter, named->name.path);
	PaModule   *module = &adapter->modules[m];

	t->name = from->name;
	t->key = from->name + named->name.prefix;
	t->dtype = from->dtype;
	t->ndim = from->ndim;
	memcpy(t->shape, from->shape, sizeof(t->shape));
	t->role = named->name.role;
	t->module = (uint32_t) m;
	PA_TRY(pa_tensor_measure(env, t, PA_ERR_FILE));
	adapter->raw_bytes += t->bytes;
	adapter->features |= named->name.features;
	if (pa_role_is_keyed(t->role))
	{
		module->flags |= named->name.module_flags;
		return PA_OK;
	}
	if (module->tensor[t->role] >= 0)
	{
		pa_fail(env, PA_ERR_FILE, "module \"%.300s\" has two tensors of role %s", module->path,
				pa_role_name(t->role));
		pa_detail(env, "They are \"%.300s\" and \"%.300s\".", adapter->tensors[module->tensor[t->role]].name,
				  t->name);
		return PA_ERR_FILE;
	}
	module->tensor[t->role] = i;
	module->flags |= named->name.module_flags;
	return PA_OK;
}

/* The length of the shortest ancestor of the module (or itself) that modules_to_save names; 0: none. */
static size_t
saved_prefix(const PaEndings *saved, const char *path)
{
	size_t		n = 0;

	do
	{
		n += strcspn(path + n, ".");
		if (pa_endings_match(saved, path, n, false))
			return n;
	} while (path[n] != '\0' && path[++n] != '\0');
	return 0;
}

PaStatus
pa_peft_find_saved_modules(PaEnv *env, const PaConfig *config, PaAdapter *adapter)
{
	const char **found;
	uint32_t	n = 0;
	uint32_t	last = UINT32_MAX;
	PaEndings	saved;

	if (config->n_modules_to_save == 0)
		return PA_OK;
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &found));
	PA_TRY(pa_endings(env, config->n_modules_to_save, config->modules_to_save, &saved));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *t = &adapter->tensors[i];
		const char *path = adapter->modules[t->module].path;
		size_t		length;

		/* a tensor that is its own path has no module */
		if (t->role != PA_ROLE_DENSE || t->module == last || strcmp(path, t->key) == 0)
			continue;
		last = t->module;
		PA_TRY(pa_check_cancel(env));
		length = saved_prefix(&saved, path);
		if (length > 0)
			PA_TRY(pa_strndup(env, path, length, &found[n++]));
	}
	n = (uint32_t) pa_sort_distinct_strings(found, n);
	pa_endings_release(env, &saved);
	adapter->saved_modules = found;
	adapter->n_saved_modules = n;
	return PA_OK;
}

PaStatus
pa_peft_refuse_empty(PaEnv *env, const PaTensor *tensor)
{
	pa_fail(env, PA_ERR_FILE, "tensor \"%.300s\" has no elements: its shape is %s", tensor->name,
			pa_shape_text(tensor).text);
	pa_detail(
		env,
		"Under ZeRO-3 and FSDP each process has shards alone, and what is saved without gathering them is empty.");
	pa_hint(env, "Gather the shards of the model before saving the adapter.");
	return PA_ERR_FILE;
}

/* Before the shapes are compared with each other: what is empty fits nothing. */
static PaStatus
check_not_empty(PaEnv *env, const PaAdapter *adapter)
{
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		if (!pa_role_is_keyed(adapter->tensors[i].role) && adapter->tensors[i].elements == 0)
			return pa_peft_refuse_empty(env, &adapter->tensors[i]);
	return PA_OK;
}

static void
copy_facts(const PaConfig *config, PaAdapter *adapter)
{
	adapter->kind = config->kind;
	adapter->base_model = config->base_model;
	adapter->base_revision = config->base_revision;
	adapter->task_type = config->task_type;
	adapter->bias = config->bias;
	adapter->features = config->features;
	adapter->variant = config->variant;
	adapter->fan_in_fan_out = config->fan_in_fan_out;
	adapter->lora_bias = config->lora_bias;
	adapter->rslora = config->rslora;
	adapter->n_target_parameters = config->n_target_parameters;
	adapter->target_parameters = config->target_parameters;
	adapter->opaque_type = config->opaque_type;
	memcpy(adapter->settings, config->settings, PA_SHA256_LENGTH);
}

PaStatus
pa_peft_describe(PaEnv *env, PaConfig *config, uint32_t n, const PaFileTensor *tensors, PaAdapter **result,
				 uint32_t **file_of)
{
	PaAdapter  *adapter;
	Named	   *named;
	const PaPeftDialect *dialect = pa_container_dialect(config->container, config->kind);
	double	   *ranks;

	PA_TRY(parse_names(env, config, n, tensors, &named));
	if (!dialect->keyed.any_name || config->container != PA_CONTAINER_PEFT)
		PA_TRY(check_keys(env, n, named));
	PA_TRY(PA_NEW(env, &adapter));
	copy_facts(config, adapter);
	PA_TRY(make_modules(env, config, n, named, adapter));
	PA_TRY(PA_NEW_ARRAY(env, n, &adapter->tensors));
	PA_TRY(PA_NEW_ARRAY(env, n, file_of));
	adapter->n_tensors = n;
	for (uint32_t i = 0; i < n; i++)
	{
		PA_TRY(pa_check_cancel(env));
		PA_TRY(place_tensor(env, &named[i], i, adapter));
		(*file_of)[i] = named[i].index;
	}
	pa_free(env, named);
	PA_TRY(check_not_empty(env, adapter));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &ranks));
	if (dialect->describe != NULL)
		PA_TRY(dialect->describe(env, config, adapter, ranks));
	PA_TRY(pa_peft_find_saved_modules(env, config, adapter));
	PA_TRY(pa_adapter_check(env, adapter, PA_ERR_FILE));
	if (dialect->check_described != NULL)
		PA_TRY(dialect->check_described(env, adapter, ranks));
	pa_free(env, ranks);
	*result = adapter;
	return PA_OK;
}
