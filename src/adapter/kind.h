/*
 * kind.h
 *	  The method table of a kind of adapter: which tensors a module has, which
 *	  shapes they may have, what its neutral element is.  A new kind is one file
 *	  kind_<name>.c and one row in kind_table.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_KIND_H
#define PA_KIND_H

#include "adapter/adapter.h"

typedef struct PaKindMethods
{
	PaKind		id;
	const char *name;			/* "lora" */
	const char *peft_type;		/* "LORA" */

	/*
	 * Has a leaf one weight, the sum of its v, in parameter space too?  Then both
	 * spaces have one algebra (doc/algebra.md, "Differences").
	 */
	bool		linear;

	/* Does a module with these tensors make sense?  code as in pa_adapter_check. */
	PaStatus	(*check_module) (PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code);
} PaKindMethods;

extern const PaKindMethods *pa_kind_methods(PaKind kind);	/* NULL if unknown */
extern const PaKindMethods *pa_kind_by_peft_type(const char *peft_type);	/* NULL if unknown */

extern const PaKindMethods pa_kind_lora;
extern const PaKindMethods pa_kind_ia3;
extern const PaKindMethods pa_kind_difference;

#endif
