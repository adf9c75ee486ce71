/*
 * peft_config_out.c
 *	  Writing the configuration of a composed adapter: doc/algebra.md, "The
 *	  composed configuration".
 *
 * It names every module by its full path, so that it does not depend on the
 * model it is loaded into, and has only members that PEFT has known for long.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_config.h"

#include "adapter/operation.h"
#include "interchange/config_write.h"
#include "interchange/mlx_config.h"
#include "interchange/peft_dialect.h"
#include "interchange/peft_kept.h"

PaStatus
pa_peft_config_write(PaEnv *env, const PaDraft *draft, PaText *text)
{
	const PaAdapter *facts = &draft->facts;
	const PaPeftDialect *dialect = pa_peft_dialect(facts->kind);
	json_t	   *root = pa_json_object();

	PA_TRY(pa_json_own(env, root));
	PA_TRY(pa_require(env, facts, PA_OPERATION_PARTS));
	if (facts->features & ~(PA_FEATURE_UNKNOWN_TENSOR | PA_FEATURE_COMPANION))
		return pa_fail(env, PA_ERR_UNSUPPORTED,
					   "adapter has features that a composed configuration cannot have");
	if (dialect->write != NULL)
		PA_TRY(dialect->write(env, root, facts));
	PA_TRY(pa_config_set(env, root, "peft_type", json_string(pa_kind_methods(facts->kind)->peft_type)));
	PA_TRY(pa_config_set_text(env, root, "base_model_name_or_path", facts->base_model));
	PA_TRY(pa_config_set_text(env, root, "revision", facts->base_revision));
	PA_TRY(pa_config_set_text(env, root, "task_type", facts->task_type));
	if (draft->kept.text != NULL)
		PA_TRY(pa_peft_kept_write(env, draft->kept, root));
	return pa_json_write(env, root, PA_JSON_PRETTY, text);
}

PaStatus
pa_peft_config_rename(PaEnv *env, PaText text, const char *base_model, const char *revision, PaText *renamed)
{
	json_t	   *root;

	PA_TRY(pa_json_parse(env, text, "adapter configuration", &root));
	PA_TRY(pa_config_set_text(env, root, pa_mlx_config_is(root) ? "model" : "base_model_name_or_path",
							  base_model));
	PA_TRY(pa_config_set_text(env, root, "revision", revision));
	PA_TRY(pa_json_write(env, root, PA_JSON_PRETTY, renamed));
	if (renamed->length > PA_MAX_CONFIG_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "adapter configuration of %zu bytes would be larger than %zu",
					   renamed->length, PA_MAX_CONFIG_BYTES);
	return PA_OK;
}
