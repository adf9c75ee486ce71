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

#include "interchange/peft_dialect.h"
#include "interchange/peft_path.h"

#define EMBEDDING_A ".lora_embedding_A"
#define EMBEDDING_B ".lora_embedding_B"
#define EMBEDDING (PA_MODULE_TARGET | PA_MODULE_EMBEDDING)

static const PaPeftSuffix suffixes[] = {
	{EMBEDDING_A, PA_ROLE_FACTOR_A, EMBEDDING, 0},
	{EMBEDDING_B, PA_ROLE_FACTOR_B, EMBEDDING, 0},
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

/* A module is an embedding by both of its factors, or by none. */
static PaStatus
check_factors_alike(PaEnv *env, const PaAdapter *adapter, const PaModule *module)
{
	int64_t		a = module->tensor[PA_ROLE_FACTOR_A];
	int64_t		b = module->tensor[PA_ROLE_FACTOR_B];

	if (a < 0 || b < 0 ||
		names_embedding(&adapter->tensors[a], EMBEDDING_A) ==
			names_embedding(&adapter->tensors[b], EMBEDDING_B))
		return PA_OK;
	return pa_fail(env, PA_ERR_FILE,
				   "module \"%.300s\" has one factor of an embedding and one of another layer", module->path);
}

static PaStatus
describe(PaEnv *env, PaConfig *config, PaAdapter *adapter, double *ranks)
{
	PaLoraModule *said;
	uint32_t	n = 0;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_modules, &said));
	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		PaModule   *module = &adapter->modules[i];
		int64_t		a = module->tensor[PA_ROLE_FACTOR_A];

		if (!(module->flags & PA_MODULE_TARGET))
			continue;
		PA_TRY(check_factors_alike(env, adapter, module));
		if (a >= 0 && adapter->tensors[a].ndim > 0)
			module->rank = adapter->tensors[a].shape[0];
		said[n].named = config->named_paths[i];
		said[n++].path = module->path;
	}
	PA_TRY(pa_peft_config_modules(env, config, n, said));
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
	return PA_OK;
}

/* What the configuration claims of a module against what the tensors are. */
static PaStatus
check_described(PaEnv *env, const PaAdapter *adapter, const double *ranks)
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

const PaPeftDialect pa_peft_lora = {
	.kind = PA_KIND_LORA,
	.suffixes = suffixes,
	.n_suffixes = sizeof(suffixes) / sizeof(suffixes[0]),
	.keyed = {.role = PA_ROLE_DENSE, .prefixed = true, .path = pa_peft_path_of_dense},
	.own_components = own_components,
	.n_own_components = sizeof(own_components) / sizeof(own_components[0]),
	.forms = ".lora_A.weight, .lora_B.weight, .lora_B.bias, .lora_embedding_A or .lora_embedding_B",
	.family = "lora_",
	.read = pa_peft_lora_read,
	.write = pa_peft_lora_write,
	.describe = describe,
	.check_described = check_described,
};
