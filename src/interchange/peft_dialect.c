/*
 * peft_dialect.c
 *	  The dialects of PEFT's names and configurations.  A new one is a row here
 *	  and a file of its own.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_dialect.h"

const PaPeftDialect *const pa_peft_dialects[] = {&pa_peft_lora, &pa_peft_ia3, &pa_peft_difference,
												 &pa_peft_opaque, NULL};

const PaPeftDialect *
pa_peft_dialect(PaKind kind)
{
	for (size_t i = 0; pa_peft_dialects[i] != NULL; i++)
		if (pa_peft_dialects[i]->kind == kind)
			return pa_peft_dialects[i];
	return NULL;
}
