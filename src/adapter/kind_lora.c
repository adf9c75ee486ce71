/*
 * kind_lora.c
 *	  LoRA: a target module has factor A (r, in) and factor B (out, r); for
 *	  convolutions A carries the kernel and B is 1x1; for embeddings A is
 *	  (r, entries) and B (dim, r).  Beside them may stand a bias (lora_bias) and
 *	  a magnitude (DoRA).  The shapes are those that PEFT writes.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/kind.h"

#include "adapter/shape.h"

static const PaTensor *
tensor_of(const PaAdapter *adapter, const PaModule *module, PaRole role)
{
	return module->tensor[role] >= 0 ? &adapter->tensors[module->tensor[role]] : NULL;
}

static PaStatus
shape_failed(PaEnv *env, const PaTensor *tensor, PaStatus code, const char *written)
{
	pa_fail(env, code, "tensor \"%s\" has shape %s", tensor->name, pa_shape_text(tensor).text);
	pa_detail(env, "%s", written);
	return code;
}

static PaStatus
check_pair(PaEnv *env, const PaModule *module, const PaTensor *a, const PaTensor *b, PaStatus code)
{
	int			largest = module->flags & (PA_MODULE_EMBEDDING | PA_MODULE_PARAMETER) ? 2 : 5;

	if (a->ndim < 2 || a->ndim > largest || a->shape[0] == 0)
		return shape_failed(env, a, code, largest == 2 ?
							"PEFT writes factor A of such a module as (r, entries), r at least 1." :
							"PEFT writes factor A as (r, in), or (r, in, kernel...) for a convolution, r at least 1.");
	if (b->ndim != a->ndim)
		return shape_failed(env, b, code, "Factors A and B of a module have the same number of dimensions.");
	if (a->ndim == 2 ? b->shape[1] != a->shape[0] :
		b->shape[1] == 0 || a->shape[0] % b->shape[1] != 0)
	{
		pa_fail(env, code, "factors of module \"%s\" do not fit together", module->path);
		pa_detail(env, "Factor A has shape %s, factor B %s; the rank is the first dimension of A and the second of B.",
				  pa_shape_text(a).text, pa_shape_text(b).text);
		return code;
	}
	for (int i = 2; i < b->ndim; i++)
		if (b->shape[i] != 1)
			return shape_failed(env, b, code, "PEFT writes factor B of a convolution as (out, r / groups, 1, ...).");
	if (module->rank != a->shape[0])
		return pa_fail(env, code, "module \"%s\" has rank %llu, its factor A %llu", module->path,
					   (unsigned long long) module->rank, (unsigned long long) a->shape[0]);
	return PA_OK;
}

static PaStatus
check_partner(PaEnv *env, const PaModule *module, const PaTensor *a, const PaTensor *b, PaStatus code)
{
	const PaTensor *there = a != NULL ? a : b;

	if (a != NULL && b != NULL)
		return PA_OK;
	pa_fail(env, code, "module \"%s\" has only one LoRA factor", module->path);
	if (there != NULL)
		pa_detail(env, "There is \"%s\" and no factor %s.", there->name, a != NULL ? "B" : "A");
	pa_hint(env, "The file may be cut or may have been filtered; a module needs both factors.");
	return code;
}

static PaStatus
lora_check_module(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code)
{
	const PaTensor *a = tensor_of(adapter, module, PA_ROLE_FACTOR_A);
	const PaTensor *b = tensor_of(adapter, module, PA_ROLE_FACTOR_B);
	const PaTensor *bias = tensor_of(adapter, module, PA_ROLE_BIAS);
	const PaTensor *magnitude = tensor_of(adapter, module, PA_ROLE_MAGNITUDE);

	if (module->tensor[PA_ROLE_VECTOR] >= 0)
		return pa_fail(env, code, "LoRA module \"%s\" has an (IA)^3 vector", module->path);
	PA_TRY(check_partner(env, module, a, b, code));
	PA_TRY(check_pair(env, module, a, b, code));
	if (bias != NULL && (bias->ndim != 1 || bias->shape[0] != b->shape[0]))
		return shape_failed(env, bias, code, "PEFT writes the bias of factor B as (out), out being the first dimension of B.");
	if (bias != NULL && !adapter->lora_bias)
	{
		pa_fail(env, code, "module \"%s\" has a bias of factor B, but the configuration has no lora_bias", module->path);
		pa_hint(env, "Set lora_bias to true in the configuration if the adapter was trained with it.");
		return code;
	}
	if (magnitude != NULL && magnitude->elements != b->shape[0])
		return shape_failed(env, magnitude, code, "PEFT writes one magnitude for each output, that is for each row of factor B.");
	return PA_OK;
}

const PaKindMethods pa_kind_lora = {
	.id = PA_KIND_LORA,
	.name = "lora",
	.peft_type = "LORA",
	.check_module = lora_check_module,
};
