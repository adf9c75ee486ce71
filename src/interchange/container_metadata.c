/*
 * container_metadata.c
 *	  Metadata of diffusion models' files.  See container_metadata.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/container_metadata.h"

#include <string.h>

#include "interchange/config_write.h"
#include "interchange/peft_lora.h"

#define HASH "ss_new_sd_model_hash"
#define VERSION "ss_base_model_version"

/* What the arithmetic of LoRA is refused for, and what it was begun with. */
static const char *const carried[] = {
	"use_dora",
	"lora_bias",
	"init_lora_weights",
	"trainable_token_indices",
	"alora_invocation_tokens",
	"layer_replication",
	"kasa_config",
	"use_qalora",
	"use_bdlora",
	"arrow_config",
	"monteclora_config",
	"velora_config",
};

/* {"unet.r": 8} as {"unet": {"r": 8}}; NULL: the header has none. */
static PaStatus
read_parts(PaEnv *env, const json_t *metadata, json_t **parts)
{
	json_t	   *value = json_object_get(metadata, PA_META_DIFFUSERS);
	json_t	   *flat;
	const char *key;
	json_t	   *v;

	*parts = NULL;
	if (value == NULL)
		return PA_OK;
	PA_TRY(pa_json_parse(env, pa_text(json_string_value(value), json_string_length(value)),
						 PA_META_DIFFUSERS " of the header", &flat));
	*parts = pa_json_object();
	PA_TRY(pa_json_own(env, *parts));
	json_object_foreach(flat, key, v)
	{
		size_t		n = strcspn(key, ".");
		const char *part;
		json_t	   *members;

		PA_TRY(pa_check_cancel(env));
		if (key[n] == '\0')
			continue;
		PA_TRY(pa_strndup(env, key, n, &part));
		members = json_object_get(*parts, part);
		if (members == NULL)
		{
			members = pa_json_object();
			PA_TRY(pa_config_set(env, *parts, part, members));
		}
		PA_TRY(pa_config_set(env, members, key + n + 1, json_incref(v)));
		pa_free(env, (void *) part);
	}
	return PA_OK;
}

static PaStatus
read_config(PaEnv *env, json_t *members, PaConfig *config)
{
	PaText		text;

	if (json_object_get(members, "peft_type") == NULL)
		PA_TRY(pa_config_set(env, members, "peft_type", json_string("LORA")));
	PA_TRY(pa_json_write(env, members, PA_JSON_COMPACT, &text));
	PA_TRY(pa_peft_config_read(env, text, config));
	if (config->kind == pa_container_kind)
		return PA_OK;
	return pa_fail(env, PA_ERR_UNSUPPORTED, "adapter of type %.100s has no adapter_config.json beside it",
				   json_string_value(json_object_get(members, "peft_type")));
}

static bool
is_of_part(const PaModule *module, const char *part)
{
	size_t		n = strlen(part);

	return (module->flags & PA_MODULE_TARGET) && strncmp(module->path, part, n) == 0 &&
		module->path[n] == '.';
}

/* The scalings of the part's modules, whose paths its members have without the part. */
static PaStatus
read_modules(PaEnv *env, const char *part, const PaConfig *config, PaAdapter *facts)
{
	PaLoraModule *said;
	uint32_t	n = 0;

	PA_TRY(PA_NEW_ARRAY(env, facts->n_modules, &said));
	for (uint32_t i = 0; i < facts->n_modules; i++)
		if (is_of_part(&facts->modules[i], part))
			said[n++].path = facts->modules[i].path + strlen(part) + 1;
	PA_TRY(pa_peft_config_modules(env, config, n, said));
	n = 0;
	for (uint32_t i = 0; i < facts->n_modules; i++)
	{
		PaModule   *module = &facts->modules[i];

		if (!is_of_part(module, part))
			continue;
		if (said[n].r != (double) module->rank)
			return pa_fail(env, PA_ERR_CONFIG,
						   "module \"%.300s\" has rank %llu in the tensors and %.0f in %s", module->path,
						   (unsigned long long) module->rank, said[n].r, PA_META_DIFFUSERS);
		module->alpha = said[n].alpha;
		module->scaling = said[n++].scaling;
	}
	pa_free(env, said);
	return PA_OK;
}

PaStatus
pa_metadata_read_diffusers(PaEnv *env, const json_t *metadata, PaAdapter *facts)
{
	json_t	   *parts;
	const char *part;
	json_t	   *members;

	PA_TRY(read_parts(env, metadata, &parts));
	json_object_foreach(parts, part, members)
	{
		PaConfig	config;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(read_config(env, members, &config));
		PA_TRY(read_modules(env, part, &config, facts));
		if (facts->base_model == NULL)
			facts->base_model = config.base_model;
		facts->fan_in_fan_out = facts->fan_in_fan_out || config.fan_in_fan_out;
	}
	return PA_OK;
}

PaStatus
pa_metadata_carry(PaEnv *env, const json_t *metadata, json_t *config)
{
	json_t	   *parts;
	const char *part;
	json_t	   *members;

	PA_TRY(read_parts(env, metadata, &parts));
	json_object_foreach(parts, part, members)
	{
		for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++)
		{
			json_t	   *v = json_object_get(members, carried[i]);

			if (v != NULL && !json_is_null(v) && !json_is_boolean(v))
				PA_TRY(pa_config_set(env, config, carried[i], json_incref(v)));
			else if (json_is_true(v))
				PA_TRY(pa_config_set(env, config, carried[i], json_true()));
		}
	}
	return PA_OK;
}

const char *
pa_metadata_base_model(const json_t *metadata)
{
	const char *hash = json_string_value(json_object_get(metadata, HASH));
	const char *version = json_string_value(json_object_get(metadata, VERSION));

	if (hash != NULL && hash[0] != '\0' && strcmp(hash, "None") != 0)
		return hash;
	return version != NULL && version[0] != '\0' && strcmp(version, "None") != 0 ? version : NULL;
}

static PaStatus
set_text(PaEnv *env, json_t *metadata, const char *key, const char *text)
{
	return pa_config_set(env, metadata, key, json_string(text));
}

static bool
is_hash(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* What sd-scripts says of every network that it trains, as far as it can be said of a result. */
static PaStatus
write_kohya(PaEnv *env, const PaAdapter *adapter, json_t *metadata)
{
	const PaModule *first = NULL;
	bool		same = true;
	char		number[32];

	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		const PaModule *module = &adapter->modules[i];

		if (!(module->flags & PA_MODULE_TARGET))
			continue;
		first = first != NULL ? first : module;
		same = same && module->rank == first->rank && module->alpha == first->alpha;
	}
	PA_TRY(set_text(env, metadata, "ss_network_module", "networks.lora"));
	if (first != NULL)
	{
		pa_shortest_double(number, (double) first->rank);
		PA_TRY(set_text(env, metadata, "ss_network_dim", same ? number : "Dynamic"));
		pa_shortest_double(number, first->alpha);
		PA_TRY(set_text(env, metadata, "ss_network_alpha", same ? number : "Dynamic"));
	}
	if (adapter->base_model == NULL)
		return PA_OK;
	return set_text(env, metadata, is_hash(adapter->base_model) ? HASH : VERSION, adapter->base_model);
}

/* A configuration as PEFT has it of the modules below one part of the pipeline. */
static PaStatus
part_members(PaEnv *env, const PaAdapter *adapter, const char *part, json_t **members)
{
	PaDraft		draft = {.facts = *adapter};
	PaText		text;
	uint32_t	n = 0;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &draft.facts.modules));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		if (!is_of_part(&adapter->modules[i], part))
			continue;
		draft.facts.modules[n] = adapter->modules[i];
		draft.facts.modules[n++].path += strlen(part) + 1;
	}
	draft.facts.n_modules = n;
	draft.facts.n_saved_modules = 0;
	PA_TRY(pa_peft_config_write(env, &draft, &text));
	pa_free(env, draft.facts.modules);
	return pa_json_parse(env, text, "adapter configuration", members);
}

static PaStatus
write_part(PaEnv *env, const PaAdapter *adapter, const char *part, json_t *flat)
{
	json_t	   *members;
	const char *member;
	json_t	   *v;

	PA_TRY(part_members(env, adapter, part, &members));
	json_object_foreach(members, member, v)
	{
		PaBuf		key;
		PaStatus	status;

		PA_TRY(pa_buf_init(env, &key, 0, 64));
		status = pa_buf_printf(&key, "%s.%s", part, member);
		if (status == PA_OK)
			status = pa_buf_u8(&key, 0);
		if (status == PA_OK)
			status = pa_config_set(env, flat, (const char *) key.data, json_incref(v));
		pa_buf_release(&key);
		PA_TRY(status);
	}
	return PA_OK;
}

static PaStatus
write_diffusers(PaEnv *env, const PaAdapter *adapter, json_t *metadata)
{
	json_t	   *flat = pa_json_object();
	const char *last = "";
	PaText		text;

	PA_TRY(pa_json_own(env, flat));
	/* modules are in path order, so those of a part are neighbours */
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		const PaModule *module = &adapter->modules[i];

		if (!(module->flags & PA_MODULE_TARGET) || strchr(module->path, '.') == NULL ||
			is_of_part(module, last))
			continue;
		PA_TRY(pa_strndup(env, module->path, strcspn(module->path, "."), &last));
		PA_TRY(write_part(env, adapter, last, flat));
	}
	PA_TRY(pa_json_write(env, flat, PA_JSON_SORTED, &text));
	return pa_config_set(env, metadata, PA_META_DIFFUSERS, json_stringn(text.text, text.length));
}

PaStatus
pa_metadata_write(PaEnv *env, const PaSpelling *spelling, const PaAdapter *adapter, json_t *metadata)
{
	bool		told = true;

	PA_TRY(set_text(env, metadata, "format", "pt"));
	if (spelling->alphas)
		return write_kohya(env, adapter, metadata);
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		told = told && (adapter->modules[i].scaling == 1 || adapter->modules[i].tensor[PA_ROLE_ALPHA] >= 0);
	return told ? PA_OK : write_diffusers(env, adapter, metadata);
}
