/*
 * recompute_ops.c
 *	  Nodes handed to the functions of the engine.  See recompute_ops.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/recompute_ops.h"

#include <string.h>

#include "engine/evaluate.h"
#include "engine/extract.h"
#include "engine/lowrank.h"
#include "engine/merge.h"
#include "engine/split.h"
#include "engine/to_lora.h"
#include "engine/transform.h"
#include "engine/union.h"

static PaStatus
run_combine(PaEnv *env, PaStep *step, PaBuf *out)
{
	return pa_evaluate_terms(env, PA_SPACE_PARAMETER, step->n_values, step->values, step->n_terms,
							 step->terms, step->reserve, out, &step->same_as);
}

static PaStatus
run_concatenate(PaEnv *env, PaStep *step, PaBuf *out)
{
	return pa_evaluate_terms(env, PA_SPACE_DELTA, step->n_values, step->values, step->n_terms, step->terms,
							 step->reserve, out, &step->same_as);
}

/* Its terms are exact sums already; those of values that fell together are summed. */
static PaStatus
run_truncate(PaEnv *env, PaStep *step, PaBuf *out)
{
	int64_t		rank = pa_recipe_integer(step->node, "rank");
	PaDeltaSum	sum = {.n = step->n_values, .values = step->values};
	double	   *none;
	PaKeep		keep;

	PA_TRY(rank > 0 ? pa_lowrank_keep_rank(env, rank, &keep)
					: pa_lowrank_keep_energy(env, pa_recipe_number(step->node, "energy"), &keep));
	PA_TRY(PA_NEW_ARRAY(env, step->n_values, &none));
	PA_TRY(PA_NEW_ARRAY(env, step->n_values, &sum.weights));
	PA_TRY(pa_terms_total(env, step->terms, step->n_terms, step->n_values, none, sum.weights));
	return pa_lowrank_truncate(env, &sum, keep, step->reserve, out);
}

static PaStatus
run_merge(PaEnv *env, PaStep *step, PaBuf *out)
{
	const char *majority_sign = pa_recipe_text(step->node, "majority_sign");
	PaMergeArguments arguments = {
		.density = pa_recipe_number(step->node, "density"),
		.flavour = pa_recipe_text(step->node, "flavour"),
		.majority_sign = majority_sign != NULL ? majority_sign : "",
		.seed = pa_recipe_integer(step->node, "seed"),
	};
	PaValue   **values;
	double	   *weights;

	PA_TRY(pa_merge_method_by_name(env, pa_recipe_text(step->node, "method"), &arguments.method));
	PA_TRY(PA_NEW_ARRAY(env, step->n_terms, &values));
	PA_TRY(PA_NEW_ARRAY(env, step->n_terms, &weights));
	for (size_t i = 0; i < step->n_terms; i++)
	{
		values[i] = step->values[step->terms[i].leaf];
		weights[i] = step->terms[i].v;
	}
	return pa_merge_values(env, (uint32_t) step->n_terms, values, weights, &arguments, step->reserve, out);
}

static PaStatus
run_scale(PaEnv *env, PaStep *step, PaBuf *out)
{
	return pa_transform_scale(env, step->values[0], pa_recipe_number(step->node, "by"), step->reserve, out);
}

static PaStatus
run_cast(PaEnv *env, PaStep *step, PaBuf *out)
{
	return pa_transform_cast(env, step->values[0], pa_recipe_text(step->node, "dtype"), step->reserve, out);
}

static PaStatus
run_plain(PaEnv *env, PaStep *step, PaBuf *out)
{
	bool		same;

	PA_TRY(pa_transform_plain(env, step->values[0], pa_recipe_integer(step->node, "rank"), step->reserve, out,
							  &same));
	if (same)
		step->same_as = 0;
	return PA_OK;
}

static PaStatus
run_select(PaEnv *env, PaStep *step, PaBuf *out)
{
	return pa_transform_select(env, step->values[0], pa_recipe_text(step->node, "pattern"),
							   pa_recipe_flag(step->node, "invert"), step->reserve, out);
}

static PaStatus
run_rename(PaEnv *env, PaStep *step, PaBuf *out)
{
	return pa_transform_rename(env, step->values[0], pa_recipe_text(step->node, "pattern"),
							   pa_recipe_text(step->node, "replacement"), step->reserve, out);
}

static PaStatus
run_select_tensors(PaEnv *env, PaStep *step, PaBuf *out)
{
	PaTensorSelection selection = {
		.tensors = pa_recipe_text(step->node, "tensors"),
		.role = pa_recipe_text(step->node, "role"),
		.invert = pa_recipe_flag(step->node, "invert"),
	};

	return pa_transform_select_tensors(env, step->values[0], &selection, step->reserve, out);
}

static PaStatus
run_to_lora(PaEnv *env, PaStep *step, PaBuf *out)
{
	bool		same;

	PA_TRY(pa_to_lora(env, step->values[0], pa_recipe_text(step->node, "shapes"), step->reserve, out, &same));
	if (same)
		step->same_as = 0;
	return PA_OK;
}

static PaStatus
run_extract(PaEnv *env, PaStep *step, PaBuf *out)
{
	int64_t		rank = pa_recipe_integer(step->node, "rank");
	PaExtractArguments arguments = {
		.drop_others = pa_recipe_flag(step->node, "drop_others"),
		.embeddings = pa_recipe_text(step->node, "embeddings"),
		.fan_in_fan_out = pa_recipe_flag(step->node, "fan_in_fan_out"),
	};

	PA_TRY(rank > 0 ? pa_lowrank_keep_rank(env, rank, &arguments.keep)
					: pa_lowrank_keep_energy(env, pa_recipe_number(step->node, "energy"), &arguments.keep));
	return pa_extract(env, step->values[0], &arguments, step->reserve, out);
}

static PaStatus
run_set_base_model(PaEnv *env, PaStep *step, PaBuf *out)
{
	return pa_transform_set_base_model(env, step->values[0], pa_recipe_text(step->node, "base_model"),
									   pa_recipe_text(step->node, "revision"), step->reserve, out);
}

static PaStatus
run_split(PaEnv *env, PaStep *step, PaBuf *out)
{
	int64_t		part = pa_recipe_integer(step->node, "part");
	PaSplit    *split;
	uint32_t	n_parts;

	PA_TRY(pa_split_value(env, step->values[0], (uint64_t) pa_recipe_integer(step->node, "max_bytes"), &split,
						  &n_parts));
	if (part >= n_parts)
		return pa_fail(env, PA_ERR_CONFIG, "recipe has part %lld of a split into %u", (long long) part,
					   n_parts);
	return pa_split_part(env, split, (uint32_t) part, step->reserve, out);
}

/* Every part that was given, also one that is there twice: that is for the union to refuse. */
static PaStatus
run_union(PaEnv *env, PaStep *step, PaBuf *out)
{
	PaValue   **parts;

	PA_TRY(PA_NEW_ARRAY(env, step->n_terms, &parts));
	for (size_t i = 0; i < step->n_terms; i++)
		parts[i] = step->values[step->terms[i].leaf];
	return pa_union_values(env, (uint32_t) step->n_terms, parts, step->reserve, out);
}

static const struct
{
	const char *op;
	PaStepRun	run;
} operations[] = {
	{"combine", run_combine},
	{"concatenate", run_concatenate},
	{"truncate", run_truncate},
	{"merge", run_merge},
	{"scale", run_scale},
	{"cast", run_cast},
	{"select", run_select},
	{"set_base_model", run_set_base_model},
	{"split", run_split},
	{"union", run_union},
	{"select_tensors", run_select_tensors},
	{"rename", run_rename},
	{"plain", run_plain},
	{"to_lora", run_to_lora},
	{"extract", run_extract},
};

PaStepRun
pa_recompute_operation(const char *op)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (strcmp(operations[i].op, op) == 0)
			return operations[i].run;
	return NULL;
}
