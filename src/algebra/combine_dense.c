/*
 * combine_dense.c
 *	  Dense tensors, which replace the base model's: they can be mixed, and what
 *	  is the same in all that have it stays what it is.  doc/algebra.md,
 *	  "Evaluation".
 *
 * PEFT saves tensors that no training has changed beside the factors (the
 * base_layer.weight of an embedding, the biases of frozen layers), the same bytes
 * in every adapter of a base model: they must not stand in the way of a sum.  Where
 * a mixture is defined it is what it always was, also of equal tensors, so that
 * no recipe of before leads to another digest.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include <math.h>
#include <string.h>

#include "adapter/fault.h"
#include "adapter/operation.h"
#include "adapter/shape.h"
#include "core/fsum.h"

/* Further from 1 than this, weights do not make a mixture of replacements. */
#define DENSE_TOLERANCE 1e-9

static bool
same_shape(const PaTensor *a, const PaTensor *b)
{
	return a->ndim == b->ndim && memcmp(a->shape, b->shape, (size_t) a->ndim * sizeof(a->shape[0])) == 0;
}

bool
pa_combine_same_tensors(const PaCombine *plan, const PaKeyedRef *refs, uint32_t n)
{
	const PaTensor *first = pa_combine_keyed_tensor(plan, &refs[0]);

	for (uint32_t i = 1; i < n; i++)
	{
		const PaTensor *other = pa_combine_keyed_tensor(plan, &refs[i]);

		if (first->dtype != other->dtype || !same_shape(first, other) ||
			memcmp(first->sha256, other->sha256, PA_SHA256_LENGTH) != 0)
			return false;
	}
	return true;
}

/* The weights of all leaves: exact, rounded once. */
static double
total_weight(const PaCombine *plan)
{
	PaFsum		sum;

	pa_fsum_init(&sum);
	for (uint32_t i = 0; i < plan->n_leaves; i++)
		pa_fsum_add(&sum, plan->leaves[i].q);
	return pa_fsum_round(&sum);
}

/* Every leaf has the tensor, of a type that is computed with, and the weights sum to 1. */
static bool
is_mixture(const PaCombine *plan, const PaKeyedRef *refs, uint32_t n)
{
	if (plan->rule == PA_RULE_MERGE || n < plan->n_leaves)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!pa_dtype_is_arithmetic(pa_combine_keyed_tensor(plan, &refs[i])->dtype))
			return false;
	return fabs(total_weight(plan) - 1) <= DENSE_TOLERANCE;
}

/* The way out of every refusal: one adapter's tensor is kept, which is no sum any more. */
static PaStatus
hint_keep_one(PaEnv *env, const char *key)
{
	pa_hint(env, "Leave it out of all adapters but the one whose tensor is to be kept, or of all: %s.",
			pa_drop_dense_call("a", key).text);
	return PA_ERR_MISMATCH;
}

/* Heads for other labels, embeddings of other vocabularies. */
static PaStatus
check_shapes(PaEnv *env, const PaCombine *plan, const PaKeyedRef *refs, uint32_t n)
{
	const PaTensor *first = pa_combine_keyed_tensor(plan, &refs[0]);

	for (uint32_t i = 1; i < n; i++)
	{
		const PaTensor *other = pa_combine_keyed_tensor(plan, &refs[i]);

		if (same_shape(first, other))
			continue;
		pa_fail(env, PA_ERR_MISMATCH, "dense tensor \"%.300s\" has different shapes: %s and %s", refs[0].key,
				pa_shape_text(first).text, pa_shape_text(other).text);
		pa_detail(env,
				  "Heads for other numbers of labels, or embeddings of other vocabularies, have no mixture.");
		return hint_keep_one(env, refs[0].key);
	}
	return PA_OK;
}

/* A replacement has no neutral value, so every leaf must have it. */
static PaStatus
check_complete(PaEnv *env, const PaCombine *plan, const PaKeyedRef *refs, uint32_t n)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];
	uint32_t	leaf = 0;

	while (leaf < n && refs[leaf].leaf == leaf)
		leaf++;
	if (leaf == plan->n_leaves)
		return PA_OK;
	pa_hex(hex, plan->leaves[leaf].digest);
	pa_fail(env, PA_ERR_MISMATCH, "dense tensor \"%.300s\" is not in every adapter", refs[0].key);
	pa_detail(
		env,
		"The adapter with digest %.12s... does not have it, and in those that have it the bytes differ; a dense tensor replaces the base model's, so it has no neutral value.",
		hex);
	return hint_keep_one(env, refs[0].key);
}

/* The tensors are not the same, and are no mixture. */
static PaStatus
refuse(PaEnv *env, const PaCombine *plan, const PaKeyedRef *refs, uint32_t n)
{
	if (plan->rule == PA_RULE_MERGE)
	{
		pa_fail(env, PA_ERR_MISMATCH, "merge methods have no rule for dense tensor \"%.300s\"", refs[0].key);
		pa_detail(
			env,
			"It differs between the adapters; pruning what replaces the base model's would remove weights of the model.");
		return hint_keep_one(env, refs[0].key);
	}
	PA_TRY(check_shapes(env, plan, refs, n));
	PA_TRY(check_complete(env, plan, refs, n));
	for (uint32_t i = 0; i < n; i++)
		PA_TRY(pa_tensor_require_arithmetic(env, pa_combine_keyed_tensor(plan, &refs[i])));
	pa_fail(env, PA_ERR_MISMATCH, "weights of dense tensor \"%.300s\" sum to %.17g, not 1", refs[0].key,
			total_weight(plan));
	pa_detail(
		env,
		"It differs between the adapters and replaces the base model's, so only a mixture of replacements has a meaning.");
	pa_hint(
		env,
		"Use weights that sum to 1, or leave it out of all adapters but the one whose tensor is to be kept: %s.",
		pa_drop_dense_call("a", refs[0].key).text);
	return PA_ERR_MISMATCH;
}

PaStatus
pa_combine_dense(PaEnv *env, const PaCombine *plan, const PaKeyedRef *refs, uint32_t n, PaLayout *layout)
{
	*layout = PA_LAYOUT_SUM;
	if (is_mixture(plan, refs, n))
		return check_shapes(env, plan, refs, n);
	if (!pa_combine_same_tensors(plan, refs, n))
		return refuse(env, plan, refs, n);
	*layout = PA_LAYOUT_COPY;
	return PA_OK;
}

/*
 * A mixture of tensors that are the same: weights above 0 that sum to 1 within the
 * tolerance, and so few of them that what is lost in double, all in all, is less than
 * half a step of the type.
 */
#define KEPT_TERMS 1024

bool
pa_combine_is_kept(const PaCombine *plan, const PaCombineSum *sum)
{
	const PaTensor *first = pa_combine_tensor(plan, &sum->terms[0]);

	if (sum->layout != PA_LAYOUT_SUM || sum->n_terms > KEPT_TERMS || first->role != PA_ROLE_DENSE ||
		(first->dtype != PA_F32 && first->dtype != PA_F16 && first->dtype != PA_BF16))
		return false;
	for (uint32_t i = 0; i < sum->n_terms; i++)
	{
		const PaTensor *other = pa_combine_tensor(plan, &sum->terms[i]);

		if (!(sum->terms[i].c > 0) || other->dtype != first->dtype ||
			memcmp(first->sha256, other->sha256, PA_SHA256_LENGTH) != 0)
			return false;
	}
	return true;
}
