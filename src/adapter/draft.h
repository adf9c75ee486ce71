/*
 * draft.h
 *	  A PaAdapter under construction: appended in any order, then sorted.
 *
 * Operations describe their result in this form (modules by path, tensors by
 * module and role); interchange gives it PEFT's names and a configuration text,
 * and pa_peft_describe turns names and text into the adapter that is stored.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_DRAFT_H
#define PA_DRAFT_H

#include "adapter/adapter.h"

/* A tensor of a draft: where it stands is module and role; those of keyed roles have a key. */
typedef struct PaDraftTensor
{
	uint32_t	module;			/* index into the draft's modules */
	PaRole		role;
	const char *key;			/* keyed role: name without prefix; else NULL */
	const char *name;			/* to be kept; NULL: PEFT's name for module, role and key */
	PaDtype		dtype;
	int			ndim;
	uint64_t	shape[PA_MAX_NDIM];
	uint64_t	tag;			/* the operation's own mark, kept */
} PaDraftTensor;

typedef struct PaDraft
{
	PaAdapter	facts;			/* everything but tensors; modules sorted by path */
	const struct PaSpelling *spelling;	/* how names are written (interchange); NULL: as PEFT does */
	PaText		kept;			/* a JSON object, members of its configuration that only pass; or no text */
	uint32_t	n_tensors;
	PaDraftTensor *tensors;
} PaDraft;

/* A draft that is the adapter itself; tag of a draft tensor = index in adapter. */
extern PaStatus pa_draft_of(PaEnv *env, const PaAdapter *adapter, PaDraft **draft);

/* A draft tensor like an adapter's, with the key but without the name. */
extern void pa_draft_tensor_of(PaDraftTensor *draft, const PaTensor *tensor, uint64_t tag);

#endif
