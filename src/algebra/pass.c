/*
 * pass.c
 *	  The block loop of the operations with one operand: read a block, compute
 *	  it in double, round once.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/pass.h"

#include <string.h>

#include "adapter/role.h"
#include "kernel/kernel.h"

static PaStatus
pass_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	PaPass	   *self = (PaPass *) source;
	const PaTensor *to = &source->adapter->tensors[tensor];
	uint32_t	origin = self->from[tensor];
	const PaTensor *of = &self->parent->adapter->tensors[origin];
	size_t		width = (size_t) pa_dtype_plane_width(to->dtype);

	if (self->keep_dense && of->role == PA_ROLE_DENSE)
		return self->parent->read(env, self->parent, origin, first, n, dst);
	for (size_t done = 0; done < n;)
	{
		size_t		step = pa_block_step(n - done);

		PA_TRY(pa_check_cancel(env));
		PA_TRY(self->parent->read(env, self->parent, origin, first + done, step, self->raw));
		if (!self->block(self, of, self->raw, step, self->acc))
			return pa_fail_not_finite(env, of->name, NULL);
		if (!pa_kernel_round((uint8_t *) dst + done * width, to->dtype, self->acc, step))
			return pa_fail_overflow(env, to);
		done += step;
	}
	return PA_OK;
}

/* Factors of 1 change nothing but the type, unless they are on both sides of a difference from 1. */
static PaStatus
pass_fingerprint(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH], bool *known)
{
	PaPass	   *self = (PaPass *) source;
	const PaTensor *of = &self->parent->adapter->tensors[self->from[tensor]];
	struct
	{
		double		factor;
		int64_t		role;
		int64_t		dtype;
	} by = {self->factor(self, of), of->role, source->adapter->tensors[tensor].dtype};

	if (self->keep_dense && of->role == PA_ROLE_DENSE)
		return pa_fingerprint_same(of, out);
	if (by.factor == 1 && pa_role(of->role)->scale != PA_SCALE_AROUND_ONE &&
		of->dtype == source->adapter->tensors[tensor].dtype)
		return pa_fingerprint_same(of, out);
	return pa_fingerprint_of(env, "times", &by, sizeof(by), of->sha256, out);
}

PaStatus
pa_pass_init(PaEnv *env, PaPass *pass, const PaAdapter *adapter, PaSource *parent, const uint32_t *from,
			 PaPassBlock block, PaPassFactor factor)
{
	uint32_t   *copy;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &copy));
	memcpy(copy, from, adapter->n_tensors * sizeof(uint32_t));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS * sizeof(double), &pass->raw));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &pass->acc));
	pass->base.adapter = adapter;
	pass->base.read = pass_read;
	pass->base.fingerprint = pass_fingerprint;
	pass->parent = parent;
	pass->from = copy;
	pass->block = block;
	pass->factor = factor;
	return PA_OK;
}
