/*
 * extract.h
 *	  adapter_extract: the nearest LoRA of a rank of what full fine-tuning has done.
 *	  doc/algebra.md, "Extraction".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_EXTRACT_H
#define PA_ENGINE_EXTRACT_H

#include "engine/lowrank.h"

typedef struct PaExtractArguments
{
	PaKeep		keep;
	bool		drop_others;	/* what a LoRA cannot hold is left out; else it is an error */
	const char
		*embeddings;			/* expression for the paths of modules that are embeddings; NULL: the usual names */
	bool		fan_in_fan_out; /* weights that are no embeddings and no convolutions are stored as (in, out) */
} PaExtractArguments;

extern PaStatus pa_extract(PaEnv *env, PaValue *value, const PaExtractArguments *arguments, size_t reserve,
						   PaBuf *out);

#endif
