/*
 * kind_opaque.c
 *	  Adapters of every method of PEFT that has no kind of its own (prompt tuning,
 *	  LoHa, VeRA, OFT ...): stored, found, exported byte for byte, revoked, and
 *	  never computed with.
 *
 * Every tensor has the role opaque and is told by its name.  What the method is
 * stands in opaque_type, what its configuration says in settings.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/kind.h"

#include <string.h>

/* The types that PEFT's convert_to_lora() takes besides LOHA, LOKR and VERA, by forming the delta and cutting
 * its rank (PEFT 0.21). */
static const char *const convertible[] = {
	"C3A",		"DELORA",	"FOURIERFT", "GRALORA", "MISS",	  "PSOFT",
	"RANDLORA", "TINYLORA", "UNILORA",	 "VBLORA",	"WAVEFT",
};

/* Those whose change is a product of what they have (interchange/peft_factored.h). */
static const char *const factored[] = {"ADALORA", "LOHA", "LOKR", "VERA"};

static bool
is_among(const char *type, const char *const *types, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

static PaStatus
check_module(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code)
{
	(void) adapter;
	if (module->flags != PA_MODULE_TARGET || module->rank != 0 || module->scaling != 1.0)
		return pa_fail(env, code, "module \"%s\" of an opaque adapter has properties of another kind",
					   module->path);
	return PA_OK;
}

static PaStatus
refuse(PaEnv *env, const PaAdapter *adapter)
{
	const char *type = adapter->opaque_type;

	pa_fail(env, PA_ERR_UNSUPPORTED, "adapter of type %s cannot be computed with", adapter->opaque_type);
	pa_detail(env,
			  "Arithmetic is defined for LORA, IA3 and DIFFERENCE; what the tensors of other types do "
			  "to the base model is known to PEFT alone.");
	if (is_among(type, factored, sizeof(factored) / sizeof(factored[0])))
		pa_hint(
			env,
			"adapter_to_lora(a) makes a LoRA of it; as it is it can be stored, exported and used as 1 * a.");
	else if (is_among(type, convertible, sizeof(convertible) / sizeof(convertible[0])))
		pa_hint(env,
				"It can be stored, exported and used as 1 * a; PEFT's convert_to_lora() makes a LoRA of it.");
	else
		pa_hint(env, "It can be stored, exported and used as 1 * a.");
	return PA_ERR_UNSUPPORTED;
}

static const PaRole roles[] = {PA_ROLE_OPAQUE, 0};
static const char *const biases[] = {"none", NULL};

const PaKindMethods pa_kind_opaque = {
	.id = PA_KIND_OPAQUE,
	.name = "opaque",
	.title = "an opaque",
	.delta = PA_DELTA_NONE,
	.roles = roles,
	.biases = biases,
	.check_module = check_module,
	.refuse = refuse,
};
