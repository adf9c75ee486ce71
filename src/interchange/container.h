/*
 * container.h
 *	  Containers of LoRA: who writes the file, and so how its tensors are named.
 *	  doc/format.md, "Containers".
 *
 * PEFT's is the one with an adapter_config.json for each file.  The programs for
 * diffusion models (kohya's sd-scripts, LyCORIS, diffusers, ComfyUI) have spellings
 * of their own for the same factors, and the scaling in alpha tensors or in the
 * header; one reading takes all of them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_CONTAINER_H
#define PA_CONTAINER_H

#include "adapter/adapter.h"

typedef enum PaContainer
{
	PA_CONTAINER_PEFT = 0,
	PA_CONTAINER_DIFFUSION,
	PA_CONTAINER_MLX			/* its configuration tells (mlx_config.h) */
} PaContainer;

/* How one program spells what stands behind the path of a module. */
typedef struct PaSpelling
{
	const char *a;
	const char *b;
	const char *middle;
	bool		foreign;		/* a PEFT reader does not know it */
	bool		alphas;			/* it has an alpha tensor in every module */
} PaSpelling;

/* Of what comes in a container that is not PEFT's. */
extern const PaKind pa_container_kind;

#define PA_SPELLING_ALPHA ".alpha"

/* Where a configuration is wrong that a container has no need of. */
#define PA_HINT_NO_CONFIG "Such a file needs no configuration: leave the argument out."

/* The factors of an embedding, in PEFT and in each spelling. */
#define PA_EMBEDDING_A ".lora_embedding_A"
#define PA_EMBEDDING_B ".lora_embedding_B"

#define PA_MLX_A ".lora_a"
#define PA_MLX_B ".lora_b"

/* kohya's, with alpha tensors; and diffusers' of today, with the scaling in the header. */
extern const PaSpelling *const pa_spelling_kohya;
extern const PaSpelling *const pa_spelling_diffusers;

/* The spelling that only such programs have and that this name ends in; NULL: none. */
extern const PaSpelling *pa_spelling_foreign(const char *name);

/*
 * Does the name of a factor say that without an alpha the scaling is 1?  A program of
 * its own has spelled it; but not of a language model with parameters called lora_A, which
 * loralib and those after it write, with the scaling elsewhere.
 */
extern bool pa_spelling_means_one(const char *name);

/* Does the name begin with a part of a diffusion pipeline, "unet." or the like, and is of no language model?
 */
extern bool pa_spelling_has_component(const char *name);

/* The reading that the names of an adapter that is there need. */
extern PaContainer pa_container_of(const PaAdapter *adapter);

/* Are all that have factors MLX's, and is there one? */
extern bool pa_containers_are_mlx(uint32_t n, const PaAdapter *const *adapters);

/* Are those of them that have factors read in one way? */
extern bool pa_containers_agree(uint32_t n, const PaAdapter *const *adapters);

/*
 * How the result of these operands is spelled: as all of them are, in diffusers'
 * spelling where they are all for diffusion models; NULL: as PEFT does.
 */
extern const PaSpelling *pa_spelling_of_result(uint32_t n, const PaAdapter *const *adapters);

#endif
