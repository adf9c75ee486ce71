/*
 * adapter.c
 *	  Names of kinds and roles, look-ups, and what arithmetic refuses.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/adapter.h"

#include <string.h>

#include "adapter/kind.h"
#include "core/arith.h"

const char *
pa_kind_name(PaKind kind)
{
	const PaKindMethods *methods = pa_kind_methods(kind);

	return methods != NULL ? methods->name : "?";
}

const char *
pa_role_name(PaRole role)
{
	static const char *const names[PA_ROLE_COUNT] = {
		[PA_ROLE_FACTOR_A] = "factor_a",
		[PA_ROLE_FACTOR_B] = "factor_b",
		[PA_ROLE_VECTOR] = "vector",
		[PA_ROLE_BIAS] = "bias",
		[PA_ROLE_MAGNITUDE] = "magnitude",
		[PA_ROLE_DENSE] = "dense",
	};

	return role > 0 && role < PA_ROLE_COUNT ? names[role] : "?";
}

PaStatus
pa_tensor_measure(PaEnv *env, PaTensor *tensor, PaStatus code)
{
	uint64_t	elements = 1;
	uint64_t	bits;
	bool		fits = true;

	if (tensor->ndim < 0 || tensor->ndim > PA_MAX_NDIM)
		return pa_fail(env, code, "tensor \"%s\" has %d dimensions, more than %d",
					   tensor->name, tensor->ndim, PA_MAX_NDIM);
	for (int i = 0; i < tensor->ndim; i++)
	{
		if (tensor->shape[i] > (uint64_t) PA_MAX_DIMENSION)
			return pa_fail(env, code, "tensor \"%s\" has a dimension of %llu, more than %llu", tensor->name,
						   (unsigned long long) tensor->shape[i], (unsigned long long) PA_MAX_DIMENSION);
		fits = fits && pa_mul_u64(elements, tensor->shape[i], &elements);
	}
	if (!fits || !pa_mul_u64(elements, (uint64_t) pa_dtype_bits(tensor->dtype), &bits))
		return pa_fail(env, code, "size of tensor \"%s\" overflows", tensor->name);
	if (bits % 8 != 0)
		return pa_fail(env, code, "tensor \"%s\" is not a whole number of bytes", tensor->name);
	tensor->elements = elements;
	tensor->bytes = bits / 8;
	return PA_OK;
}

int64_t
pa_adapter_find_tensor(const PaAdapter *adapter, const char *name)
{
	int64_t		low = 0;
	int64_t		high = (int64_t) adapter->n_tensors - 1;

	while (low <= high)
	{
		int64_t		middle = low + (high - low) / 2;
		int			order = strcmp(adapter->tensors[middle].name, name);

		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

int64_t
pa_adapter_find_module(const PaAdapter *adapter, const char *path)
{
	int64_t		low = 0;
	int64_t		high = (int64_t) adapter->n_modules - 1;

	while (low <= high)
	{
		int64_t		middle = low + (high - low) / 2;
		int			order = strcmp(adapter->modules[middle].path, path);

		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

typedef struct FeatureRow
{
	uint32_t	bit;
	const char *what;
	const char *reason;
} FeatureRow;

static const FeatureRow features[] = {
	{PA_FEATURE_DORA, "DoRA", "Its magnitudes depend on the base weights, so sums of its tensors are not sums of its effect."},
	{PA_FEATURE_TRAINABLE_TOKENS, "trainable tokens", "Its token embeddings replace those of the base model, they are not added."},
	{PA_FEATURE_ALORA, "activated LoRA (aLoRA)", "It acts only after its invocation tokens, which a sum cannot keep apart."},
	{PA_FEATURE_LAYER_REPLICATION, "layer replication", "Its modules belong to copies of layers that another adapter's base model does not have."},
	{PA_FEATURE_INITIALISATION, "an initialisation that changes the base weights", "Its factors are relative to base weights that were changed when training began."},
	{PA_FEATURE_KASA, "KaSA", "It changes the base weights and has singular values beside its factors."},
	{PA_FEATURE_QALORA, "QA-LoRA", "Its factors act on pooled inputs."},
	{PA_FEATURE_BDLORA, "block-diagonal LoRA", "Its factors are blocks, not whole matrices."},
	{PA_FEATURE_ARROW, "Arrow routing", "It chooses among adapters for each token."},
	{PA_FEATURE_MONTECLORA, "MonteCLoRA", "Its factors are samples of a distribution."},
	{PA_FEATURE_VELORA, "VeLoRA", "Its meaning beside the factors is not known here."},
	{PA_FEATURE_UNKNOWN_TENSOR, "LoRA tensors of a kind that is not known here", "What they do beside the factors A and B is not known."},
};

PaStatus
pa_adapter_require_arithmetic(PaEnv *env, const PaAdapter *adapter)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
	{
		if ((adapter->features & features[i].bit) == 0)
			continue;
		pa_fail(env, PA_ERR_UNSUPPORTED, "adapter uses %s", features[i].what);
		pa_detail(env, "%s", features[i].reason);
		if (features[i].bit == PA_FEATURE_INITIALISATION)
			pa_hint(env, "Convert it with PEFT first (save_pretrained with path_initial_model_for_weight_conversion); as it is it can be stored, exported and used as 1 * a.");
		else
			pa_hint(env, "It can be stored, exported and used as 1 * a.");
		return PA_ERR_UNSUPPORTED;
	}
	return PA_OK;
}

PaStatus
pa_tensor_require_arithmetic(PaEnv *env, const PaTensor *tensor)
{
	if (pa_dtype_is_arithmetic(tensor->dtype))
		return PA_OK;
	pa_fail(env, PA_ERR_UNSUPPORTED, "tensor \"%s\" is %s, which has no arithmetic",
			tensor->name, pa_dtype_name(tensor->dtype));
	pa_detail(env, "Arithmetic works on F64, F32, F16 and BF16.");
	return PA_ERR_UNSUPPORTED;
}
