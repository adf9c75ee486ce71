/*
 * kind.h
 *	  The table of kinds: which tensors a module has and of which shapes, what its
 *	  change to the weights is, its neutral element, what scaling it does.  A new
 *	  kind is one file kind_<name>.c, declared here, and one row in kind_table.c,
 *	  and in src/interchange one file and one row for its configuration.
 *
 * No other room names a kind: they ask its row, most of all for the form of the
 * delta.  What is not defined for a form is refused by operation.h, and all of it for
 * form none by the kind's own refuse.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_KIND_H
#define PA_KIND_H

#include "adapter/role.h"

/* What a target module adds to the base weight (doc/algebra.md). */
typedef enum PaDeltaForm
{
	PA_DELTA_NONE,				/* what it does is not known here */
	PA_DELTA_PRODUCT,			/* s B A: two factors and a scaling */
	PA_DELTA_VECTOR,			/* l - 1, which the base weight is multiplied with */
	PA_DELTA_TENSORS			/* the keyed tensors themselves, each of one parameter */
} PaDeltaForm;

typedef struct PaKindMethods
{
	PaKind		id;
	const char *name;			/* "lora", as adapter_kind has it */
	const char *peft_type;		/* "LORA"; NULL: every type that no other kind has */
	const char *title;			/* "a LoRA", in messages, before "adapter" */
	PaDeltaForm delta;

	/*
	 * Has a leaf one weight, the sum of its v, in parameter space too?  Then both
	 * spaces have one algebra (doc/algebra.md, "Differences").
	 */
	bool		linear;

	/* May there be no target module at all? */
	bool		may_be_empty;

	const PaRole *roles;		/* that its tensors may have, up to a 0 */
	const char *const *biases;	/* values of the configuration's bias, up to a NULL */
	double		neutral;		/* each element of its neutral element */

	/* Does a module with these tensors make sense?  code as in pa_adapter_check. */
	PaStatus	(*check_module)(PaEnv *env, const PaAdapter *adapter, const PaModule *module, PaStatus code);

	/*
	 * Form product: rank, scaling and alpha of the neutral element of from, one of
	 * the adapter's modules; its rank is a *divisor-th of from's.  PA_ERR_MISMATCH
	 * if it has none.
	 */
	PaStatus	(*neutral_module)(PaEnv *env, const PaAdapter *adapter, const PaModule *from, PaModule *module,
								  uint64_t *divisor);

	/*
	 * Form product: scaling and alpha of the module of adapter_scale(a, s), s
	 * finite; 0 leaves them.  PA_ERR_RANGE for an alpha out of range.
	 */
	PaStatus	(*scale_module)(PaEnv *env, const PaAdapter *adapter, PaModule *module, double s);

	/* Form none: PA_ERR_UNSUPPORTED with the type and a way out. */
	PaStatus	(*refuse)(PaEnv *env, const PaAdapter *adapter);
} PaKindMethods;

extern const PaKindMethods *pa_kind_methods(PaKind kind);	/* NULL if unknown */

/* The kind of a configuration's peft_type: its own, or the one that takes every other type. */
extern const PaKindMethods *pa_kind_by_peft_type(const char *peft_type);

extern const char *pa_kind_name(PaKind kind);	/* "lora"; "?" if unknown */
extern const PaKindMethods *pa_kind_by_name(const char *name);	/* NULL if unknown */

/* The form of an adapter's delta. */
extern PaDeltaForm pa_delta_form(const PaAdapter *adapter);

/* peft_type of an adapter: "LORA", "PROMPT_TUNING". */
extern const char *pa_peft_type(const PaAdapter *adapter);

extern const PaKindMethods pa_kind_lora;
extern const PaKindMethods pa_kind_ia3;
extern const PaKindMethods pa_kind_difference;
extern const PaKindMethods pa_kind_opaque;

#endif
