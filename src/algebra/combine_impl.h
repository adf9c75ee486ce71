/*
 * combine_impl.h
 *	  The plan of a sum: which tensors of which leaves meet in each tensor of
 *	  the result, and with which coefficient.  Private to combine_*.c and
 *	  merge.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_COMBINE_IMPL_H
#define PA_COMBINE_IMPL_H

#include "algebra/combine.h"

/* c times one tensor of one leaf; c is already rounded to double */
typedef struct PaCombineTerm
{
	uint32_t	leaf;
	uint32_t	tensor;
	double		c;
} PaCombineTerm;

/* How the terms of a tensor come together. */
typedef enum PaLayout
{
	PA_LAYOUT_SUM,				/* element by element, then the constant unless it is 0 */
	PA_LAYOUT_ROWS,				/* factor A of a stack: below each other, group by group */
	PA_LAYOUT_COLUMNS,			/* factor B of a stack: side by side */
	PA_LAYOUT_COPY				/* the bytes of its one term, of whatever dtype */
} PaLayout;

/* A tensor of the result: the terms in the order in which they are computed with. */
typedef struct PaCombineSum
{
	uint32_t	n_terms;
	PaCombineTerm *terms;
	double		constant;
	PaLayout	layout;
	uint64_t	groups;			/* rows: of a grouped convolution or stacked experts, else 1 */
} PaCombineSum;

struct PaCombine
{
	PaRule		rule;
	uint32_t	n_leaves;
	PaLeaf	   *leaves;			/* those that are left, in the order in which they were given; of none, the
					 * one that the neutral value is of */
	bool		adds_bias;		/* some leaves have lora_bias: every module of the result has */
	PaDraft		draft;
	PaCombineSum *sums;			/* of draft.tensors; without terms: filled with the constant */
	size_t		room;			/* allocated draft.tensors and sums */
	struct PaPairing *pairings; /* of draft.facts.modules */
};

/* A module of one leaf; sorted by path, then leaf, neighbours pair up. */
typedef struct PaModuleRef
{
	const char *path;
	uint32_t	leaf;
	uint32_t	module;
} PaModuleRef;

/* What the modules of one path are in the result, and how each leaf's factors are weighted. */
typedef struct PaPairing
{
	uint32_t	n;				/* leaves that have it as a target module */
	const PaModuleRef *refs;	/* in order of terms */
	PaModule	module;
	bool		fold;			/* scalings move into the coefficients: the result's is 1 */
	uint64_t	groups;
	uint32_t	first_keyed;	/* its keyed tensors in the draft, in order of key */
	uint32_t	n_keyed;
} PaPairing;

/* A tensor of a keyed role of one leaf. */
typedef struct PaKeyedRef
{
	const char *path;			/* of the module */
	const char *key;
	uint32_t	leaf;
	uint32_t	tensor;
} PaKeyedRef;

typedef struct PaKeyed
{
	size_t		n;
	PaKeyedRef *refs;			/* sorted by path, key, leaf */
	size_t		n_keys;
} PaKeyed;

static inline const PaAdapter *
pa_combine_adapter(const PaCombine *plan, uint32_t leaf)
{
	return plan->leaves[leaf].source->adapter;
}

static inline const PaModule *
pa_combine_module(const PaCombine *plan, const PaModuleRef *ref)
{
	return &pa_combine_adapter(plan, ref->leaf)->modules[ref->module];
}

static inline const PaTensor *
pa_combine_keyed_tensor(const PaCombine *plan, const PaKeyedRef *ref)
{
	return &pa_combine_adapter(plan, ref->leaf)->tensors[ref->tensor];
}

static inline const PaTensor *
pa_combine_tensor(const PaCombine *plan, const PaCombineTerm *term)
{
	return &pa_combine_adapter(plan, term->leaf)->tensors[term->tensor];
}

/* combine_order.c: n modules of one path, given in order of leaves, in order of terms. */
extern PaStatus pa_combine_order_modules(PaEnv *env, const PaCombine *plan, PaModuleRef *refs, uint32_t n);

/* The same for n tensors of one key. */
extern PaStatus pa_combine_order_keyed(PaEnv *env, const PaCombine *plan, PaKeyedRef *refs, uint32_t n);

/* combine_module.c: what n modules of one path make together, or PA_ERR_MISMATCH. */
extern PaStatus pa_combine_pair(PaEnv *env, const PaCombine *plan, const PaModuleRef *refs, uint32_t n,
								PaPairing *pairing);

/* The weight of a leaf's tensor of a role; may be infinite. */
extern double pa_combine_coefficient(const PaCombine *plan, const PaPairing *pairing, const PaModuleRef *ref,
									 PaRole role);

/* combine_sum.c: the next draft tensor and its sum, with room for n terms. */
extern PaStatus pa_combine_add_sum(PaEnv *env, PaCombine *plan, uint32_t module, const PaTensor *like,
								   uint32_t n, PaDraftTensor **tensor, PaCombineSum **sum);

/*
 * Its next term, c times a leaf's tensor: PA_ERR_MISMATCH unless the shapes
 * agree, PA_ERR_RANGE unless c is finite.
 */
extern PaStatus pa_combine_add_term(PaEnv *env, PaDraftTensor *to, PaCombineSum *sum, const PaTensor *first,
									const PaAdapter *adapter, uint32_t leaf, uint32_t tensor, double c);

/* combine_keyed.c: the keyed tensors of all leaves, before the modules are planned. */
extern PaStatus pa_combine_keyed(PaEnv *env, const PaCombine *plan, PaKeyed *keyed);

/* A sum for each key. */
extern PaStatus pa_combine_plan_keyed(PaEnv *env, PaCombine *plan, const PaKeyed *keyed);

/* The end of the refs that have the key of refs[i]. */
extern size_t pa_combine_key_end(const PaKeyed *keyed, size_t i);

/*
 * combine_dense.c: how the n dense tensors of one key, in order of leaves, come
 * together: as a sum, or as a copy of any of them; else PA_ERR_MISMATCH.
 */
extern PaStatus pa_combine_dense(PaEnv *env, const PaCombine *plan, const PaKeyedRef *refs, uint32_t n,
								 PaLayout *layout);

/* A sum of equal dense tensors is that tensor. */
extern bool pa_combine_is_kept(const PaCombine *plan, const PaCombineSum *sum);

/* combine_term.c: what a sum is made of (PaSource.fingerprint); by: n bytes that say how else. */
extern PaStatus pa_combine_fingerprint(PaEnv *env, const PaCombine *plan, const PaCombineSum *sum,
									   const void *by, size_t n, uint8_t out[PA_SHA256_LENGTH]);

/* The n tensors of one key have the same bytes. */
extern bool pa_combine_same_tensors(const PaCombine *plan, const PaKeyedRef *refs, uint32_t n);

/* combine_neutral.c: the value of a sum whose every leaf has the weights 0 and 0. */
extern PaStatus pa_combine_neutral(PaEnv *env, PaCombine *plan, uint32_t n_leaves, const PaLeaf *leaves);

/* combine_stack.c: delta space: the ranks add up, and the scaling is 1. */
extern PaStatus pa_combine_stack_module(PaEnv *env, const PaCombine *plan, PaPairing *pairing);

/* combine_stack_difference.c: the stacks of a module of differences, one for each tensor. */
extern PaStatus pa_combine_stack_differences(PaEnv *env, const PaCombine *plan, const PaPairing *pairing,
											 const PaStack **stack);

/* combine_term.c: elements [first, first + n) of a term's tensor. */
extern PaStatus pa_combine_read_term(PaEnv *env, const PaCombine *plan, const PaCombineTerm *term,
									 uint64_t first, size_t n, uint8_t *raw);

/* The error if they are not finite: PA_ERR_RANGE. */
extern PaStatus pa_combine_not_finite(PaEnv *env, const PaCombine *plan, const PaCombineTerm *term);

#endif
