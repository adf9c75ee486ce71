/*
 * combine.h
 *	  The value of a deferred expression, by the rule of its space: parameter
 *	  space adds factors, A = sum p_i A_i, B = sum q_i B_i; delta space adds
 *	  deltas, by stacking factors; and the rules for (IA)^3, biases, dense tensors
 *	  and differences.  doc/algebra.md, "Evaluation" and "Delta space", are implemented
 *	  here to the letter.
 *
 * pa_combine_plan looks only at what the leaves are, raises every refusal that
 * does not need the weights, and drafts the result; pa_combine_source computes
 * it block by block.  Leaves are distinct, unless the rule says otherwise; the
 * caller has handled the sum that is one leaf with weights 1.
 *
 * The terms of a module are computed with in an order of their own, that of its
 * tensors' SHA-256s (doc/algebra.md, "Order of terms"); so the leaves' adapters
 * must have them, as those of stored values do.  The order in which the leaves
 * are given settles which of several has the neutral value, and which of several
 * faults is told; it is that of their digests.
 *
 * PA_RULE_MERGE plans the tensors of the merge methods (merge.h): ranks agree,
 * every leaf takes part whatever its weight, and a term's coefficient is
 * PEFT's, sgn(w s) sqrt(abs(w s)) for A, sqrt(abs(w s)) for B, w s for a bias.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_COMBINE_H
#define PA_COMBINE_H

#include "adapter/draft.h"
#include "adapter/stack.h"

typedef enum PaRule
{
	PA_RULE_PARAMETER,
	PA_RULE_DELTA,				/* a leaf's weight is q; p is 0, or the weight in a second sum */
	PA_RULE_MERGE				/* a leaf's weight is q; leaves may repeat */
} PaRule;

typedef struct PaLeaf
{
	PaSource   *source;
	const uint8_t *digest;		/* PA_SHA256_LENGTH; names the leaf in messages */
	double		p;
	double		q;
} PaLeaf;

typedef struct PaCombine PaCombine;

/*
 * PA_ERR_MISMATCH, PA_ERR_UNSUPPORTED, PA_ERR_RANGE or PA_ERR_LIMIT where the
 * leaves have no sum of this rule.  *draft belongs to the plan.  Reads no weights.
 */
extern PaStatus pa_combine_plan(PaEnv *env, PaRule rule, uint32_t n_leaves, const PaLeaf *leaves,
								PaCombine **plan, const PaDraft **draft);

/*
 * adapter is the described result; draft_of[i] is the draft tensor that its
 * tensor i stands for.
 */
extern PaStatus pa_combine_source(PaEnv *env, PaCombine *plan, const PaAdapter *adapter,
								  const uint32_t *draft_of, PaSource **source);

/*
 * A target module of a plan in delta space as a stack.  module counts the
 * draft's modules; leaf of a part counts the leaves that the plan kept.  *stack is
 * NULL for a module that is no target, and for every module of the neutral value,
 * which no leaf is left of.  A module of differences is a list of stacks.
 */
extern PaStatus pa_combine_stack(PaEnv *env, const PaCombine *plan, uint32_t module, const PaStack **stack);

/* The leaves that the plan kept, in the order in which they were given, and their number. */
extern const PaLeaf *pa_combine_leaves(const PaCombine *plan, uint32_t *n);

#endif
