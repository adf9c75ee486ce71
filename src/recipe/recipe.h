/*
 * recipe.h
 *	  How a value was made: a JSON document, a DAG with one node per digest.
 *	  doc/format.md, "Recipe", has the grammar.
 *
 *   {"version":N,"root":NODE,"nodes":{"<64 hex digits>":NODE,...}}
 *
 * root is the value itself; nodes holds what its operands (and theirs) were
 * made of, keyed by digest.  Weights are hexadecimal floats (as Python's
 * float.hex() writes them).  A digest that is referred to and not in nodes was
 * cut (the limit of 1 MiB: the nodes farthest from the root go first).  A
 * recipe is a claim until it is recomputed; readers follow digests with a
 * memory of where they have been.
 *
 * The functions return text in env memory.  An operand is given by its digest
 * and its own recipe text; its root becomes a node, its nodes are merged.  An
 * operand of many has its text loaded when its turn comes and released before
 * the next one's, so that memory does not grow with their number.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_RECIPE_H
#define PA_RECIPE_H

#include "core/text.h"
#include "recipe/terms.h"

/* *recipe is in env memory until release, which is not called after a failure: then pa_env_reset frees it. */
typedef struct PaRecipeLoader
{
	PaStatus	(*load)(PaEnv *env, void *state, PaText *recipe);
	void		(*release)(PaEnv *env, void *state, const PaText *recipe);
} PaRecipeLoader;

typedef struct PaOperand
{
	const uint8_t *digest;		/* PA_SHA256_LENGTH */
	const uint8_t *envelope_digest; /* or NULL */
	PaText		recipe;			/* unless there is a loader */
	const PaRecipeLoader *loader;
	void	   *state;			/* for the loader */
} PaOperand;

/* {"op":"import","sha256":...}: of the file */
extern PaStatus pa_recipe_import(PaEnv *env, const uint8_t file_sha256[PA_SHA256_LENGTH], PaText *recipe);

/*
 * {"op":"combine","terms":[{"of":digest,"u":...,"v":...},...]} in order of digest,
 * u, v.  The leaf of a term is an index of operands, here and below.
 */
extern PaStatus pa_recipe_combine(PaEnv *env, uint32_t n_operands, const PaOperand *operands, size_t n_terms,
								  const PaTerm *terms, PaText *recipe);

/*
 * {"op":"concatenate","terms":[{"of":digest,"w":...},...]}, a sum in delta
 * space; v of a term is its weight.
 */
extern PaStatus pa_recipe_concatenate(PaEnv *env, uint32_t n_operands, const PaOperand *operands,
									  size_t n_terms, const PaTerm *terms, PaText *recipe);

/*
 * {"op":"truncate","terms":[...],"rank":n or null,"energy":hex or null,
 * "numerics":"tolerance","library":text}.  energy is used if rank is 0.  The
 * result is the library's within the tolerance of doc/algebra.md, and so is an
 * extraction's; every other operation is exact and has no such members.
 */
extern PaStatus pa_recipe_truncate(PaEnv *env, uint32_t n_operands, const PaOperand *operands, size_t n_terms,
								   const PaTerm *terms, uint64_t rank, double energy, const char *library,
								   PaText *recipe);

/* What an extraction's recipe says besides its operand. */
typedef struct PaRecipeExtract
{
	uint64_t	rank;			/* 0: by energy */
	double		energy;
	bool		drop_others;
	const char *embeddings;		/* or NULL */
	bool		fan_in_fan_out;
	const char *library;
} PaRecipeExtract;

/*
 * {"op":"extract","of":digest,"rank":n or null,"energy":hex or null,"drop_others":bool,
 * "embeddings":text or null,"fan_in_fan_out":bool,"numerics":"tolerance","library":text};
 * recipes of version 2 have it
 */
extern PaStatus pa_recipe_extract(PaEnv *env, const PaOperand *of, const PaRecipeExtract *extract,
								  PaText *recipe);

/* What a merge's recipe says besides its terms. */
typedef struct PaRecipeMerge
{
	const char *method;
	const char *flavour;
	double		density;
	const char *majority_sign;	/* or NULL */
	const int64_t *seed;		/* or NULL */
} PaRecipeMerge;

/*
 * {"op":"merge","method":text,"flavour":text,"terms":[...],"density":hex,
 * "majority_sign":text or null,"seed":integer or null}; terms in order of
 * digest, w, one for each argument.
 */
extern PaStatus pa_recipe_merge(PaEnv *env, uint32_t n_operands, const PaOperand *operands, size_t n_terms,
								const PaTerm *terms, const PaRecipeMerge *merge, PaText *recipe);

/* {"op":"scale","of":digest,"by":hex} */
extern PaStatus pa_recipe_scale(PaEnv *env, const PaOperand *of, double by, PaText *recipe);

/* {"op":"cast","of":digest,"dtype":text} */
extern PaStatus pa_recipe_cast(PaEnv *env, const PaOperand *of, const char *dtype, PaText *recipe);

/* {"op":"plain","of":digest,"rank":n or null}; 0: null */
extern PaStatus pa_recipe_plain(PaEnv *env, const PaOperand *of, uint64_t rank, PaText *recipe);

/* {"op":"select","of":digest,"pattern":text,"invert":bool} */
extern PaStatus pa_recipe_select(PaEnv *env, const PaOperand *of, const char *pattern, bool invert,
								 PaText *recipe);

/* {"op":"rename","of":digest,"pattern":text,"replacement":text}; recipes of version 2 have it */
extern PaStatus pa_recipe_rename(PaEnv *env, const PaOperand *of, const char *pattern,
								 const char *replacement, PaText *recipe);

/*
 * {"op":"select_tensors","of":digest,"tensors":text or null,"role":text or
 * null,"invert":bool}; recipes of version 2 have it
 */
extern PaStatus pa_recipe_select_tensors(PaEnv *env, const PaOperand *of, const char *tensors,
										 const char *role, bool invert, PaText *recipe);

/* {"op":"to_lora","of":digest,"shapes":text or null}; recipes of version 2 have it */
extern PaStatus pa_recipe_to_lora(PaEnv *env, const PaOperand *of, const char *shapes, PaText *recipe);

/*
 * {"op":"set_base_model","of":digest,"base_model":text or null,"revision":text
 * or null}
 */
extern PaStatus pa_recipe_set_base_model(PaEnv *env, const PaOperand *of, const char *base_model,
										 const char *revision, PaText *recipe);

/* {"op":"split","of":digest,"max_bytes":n,"part":n}; parts count from 0 */
extern PaStatus pa_recipe_split(PaEnv *env, const PaOperand *of, uint64_t max_bytes, uint32_t part,
								PaText *recipe);

/* {"op":"union","of":[digest,...]}, sorted */
extern PaStatus pa_recipe_union(PaEnv *env, uint32_t n, const PaOperand *operands, PaText *recipe);

/* The root node where it stands in a recipe that one of the functions above wrote. */
extern PaText pa_recipe_root(PaText recipe);

/* Grammar, digests, weights, limits; PA_ERR_CONFIG and pa_json_parse's codes. */
extern PaStatus pa_recipe_check(PaEnv *env, PaText recipe);

#endif
