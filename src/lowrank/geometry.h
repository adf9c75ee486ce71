/*
 * geometry.h
 *	  Norms, inner product and distance of two sums of deltas over the same
 *	  leaves, module by module, from the factors.  doc/algebra.md, "Geometry".
 *
 * Each factor is read once; <d, d>, <e, e>, <d, e> and <d - e, d - e> come from
 * the same products of the stacked factors, and where they cancel, from QR.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_GEOMETRY_H
#define PA_GEOMETRY_H

#include "lowrank/products.h"
#include "lowrank/stack_read.h"

/*
 * The products of one module: LoRA's deltas with the bias of lora_bias as one
 * more column, (IA)^3's vectors, or differences.  d and e: weights of the leaves.
 */
extern PaStatus pa_geometry_module(PaEnv *env, const PaStack *stack, const double *d, const double *e,
								   size_t budget, PaProducts *products);

/* geometry_vector.c: what the vectors of a role add to them */
extern PaStatus pa_geometry_vectors(PaEnv *env, const PaStack *stack, PaRole role, const double *d,
									const double *e, PaProducts *products);

#endif
