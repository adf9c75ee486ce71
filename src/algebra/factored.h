/*
 * factored.h
 *	  The LoRA adapter that an adapter of another product form is: a draft, then a
 *	  source that computes it.  doc/algebra.md, "Conversion to LoRA".
 *
 * Nothing of the size of a weight is formed.  A factor's element is one product, in
 * double, rounded once; a sum (a core's) is in double, in order.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ALGEBRA_FACTORED_H
#define PA_ALGEBRA_FACTORED_H

#include "adapter/draft.h"
#include "adapter/factored.h"
#include "adapter/source.h"

/*
 * tag of a draft tensor: the adapter's tensor that a dense one is, of a factor its
 * module.  PA_ERR_LIMIT where a rank is no dimension.
 */
extern PaStatus pa_factored_draft(PaEnv *env, const PaAdapter *adapter, const PaFactored *factored,
								  PaDraft **draft);

/* tags[i]: as above, of adapter's tensor i, adapter being the described result; arrays are copied. */
extern PaStatus pa_factored_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter,
								   const PaFactored *factored, const uint64_t *tags, PaSource **source);

#endif
