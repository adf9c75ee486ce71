/*
 * operation.c
 *	  What operations refuse, why, and what can be done instead.  See operation.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/operation.h"

#include <string.h>

#include "adapter/fault.h"
#include "core/float8.h"

#define FORM(form) (1u << (form))
#define COMPUTABLE (FORM(PA_DELTA_PRODUCT) | FORM(PA_DELTA_VECTOR) | FORM(PA_DELTA_TENSORS))

/* Which forms of the delta an operation has; the texts are for a computable form that it has not. */
static const struct
{
	PaOperation id;
	uint32_t	forms;
	bool		plain;			/* features are refused too */
	const char *name;
	const char *reason;
	const char *hint;
} operations[] = {
	{PA_OPERATION_ARITHMETIC, COMPUTABLE, true, "arithmetic is", "", ""},
	{PA_OPERATION_PARTS, COMPUTABLE, false, "parts are", "", ""},
	{PA_OPERATION_MERGE, FORM(PA_DELTA_PRODUCT), false, "merge methods are",
	 "They prune the factors of LoRA adapters.",
	 "A weighted sum is defined for LoRA, (IA)^3 and differences."},
	{PA_OPERATION_SINGULAR_VALUES, FORM(PA_DELTA_PRODUCT), false, "singular values are",
	 "Truncation and spectra are of LoRA's product of two factors.",
	 "adapter_extract() makes the nearest LoRA of a difference."},
	{PA_OPERATION_DELTA, FORM(PA_DELTA_PRODUCT) | FORM(PA_DELTA_VECTOR), true, "deltas of modules are",
	 "Each of its tensors is the change of a parameter of its own.",
	 "adapter_tensor() gives the change of one parameter."},
};

typedef struct FeatureRow
{
	uint32_t	bit;
	const char *name;
	const char *reason;
} FeatureRow;

static const FeatureRow rows[] = {
	{PA_FEATURE_DORA, "DoRA",
	 "Its magnitudes depend on the base weights, so sums of its factors are not sums of its effect."},
	{PA_FEATURE_TRAINABLE_TOKENS, "trainable tokens",
	 "Its token rows take the place of rows of the base embedding, so they are not changes that add up."},
	{PA_FEATURE_ALORA, "activated LoRA",
	 "It acts only after its invocation tokens, so a sum of factors has no such point to begin at."},
	{PA_FEATURE_LAYER_REPLICATION, "layer_replication",
	 "It repeats layers of the base model, so its modules are not the modules of the base model."},
	{PA_FEATURE_INITIALISATION, "an initialisation that may change the base weights",
	 "Where it does, its factors count from base weights that were changed before training, not from those of the base model."},
	{PA_FEATURE_KASA, "KaSA",
	 "It changes the base weights and has a diagonal between its factors, so sums of its factors are not sums of its effect."},
	{PA_FEATURE_QALORA, "QA-LoRA",
	 "Its factor A acts on groups of inputs that are pooled, so its factors alone do not say what it does."},
	{PA_FEATURE_BDLORA, "block-diagonal LoRA",
	 "Its factors are blocks of a block-diagonal matrix, so their product is not its change to the weights."},
	{PA_FEATURE_ARROW, "Arrow routing",
	 "It chooses among adapters token by token, so its factors alone do not say what it does."},
	{PA_FEATURE_MONTECLORA, "MonteCLoRA",
	 "Its factors are drawn at random in training from parameters that it carries, so they are not what it adds."},
	{PA_FEATURE_VELORA, "VeLoRA",
	 "Its configuration has a variant whose effect is not the product of its factors."},
	{PA_FEATURE_UNKNOWN_TENSOR, "a tensor of an unknown LoRA variant",
	 "What that tensor does to the effect of the factors is not known."},
	{PA_FEATURE_UNKNOWN_MEMBER, "a variant of LoRA that is not known here",
	 "Variants announce themselves by such members of the configuration, and what this one does to the effect of the factors is not known."},
	{PA_FEATURE_COMPANION, "a tensor that plain LoRA has not",
	 "What that tensor does to the effect of the factors is not known, and a replacement of a base parameter it is not."},
};

/* Ways out, behind the one that every adapter has. */
static const char by_peft[] =
	"; PEFT converts it to plain LoRA with path_initial_model_for_weight_conversion of save_pretrained";
static const char by_alphas[] =
	"; a file for a diffusion model is read by such tensors if it is imported without a configuration";

static bool
is_alpha(const char *name)
{
	const char *end = strrchr(name, '.');

	return end != NULL && strcmp(end, ".alpha") == 0;
}

static PaStatus
require_plain(PaEnv *env, const PaAdapter *adapter)
{
	if (adapter->features == 0)
		return PA_OK;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (adapter->features & rows[i].bit)
		{
			bool		told = (rows[i].bit & PA_FEATURE_NOT_IN_DIGEST) && adapter->variant != NULL;

			pa_fail(env, PA_ERR_UNSUPPORTED, "adapter uses %s%s%.300s%s", rows[i].name, told ? ": \"" : "",
					told ? adapter->variant : "", told ? "\"" : "");
			pa_detail(env, "%s", rows[i].reason);
			pa_hint(env, "It can be stored, exported and used as 1 * a%s.",
					rows[i].bit == PA_FEATURE_INITIALISATION ? by_peft
						: told && is_alpha(adapter->variant) ? by_alphas
															 : "");
			return PA_ERR_UNSUPPORTED;
		}
	return pa_fail(env, PA_ERR_INTERNAL, "unknown features %#x", adapter->features);
}

PaStatus
pa_require(PaEnv *env, const PaAdapter *adapter, PaOperation operation)
{
	const PaKindMethods *kind = pa_kind_methods(adapter->kind);

	if (kind->delta == PA_DELTA_NONE)
		return kind->refuse(env, adapter);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
	{
		if (operations[i].id != operation)
			continue;
		if (operations[i].forms & FORM(kind->delta))
			return operations[i].plain ? require_plain(env, adapter) : PA_OK;
		pa_fail(env, PA_ERR_UNSUPPORTED, "%s not supported for adapters of kind %s", operations[i].name,
				kind->name);
		pa_detail(env, "%s", operations[i].reason);
		pa_hint(env, "%s", operations[i].hint);
		return PA_ERR_UNSUPPORTED;
	}
	return pa_fail(env, PA_ERR_INTERNAL, "unknown operation %d", (int) operation);
}

PaStatus
pa_adapter_require_arithmetic(PaEnv *env, const PaAdapter *adapter)
{
	return pa_require(env, adapter, PA_OPERATION_ARITHMETIC);
}

PaStatus
pa_tensor_require_arithmetic(PaEnv *env, const PaTensor *tensor)
{
	if (pa_dtype_is_arithmetic(tensor->dtype))
		return PA_OK;
	pa_fail(env, PA_ERR_UNSUPPORTED, "tensor \"%s\" has type %s, which arithmetic does not support",
			tensor->name, pa_dtype_name(tensor->dtype));
	pa_detail(env, "Arithmetic is defined for F64, F32, F16 and BF16.");
	/* of an opaque adapter no module can be left out */
	if (tensor->role == PA_ROLE_OPAQUE)
		return PA_ERR_UNSUPPORTED;
	if (pa_dtype_is_float8(tensor->dtype))
	{
		pa_hint(
			env,
			"adapter_cast(a, 'BF16') or another type widens it, exactly, if it is in the range of that type.");
		return PA_ERR_UNSUPPORTED;
	}
	if (tensor->role == PA_ROLE_DENSE)
		pa_hint(env, "The adapter can be stored, exported and used as 1 * a; %s leaves the tensor out.",
				pa_drop_dense_call("a", tensor->key).text);
	else
		pa_hint(env,
				"The adapter can be stored, exported and used as 1 * a; "
				"adapter_select can leave the tensor's module out.");
	return PA_ERR_UNSUPPORTED;
}
