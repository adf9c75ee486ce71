/*
 * difference.c
 *	  tuned - base, tensor by tensor.  See difference.h.
 *
 * Both adapters have their tensors sorted by name, so where the names agree, so
 * do the indexes.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/difference.h"

#include <string.h>

#include "adapter/fault.h"
#include "algebra/agree.h"
#include "kernel/kernel.h"

typedef struct Difference
{
	PaSource	base;
	PaSource   *side[2];		/* tuned, base */
	const uint32_t *from;
	uint8_t    *raw;
	double	   *acc;
} Difference;

static PaStatus
check_names(PaEnv *env, const PaAdapter *tuned, const PaAdapter *base)
{
	for (uint32_t i = 0; i < tuned->n_tensors || i < base->n_tensors; i++)
	{
		const PaTensor *a = i < tuned->n_tensors ? &tuned->tensors[i] : NULL;
		const PaTensor *b = i < base->n_tensors ? &base->tensors[i] : NULL;
		int			order = a == NULL ? 1 : b == NULL ? -1 : strcmp(a->name, b->name);
		const PaTensor *alone = order < 0 ? a : b;

		if (order == 0)
			continue;
		pa_fail(env, PA_ERR_MISMATCH, "tensor \"%.300s\" is in the %s weights only", alone->name,
				order < 0 ? "tuned" : "base");
		pa_detail(env,
				  "Weights are subtracted tensor by tensor, by name, so both files must have the same ones.");
		pa_hint(env, "%s leaves it out.", pa_leave_out_call(alone->key).text);
		return PA_ERR_MISMATCH;
	}
	return PA_OK;
}

static PaStatus
check_shapes(PaEnv *env, const PaTensor *a, const PaTensor *b)
{
	PaStatus	status = pa_agree_shape(env, a, b);

	if (status == PA_OK)
		return PA_OK;
	if (a->elements == 0 || b->elements == 0)
		pa_hint(env, "One is empty: gather the shards of the model before saving its weights.");
	else
		pa_hint(env, "%s leaves it out of both.", pa_leave_out_call(a->key).text);
	return status;
}

/* The same bytes?  raw has room for two blocks. */
static PaStatus
check_same_bytes(PaEnv *env, PaSource *const *side, uint32_t tensor, uint8_t *raw)
{
	const PaTensor *a = &side[0]->adapter->tensors[tensor];
	const PaTensor *b = &side[1]->adapter->tensors[tensor];
	size_t		width = (size_t) pa_dtype_plane_width(a->dtype);
	bool		same = a->dtype == b->dtype;
	uint64_t	units = pa_tensor_units(a);
	size_t		n;

	for (uint64_t done = 0; same && done < units; done += n)
	{
		uint8_t    *other = raw + PA_BLOCK_ELEMENTS * sizeof(double);

		n = pa_block_step(units - done);
		PA_TRY(pa_check_cancel(env));
		PA_TRY(side[0]->read(env, side[0], tensor, done, n, raw));
		PA_TRY(side[1]->read(env, side[1], tensor, done, n, other));
		same = memcmp(raw, other, n * width) == 0;
	}
	if (same)
		return PA_OK;
	pa_fail(env, PA_ERR_UNSUPPORTED,
			"tensor \"%.300s\" is not the same in the tuned weights (%s) and the base weights (%s)", a->name,
			pa_dtype_name(a->dtype), pa_dtype_name(b->dtype));
	pa_detail(
		env,
		"Only F64, F32, F16 and BF16 are subtracted; a tensor of another type must be the same in both files.");
	return PA_ERR_UNSUPPORTED;
}

PaStatus
pa_difference_check(PaEnv *env, PaSource *tuned, PaSource *base, bool *keep)
{
	PaSource   *const side[2] = {tuned, base};
	uint8_t    *raw;

	PA_TRY(check_names(env, tuned->adapter, base->adapter));
	PA_TRY(PA_NEW_RAW(env, 2 * PA_BLOCK_ELEMENTS * sizeof(double), &raw));
	for (uint32_t i = 0; i < tuned->adapter->n_tensors; i++)
	{
		const PaTensor *a = &tuned->adapter->tensors[i];
		const PaTensor *b = &base->adapter->tensors[i];

		PA_TRY(pa_check_cancel(env));
		PA_TRY(check_shapes(env, a, b));
		keep[i] = pa_dtype_is_arithmetic(a->dtype) && pa_dtype_is_arithmetic(b->dtype);
		if (!keep[i])
			PA_TRY(check_same_bytes(env, side, i, raw));
	}
	pa_free(env, raw);
	return PA_OK;
}

/* acc = a block of tuned, or acc -= a block of base */
static PaStatus
take_block(PaEnv *env, Difference *self, int which, uint32_t tensor, uint64_t first, size_t n)
{
	PaSource   *source = self->side[which];
	const PaTensor *of = &source->adapter->tensors[tensor];
	bool		finite;

	PA_TRY(source->read(env, source, tensor, first, n, self->raw));
	if (which == 0)
		finite = pa_kernel_first(self->acc, self->raw, of->dtype, n, 1);
	else
		finite = pa_kernel_add(self->acc, self->raw, of->dtype, n, -1);
	if (finite)
		return PA_OK;
	return pa_fail(env, PA_ERR_RANGE, "tensor \"%.300s\" of the %s weights holds NaN or infinity", of->name,
				   which == 0 ? "tuned" : "base");
}

static PaStatus
difference_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	Difference *self = (Difference *) source;
	const PaTensor *to = &source->adapter->tensors[tensor];
	size_t		width = (size_t) pa_dtype_plane_width(to->dtype);

	for (size_t done = 0; done < n;)
	{
		size_t		step = pa_block_step(n - done);

		PA_TRY(pa_check_cancel(env));
		for (int which = 0; which < 2; which++)
			PA_TRY(take_block(env, self, which, self->from[tensor], first + done, step));
		if (!pa_kernel_round((uint8_t *) dst + done * width, to->dtype, self->acc, step))
			return pa_fail_overflow(env, to);
		done += step;
	}
	return PA_OK;
}

PaStatus
pa_difference_source(PaEnv *env, PaSource *tuned, PaSource *base, const PaAdapter *adapter,
					 const uint32_t *from, PaSource **source)
{
	Difference *self;
	uint32_t   *copy;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &copy));
	memcpy(copy, from, adapter->n_tensors * sizeof(uint32_t));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS * sizeof(double), &self->raw));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &self->acc));
	self->base.adapter = adapter;
	self->base.read = difference_read;
	self->side[0] = tuned;
	self->side[1] = base;
	self->from = copy;
	*source = &self->base;
	return PA_OK;
}
