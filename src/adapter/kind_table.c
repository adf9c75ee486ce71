/*
 * kind_table.c
 *	  The kinds of adapters.  Ids are on disk and in the digest: never change
 *	  one, never use one again.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "adapter/kind.h"

#include <string.h>

_Static_assert(PA_KIND_LORA == 1 && PA_KIND_IA3 == 2, "ids of kinds are on disk");

static const PaKindMethods *const kinds[] = {
	&pa_kind_lora,
	&pa_kind_ia3,
};

const PaKindMethods *
pa_kind_methods(PaKind kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i]->id == kind)
			return kinds[i];
	return NULL;
}

const PaKindMethods *
pa_kind_by_peft_type(const char *peft_type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i]->peft_type, peft_type) == 0)
			return kinds[i];
	return NULL;
}
