/*
 * container_spellings.h
 *	  What stands behind the path of a module, program by program: for the table of
 *	  spellings and for the dialects that read them.  doc/format.md, "Containers".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_CONTAINER_SPELLINGS_H
#define PA_CONTAINER_SPELLINGS_H

#define KOHYA_A ".lora_down.weight"
#define KOHYA_B ".lora_up.weight"
#define KOHYA_MIDDLE ".lora_mid.weight"
#define PROCESSOR_A "_lora.down.weight"
#define PROCESSOR_B "_lora.up.weight"
#define LAYER_A ".lora.down.weight"
#define LAYER_B ".lora.up.weight"
#define LINEAR_A ".lora_linear_layer.down.weight"
#define LINEAR_B ".lora_linear_layer.up.weight"
#define BARE_A ".lora_A"
#define BARE_B ".lora_B"
#define PEFT_A ".lora_A.weight"
#define PEFT_B ".lora_B.weight"

#endif
