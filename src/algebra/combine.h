/*
 * combine.h
 *	  The value of a deferred expression: A = sum p_i A_i, B = sum q_i B_i, and
 *	  the rules for (IA)^3, biases and dense tensors.  doc/algebra.md,
 *	  "Evaluation", is implemented here to the letter.
 *
 * pa_combine_plan looks only at what the leaves are, raises every refusal that
 * does not need the weights, and drafts the result; pa_combine_source computes
 * it block by block.  Leaves are given in digest order, distinct; the caller
 * has handled the sum that is one leaf with p = q = 1.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_COMBINE_H
#define PA_COMBINE_H

#include "adapter/draft.h"
#include "adapter/source.h"

typedef struct PaLeaf
{
	PaSource   *source;
	const uint8_t *digest;		/* PA_SHA256_LENGTH; names the leaf in messages */
	double		p;
	double		q;
} PaLeaf;

typedef struct PaCombine PaCombine;

extern PaStatus pa_combine_plan(PaEnv *env, uint32_t n_leaves, const PaLeaf *leaves,
								PaCombine **plan, const PaDraft **draft);

/*
 * adapter is the described result; draft_of[i] is the draft tensor that its
 * tensor i stands for.
 */
extern PaStatus pa_combine_source(PaEnv *env, PaCombine *plan, const PaAdapter *adapter,
								  const uint32_t *draft_of, PaSource **source);

#endif
