/*
 * adapter.h
 *	  An adapter as the core knows it: kind, facts, modules, tensors.  No
 *	  weights: those come from a PaSource (source.h).
 *
 * Terms are PEFT's.  A module is a target module of the base model, named by
 * its dotted path.  A tensor has a role in its module; dense tensors are
 * replacements (modules_to_save, saved biases, and everything else without a
 * LoRA or (IA)^3 role); differences are tuned - base of a whole parameter; opaque
 * tensors are those of methods that are stored and not computed with.  These three
 * are keyed: a module may have several, told apart by their keys.  Scaling
 * s = alpha/r, or alpha/sqrt(r) with rsLoRA; delta = s B A.
 *
 * A PaAdapter is made by pa_peft_describe (from a file and its configuration)
 * or by pa_value_open (from stored bytes), lives in the PaEnv's memory, and is
 * not changed afterwards except for the tensors' SHA-256, which the value
 * writer fills.  Strings are NUL-terminated valid UTF-8 without NUL or control
 * characters inside.  Invariants: modules sorted by path (strcmp), tensors
 * sorted by name (strcmp), all names and paths distinct, tensor->module in
 * range, at most one tensor of each role that is not keyed per module, all limits
 * of core/limits.h kept.  pa_adapter_check verifies every one of them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ADAPTER_H
#define PA_ADAPTER_H

#include "core/buf.h"
#include "core/dtype.h"
#include "core/limits.h"
#include "core/text.h"

/* ids are on disk and in the digest; what a kind is stands in kind.h */
typedef enum PaKind
{
	PA_KIND_LORA = 1,
	PA_KIND_IA3 = 2,
	PA_KIND_DIFFERENCE = 3,
	PA_KIND_OPAQUE = 4
} PaKind;

/*
 * What a tensor is to its module.  ids are on disk: 1 to 127 name a tensor within
 * its module, which has at most one of each; of those from 128 on (keyed) a module
 * may have several, told apart by their keys.  role.h says what each is.
 */
typedef enum PaRole
{
	PA_ROLE_FACTOR_A = 1,		/* (r, in), convolution (r, in, k...), embedding (r, entries) */
	PA_ROLE_FACTOR_B = 2,		/* (out, r), convolution (out, r/groups, 1...), embedding (dim, r) */
	PA_ROLE_VECTOR = 3,			/* (IA)^3: (out, 1) or feedforward (1, in), convolution (1, n, 1...) */
	PA_ROLE_BIAS = 4,			/* lora_bias: (out) */
	PA_ROLE_MAGNITUDE = 5,		/* DoRA */
	PA_ROLE_ALPHA = 6,			/* one number: the scaling times r (kohya); 0: r */
	PA_ROLE_MIDDLE = 7,			/* LoCon's middle factor (r, rows of A, kernel...) */
	PA_ROLE_FACTOR_A_TRANSPOSED = 8,	/* MLX: (in, r) */
	PA_ROLE_FACTOR_B_TRANSPOSED = 9,	/* MLX: (r, out) */
	PA_ROLE_DENSE = 128,
	PA_ROLE_DIFFERENCE = 129,	/* tuned - base, of the parameter's shape */
	PA_ROLE_OPAQUE = 130		/* what only PEFT knows */
} PaRole;

#define PA_ROLE_FIRST_KEYED 128

/* Size of an array over the roles that are not keyed; 0 is none of them. */
#define PA_SINGLE_ROLES 10

/* Those that arithmetic sees in another form (algebra/restated.h). */
static inline bool
pa_role_is_restated(PaRole role)
{
	return role >= PA_ROLE_ALPHA && role <= PA_ROLE_FACTOR_B_TRANSPOSED;
}

static inline bool
pa_role_is_keyed(PaRole role)
{
	return role >= PA_ROLE_FIRST_KEYED;
}

/* Why arithmetic refuses an adapter; bits are on disk and in the digest. */
#define PA_FEATURE_DORA (1u << 0)
#define PA_FEATURE_TRAINABLE_TOKENS (1u << 1)
#define PA_FEATURE_ALORA (1u << 2)
#define PA_FEATURE_LAYER_REPLICATION (1u << 3)
#define PA_FEATURE_INITIALISATION (1u << 4) /* unconverted PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA ... */
#define PA_FEATURE_KASA (1u << 5)
#define PA_FEATURE_QALORA (1u << 6)
#define PA_FEATURE_BDLORA (1u << 7)
#define PA_FEATURE_ARROW (1u << 8)
#define PA_FEATURE_MONTECLORA (1u << 9)
#define PA_FEATURE_VELORA (1u << 10)
#define PA_FEATURE_UNKNOWN_TENSOR (1u << 11)	/* a lora_ tensor without a role known here */
#define PA_FEATURE_UNKNOWN_MEMBER (1u << 12)	/* a member of the configuration that announces a variant */
#define PA_FEATURE_COMPANION (1u << 13) /* a tensor beside the factors, or of another method, as dense */
#define PA_FEATURE_KNOWN ((1u << 14) - 1)

/* Bits that came after there were digests: what was imported before keeps its own. */
#define PA_FEATURE_NOT_IN_DIGEST (PA_FEATURE_UNKNOWN_MEMBER | PA_FEATURE_COMPANION)

#define PA_MODULE_TARGET (1u << 0)	/* has a tensor whose role is not dense */
#define PA_MODULE_FEEDFORWARD (1u << 1) /* (IA)^3 on the input */
#define PA_MODULE_EMBEDDING (1u << 2)	/* lora_embedding_A / _B */
#define PA_MODULE_PARAMETER (1u << 3)	/* under target_parameters: experts stacked in the factors */
#define PA_MODULE_KNOWN ((1u << 4) - 1)

typedef struct PaModule
{
	const char *path;			/* without the file's prefix */
	uint32_t	flags;
	uint64_t	rank;			/* LoRA target: rows of A; else 0 */
	double		scaling;		/* LoRA target: s; else 1 */
	double		alpha;			/* as the configuration has it; not in the digest */
	int64_t		tensor[PA_SINGLE_ROLES];	/* index of the tensor of a role, or -1 */
	/* PA_MODULE_PARAMETER: whole paths of the parameters that it may stand for, sorted; 0: not told */
	uint32_t	n_parameters;
	const char **parameters;
} PaModule;

typedef struct PaTensor
{
	const char *name;			/* as in the file */
	const char *key;			/* the name without the file's prefix: points into name */
	PaDtype		dtype;
	int			ndim;
	uint64_t	shape[PA_MAX_NDIM];
	uint64_t	elements;		/* product of shape */
	uint64_t	bytes;			/* elements * bits / 8 */
	PaRole		role;
	uint32_t	module;			/* index into modules */
	uint8_t		sha256[PA_SHA256_LENGTH];	/* of the raw bytes, once known */
} PaTensor;

typedef struct PaAdapter
{
	PaKind		kind;
	const char *base_model;		/* NULL: null or absent */
	const char *base_revision;	/* the configuration's revision; NULL likewise */
	const char *task_type;		/* NULL likewise */
	const char *bias;			/* LoRA: "none", "all", "lora_only"; others: "none" */
	uint32_t	features;
	const char *variant;		/* the member or tensor of the last two of them, for messages; NULL: not told */
	bool		fan_in_fan_out;
	bool		lora_bias;
	bool		rslora;			/* form of the scaling; not in the digest */
	uint32_t	n_target_parameters;
	const char **target_parameters; /* sorted, distinct */
	uint32_t	n_saved_modules;
	const char **saved_modules; /* paths that modules_to_save selected; sorted, distinct */
	const char *opaque_type;	/* kind opaque: peft_type; else NULL */
	uint8_t		settings[PA_SHA256_LENGTH]; /* kind opaque: of its configuration (doc/format.md); else 0 */
	uint32_t	n_modules;
	PaModule   *modules;
	uint32_t	n_tensors;
	PaTensor   *tensors;
	uint64_t	raw_bytes;		/* sum of the tensors' bytes */
} PaAdapter;

/* Texts that may be absent: NULL equals only NULL. */
extern bool pa_same_text(const char *a, const char *b);

/* What PEFT wraps as a layer: a target that no parameter of target_parameters is. */
static inline bool
pa_module_is_layer(const PaModule *module)
{
	return (module->flags & (PA_MODULE_TARGET | PA_MODULE_PARAMETER)) == PA_MODULE_TARGET;
}

/* No tensor of any role. */
static inline void
pa_module_clear(PaModule *module)
{
	for (int role = 0; role < PA_SINGLE_ROLES; role++)
		module->tensor[role] = -1;
}

/* elements and bytes from dtype and shape: overflow, dimension limit, whole bytes */
extern PaStatus pa_tensor_measure(PaEnv *env, PaTensor *tensor, PaStatus code);

/*
 * Every invariant of the header comment and the kind's shape rules (partner,
 * ranks, dimensions).  code is what a violation is reported as: PA_ERR_FILE for
 * a file, PA_ERR_CORRUPT for stored bytes.  The limit on raw bytes is not an
 * invariant of a description (a file to be split is described whole); the value
 * writer and reader keep it.
 */
extern PaStatus pa_adapter_check(PaEnv *env, const PaAdapter *adapter, PaStatus code);

/* index or -1 */
extern int64_t pa_adapter_find_tensor(const PaAdapter *adapter, const char *name);
extern int64_t pa_adapter_find_module(const PaAdapter *adapter, const char *path);

/*
 * Content digest (doc/format.md, "Digest"): all tensors' sha256 must be filled.
 * Uses PA_HASH_TENSOR.
 */
extern PaStatus pa_adapter_digest(PaEnv *env, const PaAdapter *adapter, uint8_t digest[PA_SHA256_LENGTH]);

/* Envelope digest over digest, recipe, configuration and original header (NULL: none). */
extern PaStatus pa_envelope_digest(PaEnv *env, const uint8_t digest[PA_SHA256_LENGTH], PaText recipe,
								   PaText config, PaText header, uint8_t out[PA_SHA256_LENGTH]);

/*
 * Facts and modules as a section of the stored value (doc/format.md, "Facts").
 * Reading fills everything but tensors; strings are checked as UTF-8 only, the
 * rest is pa_adapter_check's.
 */
extern PaStatus pa_facts_write(PaBuf *buf, const PaAdapter *adapter);
extern size_t pa_facts_size(const PaAdapter *adapter);	/* bytes that pa_facts_write appends */
extern PaStatus pa_facts_read(PaEnv *env, const void *p, size_t n, PaKind kind, PaAdapter *adapter);

#endif
