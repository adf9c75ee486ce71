/*
 * transform_cast.c
 *	  adapter_cast(a, dtype): every tensor rounded once to one dtype.
 *
 * The 8-bit float types, which arithmetic refuses, come in here: all of their
 * elements are numbers of the types that are computed with, or beyond their range.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/transform.h"

#include <math.h>

#include "adapter/operation.h"
#include "algebra/pass.h"
#include "core/float8.h"
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
		if (!pa_dtype_is_float8(adapter->tensors[i].dtype))
			PA_TRY(pa_tensor_require_arithmetic(env, &adapter->tensors[i]));
	PA_TRY(pa_draft_of(env, adapter, &d));
	for (uint32_t i = 0; i < d->n_tensors; i++)
		d->tensors[i].dtype = dtype;
	*draft = d;
	return PA_OK;
}

typedef struct PaCast
{
	PaPass		pass;
	double		vanishing;		/* what is not above it becomes zero */
	uint64_t   *vanished;
	PaDtype		values_of;		/* whose values these are; 0: nobody's yet */
	double		values[PA_FLOAT8_VALUES];
} PaCast;

/* Half of the smallest number: a tie goes to zero, which is even. */
static double
vanishing_in(PaDtype dtype)
{
	switch (dtype)
	{
		case PA_F16:
			return 0x1p-25;
		case PA_BF16:
			return 0x1p-134;
		case PA_F32:
			return 0x1p-150;
		default:
			return 0;
	}
}

static bool
widen_float8(PaCast *cast, PaDtype dtype, const uint8_t *raw, size_t n, double *acc)
{
	bool		finite = true;

	if (cast->values_of != dtype)
		pa_float8_values(dtype, cast->values);
	cast->values_of = dtype;
	for (size_t i = 0; i < n; i++)
	{
		acc[i] = cast->values[raw[i]];
		finite = finite && isfinite(acc[i]);
	}
	return finite;
}

static bool
cast_block(PaPass *pass, const PaTensor *tensor, const void *raw, size_t n, double *acc)
{
	PaCast	   *cast = (PaCast *) pass;
	uint64_t	vanished = 0;

	if (pa_dtype_is_float8(tensor->dtype))
	{
		if (!widen_float8(cast, tensor->dtype, raw, n, acc))
			return false;
	}
	else if (!pa_kernel_first(acc, raw, tensor->dtype, n, 1.0))
		return false;
	for (size_t i = 0; i < n; i++)
		vanished += fabs(acc[i]) <= cast->vanishing && acc[i] != 0;
	*cast->vanished += vanished;
	return true;
}

static double
unchanged(const PaPass *pass, const PaTensor *tensor)
{
	(void) pass;
	(void) tensor;
	return 1;
}

PaStatus
pa_cast_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter, const uint32_t *from,
			   uint64_t *vanished, PaSource **source)
{
	PaCast	   *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(pa_pass_init(env, &self->pass, adapter, parent, from, cast_block, unchanged));
	self->vanishing = adapter->n_tensors > 0 ? vanishing_in(adapter->tensors[0].dtype) : 0;
	self->vanished = vanished;
	*source = &self->pass.base;
	return PA_OK;
}
