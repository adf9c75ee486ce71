/*
 * combine_term.c
 *	  A term of a sum as the evaluations read it.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include "adapter/fault.h"

PaStatus
pa_combine_read_term(PaEnv *env, const PaCombine *plan, const PaCombineTerm *term, uint64_t first, size_t n,
					 uint8_t *raw)
{
	PaSource   *source = plan->leaves[term->leaf].source;

	PA_TRY(pa_check_cancel(env));
	return source->read(env, source, term->tensor, first, n, raw);
}

PaStatus
pa_combine_not_finite(PaEnv *env, const PaCombine *plan, const PaCombineTerm *term)
{
	return pa_fail_not_finite(env, pa_combine_tensor(plan, term)->name, plan->leaves[term->leaf].digest);
}

static PaStatus
hash_term(PaEnv *env, const PaCombine *plan, const PaCombineTerm *term)
{
	PaSource   *source = plan->leaves[term->leaf].source;
	const PaTensor *of = pa_combine_tensor(plan, term);
	const int64_t type[2] = {of->dtype, of->ndim};

	PA_TRY(
		pa_hash_update(env, PA_HASH_TENSOR, source->adapter->tensors[term->tensor].sha256, PA_SHA256_LENGTH));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, &term->c, sizeof(term->c)));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, type, sizeof(type)));
	return pa_hash_update(env, PA_HASH_TENSOR, of->shape, sizeof(of->shape));
}

PaStatus
pa_combine_fingerprint(PaEnv *env, const PaCombine *plan, const PaCombineSum *sum, const void *by, size_t n,
					   uint8_t out[PA_SHA256_LENGTH])
{
	static const char what[] = "sum";
	const uint64_t how[2] = {sum->layout, sum->groups};

	if (sum->n_terms > 0 && (sum->layout == PA_LAYOUT_COPY || pa_combine_is_kept(plan, sum)))
		return pa_fingerprint_same(pa_combine_tensor(plan, &sum->terms[0]), out);
	PA_TRY(pa_hash_begin(env, PA_HASH_TENSOR));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, what, sizeof(what)));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, how, sizeof(how)));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, &sum->constant, sizeof(sum->constant)));
	PA_TRY(pa_hash_update(env, PA_HASH_TENSOR, by, n));
	for (uint32_t i = 0; i < sum->n_terms; i++)
		PA_TRY(hash_term(env, plan, &sum->terms[i]));
	return pa_hash_finish(env, PA_HASH_TENSOR, out);
}
