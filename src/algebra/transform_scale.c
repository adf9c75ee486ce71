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

#include "adapter/scaling.h"
#include "algebra/pass.h"
#include "kernel/kernel.h"

static PaStatus
scale_module(PaEnv *env, const PaAdapter *adapter, PaModule *module, double s)
{
	bool		exact;
	uint64_t	r = pa_config_rank(module, adapter->rslora);

	if (r == 0)
		return pa_fail(env, PA_ERR_MISMATCH, "scaling of module \"%.300s\" does not tell its rank", module->path);
	module->alpha = pa_alpha_for(module->scaling, r, &exact);
	if (s != 0)
		module->alpha = module->alpha * fabs(s);
	module->scaling = module->alpha / (double) r;
	if (!isfinite(module->alpha))
		return pa_fail(env, PA_ERR_RANGE, "alpha of module \"%.300s\" is out of range", module->path);
	return PA_OK;
}

PaStatus
pa_scale_draft(PaEnv *env, const PaAdapter *adapter, double s, PaDraft **draft)
{
	PaDraft    *d;

	if (!isfinite(s))
		return pa_fail(env, PA_ERR_RANGE, "weight is not finite: %g", s);
	PA_TRY(pa_adapter_require_arithmetic(env, adapter));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		if (adapter->tensors[i].role != PA_ROLE_DENSE)
			PA_TRY(pa_tensor_require_arithmetic(env, &adapter->tensors[i]));
	PA_TRY(pa_draft_of(env, adapter, &d));
	if (adapter->kind == PA_KIND_LORA)
	{
		for (uint32_t i = 0; i < d->facts.n_modules; i++)
			if (d->facts.modules[i].flags & PA_MODULE_TARGET)
				PA_TRY(scale_module(env, adapter, &d->facts.modules[i], s));
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

/* What a tensor is multiplied with: alpha has the magnitude of a LoRA module's s, B and bias its sign. */
static double
scale_factor(PaRole role, double s)
{
	if (role == PA_ROLE_DIFFERENCE)
		return s;
	if (role != PA_ROLE_FACTOR_B && role != PA_ROLE_BIAS)
		return 1;
	return s == 0 ? 0 : s < 0 ? -1 : 1;
}

/* One block of the result in acc; false if the input is not finite. */
static bool
scale_block(PaPass *pass, const PaTensor *tensor, const void *raw, size_t n, double *acc)
{
	double		s = ((PaScale *) pass)->s;
	double		factor = scale_factor(tensor->role, s);

	if (tensor->role == PA_ROLE_VECTOR)
		return pa_kernel_scale_around_one(acc, raw, tensor->dtype, n, s);
	/* 0 without the sign of what it takes the place of */
	if (factor == 0)
	{
		for (size_t i = 0; i < n; i++)
			acc[i] = 0;
		return pa_kernel_all_finite(raw, tensor->dtype, n);
	}
	return pa_kernel_first(acc, raw, tensor->dtype, n, factor);
}

PaStatus
pa_scale_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter,
				const uint32_t *from, double s, PaSource **source)
{
	PaScale    *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(pa_pass_init(env, &self->pass, adapter, parent, from, scale_block));
	self->pass.keep_dense = true;
	self->s = s;
	*source = &self->pass.base;
	return PA_OK;
}
