/*
 * fuzz_kohya.c
 *	  The input as a file of sd-scripts or LyCORIS: mangled paths, alphas of any type,
 *	  middle factors, the base model's hash (container_grammar.h).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "container_grammar.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KOHYA ".lora_down.weight", ".lora_up.weight"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"lora_unet_q", "lora_te_text_model_k", "lora_unet_conv",
										"bundle_emb.x"};
	static const char *const ends[] = {
		KOHYA,
		KOHYA,
		KOHYA,
		KOHYA,
		KOHYA,
		KOHYA,
		".hada_w1_a",
		".hada_w1_b",
		".lora_A.weight",
		".lora_B.weight",
	};
	static const ContainerGrammar grammar = {paths, ends, "ss_new_sd_model_hash"};

	container_grammar_try(&grammar, data, size);
	return 0;
}
