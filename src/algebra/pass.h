/*
 * pass.h
 *	  A source that computes each block of its tensors from the same block of
 *	  one tensor of a parent, in double, and rounds once: what adapter_scale and
 *	  adapter_cast have in common.  Private to src/algebra.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PASS_H
#define PA_PASS_H

#include "adapter/fault.h"
#include "adapter/source.h"

typedef struct PaPass PaPass;

/*
 * acc = the result of n elements `raw` of the parent's tensor; false if one of
 * them is NaN or infinite.
 */
typedef bool (*PaPassBlock)(PaPass *pass, const PaTensor *tensor, const void *raw, size_t n, double *acc);

/* What, besides the parent's bytes and the types, decides what a block of the tensor becomes. */
typedef double (*PaPassFactor)(const PaPass *pass, const PaTensor *tensor);

struct PaPass
{
	PaSource	base;
	PaSource   *parent;
	const uint32_t *from;		/* the parent's tensor for each tensor */
	PaPassBlock block;
	PaPassFactor factor;
	bool		keep_dense;		/* dense tensors take no part: their bytes as they are */
	uint8_t    *raw;			/* one block as the parent has it */
	double	   *acc;
};

/* from is copied. */
extern PaStatus pa_pass_init(PaEnv *env, PaPass *pass, const PaAdapter *adapter, PaSource *parent,
							 const uint32_t *from, PaPassBlock block, PaPassFactor factor);

#endif
