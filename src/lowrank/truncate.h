/*
 * truncate.h
 *	  The best approximation of smaller rank to each module's delta, as a source
 *	  of the result's factors.  doc/algebra.md, "Truncation".
 *
 * A module is decomposed when the first of its factors is asked for, and kept
 * until another module's is: readers ask for the factors one after the other.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TRUNCATE_H
#define PA_TRUNCATE_H

#include "lowrank/stack_read.h"

/*
 * stacks[i]: what tensor i of the result is a factor of, or NULL: then it comes
 * from rest.  The rank is what the tensor's shape says; beyond the delta's own,
 * rows and columns are 0.  The scaling of the result is 1.
 */
extern PaStatus pa_truncate_source(PaEnv *env, const PaAdapter *adapter, const PaStack *const *stacks,
								   const double *leaf_weights, PaSource *rest, size_t budget,
								   PaSource **source);

#endif
