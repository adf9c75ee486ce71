/*
 * combine_fixture.h
 *	  Adapters of one small module, whose sums can be checked by head.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_COMBINE_FIXTURE_H
#define PA_TEST_COMBINE_FIXTURE_H

#include "engine_fixture.h"

#define PLAIN "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"m\"}"
#define ALPHA8 "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":8,\"base_model_name_or_path\":\"m\"}"
#define ALPHA0 "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":0,\"base_model_name_or_path\":\"m\"}"
#define RSLORA \
	"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"use_rslora\":true,\"base_model_name_or_path\":\"m\"}"
#define DORA \
	"{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":2,\"base_model_name_or_path\":\"m\",\"use_dora\":true}"
#define IA3 "{\"peft_type\":\"IA3\",\"base_model_name_or_path\":\"m\",\"feedforward_modules\":[]}"

/* A LoRA adapter with one module "q": A (1, 2) = a, B (2, 1) = b. */
extern PaValue *combine_lora(PaEnv *env, PaDtype dtype, double a0, double a1, double b0, double b1,
							 const char *config);

/* An (IA)^3 adapter with one module "k": l (2, 1). */
extern PaValue *combine_ia3(PaEnv *env, PaDtype dtype, double l0, double l1);

#endif
