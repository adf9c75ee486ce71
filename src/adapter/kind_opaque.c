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

/* The types that PEFT's convert_to_lora() takes, by forming the delta and cutting its rank (PEFT 0.21). */
static const char *const convertible[] = {
	"C3A",	 "DELORA",	 "FOURIERFT", "GRALORA", "LOHA",   "LOKR", "MISS",
	"PSOFT", "RANDLORA", "TINYLORA",  "UNILORA", "VBLORA", "VERA", "WAVEFT",
};

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
	bool		converts = false;

	for (size_t i = 0; i < sizeof(convertible) / sizeof(convertible[0]); i++)
		converts = converts || strcmp(convertible[i], adapter->opaque_type) == 0;
	pa_fail(env, PA_ERR_UNSUPPORTED, "adapter of type %s cannot be computed with", adapter->opaque_type);
	pa_detail(env,
			  "Arithmetic is defined for LORA, IA3 and DIFFERENCE; what the tensors of other types do "
			  "to the base model is known to PEFT alone.");
	if (converts)
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
