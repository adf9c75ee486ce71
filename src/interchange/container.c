/*
 * container.c
 *	  The spellings, and which of them an adapter has.  See container.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/container.h"

#include <string.h>

#include "interchange/container_spellings.h"
#include "interchange/peft_path.h"

static const PaSpelling spellings[] = {
	{KOHYA_A, KOHYA_B, KOHYA_MIDDLE, true, true},  {PROCESSOR_A, PROCESSOR_B, KOHYA_MIDDLE, true, false},
	{LAYER_A, LAYER_B, KOHYA_MIDDLE, true, false}, {LINEAR_A, LINEAR_B, KOHYA_MIDDLE, true, false},
	{BARE_A, BARE_B, KOHYA_MIDDLE, true, false},   {PEFT_A, PEFT_B, KOHYA_MIDDLE, false, false},
};

#define N_SPELLINGS (sizeof(spellings) / sizeof(spellings[0]))

const PaSpelling *const pa_spelling_kohya = &spellings[0];
const PaSpelling *const pa_spelling_diffusers = &spellings[N_SPELLINGS - 1];

/* Parts of pipelines, as diffusers and ComfyUI name them in front. */
static const char *const components[] = {
	"unet.",		   "transformer.", "transformer_2.", "text_encoder.",	 "text_encoder_2.",
	"text_encoder_3.", "prior.",	   "controlnet.",	 "diffusion_model.",
};

/* What language models have whose own first component is called transformer: GPT-2, Falcon, XLNet, ChatGLM,
 * MPT. */
static const char *const language[] = {
	"transformer.h.",	"transformer.layer.",			"transformer.encoder.",	  "transformer.wte",
	"transformer.wpe.", "transformer.word_embeddings.", "transformer.embedding.", "transformer.output_layer.",
};
static const char *const language_inside[] = {".attn.Wqkv.", ".ffn.up_proj.", ".ffn.down_proj.",
											  ".norm_attn_norm."};

static bool
has_end(const char *name, const char *end)
{
	size_t		n = strlen(name);

	return n > strlen(end) && pa_peft_path_ends(name, n, end);
}

const PaSpelling *
pa_spelling_foreign(const char *name)
{
	for (size_t i = 0; i < N_SPELLINGS; i++)
		if (spellings[i].foreign && (has_end(name, spellings[i].a) || has_end(name, spellings[i].b)))
			return &spellings[i];
	return NULL;
}

static bool
is_of_language_model(const char *name)
{
	for (size_t i = 0; i < sizeof(language) / sizeof(language[0]); i++)
		if (strncmp(name, language[i], strlen(language[i])) == 0)
			return true;
	for (size_t i = 0; i < sizeof(language_inside) / sizeof(language_inside[0]); i++)
		if (strstr(name, language_inside[i]) != NULL)
			return true;
	return false;
}

bool
pa_spelling_means_one(const char *name)
{
	const PaSpelling *spelling = pa_spelling_foreign(name);

	return spelling != NULL && !(strcmp(spelling->a, BARE_A) == 0 && is_of_language_model(name));
}

bool
pa_spelling_has_component(const char *name)
{
	if (is_of_language_model(name))
		return false;
	for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++)
		if (strncmp(name, components[i], strlen(components[i])) == 0)
			return true;
	return false;
}

static bool
is_factor(const PaTensor *tensor)
{
	return tensor->role == PA_ROLE_FACTOR_A || tensor->role == PA_ROLE_FACTOR_B;
}

PaContainer
pa_container_of(const PaAdapter *adapter)
{
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];

		if (tensor->role == PA_ROLE_FACTOR_A_TRANSPOSED || tensor->role == PA_ROLE_FACTOR_B_TRANSPOSED)
			return PA_CONTAINER_MLX;
		if (tensor->role == PA_ROLE_ALPHA || tensor->role == PA_ROLE_MIDDLE ||
			(is_factor(tensor) && pa_spelling_foreign(tensor->name) != NULL))
			return PA_CONTAINER_DIFFUSION;
	}
	return PA_CONTAINER_PEFT;
}

static bool
has_factors(const PaAdapter *adapter)
{
	for (uint32_t i = 0; i < adapter->n_modules; i++)
		if (adapter->modules[i].flags & PA_MODULE_TARGET)
			return true;
	return false;
}

bool
pa_containers_agree(uint32_t n, const PaAdapter *const *adapters)
{
	const PaAdapter *first = NULL;

	for (uint32_t i = 0; i < n; i++)
	{
		if (!has_factors(adapters[i]))
			continue;
		if (first == NULL)
			first = adapters[i];
		if (pa_container_of(adapters[i]) != pa_container_of(first))
			return false;
	}
	return true;
}

bool
pa_containers_are_mlx(uint32_t n, const PaAdapter *const *adapters)
{
	bool		some = false;

	for (uint32_t i = 0; i < n; i++)
	{
		if (!has_factors(adapters[i]))
			continue;
		some = true;
		if (pa_container_of(adapters[i]) != PA_CONTAINER_MLX)
			return false;
	}
	return some;
}

/* How all its factors are spelled; *one is false where they are spelled in several ways. */
static const PaSpelling *
spelling_of(const PaAdapter *adapter, bool *one)
{
	const PaSpelling *found = NULL;
	bool		alphas = pa_container_of(adapter) == PA_CONTAINER_DIFFUSION;

	*one = true;
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];
		const PaSpelling *spelling;

		if (!is_factor(tensor))
			continue;
		spelling = pa_spelling_foreign(tensor->name);
		if (spelling == NULL && !alphas && !pa_spelling_has_component(tensor->name))
			return NULL;
		if (spelling == NULL)
			spelling = pa_spelling_diffusers;
		*one = *one && (found == NULL || found == spelling);
		found = spelling;
	}
	return found;
}

const PaSpelling *
pa_spelling_of_result(uint32_t n, const PaAdapter *const *adapters)
{
	const PaSpelling *result = NULL;

	for (uint32_t i = 0; i < n; i++)
	{
		bool		one;
		const PaSpelling *spelling;

		if (!has_factors(adapters[i]))
			continue;
		spelling = spelling_of(adapters[i], &one);
		if (spelling == NULL)
			return NULL;
		if (!one || (result != NULL && result != spelling))
			spelling = pa_spelling_diffusers;
		result = result == pa_spelling_diffusers ? result : spelling;
	}
	return result;
}
