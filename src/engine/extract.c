/*
 * extract.c
 *	  See extract.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/extract.h"

#include <string.h>

#include "adapter/kind.h"
#include "core/pattern.h"
#include "engine/result.h"
#include "lowrank/blas.h"
#include "lowrank/extract.h"

#define WEIGHT ".weight"

/* As models call their embeddings; what is called otherwise is said. */
static const char *const usual_embeddings[] = {
	"embed_in",			  "embed_positions",	   "embed_tokens", "position_embeddings", "shared",
	"tok_embeddings",	  "token_type_embeddings", "wpe",		   "word_embeddings",	  "wte",
	"position_embedding", "token_embedding",
};

typedef struct Extraction
{
	const PaAdapter *of;
	PaSource   *parent;
	const PaExtractArguments *arguments;
	PaPattern  *embeddings;		/* NULL: the usual names */
	PaDraft		draft;
	PaExtractPart *parts;		/* of each module of the draft */
} Extraction;

static PaStatus
require_difference(PaEnv *env, const PaAdapter *adapter)
{
	if (pa_delta_form(adapter) == PA_DELTA_TENSORS)
		return PA_OK;
	pa_fail(env, PA_ERR_UNSUPPORTED, "a LoRA is extracted from a difference, not from an adapter of kind %s",
			pa_kind_name(adapter->kind));
	pa_detail(env,
			  "A difference holds tuned - base of whole weights: adapter_difference(tuned, base, config).");
	if (pa_delta_form(adapter) == PA_DELTA_PRODUCT)
		pa_hint(env, "adapter_truncate(a, rank) makes a LoRA smaller.");
	return PA_ERR_UNSUPPORTED;
}

/* The weight of a linear layer, an embedding or a convolution, for all that its name and shape tell. */
static bool
is_weight(const PaTensor *tensor)
{
	size_t		n = strlen(tensor->key);

	return n > strlen(WEIGHT) && strcmp(tensor->key + n - strlen(WEIGHT), WEIGHT) == 0 && tensor->ndim >= 2 &&
		tensor->ndim <= 5 && tensor->elements > 0 && pa_dtype_is_arithmetic(tensor->dtype);
}

static PaStatus
is_embedding(PaEnv *env, const Extraction *self, const char *path, bool *embedding)
{
	const char *name = strrchr(path, '.');

	*embedding = false;
	if (self->embeddings != NULL)
		return pa_pattern_match(env, self->embeddings, path, embedding);
	name = name != NULL ? name + 1 : path;
	for (size_t i = 0; i < sizeof(usual_embeddings) / sizeof(usual_embeddings[0]); i++)
		*embedding = *embedding || strcmp(name, usual_embeddings[i]) == 0;
	return PA_OK;
}

/* What cannot be in a LoRA may be left out if it is no change, or if that is asked for. */
static PaStatus
check_others(PaEnv *env, const Extraction *self)
{
	const PaAdapter *of = self->of;
	const PaTensor *first = NULL;
	uint32_t	n = 0;

	for (uint32_t i = 0; i < of->n_tensors && !self->arguments->drop_others; i++)
	{
		bool		changes;

		if (is_weight(&of->tensors[i]))
			continue;
		PA_TRY(pa_extract_changes(env, self->parent, i, &changes));
		if (changes && n++ == 0)
			first = &of->tensors[i];
	}
	if (n == 0)
		return PA_OK;
	pa_fail(env, PA_ERR_UNSUPPORTED, "%u of %u tensors of the difference cannot be in a LoRA", n,
			of->n_tensors);
	pa_detail(
		env,
		"The first is \"%.300s\". A LoRA changes weights of two dimensions and convolutions; another tensor "
		"of its file takes the place of the base model's, which the difference does not know.",
		first->key);
	pa_hint(env, "adapter_extract(a, ..., drop_others => true) leaves these changes out.");
	return PA_ERR_UNSUPPORTED;
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static PaStatus
kept_rank(PaEnv *env, const Extraction *self, uint32_t tensor, uint64_t *rank)
{
	const PaTensor *t = &self->of->tensors[tensor];
	PaKeep		keep = self->arguments->keep;

	*rank = keep.rank;
	if (keep.rank == 0)
		PA_TRY(pa_extract_rank(env, self->parent, tensor, keep.energy, rank));
	*rank = smaller(*rank, smaller(t->shape[0], t->elements / t->shape[0]));
	return PA_OK;
}

static void
add_factors(Extraction *self, uint32_t m, const PaTensor *t)
{
	const PaModule *module = &self->draft.facts.modules[m];
	bool		transposed = self->parts[m].transposed;
	PaDraftTensor a = {.module = m, .role = PA_ROLE_FACTOR_A, .dtype = t->dtype, .ndim = t->ndim};
	PaDraftTensor b = a;

	b.role = PA_ROLE_FACTOR_B;
	a.shape[0] = module->rank;
	a.shape[1] = t->shape[transposed ? 0 : 1];
	b.shape[0] = t->shape[transposed ? 1 : 0];
	b.shape[1] = module->rank;
	for (int i = 2; i < t->ndim; i++)
	{
		a.shape[i] = t->shape[i];
		b.shape[i] = 1;
	}
	self->draft.tensors[self->draft.n_tensors++] = a;
	self->draft.tensors[self->draft.n_tensors++] = b;
}

static PaStatus
add_module(PaEnv *env, Extraction *self, uint32_t tensor)
{
	const PaTensor *t = &self->of->tensors[tensor];
	uint32_t	m = self->draft.facts.n_modules++;
	PaModule   *module = &self->draft.facts.modules[m];
	bool		embedding = false;

	PA_TRY(pa_strndup(env, t->key, strlen(t->key) - strlen(WEIGHT), &module->path));
	if (t->ndim == 2)
		PA_TRY(is_embedding(env, self, module->path, &embedding));
	module->flags = PA_MODULE_TARGET | (embedding ? PA_MODULE_EMBEDDING : 0);
	pa_module_clear(module);
	PA_TRY(kept_rank(env, self, tensor, &module->rank));
	module->scaling = 1;
	module->alpha = (double) module->rank;
	self->parts[m].tensor = tensor;
	self->parts[m].transposed = embedding || (t->ndim == 2 && self->arguments->fan_in_fan_out);
	add_factors(self, m, t);
	return PA_OK;
}

/* Modules of a difference are in path order, and so are those that are left. */
static PaStatus
add_modules(PaEnv *env, Extraction *self)
{
	const PaAdapter *of = self->of;
	int64_t    *weights;

	PA_TRY(PA_NEW_ARRAY(env, of->n_modules, &weights));
	for (uint32_t m = 0; m < of->n_modules; m++)
		weights[m] = -1;
	for (uint32_t i = 0; i < of->n_tensors; i++)
		if (is_weight(&of->tensors[i]))
			weights[of->tensors[i].module] = i;
	for (uint32_t m = 0; m < of->n_modules; m++)
		if (weights[m] >= 0)
			PA_TRY(add_module(env, self, (uint32_t) weights[m]));
	pa_free(env, weights);
	return PA_OK;
}

static PaStatus
make_draft(PaEnv *env, Extraction *self)
{
	const PaAdapter *of = self->of;

	self->draft.facts = (PaAdapter) {
		.kind = pa_kind_by_peft_type("LORA")->id,
		.base_model = of->base_model,
		.base_revision = of->base_revision,
		.task_type = of->task_type,
		.bias = "none",
		.fan_in_fan_out = self->arguments->fan_in_fan_out,
	};
	PA_TRY(PA_NEW_ARRAY(env, of->n_modules, &self->draft.facts.modules));
	PA_TRY(PA_NEW_ARRAY(env, of->n_modules, &self->parts));
	PA_TRY(PA_NEW_ARRAY(env, 2 * (size_t) of->n_modules, &self->draft.tensors));
	PA_TRY(add_modules(env, self));
	if (self->draft.facts.n_modules > 0)
		return PA_OK;
	pa_fail(env, PA_ERR_CONFIG, "difference has no weight of two dimensions and no convolution");
	pa_detail(env, "Their tensors are called path.weight.");
	return PA_ERR_CONFIG;
}

static PaStatus
compile_embeddings(PaEnv *env, Extraction *self)
{
	if (self->arguments->embeddings == NULL)
		return PA_OK;
	PA_TRY(pa_pattern_compile(env, self->arguments->embeddings, PA_PATTERN_WHOLE, &self->embeddings));
	pa_pattern_share(self->embeddings, self->of->n_modules);
	return PA_OK;
}

static PaStatus
extract_source(PaEnv *env, const Extraction *self, const PaResult *result, PaSource **source)
{
	const PaExtractPart **parts;

	PA_TRY(PA_NEW_ARRAY(env, result->adapter->n_tensors, &parts));
	for (uint32_t i = 0; i < result->adapter->n_tensors; i++)
		parts[i] = &self->parts[self->draft.tensors[result->of[i]].module];
	return pa_extract_source(env, self->parent, result->adapter, parts, source);
}

static PaStatus
extract_recipe(PaEnv *env, const PaOperand *operand, const PaExtractArguments *arguments, PaText *recipe)
{
	PaRecipeExtract node = {
		.rank = arguments->keep.rank,
		.energy = arguments->keep.energy,
		.drop_others = arguments->drop_others,
		.embeddings = arguments->embeddings,
		.fan_in_fan_out = arguments->fan_in_fan_out,
		.library = pa_blas_library(),
	};

	return pa_recipe_extract(env, operand, &node, recipe);
}

PaStatus
pa_extract(PaEnv *env, PaValue *value, const PaExtractArguments *arguments, size_t reserve, PaBuf *out)
{
	Extraction	self = {.of = pa_value_adapter(value), .arguments = arguments};
	PaResult	result;
	PaSource   *source;
	PaOperand	operand;
	PaText		recipe;

	PA_TRY(require_difference(env, self.of));
	PA_TRY(compile_embeddings(env, &self));
	PA_TRY(pa_value_source(env, value, &self.parent));
	PA_TRY(check_others(env, &self));
	PA_TRY(pa_blas_open(env));
	PA_TRY(make_draft(env, &self));
	PA_TRY(pa_result_describe(env, &self.draft, 1, &value, &result));
	PA_TRY(extract_source(env, &self, &result, &source));
	PA_TRY(pa_operands_single(env, value, &operand));
	PA_TRY(extract_recipe(env, &operand, arguments, &recipe));
	return pa_result_store(env, &result, source, recipe, 1, &operand, reserve, out);
}
