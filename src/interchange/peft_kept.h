/*
 * peft_kept.h
 *	  Members of operands' configurations that no operation reads and a composed
 *	  configuration keeps: auto_mapping and members that PEFT does not have, where
 *	  all operands agree, and the newest peft_version.
 *
 * By auto_mapping PEFT finds the base model's class where there is no task_type.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_KEPT_H
#define PA_PEFT_KEPT_H

#include "adapter/adapter.h"
#include "core/json.h"

typedef struct PaKept
{
	json_t	   *members;		/* of the operands so far; released with the PaEnv */
	bool		begun;
} PaKept;

extern PaStatus pa_peft_kept_begin(PaEnv *env, PaKept *kept);

/* The next operand's configuration; the text need not stay.  Their order is of no account. */
extern PaStatus pa_peft_kept_add(PaEnv *env, PaKept *kept, PaKind kind, PaText config);

/* The members, a JSON object, added to those that a composed configuration has by itself. */
extern PaStatus pa_peft_kept_write(PaEnv *env, PaText members, json_t *root);

#endif
