/*
 * mlx_config.h
 *	  The adapter_config.json of mlx-lm and mlx-vlm: one scaling for all modules, which
 *	  are the file's.  doc/format.md, "Containers".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_MLX_CONFIG_H
#define PA_MLX_CONFIG_H

#include "interchange/peft_config.h"

/* Is it such a configuration, and not PEFT's? */
extern bool pa_mlx_config_is(const json_t *root);

/*
 * PA_ERR_CONFIG where the scaling is not told or told in two ways, PA_ERR_UNSUPPORTED
 * for full fine-tuning.
 */
extern PaStatus pa_mlx_config_read(PaEnv *env, const json_t *root, PaConfig *config);

/* Can the result be written so: plain LoRA of matrices with one scaling? */
extern bool pa_mlx_config_can(const PaAdapter *adapter);

extern PaStatus pa_mlx_config_write(PaEnv *env, const PaAdapter *adapter, PaText *text);

#endif
