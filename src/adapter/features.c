/*
 * features.c
 *	  What arithmetic refuses, why, and what can be done instead
 *	  (doc/algebra.md, "Refusals").
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/adapter.h"

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
};

PaStatus
pa_adapter_require_arithmetic(PaEnv *env, const PaAdapter *adapter)
{
	if (adapter->features == 0)
		return PA_OK;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (adapter->features & rows[i].bit)
		{
			pa_fail(env, PA_ERR_UNSUPPORTED, "adapter uses %s", rows[i].name);
			pa_detail(env, "%s", rows[i].reason);
			if (rows[i].bit == PA_FEATURE_INITIALISATION)
				pa_hint(env, "It can be stored, exported and used as 1 * a; PEFT converts it to plain LoRA "
						"with path_initial_model_for_weight_conversion of save_pretrained.");
			else
				pa_hint(env, "It can be stored, exported and used as 1 * a.");
			return PA_ERR_UNSUPPORTED;
		}
	return pa_fail(env, PA_ERR_INTERNAL, "unknown features %#x", adapter->features);
}

PaStatus
pa_tensor_require_arithmetic(PaEnv *env, const PaTensor *tensor)
{
	if (pa_dtype_is_arithmetic(tensor->dtype))
		return PA_OK;
	pa_fail(env, PA_ERR_UNSUPPORTED, "tensor \"%s\" has type %s, which arithmetic does not support",
			tensor->name, pa_dtype_name(tensor->dtype));
	pa_detail(env, "Arithmetic is defined for F64, F32, F16 and BF16.");
	pa_hint(env, "The adapter can be stored, exported and used as 1 * a; "
			"adapter_select can leave the tensor's module out.");
	return PA_ERR_UNSUPPORTED;
}
