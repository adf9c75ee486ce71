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
