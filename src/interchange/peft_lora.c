/*
 * peft_lora.c
 *	  LoRA's dialect: the names of its tensors, and its modules by names and
 *	  configuration.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_lora.h"

#include <math.h>
#include <string.h>

#include "interchange/peft.h"
#include "interchange/peft_dialect.h"
#include "interchange/peft_members.h"
#include "interchange/peft_path.h"

#define EMBEDDING (PA_MODULE_TARGET | PA_MODULE_EMBEDDING)

static const PaPeftSuffix suffixes[] = {
	{PA_EMBEDDING_A, PA_ROLE_FACTOR_A, EMBEDDING, 0},
	{PA_EMBEDDING_B, PA_ROLE_FACTOR_B, EMBEDDING, 0},
	{".lora_A.weight", PA_ROLE_FACTOR_A, PA_MODULE_TARGET, 0},
	{".lora_B.weight", PA_ROLE_FACTOR_B, PA_MODULE_TARGET, 0},
	{".lora_B.bias", PA_ROLE_BIAS, PA_MODULE_TARGET, 0},
	{".lora_magnitude_vector", PA_ROLE_MAGNITUDE, PA_MODULE_TARGET, PA_FEATURE_DORA},
	{".lora_magnitude_vector.weight", PA_ROLE_MAGNITUDE, PA_MODULE_TARGET, PA_FEATURE_DORA},
};

static const char *const own_components[] = {"lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B"};

/* The name has this suffix, perhaps with the adapter's own name behind it. */
static bool
names_embedding(const PaTensor *tensor, const char *suffix)
{
	size_t		n = strlen(tensor->name);
	const char *dot = strrchr(tensor->name, '.');

	return pa_peft_path_ends(tensor->name, n, suffix) ||
		(dot != NULL && pa_peft_path_ends(tensor->name, (size_t) (dot - tensor->name), suffix));
}

/* LoraConfig's, and enable_lora and merge_weights, which PEFT had at first. */
static const char *const members[] = {"alora_invocation_tokens",
									  "alpha_pattern",
									  "arrow_config",
									  "auto_mapping",
									  "base_model_name_or_path",
									  "bias",
									  "corda_config",
									  "enable_lora",
									  "ensure_weight_tying",
									  "eva_config",
									  "exclude_modules",
									  "fan_in_fan_out",
									  "inference_mode",
									  "init_lora_weights",
									  "kasa_config",
									  "layer_replication",
									  "layers_pattern",
									  "layers_to_transform",
									  "loftq_config",
									  "lora_alpha",
									  "lora_bias",
									  "lora_dropout",
									  "lora_ga_config",
									  "megatron_config",
									  "megatron_core",
									  "merge_weights",
									  "modules_to_save",
									  "monteclora_config",
									  "peft_type",
									  "peft_version",
									  "qalora_group_size",
									  "r",
									  "rank_pattern",
									  "revision",
									  "runtime_config",
									  "target_modules",
									  "target_parameters",
									  "task_type",
									  "trainable_token_indices",
									  "use_bdlora",
									  "use_dora",
									  "use_qalora",
									  "use_rslora",
									  "velora_config",
									  NULL};

/* A module is an embedding by both of its factors, or by none. */
static PaStatus
check_factors_alike(PaEnv *env, const PaAdapter *adapter, const PaModule *module)
{
	int64_t		a = module->tensor[PA_ROLE_FACTOR_A];
	int64_t		b = module->tensor[PA_ROLE_FACTOR_B];

	if (a < 0 || b < 0 ||
		names_embedding(&adapter->tensors[a], PA_EMBEDDING_A) ==
			names_embedding(&adapter->tensors[b], PA_EMBEDDING_B))
		return PA_OK;
	return pa_fail(env, PA_ERR_FILE,
				   "module \"%.300s\" has one factor of an embedding and one of another layer", module->path);
}

/* Of other methods and programs: what a module has of them is in no place a parameter of the base model. */
static const char *const foreign_names[] = {"dora_scale", "diff",		"diff_b",  "w_norm",
											"b_norm",	  "oft_blocks", "oft_diag"};
static const char *const foreign_families[] = {"hada_", "lokr_"};

static bool
is_foreign(const char *component, size_t n)
{
	for (size_t i = 0; i < sizeof(foreign_names) / sizeof(foreign_names[0]); i++)
		if (strlen(foreign_names[i]) == n && memcmp(component, foreign_names[i], n) == 0)
			return true;
	for (size_t i = 0; i < sizeof(foreign_families) / sizeof(foreign_families[0]); i++)
		if (strncmp(component, foreign_families[i], strlen(foreign_families[i])) == 0)
			return true;
	return false;
}

/* A parameter that a layer has: its own name, or one inside what PEFT wrapped. */
static bool
is_parameter(const char *key, const char *name)
{
	return strcmp(name, "weight") == 0 || strcmp(name, "bias") == 0 ||
		strncmp(name, "in_proj_", strlen("in_proj_")) == 0 || strstr(key, ".base_layer.") != NULL ||
		strstr(key, ".token_adapter.") != NULL;
}

bool
pa_peft_lora_is_companion(const PaAdapter *adapter, const PaTensor *tensor)
{
	const char *component = tensor->key;

	if (tensor->role != PA_ROLE_DENSE)
		return false;
	for (size_t n = strcspn(component, ".");; n = strcspn(component, "."))
	{
		if (is_foreign(component, n))
			return true;
		if (component[n] == '\0')
			break;
		component += n + 1;
	}
	return (adapter->modules[tensor->module].flags & PA_MODULE_TARGET) &&
		!is_parameter(tensor->key, component);
}

static void
find_companions(PaAdapter *adapter)
{
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		if (!pa_peft_lora_is_companion(adapter, &adapter->tensors[i]))
			continue;
		adapter->features |= PA_FEATURE_COMPANION;
		adapter->variant = adapter->variant != NULL ? adapter->variant : adapter->tensors[i].name;
	}
}

/* The rows of factor A as arithmetic has it, 0 where none is told. */
static uint64_t
rank_of(const PaAdapter *adapter, const PaModule *module)
{
	int64_t		a = module->tensor[PA_ROLE_FACTOR_A];
	int64_t		middle = module->tensor[PA_ROLE_MIDDLE];

	if (module->tensor[PA_ROLE_FACTOR_A_TRANSPOSED] >= 0)
	{
		const PaTensor *transposed = &adapter->tensors[module->tensor[PA_ROLE_FACTOR_A_TRANSPOSED]];

		return transposed->ndim == 2 ? transposed->shape[1] : 0;
	}
	a = middle >= 0 ? middle : a;
	return a >= 0 && adapter->tensors[a].ndim > 0 ? adapter->tensors[a].shape[0] : 0;
}

/* Without a configuration, r and alpha are the rank; MLX's has one scaling for all. */
static PaStatus
ask(PaEnv *env, const PaConfig *config, const PaAdapter *adapter, uint32_t n, PaLoraModule *said)
{
	if (!config->implied && !config->scaled)
		return pa_peft_config_modules(env, config, n, said);
	n = 0;
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		if (!(adapter->modules[i].flags & PA_MODULE_TARGET))
			continue;
		said[n].r = (double) adapter->modules[i].rank;
		said[n].scaling = config->scaled ? config->scale : 1;
		said[n].alpha = said[n].scaling * said[n].r;
		n++;
	}
	return PA_OK;
}

PaStatus
pa_peft_lora_describe(PaEnv *env, PaConfig *config, PaAdapter *adapter, double *ranks)
{
	PaLoraModule *said;
	uint32_t	n = 0;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &said));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		PaModule   *module = &adapter->modules[i];

		if (!(module->flags & PA_MODULE_TARGET))
			continue;
		PA_TRY(check_factors_alike(env, adapter, module));
		module->rank = rank_of(adapter, module);
		said[n].named = config->named_paths[i];
		said[n++].path = module->path;
	}
	PA_TRY(ask(env, config, adapter, n, said));
	n = 0;
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		PaModule   *module = &adapter->modules[i];

		if (!(module->flags & PA_MODULE_TARGET))
			continue;
		ranks[i] = said[n].r;
		module->alpha = said[n].alpha;
		module->scaling = said[n].scaling;
		if (said[n++].parameter)
			module->flags |= PA_MODULE_PARAMETER;
	}
	pa_free(env, said);
	find_companions(adapter);
	return PA_OK;
}

/* What the configuration claims of a module against what the tensors are. */
PaStatus
pa_peft_lora_check_described(PaEnv *env, const PaAdapter *adapter, const double *ranks)
{
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		const PaModule *module = &adapter->modules[i];
		double		r = ranks[i];

		if (!(module->flags & PA_MODULE_TARGET))
			continue;
		if (module->flags & PA_MODULE_PARAMETER ? fmod((double) module->rank, r) == 0
												: (double) module->rank == r)
			continue;
		pa_fail(env, PA_ERR_CONFIG,
				"module \"%.300s\" has rank %llu in the tensors and %.0f in the configuration", module->path,
				(unsigned long long) module->rank, r);
		pa_hint(env,
				"r and rank_pattern must be those of the file; "
				"it may be the configuration of another adapter.");
		return PA_ERR_CONFIG;
	}
	return PA_OK;
}

PaStatus
pa_peft_variant(PaEnv *env, PaText config, const PaAdapter *adapter, const char **variant)
{
	json_t	   *root;

	*variant = NULL;
	if (adapter->features & PA_FEATURE_UNKNOWN_MEMBER)
	{
		PA_TRY(pa_json_parse(env, config, "adapter configuration", &root));
		return pa_peft_member_variant(env, &pa_peft_lora, root, variant);
	}
	if (adapter->features & PA_FEATURE_COMPANION)
		for (uint32_t i = 0; *variant == NULL && i < adapter->n_tensors; i++)
			if (pa_peft_lora_is_companion(adapter, &adapter->tensors[i]))
				*variant = adapter->tensors[i].name;
	return PA_OK;
}

const PaPeftDialect pa_peft_lora = {
	.kind = PA_KIND_LORA,
	.suffixes = suffixes,
	.n_suffixes = sizeof(suffixes) / sizeof(suffixes[0]),
	.keyed = {.role = PA_ROLE_DENSE, .prefixed = true, .path = pa_peft_path_of_dense},
	.own_components = own_components,
	.n_own_components = sizeof(own_components) / sizeof(own_components[0]),
	.forms = ".lora_A.weight, .lora_B.weight, .lora_B.bias, .lora_embedding_A or .lora_embedding_B",
	.family = "lora_",
	.members = members,
	.has_variants = true,
	.read = pa_peft_lora_read,
	.write = pa_peft_lora_write,
	.describe = pa_peft_lora_describe,
	.check_described = pa_peft_lora_check_described,
};
