/*
 * peft.h
 *	  PEFT's tensor names, and the step from (names, shapes, configuration) to
 *	  an adapter.
 *
 * Prefix: "base_model.model.", or "base_model.", or none.  A suffix of the
 * kind's dialect (peft_dialect.h) gives the role, and the rest is the module's
 * path.  A name without one is of the dialect's keyed role: dense, with
 * ".base_layer" and ".token_adapter" before the parameter taken off the path,
 * or a difference, with the base model's name as it is.  Where it is dense, a
 * name that has "lora_A", "lora_B", "lora_embedding_A/B" or "ia3_l" as a
 * component is refused, and any other name with a "lora_" or "ia3_" component
 * sets PA_FEATURE_UNKNOWN_TENSOR.
 *
 * What trainers put into the names of LoRA and (IA)^3 is taken off keys and paths,
 * never off names: wrappers (peft_path.h), and the adapter's own name in a suffix
 * (".lora_A.default.weight"), if it is the same in all.  doc/format.md, "Wrappers".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_H
#define PA_PEFT_H

#include "adapter/draft.h"
#include "interchange/peft_config.h"
#include "interchange/safetensors.h"

/* How the names of one file are read. */
typedef struct PaPeftReading
{
	PaKind		kind;
	PaContainer container;
	bool		unwrap;			/* wrappers are taken off */
	const char *adapter;		/* its own name, which all suffixes have; NULL: they have none */
} PaPeftReading;

typedef struct PaPeftName
{
	size_t		prefix;			/* bytes to skip for the key */
	PaRole		role;
	const char *path;			/* of the module, in env memory */
	const char *named;			/* the path with its wrappers; the same pointer if there are none */
	const char *key;			/* what the tensor is called in its adapter: no two have one */
	uint32_t	module_flags;	/* what the name says of the module: TARGET, EMBEDDING */
	uint32_t	features;		/* what it says of the adapter */
} PaPeftName;

/* The adapter's own name that this name has in its suffix, in env memory; NULL if it has none. */
extern PaStatus pa_peft_name_adapter(PaEnv *env, PaKind kind, const char *name, const char **adapter);

/*
 * What a name of the file says; the kind is the configuration's.  PA_ERR_CONFIG
 * if the name is of another kind, PA_ERR_FILE or PA_ERR_LIMIT if it is none.
 */
extern PaStatus pa_peft_name_parse(PaEnv *env, const PaPeftReading *how, const char *name, PaPeftName *out);

/* Do the names of the adapter say its modules' paths, with wrappers or (unwrap) without? */
extern PaStatus pa_peft_names_tell(PaEnv *env, const PaAdapter *adapter, bool unwrap, bool *tell);

/*
 * The name of a draft's tensor: "base_model.model." + path + suffix, or + key;
 * of a difference its key.  In the draft's spelling nothing stands before it.
 */
extern PaStatus pa_peft_name_write(PaEnv *env, const PaDraft *draft, const PaDraftTensor *tensor,
								   const char **name);

/*
 * What the tensors and the configuration say, checked against each other and by
 * pa_adapter_check(PA_ERR_FILE).  A tensor whose module is known is of that module if
 * its name can mean it, with wrappers or without.  file_of[i] is the index in `tensors` of the
 * adapter's tensor i.  sha256 of the tensors is not filled.
 */
extern PaStatus pa_peft_describe(PaEnv *env, PaConfig *config, uint32_t n, const PaFileTensor *tensors,
								 PaAdapter **adapter, uint32_t **file_of);

/* The error of a tensor without elements, which PEFT does not write: PA_ERR_FILE. */
extern PaStatus pa_peft_refuse_empty(PaEnv *env, const PaTensor *tensor);

/*
 * Fills saved_modules: PEFT saves all that stands under a module whose name ends in
 * an entry of modules_to_save.  Tensors have roles, keys and modules.
 */
extern PaStatus pa_peft_find_saved_modules(PaEnv *env, const PaConfig *config, PaAdapter *adapter);

/*
 * By what an adapter that was read from storage is of an unknown variant: the name
 * of a member of its configuration, or of a tensor; NULL: it is of none.
 */
extern PaStatus pa_peft_variant(PaEnv *env, PaText config, const PaAdapter *adapter, const char **variant);

/* The draft with the alphas that its scalings are written with: plain if it can be; else rank-stabilised. */
extern PaStatus pa_peft_spell_scalings(PaEnv *env, const PaDraft *draft, PaDraft *spelled);

/*
 * A draft as an adapter: configuration text, names, pa_peft_describe, and the
 * check that the scalings, flags and facts come back bit for bit
 * (PA_ERR_UNSUPPORTED with a hint where an alpha cannot be written).
 * draft_of[i] is the draft tensor of tensor i.
 */
extern PaStatus pa_peft_describe_draft(PaEnv *env, const PaDraft *draft, PaText *config, PaAdapter **adapter,
									   uint32_t **draft_of);

/* The same by a configuration that stays as it is. */
extern PaStatus pa_peft_describe_kept(PaEnv *env, const PaDraft *draft, PaText config, PaAdapter **adapter,
									  uint32_t **draft_of);

#endif
