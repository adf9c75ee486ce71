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

static bool
is_left_out(const char *member)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (strcmp(left_out[i], member) == 0)
			return true;
	return false;
}

static PaStatus
read_settings(PaEnv *env, const json_t *root, uint8_t settings[PA_SHA256_LENGTH])
{
	json_t	   *kept = pa_json_object();
	const char *member;
	json_t	   *v;
	PaText		text;

	PA_TRY(pa_json_own(env, kept));
	json_object_foreach((json_t *) root, member, v) if (!is_left_out(member))
		PA_TRY(pa_config_set(env, kept, member, json_incref(v)));
	PA_TRY(pa_json_write(env, kept, true, &text));
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
