/*
 * fuzz_config.c
 *	  The input as an adapter_config.json, beside tensors that fit it.
 *
 * The tensors are a fixed list of names, their ranks what the configuration says
 * of each module; so most configurations that can be read describe an adapter.
 * The adapter as a draft must come back from the configuration that is composed
 * for it, and a renamed configuration must say the same but for the name.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <string.h>

#include "interchange/peft.h"
#include "interchange/peft_lora.h"
#include "limited_host.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define P "base_model.model."

/* Targets of LoRA, and a dense tensor of each sort. */
static const char *const targets[] = {"h.0.q", "h.0.fc", "h.1.q", "x.e", "x.e.base_layer", "fc"};
static const char *const dense[] = {P "head.weight", P "h.0.norm.bias", P "h.0.q.base_layer.bias"};

#define N_TARGETS (sizeof(targets) / sizeof(targets[0]))
#define N_DENSE (sizeof(dense) / sizeof(dense[0]))
#define MOST_TENSORS (2 * N_TARGETS + N_DENSE)

static void
add(PaFileTensor *tensors, uint32_t *n, const char *name, uint64_t rows, uint64_t columns)
{
	PaFileTensor *t = &tensors[(*n)++];

	memset(t, 0, sizeof(*t));
	t->name = name;
	t->dtype = PA_BF16;
	t->ndim = 2;
	t->shape[0] = rows;
	t->shape[1] = columns;
	t->bytes = 2 * rows * columns;
}

static const char *
join(PaEnv *env, const char *path, const char *suffix)
{
	char	   *p;
	size_t		n = strlen(path);

	limited_insist(PA_NEW_ARRAY(env, strlen(P) + n + strlen(suffix) + 1, &p) == PA_OK, "memory", env);
	memcpy(p, P, strlen(P));
	memcpy(p + strlen(P), path, n);
	memcpy(p + strlen(P) + n, suffix, strlen(suffix));
	return p;
}

/* false if the configuration has no answer for a module, or one that is too large to be worth it */
static bool
make_lora(PaEnv *env, PaConfig *config, PaFileTensor *tensors, uint32_t *n)
{
	PaLoraModule said[N_TARGETS] = {0};

	for (size_t i = 0; i < N_TARGETS; i++)
		said[i].path = targets[i];
	if (limited_proper(env, pa_peft_config_modules(env, config, N_TARGETS, said), "modules") != PA_OK)
		return false;
	for (size_t i = 0; i < N_TARGETS; i++)
	{
		double		r = said[i].r;
		uint64_t	rank = (uint64_t) r * (said[i].parameter ? 3 : 1);

		limited_insist(r >= 1 && r <= (double) PA_MAX_DIMENSION && said[i].scaling == said[i].scaling,
					   "rank and scaling", env);
		if (r > 1e6)
			return false;
		add(tensors, n, join(env, targets[i], ".lora_A.weight"), rank, 5);
		add(tensors, n, join(env, targets[i], ".lora_B.weight"), 4, rank);
	}
	return true;
}

static bool
make_ia3(PaEnv *env, PaConfig *config, PaFileTensor *tensors, uint32_t *n)
{
	for (size_t i = 0; i < N_TARGETS; i++)
	{
		/* one element fits a feedforward module and any other */
		add(tensors, n, join(env, targets[i], ".ia3_l"), 1, 1);
	}
	(void) config;
	return true;
}

static bool
make_difference(PaEnv *env, PaConfig *config, PaFileTensor *tensors, uint32_t *n)
{
	for (size_t i = 0; i < N_TARGETS; i++)
	{
		add(tensors, n, join(env, targets[i], ".weight"), 4, 5);
		add(tensors, n, join(env, targets[i], ".bias"), 4, 1);
	}
	(void) config;
	return true;
}

static bool
make_opaque(PaEnv *env, PaConfig *config, PaFileTensor *tensors, uint32_t *n)
{
	add(tensors, n, "prompt_embeddings", 4, 5);
	for (size_t i = 0; i < N_TARGETS; i++)
		add(tensors, n, join(env, targets[i], ".hada_w1_a"), 4, 1);
	(void) config;
	return true;
}

/* MLX's configuration has one rank for all, and nothing is said of modules. */
static bool
make_mlx(PaEnv *env, PaFileTensor *tensors, uint32_t *n)
{
	for (size_t i = 0; i < N_TARGETS; i++)
	{
		add(tensors, n, join(env, targets[i], ".lora_a"), 5, 2);
		add(tensors, n, join(env, targets[i], ".lora_b"), 2, 4);
	}
	return true;
}

static bool
make_tensors(PaEnv *env, PaConfig *config, PaFileTensor *tensors, uint32_t *n)
{
	switch (config->kind)
	{
		case PA_KIND_LORA:
			return config->container == PA_CONTAINER_MLX ? make_mlx(env, tensors, n)
														 : make_lora(env, config, tensors, n);
		case PA_KIND_IA3:
			return make_ia3(env, config, tensors, n);
		case PA_KIND_DIFFERENCE:
			return make_difference(env, config, tensors, n);
		case PA_KIND_OPAQUE:
			return make_opaque(env, config, tensors, n);
	}
	limited_insist(false, "kind", env);
	return false;
}

/* The adapter as an operation would hand it on. */
static void
make_draft(PaEnv *env, const PaAdapter *adapter, PaDraft *draft)
{
	PaDraftTensor *tensors;

	limited_insist(PA_NEW_ARRAY(env, adapter->n_tensors, &tensors) == PA_OK, "memory", env);
	*draft = (PaDraft) {.facts = *adapter, .tensors = tensors, .n_tensors = adapter->n_tensors};
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *t = &adapter->tensors[i];

		draft->tensors[i] = (PaDraftTensor) {
			.module = t->module,
			.role = t->role,
			.dtype = t->dtype,
			.ndim = t->ndim,
			.key = pa_role_is_keyed(t->role) ? t->key : NULL,
		};
		memcpy(draft->tensors[i].shape, t->shape, sizeof(t->shape));
	}
}

static void
check_composed(PaEnv *env, const PaAdapter *adapter)
{
	PaDraft		draft;
	PaText		text;
	PaAdapter  *again;
	uint32_t   *of;
	PaStatus	status;

	make_draft(env, adapter, &draft);
	status = limited_proper(env, pa_peft_describe_draft(env, &draft, &text, &again, &of), "composed");
	if (status != PA_OK)
	{
		limited_insist(status == PA_ERR_UNSUPPORTED || status == PA_ERR_LIMIT, "refusal to compose", env);
		return;
	}
	limited_insist(adapter->features == 0 && again->n_tensors == adapter->n_tensors, "composed adapter", env);
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		limited_insist(memcmp(&adapter->modules[i].scaling, &again->modules[i].scaling, sizeof(double)) == 0,
					   "scaling", env);
}

static void
check_renamed(PaEnv *env, const PaConfig *config, PaText text)
{
	PaConfig	again;
	PaText		renamed;

	if (limited_proper(env, pa_peft_config_rename(env, text, "new \"name\"", config->base_revision, &renamed),
					   "renamed") != PA_OK)
		return;
	limited_insist(pa_peft_config_read(env, renamed, &again) == PA_OK, "renamed configuration is read", env);
	limited_insist(strcmp(again.base_model, "new \"name\"") == 0 && again.kind == config->kind &&
					   again.features == config->features && again.r == config->r &&
					   memcmp(&again.alpha, &config->alpha, sizeof(double)) == 0 &&
					   again.rslora == config->rslora && again.n_rank_patterns == config->n_rank_patterns &&
					   again.n_modules_to_save == config->n_modules_to_save,
				   "renamed configuration", env);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LimitedHost host;
	PaEnv		env;
	PaConfig	config;
	PaFileTensor tensors[MOST_TENSORS];
	uint32_t	n = 0;
	PaAdapter  *adapter;
	uint32_t   *of;

	/* compiled expressions and the heap of their matches are what takes most */
	limited_host_init(&host, 1024 * size + ((size_t) 256 << 20));
	pa_env_init(&env, &host.host);
	if (limited_proper(&env, pa_peft_config_read(&env, pa_text(data, size), &config), "read") == PA_OK)
	{
		check_renamed(&env, &config, pa_text(data, size));
		for (size_t i = 0; i < N_DENSE; i++)
			add(tensors, &n, dense[i], 2, 2);
		if (make_tensors(&env, &config, tensors, &n) &&
			limited_proper(&env, pa_peft_describe(&env, &config, n, tensors, &adapter, &of), "described") ==
				PA_OK &&
			config.container == PA_CONTAINER_PEFT)
			check_composed(&env, adapter);
	}
	pa_env_reset(&env);
	limited_host_release(&host);
	return 0;
}
