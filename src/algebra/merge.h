/*
 * merge.h
 *	  The merge methods: what becomes of the factors that a plan under
 *	  PA_RULE_MERGE has paired (combine.h).  doc/algebra.md, "Merge methods".
 *
 * A tensor of the result is worked out from the same tensor of each leaf that
 * has it: each leaf's entries are pruned, then added with the plan's
 * coefficients, all of them or those of the elected sign.  Products, quotients
 * and sums are in double, in the plan's order of terms, rounded once.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_MERGE_H
#define PA_MERGE_H

#include "algebra/combine.h"

/* Which entries of a tensor are kept. */
typedef enum PaPrune
{
	PA_PRUNE_TOP,				/* the floor(density n) of largest magnitude; of equal ones the first */
	PA_PRUNE_DROP				/* those whose draw is below density, divided by density */
} PaPrune;

/* What the sign of an entry of the result is elected from. */
typedef enum PaElection
{
	PA_ELECT_NONE,				/* no election: a weighted sum */
	PA_ELECT_TOTAL,				/* the sum of the pruned, unweighted entries */
	PA_ELECT_FREQUENCY			/* the sum of their signs */
} PaElection;

typedef struct PaMerge
{
	PaPrune		prune;
	PaElection	election;
	double		density;		/* 0 < density <= 1 */
	int64_t		seed;			/* of the draws */
} PaMerge;

/* 0A000 for kinds that have no rule.  Before pa_combine_plan, which refuses dense tensors that differ. */
extern PaStatus pa_merge_require(PaEnv *env, uint32_t n_leaves, const PaLeaf *leaves);

/* As pa_combine_source.  Uses PA_HASH_FILE while it is read. */
extern PaStatus pa_merge_source(PaEnv *env, const PaCombine *plan, const PaMerge *merge,
								const PaAdapter *adapter, const uint32_t *draft_of, PaSource **source);

/* merge_top.c: the entries of largest magnitude of a whole tensor */

/* An entry is kept if its magnitude is above the threshold, or equal and its index below `end`. */
typedef struct PaTop
{
	uint64_t	threshold;		/* bits of the tensor's dtype without the sign */
	uint64_t	end;
} PaTop;

#define PA_TOP_BINS ((size_t) 1 << 16)

typedef struct PaTopWork
{
	uint8_t    *raw;			/* a block of the widest dtype */
	uint64_t   *bins;			/* PA_TOP_BINS */
} PaTopWork;

/*
 * The k entries of largest magnitude; digest names the leaf in messages.  Reads
 * the tensor a few times, in blocks, and keeps none of it.  NaN and infinity
 * are PA_ERR_RANGE (with k = 0 and k = n nothing is read).
 */
extern PaStatus pa_top_select(PaEnv *env, PaSource *source, uint32_t tensor, const uint8_t *digest,
							  uint64_t k, const PaTopWork *work, PaTop *top);

/* x[i] = 0 for every entry of a block (raw, from index `first` on) that is not kept. */
extern void pa_top_apply(const PaTop *top, const uint8_t *raw, PaDtype dtype, uint64_t first, size_t n,
						 double *x);

#endif
