/*
 * peft.h
 *	  PEFT's tensor names, and the step from (names, shapes, configuration) to
 *	  an adapter.
 *
 * Prefix: "base_model.model.", or "base_model.", or none.  Suffixes give the
 * role; the rest is the module's path, with ".base_layer" and ".token_adapter"
 * before a dense parameter taken off.  A name that has "lora_A", "lora_B" or
 * "lora_embedding_A/B" as a component and is none of PEFT's forms is refused
 * (usually an adapter name that was not stripped); any other name with a
 * "lora_" component is dense and sets PA_FEATURE_UNKNOWN_TENSOR.
 *
 * Differences have the base model's names: the module is the name without its
 * last component, nothing is taken off, and no prefix is written.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_H
#define PA_PEFT_H

#include "adapter/draft.h"
#include "interchange/peft_config.h"
#include "interchange/safetensors.h"

typedef struct PaPeftName
{
	size_t		prefix;			/* bytes to skip for the key */
	PaRole		role;
	const char *path;			/* of the module, in env memory */
	uint32_t	module_flags;	/* TARGET, EMBEDDING */
	uint32_t	features;
} PaPeftName;

extern PaStatus pa_peft_name_parse(PaEnv *env, PaKind kind, const char *name, PaPeftName *out);

/* The name of a draft's tensor: "base_model.model." + path + suffix, or + key; of a difference its key. */
extern PaStatus pa_peft_name_write(PaEnv *env, const PaDraft *draft, const PaDraftTensor *tensor,
								   const char **name);

/*
 * What the tensors and the configuration say, checked against each other and by
 * pa_adapter_check(PA_ERR_FILE).  file_of[i] is the index in `tensors` of the
 * adapter's tensor i.  sha256 of the tensors is not filled.
 */
extern PaStatus pa_peft_describe(PaEnv *env, PaConfig *config, uint32_t n, const PaFileTensor *tensors,
								 PaAdapter **adapter, uint32_t **file_of);

/*
 * A draft as an adapter: configuration text, names, pa_peft_describe, and the
 * check that the scalings, flags and facts come back bit for bit
 * (PA_ERR_UNSUPPORTED with a hint where an alpha cannot be written).
 * draft_of[i] is the draft tensor of tensor i.
 */
extern PaStatus pa_peft_describe_draft(PaEnv *env, const PaDraft *draft,
									   PaText *config, PaAdapter **adapter, uint32_t **draft_of);

/* The same by a configuration that stays as it is. */
extern PaStatus pa_peft_describe_kept(PaEnv *env, const PaDraft *draft,
									  PaText config, PaAdapter **adapter, uint32_t **draft_of);

#endif
