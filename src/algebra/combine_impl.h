/*
 * combine_impl.h
 *	  The plan of a sum: which tensors of which leaves meet in each tensor of
 *	  the result, and with which coefficient.  Private to combine_*.c.
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

/* A tensor of the result: the terms in digest order, then the constant unless it is 0. */
typedef struct PaCombineSum
{
	uint32_t	n_terms;
	PaCombineTerm *terms;
	double		constant;
} PaCombineSum;

struct PaCombine
{
	uint32_t	n_leaves;
	PaLeaf	   *leaves;			/* those that are left, in digest order */
	PaDraft		draft;
	PaCombineSum *sums;			/* of draft.tensors; without terms: filled with the constant */
	size_t		room;			/* allocated draft.tensors and sums */
};

/* A module of one leaf; sorted by path, then leaf, neighbours pair up. */
typedef struct PaModuleRef
{
	const char *path;
	uint32_t	leaf;
	uint32_t	module;
} PaModuleRef;

/* combine_module.c: what the module is in the result, and how each leaf's factors are weighted */
typedef struct PaPairing
{
	uint32_t	n;				/* leaves that have it as a target module */
	const PaModuleRef *refs;
	PaModule	module;
	bool		fold;			/* scalings differ: the result's is 1 */
} PaPairing;

extern PaStatus pa_combine_pair(PaEnv *env, const PaCombine *plan, const PaModuleRef *refs, uint32_t n,
								PaPairing *pairing);
extern double pa_combine_coefficient(const PaCombine *plan, const PaPairing *pairing,
									 const PaModuleRef *ref, PaRole role);

/* combine_neutral.c: the value of a sum whose every leaf has the weights 0 and 0 */
extern PaStatus pa_combine_neutral(PaEnv *env, PaCombine *plan, const PaAdapter *adapter);

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

#endif
