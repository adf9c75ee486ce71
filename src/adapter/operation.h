/*
 * operation.h
 *	  Which operations an adapter can be in, and why it cannot: by the form of its
 *	  kind's delta, by what its configuration says beside it, by the types of its
 *	  tensors (doc/algebra.md, "Refusals").
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_OPERATION_H
#define PA_OPERATION_H

#include "adapter/kind.h"

typedef enum PaOperation
{
	PA_OPERATION_ARITHMETIC,	/* sums, scaling, casts: whatever computes with its change */
	PA_OPERATION_PARTS,			/* its modules apart or together, as they are */
	PA_OPERATION_MERGE,			/* merge methods */
	PA_OPERATION_SINGULAR_VALUES,	/* truncation, spectra */
	PA_OPERATION_DELTA			/* the delta of a module as one array */
} PaOperation;

/* PA_ERR_UNSUPPORTED with the reason and, where there is one, the way out. */
extern PaStatus pa_require(PaEnv *env, const PaAdapter *adapter, PaOperation operation);

/* The same for PA_OPERATION_ARITHMETIC. */
extern PaStatus pa_adapter_require_arithmetic(PaEnv *env, const PaAdapter *adapter);

/* PA_ERR_UNSUPPORTED if a tensor's dtype is not F64, F32, F16 or BF16. */
extern PaStatus pa_tensor_require_arithmetic(PaEnv *env, const PaTensor *tensor);

#endif
