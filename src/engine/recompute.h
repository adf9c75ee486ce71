/*
 * recompute.h
 *	  A recipe evaluated again over known values: what recipe_walk.h only
 *	  follows is computed here.
 *
 * Each digest that is given is that value, whatever the recipe says of it; any
 * other is made from its node, once, and freed after its last use.  The result
 * is what the original operation made, byte for byte, if the given values'
 * recipes are those of its operands.
 *
 * A node whose value has another digest than its name is PA_ERR_MISMATCH,
 * unless something was left out below it or an operation below it is not bit
 * for bit (numerics "tolerance").  A circle is PA_ERR_CONFIG, a value that is
 * neither given nor described PA_ERR_NOT_FOUND.
 *
 * Leaving out a digest: its terms are left out of every sum and merge, and its
 * part of every union; what has no operand left is left out itself.  With
 * renormalize the weights that are left in a sum or merge are multiplied by
 * f = sum of all v / sum of the v that are left (each sum exact, rounded once),
 * u by its magnitude: so their total stays.  PA_ERR_DIVISION if what is left
 * sums to 0.  PA_ERR_CONFIG if nothing is left of the root, and if the digest
 * was not met: a result that has it inside a given value must not look like
 * one that has it not.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_RECOMPUTE_H
#define PA_ENGINE_RECOMPUTE_H

#include "value/value.h"

typedef struct PaRecompute
{
	PaText		recipe;			/* as pa_recipe_read takes it */
	uint32_t	n_known;
	PaBytes   **known;			/* stored values; of equal digests the smallest envelope digest counts */
	const uint8_t *without;		/* PA_SHA256_LENGTH, or NULL */
	bool		renormalize;
} PaRecompute;

extern PaStatus pa_recompute_recipe(PaEnv *env, const PaRecompute *task, size_t reserve, PaBuf *out);

/*
 * What can be told of it without computing, by a host that asks for outlines
 * (value/value.h): the error that pa_recompute_recipe would have, but for what only
 * elements decide (PA_ERR_OUTLINE where an operation looks at them first; numbers
 * out of range are not found).  digest is that of the given value that the result is,
 * or of an outline; the host is told of each outline as of a value (PaHost.made).
 */
extern PaStatus pa_recompute_outline(PaEnv *env, const PaRecompute *task, uint8_t digest[PA_SHA256_LENGTH]);

#endif
