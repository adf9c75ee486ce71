/*
 * peft_opaque.c
 *	  Every type that no other dialect reads.  Tensors have whatever names the
 *	  method gives them; the configuration is kept as it is, and what it says is
 *	  known by its digest alone (doc/format.md, "Settings digest").
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_dialect.h"

#include <string.h>

#include "core/strings.h"
#include "interchange/config_read.h"
#include "interchange/config_write.h"
#include "interchange/peft_path.h"

#define MAX_TYPE_BYTES 63

/* Members that the digest has beside the settings, or that do not change what the adapter does. */
static const char *const left_out[] = {
	"peft_type",	"base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version",
	"auto_mapping",
};

/* As PEFT's enumeration of types has them: what is written otherwise it would not load. */
static PaStatus
check_type(PaEnv *env, const char *type)
{
	size_t		n = strspn(type, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	if (n > 0 && type[n] == '\0' && n <= MAX_TYPE_BYTES && type[0] >= 'A' && type[0] <= 'Z')
		return PA_OK;
	pa_fail(env, PA_ERR_UNSUPPORTED, "adapters of type %.100s are not supported", type);
	pa_detail(env,
			  "PEFT's types are words of capital letters, digits and underscores, for example LORA, IA3 "
			  "and PROMPT_TUNING; DIFFERENCE is this extension's own.");
	return PA_ERR_UNSUPPORTED;
}

/* PEFT keeps these as sets, and writes them in an order that changes from process to process. */
static const char *const sets[] = {"target_modules", "exclude_modules", "modules_to_save"};

static bool
is_among(const char *member, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], member) == 0)
			return true;
	return false;
}

/* The member as it counts: the strings of a set sorted, each once; anything else as it is. */
static PaStatus
keep_member(PaEnv *env, json_t *kept, const char *member, json_t *v)
{
	size_t		n = json_array_size(v);
	bool		is_set = json_is_array(v) && is_among(member, sets, sizeof(sets) / sizeof(sets[0]));
	const char **names;

	for (size_t i = 0; is_set && i < n; i++)
		is_set = json_is_string(json_array_get(v, i));
	if (!is_set)
		return pa_config_set(env, kept, member, json_incref(v));
	PA_TRY(PA_NEW_ARRAY(env, n, &names));
	for (size_t i = 0; i < n; i++)
		names[i] = json_string_value(json_array_get(v, i));
	n = pa_sort_distinct_strings(names, n);
	return pa_config_set_names(env, kept, member, (uint32_t) n, names);
}

static PaStatus
read_settings(PaEnv *env, const json_t *root, uint8_t settings[PA_SHA256_LENGTH])
{
	json_t	   *kept = pa_json_object();
	const char *member;
	json_t	   *v;
	PaText		text;

	PA_TRY(pa_json_own(env, kept));
	json_object_foreach((json_t *) root, member, v)
	{
		/* null is what PEFT writes for "not used", and older versions do not write at all */
		if (json_is_null(v) || is_among(member, left_out, sizeof(left_out) / sizeof(left_out[0])))
			continue;
		PA_TRY(keep_member(env, kept, member, v));
	}
	PA_TRY(pa_json_write(env, kept, PA_JSON_SORTED, &text));
	PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, text.text, text.length));
	PA_TRY(pa_hash_finish(env, PA_HASH_TENSOR, settings));
	pa_free(env, (void *) text.text);
	return PA_OK;
}

static PaStatus
read_opaque(PaEnv *env, const json_t *root, PaConfig *config)
{
	PA_TRY(pa_config_read_string(env, root, "peft_type", &config->opaque_type));
	PA_TRY(check_type(env, config->opaque_type));
	return read_settings(env, root, config->settings);
}

const PaPeftDialect pa_peft_opaque = {
	.kind = PA_KIND_OPAQUE,
	.keyed =
		{
			.role = PA_ROLE_OPAQUE,
			.module_flags = PA_MODULE_TARGET,
			.any_name = true,
			.path = pa_peft_path_of_parameter,
		},
	.read = read_opaque,
};
