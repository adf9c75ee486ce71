/*
 * kind_difference.c
 *	  Differences: tuned - base of whole parameters, by their names (full
 *	  fine-tuning as a task vector; doc/algebra.md, "Differences"; neutral is 0).
 *
 * PEFT has no such type: peft_type DIFFERENCE is this extension's own.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/kind.h"

static PaStatus
check_module(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code)
{
	(void) adapter;
	if (module->flags != PA_MODULE_TARGET)
		return pa_fail(env, code, "module \"%s\" of differences is marked as one of another kind",
					   module->path);
	if (module->rank != 0 || module->scaling != 1.0)
		return pa_fail(env, code, "module \"%s\" of differences has a rank or a scaling", module->path);
	return PA_OK;
}

static const PaRole roles[] = {PA_ROLE_DIFFERENCE, 0};
static const char *const biases[] = {"none", NULL};

const PaKindMethods pa_kind_difference = {
	.id = PA_KIND_DIFFERENCE,
	.name = "difference",
	.peft_type = "DIFFERENCE",
	.title = "a difference",
	.delta = PA_DELTA_TENSORS,
	.linear = true,
	.may_be_empty = true,
	.roles = roles,
	.biases = biases,
	.check_module = check_module,
};
