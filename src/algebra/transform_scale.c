/*
 * transform_scale.c
 *	  adapter_scale(a, s): the change to the weights times s, exactly for LoRA
 *	  (alpha carries the magnitude, B and its bias the sign) and as
 *	  1 + s (l - 1) for (IA)^3; differences times s.  doc/algebra.md, "adapter_scale".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/transform.h"

#include <math.h>

#include "adapter/operation.h"
#include "algebra/pass.h"
#include "kernel/kernel.h"

PaStatus
pa_scale_draft(PaEnv *env, const PaAdapter *adapter, double s, PaDraft **draft)
{
	const PaKindMethods *kind = pa_kind_methods(adapter->kind);
	PaDraft    *d;

	if (!isfinite(s))
		return pa_fail(env, PA_ERR_RANGE, "weight is not finite: %g", s);
	PA_TRY(pa_adapter_require_arithmetic(env, adapter));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		if (pa_role(adapter->tensors[i].role)->scale != PA_SCALE_NONE)
			PA_TRY(pa_tensor_require_arithmetic(env, &adapter->tensors[i]));
	PA_TRY(pa_draft_of(env, adapter, &d));
	if (kind->scale_module != NULL)
	{
		for (uint32_t i = 0; i < d->facts.n_modules; i++)
			if (d->facts.modules[i].flags & PA_MODULE_TARGET)
				PA_TRY(kind->scale_module(env, adapter, &d->facts.modules[i], s));
		d->facts.rslora = false;
	}
	*draft = d;
	return PA_OK;
}

typedef struct PaScale
{
	PaPass		pass;
	double		s;
} PaScale;

/* n elements times factor; 0 without the sign of what it takes the place of. */
static bool
multiply(const PaTensor *tensor, const void *raw, size_t n, double factor, double *acc)
{
	if (factor != 0)
		return pa_kernel_first(acc, raw, tensor->dtype, n, factor);
	for (size_t i = 0; i < n; i++)
		acc[i] = 0;
	return pa_kernel_all_finite(raw, tensor->dtype, n);
}

/* One block of the result in acc; false if the input is not finite. */
static bool
scale_block(PaPass *pass, const PaTensor *tensor, const void *raw, size_t n, double *acc)
{
	double		s = ((PaScale *) pass)->s;

	switch (pa_role(tensor->role)->scale)
	{
		case PA_SCALE_NONE:
		case PA_SCALE_UNCHANGED:
			break;
		case PA_SCALE_SIGN:
			return multiply(tensor, raw, n, s == 0 ? 0 : s < 0 ? -1 : 1, acc);
		case PA_SCALE_TIMES:
			return multiply(tensor, raw, n, s, acc);
		case PA_SCALE_AROUND_ONE:
			return pa_kernel_scale_around_one(acc, raw, tensor->dtype, n, s);
	}
	return multiply(tensor, raw, n, 1, acc);
}

static double
factor(const PaPass *pass, const PaTensor *tensor)
{
	(void) tensor;
	return ((const PaScale *) pass)->s;
}

PaStatus
pa_scale_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter, const uint32_t *from, double s,
				PaSource **source)
{
	PaScale    *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(pa_pass_init(env, &self->pass, adapter, parent, from, scale_block, factor));
	self->pass.keep_dense = true;
	self->s = s;
	*source = &self->pass.base;
	return PA_OK;
}
