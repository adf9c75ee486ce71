/*
 * kind_table.c
 *	  The kinds of adapters.  A new kind is a row here and a file of its own.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/kind.h"

#include <string.h>

/* doc/format.md and every stored value have these. */
_Static_assert(PA_KIND_LORA == 1 && PA_KIND_IA3 == 2 && PA_KIND_DIFFERENCE == 3 && PA_KIND_OPAQUE == 4,
			   "kind ids are on disk");

/* The one that takes every type that no other has comes last. */
static const PaKindMethods *const kinds[] = {
	&pa_kind_lora,
	&pa_kind_ia3,
	&pa_kind_difference,
	&pa_kind_opaque,
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

const PaKindMethods *
pa_kind_methods(PaKind kind)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (kinds[i]->id == kind)
			return kinds[i];
	return NULL;
}

const PaKindMethods *
pa_kind_by_peft_type(const char *peft_type)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (kinds[i]->peft_type == NULL || strcmp(kinds[i]->peft_type, peft_type) == 0)
			return kinds[i];
	return NULL;
}

const PaKindMethods *
pa_kind_by_name(const char *name)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

const char *
pa_kind_name(PaKind kind)
{
	const PaKindMethods *methods = pa_kind_methods(kind);

	return methods != NULL ? methods->name : "?";
}

PaDeltaForm
pa_delta_form(const PaAdapter *adapter)
{
	return pa_kind_methods(adapter->kind)->delta;
}

const char *
pa_peft_type(const PaAdapter *adapter)
{
	return adapter->opaque_type != NULL ? adapter->opaque_type : pa_kind_methods(adapter->kind)->peft_type;
}
