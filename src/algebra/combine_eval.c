/*
 * combine_eval.c
 *	  One pass over the leaves' blocks: each block of the result is the sum of
 *	  its terms in double, in digest order, rounded once.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include "algebra/pass.h"
#include "kernel/kernel.h"

typedef struct PaCombineSource
{
	PaSource	base;
	const PaCombine *plan;
	const PaCombineSum **sums;	/* of the described result's tensors */
	uint8_t    *raw;			/* one block of one leaf */
	double	   *acc;
} PaCombineSource;

/* acc = the sum's block of n elements that begins at `first` */
static PaStatus
sum_block(PaEnv *env, PaCombineSource *self, const PaCombineSum *sum, uint64_t first, size_t n)
{
	for (uint32_t i = 0; i < sum->n_terms; i++)
	{
		const PaCombineTerm *term = &sum->terms[i];
		const PaLeaf *leaf = &self->plan->leaves[term->leaf];
		const PaTensor *of = &leaf->source->adapter->tensors[term->tensor];
		bool		finite;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(leaf->source->read(env, leaf->source, term->tensor, first, n, self->raw));
		if (i == 0)
			finite = pa_kernel_first(self->acc, self->raw, of->dtype, n, term->c);
		else
			finite = pa_kernel_add(self->acc, self->raw, of->dtype, n, term->c);
		if (!finite)
			return pa_fail_not_finite(env, of->name, leaf->digest);
	}
	if (sum->n_terms == 0)
		for (size_t i = 0; i < n; i++)
			self->acc[i] = sum->constant;
	else if (sum->constant != 0)
		pa_kernel_add_constant(self->acc, n, sum->constant);
	return PA_OK;
}

static PaStatus
combine_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	PaCombineSource *self = (PaCombineSource *) source;
	const PaTensor *to = &source->adapter->tensors[tensor];
	size_t		width = (size_t) pa_dtype_plane_width(to->dtype);

	for (size_t done = 0; done < n;)
	{
		size_t		step = n - done < PA_BLOCK_ELEMENTS ? n - done : PA_BLOCK_ELEMENTS;

		PA_TRY(pa_check_cancel(env));
		PA_TRY(sum_block(env, self, self->sums[tensor], first + done, step));
		if (!pa_kernel_round((uint8_t *) dst + done * width, to->dtype, self->acc, step))
			return pa_fail_overflow(env, to);
		done += step;
	}
	return PA_OK;
}

PaStatus
pa_combine_source(PaEnv *env, PaCombine *plan, const PaAdapter *adapter,
				  const uint32_t *draft_of, PaSource **source)
{
	PaCombineSource *self;

	PA_TRY(pa_alloc(env, sizeof(PaCombineSource), (void **) &self));
	PA_TRY(pa_alloc_array(env, adapter->n_tensors, sizeof(PaCombineSum *), (void **) &self->sums));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		self->sums[i] = &plan->sums[plan->draft.tensors[draft_of[i]].tag];
	PA_TRY(pa_alloc_raw(env, PA_BLOCK_ELEMENTS * sizeof(double), (void **) &self->raw));
	PA_TRY(pa_alloc_raw(env, PA_BLOCK_ELEMENTS * sizeof(double), (void **) &self->acc));
	self->base.adapter = adapter;
	self->base.read = combine_read;
	self->plan = plan;
	*source = &self->base;
	return PA_OK;
}
