/*
 * container_metadata.h
 *	  What headers of diffusion models' files say under __metadata__: diffusers'
 *	  lora_adapter_metadata, kohya's ss_ keys; read and written.
 *
 * lora_adapter_metadata is a JSON object of LoraConfig's members, each with the
 * part of the pipeline before it: {"unet.r": 8, "unet.lora_alpha": 16}.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_CONTAINER_METADATA_H
#define PA_CONTAINER_METADATA_H

#include "core/json.h"
#include "interchange/container.h"

#define PA_META_DIFFUSERS "lora_adapter_metadata"

/* Fills scaling and alpha of the modules of the parts that it has, facts that are the same in all parts. */
extern PaStatus pa_metadata_read_diffusers(PaEnv *env, const json_t *metadata, PaAdapter *facts);

/* Members of the parts that say more of a LoRA than numbers (use_dora), to be added to the configuration. */
extern PaStatus pa_metadata_carry(PaEnv *env, const json_t *metadata, json_t *config);

/* The base model by its hash, or else by its kind, in the document's memory; NULL: not told. */
extern const char *pa_metadata_base_model(const json_t *metadata);

/* The __metadata__ of a result, an object of strings. */
extern PaStatus pa_metadata_write(PaEnv *env, const PaSpelling *spelling, const PaAdapter *adapter,
								  json_t *metadata);

#endif
