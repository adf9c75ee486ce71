/*
 * peft_difference.c
 *	  Differences: tensors have the base model's names, nothing is taken off and
 *	  no prefix is written; the configuration is the base model, its revision and
 *	  the task type, and no more.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_dialect.h"
#include "interchange/peft_path.h"

static const char *const members[] = {
	"auto_mapping",	  "base_model_name_or_path",
	"inference_mode", "peft_type",
	"peft_version",	  "revision",
	"task_type",	  NULL,
};

const PaPeftDialect pa_peft_difference = {
	.kind = PA_KIND_DIFFERENCE,
	.members = members,
	.keyed =
		{
			.role = PA_ROLE_DIFFERENCE,
			.module_flags = PA_MODULE_TARGET,
			.path = pa_peft_path_of_parameter,
		},
};
