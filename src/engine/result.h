/*
 * result.h
 *	  How an operation ends: its result is described by PEFT's names and a
 *	  configuration, given a recipe, and written as a value.
 *
 * A draft is written as PEFT's names and configuration and read again, so what
 * is stored is what PEFT will read.
 *
 * A function of the engine that makes a value writes it into a PaBuf that it
 * initialises with `reserve` bytes in front (PostgreSQL's length word); after a
 * failure there is nothing to release, not even a PaBuf that the caller had
 * begun.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENGINE_RESULT_H
#define PA_ENGINE_RESULT_H

#include "interchange/peft.h"
#include "recipe/recipe.h"
#include "value/value.h"

typedef struct PaResult
{
	PaAdapter  *adapter;
	uint32_t   *of;				/* which tensor of the draft, or of the list, tensor i is */
	const PaSpelling *spelling; /* of a draft's names; NULL: PEFT's */
	bool		mlx;			/* it is written as MLX has it, if it can be */
	PaDocuments documents;
} PaResult;

/*
 * The configuration is composed, and names are where the draft leaves them open.
 * What the operands' configurations agree in and no operation reads is kept.
 */
extern PaStatus pa_result_describe(PaEnv *env, const PaDraft *draft, uint32_t n, PaValue *const *operands,
								   PaResult *result);

/* By a configuration that stays. */
extern PaStatus pa_result_describe_kept(PaEnv *env, const PaDraft *draft, PaText config, PaResult *result);

/* Tensors that keep their names and places, by a configuration (which was read from the text) that stays. */
extern PaStatus pa_result_describe_as(PaEnv *env, PaConfig *config, PaText text, uint32_t n,
									  const PaFileTensor *tensors, PaResult *result);

/* The result of an operation: the host is told that it was made (PaHost.made). */
extern PaStatus pa_result_store(PaEnv *env, PaResult *result, PaSource *source, PaText recipe,
								uint32_t n_operands, const PaOperand *operands, size_t reserve, PaBuf *out);

/* The same of what came in, whose recipe is a claim. */
extern PaStatus pa_result_store_imported(PaEnv *env, PaResult *result, PaSource *source, PaText recipe,
										 size_t reserve, PaBuf *out);

#endif
