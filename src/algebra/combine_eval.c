/*
 * combine_eval.c
 *	  One pass over the leaves' blocks: each block of the result is the sum of
 *	  its terms in double, in the plan's order, rounded once.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_eval.h"

#include "adapter/fault.h"
#include "kernel/kernel.h"

/*
 * A sum of few terms has all their blocks in memory and goes through them in
 * pieces that stay in the first-level cache; a sum of more goes term by term
 * through one block.  Each element sees the same operations in the same order.
 */
#define PIECE 2048

/* acc gets or gains a term's n elements */
static PaStatus
add_term(PaEnv *env, PaCombineSource *self, const PaCombineTerm *term, bool is_first, const uint8_t *raw,
		 size_t n)
{
	PaDtype		dtype = pa_combine_tensor(self->plan, term)->dtype;
	bool		finite;

	if (is_first)
		finite = pa_kernel_first(self->acc, raw, dtype, n, term->c);
	else
		finite = pa_kernel_add(self->acc, raw, dtype, n, term->c);
	return finite ? PA_OK : pa_combine_not_finite(env, self->plan, term);
}

/* acc's n elements with the constant, rounded into dst */
static PaStatus
finish(PaEnv *env, PaCombineSource *self, const PaCombineSum *sum, const PaTensor *to, size_t n, uint8_t *dst)
{
	if (sum->n_terms == 0)
		for (size_t i = 0; i < n; i++)
			self->acc[i] = sum->constant;
	else if (sum->constant != 0)
		pa_kernel_add_constant(self->acc, n, sum->constant);
	return pa_kernel_round(dst, to->dtype, self->acc, n) ? PA_OK : pa_fail_overflow(env, to);
}

static PaStatus
sum_in_pieces(PaEnv *env, PaCombineSource *self, const PaCombineSum *sum, const PaTensor *to, uint64_t first,
			  size_t n, uint8_t *dst)
{
	for (uint32_t i = 0; i < sum->n_terms; i++)
		PA_TRY(pa_combine_read_term(env, self->plan, &sum->terms[i], first, n, self->raw[i]));
	for (size_t at = 0; at < n; at += PIECE)
	{
		size_t		piece = n - at < PIECE ? n - at : PIECE;

		for (uint32_t i = 0; i < sum->n_terms; i++)
		{
			const PaTensor *of = pa_combine_tensor(self->plan, &sum->terms[i]);
			size_t		width = (size_t) pa_dtype_plane_width(of->dtype);

			PA_TRY(add_term(env, self, &sum->terms[i], i == 0, self->raw[i] + at * width, piece));
		}
		PA_TRY(finish(env, self, sum, to, piece, dst + at * (size_t) pa_dtype_plane_width(to->dtype)));
	}
	return PA_OK;
}

static PaStatus
sum_by_terms(PaEnv *env, PaCombineSource *self, const PaCombineSum *sum, const PaTensor *to, uint64_t first,
			 size_t n, uint8_t *dst)
{
	for (uint32_t i = 0; i < sum->n_terms; i++)
	{
		PA_TRY(pa_combine_read_term(env, self->plan, &sum->terms[i], first, n, self->raw[0]));
		PA_TRY(add_term(env, self, &sum->terms[i], i == 0, self->raw[0], n));
	}
	return finish(env, self, sum, to, n, dst);
}

static PaStatus
combine_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	PaCombineSource *self = (PaCombineSource *) source;
	const PaTensor *to = &source->adapter->tensors[tensor];
	const PaCombineSum *sum = self->sums[tensor];

	if (sum->layout == PA_LAYOUT_COPY)
		return pa_combine_read_term(env, self->plan, &sum->terms[0], first, n, dst);
	for (size_t done = 0; done < n;)
	{
		size_t		step = pa_block_step(n - done);
		uint8_t    *out = (uint8_t *) dst + done * (size_t) pa_dtype_plane_width(to->dtype);

		PA_TRY(pa_check_cancel(env));
		if (sum->layout != PA_LAYOUT_SUM)
			PA_TRY(pa_combine_stacked(env, self, sum, to, first + done, step, out));
		else if (sum->n_terms <= PA_HELD_TERMS)
			PA_TRY(sum_in_pieces(env, self, sum, to, first + done, step, out));
		else
			PA_TRY(sum_by_terms(env, self, sum, to, first + done, step, out));
		done += step;
	}
	return PA_OK;
}

static PaStatus
combine_fingerprint(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH], bool *known)
{
	PaCombineSource *self = (PaCombineSource *) source;
	const int64_t dtype = source->adapter->tensors[tensor].dtype;

	return pa_combine_fingerprint(env, self->plan, self->sums[tensor], &dtype, sizeof(dtype), out);
}

PaStatus
pa_combine_source(PaEnv *env, PaCombine *plan, const PaAdapter *adapter, const uint32_t *draft_of,
				  PaSource **source)
{
	PaCombineSource *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &self->sums));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		self->sums[i] = &plan->sums[plan->draft.tensors[draft_of[i]].tag];
	for (int i = 0; i < PA_HELD_TERMS; i++)
		PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS * sizeof(double), &self->raw[i]));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &self->acc));
	if (plan->rule == PA_RULE_DELTA)
		PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &self->part));
	self->base.adapter = adapter;
	self->base.read = combine_read;
	self->base.fingerprint = combine_fingerprint;
	self->plan = plan;
	*source = &self->base;
	return PA_OK;
}
