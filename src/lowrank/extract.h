/*
 * extract.h
 *	  LoRA's factors of whole changes to weights, as a source.  doc/algebra.md,
 *	  "Extraction".
 *
 * One tensor of the parent is in memory at a time: that of the module whose factor
 * was asked for last.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_EXTRACT_H
#define PA_EXTRACT_H

#include "adapter/source.h"

/* A weight's change, taken as a matrix: its first dimension the rows, all others together the columns. */
typedef struct PaExtractPart
{
	uint32_t	tensor;			/* of the parent */
	bool		transposed;		/* the change is (B A)^T: factor A goes with the rows */
} PaExtractPart;

/* The smallest rank, at least 1, that keeps this share of the squares of a tensor. */
extern PaStatus pa_extract_rank(PaEnv *env, PaSource *parent, uint32_t tensor, double energy, uint64_t *rank);

/*
 * parts[i]: what tensor i of adapter, the described result, is a factor of; the rank
 * is what its shape says.  The scaling of the result is 1.
 */
extern PaStatus pa_extract_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter,
								  const PaExtractPart *const *parts, PaSource **source);

/* Is there anything but zeros in a tensor, of whatever dtype? */
extern PaStatus pa_extract_changes(PaEnv *env, PaSource *parent, uint32_t tensor, bool *changes);

#endif
