/*
 * kind_ia3.c
 *	  (IA)^3: a target module has one vector l that multiplies its output,
 *	  (out, 1), or the input of a feedforward module, (1, in); for convolutions
 *	  (1, n, 1, ...).  Arithmetic is on l - 1.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/kind.h"

#include "adapter/shape.h"

static PaStatus
ia3_check_module(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code)
{
	const PaTensor *l;
	bool		feedforward = (module->flags & PA_MODULE_FEEDFORWARD) != 0;
	bool		fits;

	for (int role = 1; role < PA_ROLE_COUNT; role++)
		if (role != PA_ROLE_VECTOR && module->tensor[role] >= 0)
			return pa_fail(env, code, "(IA)^3 module \"%s\" has a LoRA tensor", module->path);
	if (module->tensor[PA_ROLE_VECTOR] < 0)
		return pa_fail(env, code, "(IA)^3 module \"%s\" has no vector", module->path);
	l = &adapter->tensors[module->tensor[PA_ROLE_VECTOR]];
	if (l->ndim == 2)
		fits = l->shape[feedforward ? 0 : 1] == 1;
	else
	{
		fits = l->ndim > 2 && l->ndim <= 5 && l->shape[0] == 1;
		for (int i = 2; i < l->ndim; i++)
			fits = fits && l->shape[i] == 1;
	}
	if (fits)
		return PA_OK;
	pa_fail(env, code, "tensor \"%s\" has shape %s", l->name, pa_shape_text(l).text);
	if (feedforward)
		pa_detail(env, "PEFT writes the vector of a feedforward module as (1, in), of a convolution as (1, n, 1, ...).");
	else
		pa_detail(env, "PEFT writes the vector of a module that is not feedforward as (out, 1), of a convolution as (1, n, 1, ...).");
	pa_hint(env, "feedforward_modules of the configuration says which modules are feedforward.");
	return code;
}

const PaKindMethods pa_kind_ia3 = {
	.id = PA_KIND_IA3,
	.name = "ia3",
	.peft_type = "IA3",
	.check_module = ia3_check_module,
};
