/*
 * difference.h
 *	  tuned - base of two adapters of kind difference, which whole weights are
 *	  described as.  doc/algebra.md, "Differences".
 *
 * Tensors are paired by name.  Each is subtracted in double and rounded once to
 * tuned's dtype.  What cannot be subtracted (positions, masks) must be the same
 * bytes in both, and is no part of the difference.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_DIFFERENCE_H
#define PA_DIFFERENCE_H

#include "adapter/source.h"

/*
 * Do both have the same tensors in the same shapes (else PA_ERR_MISMATCH)?
 * keep[i]: tensor i of tuned is subtracted; if not, it is the same in both (else
 * PA_ERR_UNSUPPORTED).
 */
extern PaStatus pa_difference_check(PaEnv *env, PaSource *tuned, PaSource *base, bool *keep);

/* Tensor i of adapter is tensor from[i] of tuned less that of base; from is copied. */
extern PaStatus pa_difference_source(PaEnv *env, PaSource *tuned, PaSource *base, const PaAdapter *adapter,
									 const uint32_t *from, PaSource **source);

#endif
