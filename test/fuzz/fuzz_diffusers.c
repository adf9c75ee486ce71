/*
 * fuzz_diffusers.c
 *	  The input as a file of diffusers or ComfyUI: parts of pipelines, every spelling,
 *	  and the text of lora_adapter_metadata (container_grammar.h).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "container_grammar.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TODAY ".lora_A.weight", ".lora_B.weight"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"unet.q", "text_encoder.k", "diffusion_model.blocks.0.v",
										"blocks.0.v"};
	static const char *const ends[] = {
		TODAY,
		TODAY,
		TODAY,
		TODAY,
		"_lora.down.weight",
		"_lora.up.weight",
		".lora_linear_layer.down.weight",
		".lora_linear_layer.up.weight",
		".lora_A",
		".lora_B",
		".lora_A.x.weight",
		".lora_B.x.weight",
	};
	static const ContainerGrammar grammar = {paths, ends, "lora_adapter_metadata"};

	container_grammar_try(&grammar, data, size);
	return 0;
}
