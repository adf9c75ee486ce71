/*
 * container_lora.c
 *	  The dialects of containers: what their tensor names say.  All that comes in a
 *	  container is LoRA.  See container.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/container.h"
#include "interchange/container_spellings.h"
#include "interchange/peft_dialect.h"
#include "interchange/peft_lora.h"
#include "interchange/peft_path.h"

const PaKind pa_container_kind = PA_KIND_LORA;

#define FACTORS(a, b) \
	{a, PA_ROLE_FACTOR_A, PA_MODULE_TARGET, 0}, \
	{ \
		b, PA_ROLE_FACTOR_B, PA_MODULE_TARGET, 0 \
	}

static const PaPeftSuffix suffixes[] = {
	FACTORS(PEFT_A, PEFT_B),
	FACTORS(KOHYA_A, KOHYA_B),
	FACTORS(PROCESSOR_A, PROCESSOR_B),
	FACTORS(LAYER_A, LAYER_B),
	FACTORS(LINEAR_A, LINEAR_B),
	FACTORS(BARE_A, BARE_B),
	{PA_EMBEDDING_A, PA_ROLE_FACTOR_A, PA_MODULE_TARGET | PA_MODULE_EMBEDDING, 0},
	{PA_EMBEDDING_B, PA_ROLE_FACTOR_B, PA_MODULE_TARGET | PA_MODULE_EMBEDDING, 0},
	{KOHYA_MIDDLE, PA_ROLE_MIDDLE, PA_MODULE_TARGET, 0},
	{PA_SPELLING_ALPHA, PA_ROLE_ALPHA, PA_MODULE_TARGET, 0},
	{".lora_B.bias", PA_ROLE_BIAS, PA_MODULE_TARGET, 0},
	{".lora_magnitude_vector", PA_ROLE_MAGNITUDE, PA_MODULE_TARGET, PA_FEATURE_DORA},
	{".dora_scale", PA_ROLE_DENSE, 0, PA_FEATURE_DORA},
};

static const PaPeftDialect diffusion = {
	.kind = PA_KIND_LORA,
	.suffixes = suffixes,
	.n_suffixes = sizeof(suffixes) / sizeof(suffixes[0]),
	.keyed = {.role = PA_ROLE_DENSE, .any_name = true, .path = pa_peft_path_of_dense},
	.describe = pa_peft_lora_describe,
	.check_described = pa_peft_lora_check_described,
};

static const PaPeftSuffix mlx_suffixes[] = {
	{PA_MLX_A, PA_ROLE_FACTOR_A_TRANSPOSED, PA_MODULE_TARGET, 0},
	{PA_MLX_B, PA_ROLE_FACTOR_B_TRANSPOSED, PA_MODULE_TARGET, 0},
};

static const PaPeftDialect mlx = {
	.kind = PA_KIND_LORA,
	.suffixes = mlx_suffixes,
	.n_suffixes = sizeof(mlx_suffixes) / sizeof(mlx_suffixes[0]),
	.keyed = {.role = PA_ROLE_DENSE, .any_name = true, .path = pa_peft_path_of_dense},
	.describe = pa_peft_lora_describe,
	.check_described = pa_peft_lora_check_described,
};

const PaPeftDialect *
pa_container_dialect(PaContainer container, PaKind kind)
{
	if (kind != pa_container_kind || container == PA_CONTAINER_PEFT)
		return pa_peft_dialect(kind);
	return container == PA_CONTAINER_MLX ? &mlx : &diffusion;
}
