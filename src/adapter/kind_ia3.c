/*
 * kind_ia3.c
 *	  (IA)^3: one vector l for each target module, which multiplies outputs, or
 *	  the inputs of feedforward modules (doc/algebra.md; neutral is l = 1).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/kind.h"

#include "adapter/shape.h"

/* (out, 1), or (1, in) for a feedforward module, or (1, n, 1...) for a convolution */
static bool
is_vector(const PaTensor *tensor, bool feedforward)
{
	if (tensor->ndim < 2 || tensor->ndim > 5)
		return false;
	if (tensor->shape[tensor->ndim == 2 && !feedforward ? 1 : 0] != 1)
		return false;
	for (int i = 2; i < tensor->ndim; i++)
		if (tensor->shape[i] != 1)
			return false;
	return true;
}

static PaStatus
check_module(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code)
{
	const PaTensor *vector;

	if (module->tensor[PA_ROLE_VECTOR] < 0)
		return pa_fail(env, code, "(IA)^3 module \"%s\" has no vector", module->path);
	if (module->flags & (PA_MODULE_EMBEDDING | PA_MODULE_PARAMETER))
		return pa_fail(env, code, "(IA)^3 module \"%s\" is marked as a LoRA module", module->path);
	if (module->rank != 0 || module->scaling != 1.0)
		return pa_fail(env, code, "(IA)^3 module \"%s\" has a rank or a scaling", module->path);
	vector = &adapter->tensors[module->tensor[PA_ROLE_VECTOR]];
	if (is_vector(vector, (module->flags & PA_MODULE_FEEDFORWARD) != 0))
		return PA_OK;
	pa_fail(env, code, "(IA)^3 vector \"%s\"%s has shape %s", vector->name,
			module->flags & PA_MODULE_FEEDFORWARD ? " of a feedforward module" : "",
			pa_shape_text(vector).text);
	pa_detail(
		env,
		"PEFT writes (out, 1), but (1, in) for a feedforward module and (1, n, 1...) for a convolution.");
	pa_hint(env, "feedforward_modules in the configuration says which modules are feedforward.");
	return code;
}

static const PaRole roles[] = {PA_ROLE_VECTOR, PA_ROLE_DENSE, 0};
static const char *const biases[] = {"none", NULL};

const PaKindMethods pa_kind_ia3 = {
	.id = PA_KIND_IA3,
	.name = "ia3",
	.peft_type = "IA3",
	.title = "an (IA)^3",
	.delta = PA_DELTA_VECTOR,
	.roles = roles,
	.biases = biases,
	.neutral = 1,
	.check_module = check_module,
};
