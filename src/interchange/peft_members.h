/*
 * peft_members.h
 *	  Members of a configuration that PEFT does not have, as far as is known here:
 *	  which of them announce a variant, and which others say something.
 *
 * What PEFT has is the dialect's list, that of PEFT 0.21.  Its variants of LoRA
 * have all announced themselves by a use_... or ..._config that is set, and so
 * will the next ones.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_MEMBERS_H
#define PA_PEFT_MEMBERS_H

#include "interchange/peft_dialect.h"

typedef enum PaMember
{
	PA_MEMBER_KNOWN,			/* the dialect has it, or judges none */
	PA_MEMBER_UNSET,			/* null, false, 0, empty */
	PA_MEMBER_ANNOUNCES,		/* a variant */
	PA_MEMBER_SET				/* it says something, nobody here knows what */
} PaMember;

/* What a member of a configuration of this dialect is. */
extern PaMember pa_peft_member(const PaPeftDialect *dialect, const char *name, const json_t *value);

/* The first member that announces a variant; NULL: there is none. */
extern PaStatus pa_peft_member_variant(PaEnv *env, const PaPeftDialect *dialect, const json_t *root,
									   const char **variant);

/* The names of those that are only set, quoted, with commas between; NULL: there are none. */
extern PaStatus pa_peft_members_set(PaEnv *env, const PaPeftDialect *dialect, PaText config,
									const char **names);

#endif
