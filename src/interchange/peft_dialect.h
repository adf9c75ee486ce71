/*
 * peft_dialect.h
 *	  The method table of a dialect: how a kind of adapter is written in PEFT's
 *	  tensor names and configurations.  A new dialect is one file peft_<name>.c
 *	  and one row in peft_dialect.c.
 *
 * What is not here all dialects share: prefixes, the base model and its revision,
 * the task type, modules that were saved whole.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PEFT_DIALECT_H
#define PA_PEFT_DIALECT_H

#include "interchange/peft_config.h"

/* What stands behind a module's path in the name of a tensor. */
typedef struct PaPeftSuffix
{
	const char *text;
	PaRole		role;
	uint32_t	module_flags;	/* what the name says of its module */
	uint32_t	features;
} PaPeftSuffix;

/* Tensors whose name has no suffix: they are told apart by their keys. */
typedef struct PaPeftKeyed
{
	PaRole		role;
	uint32_t	module_flags;
	bool		prefixed;		/* PEFT's prefix is written before the key, though it is not needed */
	bool		any_name;		/* a name may be one that another dialect has */
	PaStatus	(*path)(PaEnv *env, const char *key, const char **path);	/* of the module */
} PaPeftKeyed;

typedef struct PaPeftDialect
{
	PaKind		kind;

	/* In writing, the first that has the role, and whose flags the module has, is taken. */
	const PaPeftSuffix *suffixes;
	size_t		n_suffixes;
	PaPeftKeyed keyed;

	/*
	 * How its tensors show where they are not expected.  A component that PEFT
	 * uses in no other place than in a suffix is an error in any other name, and
	 * forms says which names there are; any other component that begins as those
	 * of the family do is a variant that is not known.  NULL: has none.
	 */
	const char *const *own_components;
	size_t		n_own_components;
	const char *forms;
	const char *family;

	/*
	 * The members that PEFT's configuration has, up to a NULL (peft_members.h), and
	 * whether others may announce a variant of it.  NULL: they are not judged.
	 */
	const char *const *members;
	bool		has_variants;

	/*
	 * Its own members of a configuration; NULL: has none.  One that cannot be
	 * composed says so in write.
	 */
	PaStatus	(*read)(PaEnv *env, const json_t *root, PaConfig *config);
	PaStatus	(*write)(PaEnv *env, json_t *root, const PaAdapter *facts);

	/*
	 * Completes the modules, whose path, flags and tensors are there, by the
	 * configuration.  ranks[i] becomes the rank that it has for module i, if any:
	 * check_described compares them once the tensors are known to fit together.
	 * NULL: there is nothing to do.
	 */
	PaStatus	(*describe)(PaEnv *env, PaConfig *config, PaAdapter *adapter, double *ranks);
	PaStatus	(*check_described)(PaEnv *env, const PaAdapter *adapter, const double *ranks);
} PaPeftDialect;

extern const PaPeftDialect *pa_peft_dialect(PaKind kind);	/* NULL if unknown */

/* That by which the names of a file of this container are read; of another kind than LoRA it is PEFT's. */
extern const PaPeftDialect *pa_container_dialect(PaContainer container, PaKind kind);

/* All of them; the last is followed by NULL. */
extern const PaPeftDialect *const pa_peft_dialects[];

extern const PaPeftDialect pa_peft_lora;
extern const PaPeftDialect pa_peft_ia3;
extern const PaPeftDialect pa_peft_difference;
extern const PaPeftDialect pa_peft_opaque;

#endif
