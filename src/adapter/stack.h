/*
 * stack.h
 *	  One target module of several adapters side by side: what delta space
 *	  computes with.  The stack's delta is sum over parts of w s B A, with one
 *	  weight w for each leaf; it is never formed.
 *
 * A part has factor A as a rank x columns matrix, row-major, and factor B as
 * rows x rank, row-major, whatever dimensions the tensors have: a convolution's
 * (r, in, k, k) counts as (r, in k k).  Embeddings and fan_in_fan_out modules
 * have the transpose of B A as their delta, with the same singular values,
 * norms and inner products; so nothing here asks.
 *
 * Modules of (IA)^3 have a vector l instead, and stand for l - 1.  A module of
 * differences is a list of stacks, one for each of its tensors, in order of key;
 * a tensor counts as the vector of its elements.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_STACK_H
#define PA_STACK_H

#include "adapter/source.h"

/* Ranks add up in delta space; more than this in one product is PA_ERR_LIMIT (doc/algebra.md). */
#define PA_MAX_STACK_RANK 1024

typedef struct PaStackPart
{
	uint32_t	leaf;			/* index of the weight that applies */
	PaSource   *source;
	const uint8_t *digest;		/* names the leaf in messages */
	int64_t		factor_a;		/* tensors of the source, or -1 */
	int64_t		factor_b;
	int64_t		bias;			/* of lora_bias: scaled as the delta is */
	int64_t		vector;
	int64_t		difference;
	uint64_t	rank;
	double		scaling;
} PaStackPart;

typedef struct PaStack
{
	const char *path;
	const char *key;			/* of a difference: the tensor's; else NULL */
	uint64_t	rows;			/* of B; 0 where there are no factors */
	uint64_t	columns;		/* of A; likewise */
	uint64_t	rank;			/* sum of the parts' */
	uint64_t	groups;			/* more than 1: grouped convolution or experts, which are no one product */
	uint32_t	n_parts;		/* in order of terms (doc/algebra.md) */
	PaStackPart *parts;
	const struct PaStack *next; /* the module's next difference, or NULL */
} PaStack;

#endif
