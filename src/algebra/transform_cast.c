/*
 * transform_cast.c
 *	  adapter_cast(a, dtype): every tensor rounded once to one dtype.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/transform.h"

#include "adapter/operation.h"
#include "algebra/pass.h"
#include "kernel/kernel.h"

PaStatus
pa_cast_draft(PaEnv *env, const PaAdapter *adapter, PaDtype dtype, PaDraft **draft)
{
	PaDraft    *d;

	if (!pa_dtype_is_arithmetic(dtype))
	{
		pa_fail(env, PA_ERR_UNSUPPORTED, "cannot cast an adapter to %s", pa_dtype_name(dtype));
		pa_hint(env, "The types that can be computed with are F64, F32, F16 and BF16.");
		return PA_ERR_UNSUPPORTED;
	}
	PA_TRY(pa_adapter_require_arithmetic(env, adapter));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		PA_TRY(pa_tensor_require_arithmetic(env, &adapter->tensors[i]));
	PA_TRY(pa_draft_of(env, adapter, &d));
	for (uint32_t i = 0; i < d->n_tensors; i++)
		d->tensors[i].dtype = dtype;
	*draft = d;
	return PA_OK;
}

static bool
cast_block(PaPass *pass, const PaTensor *tensor, const void *raw, size_t n, double *acc)
{
	(void) pass;
	return pa_kernel_first(acc, raw, tensor->dtype, n, 1.0);
}

PaStatus
pa_cast_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter, const uint32_t *from,
			   PaSource **source)
{
	PaPass	   *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(pa_pass_init(env, self, adapter, parent, from, cast_block));
	*source = &self->base;
	return PA_OK;
}
