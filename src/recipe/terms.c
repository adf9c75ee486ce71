/*
 * terms.c
 *	  The arithmetic of weights: what multiplication, division and adapter_lerp
 *	  do to the terms of a deferred expression, and what a leaf's terms add up
 *	  to.  doc/algebra.md, "Terms".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "recipe/terms.h"

#include <math.h>

#include "core/fsum.h"

static PaStatus
check_weight(PaEnv *env, double w)
{
	if (!isfinite(w))
		return pa_fail(env, PA_ERR_RANGE, "weight is not finite: %g", w);
	return PA_OK;
}

static PaStatus
check_terms(PaEnv *env, const PaTerm *terms, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(terms[i].u) || !isfinite(terms[i].v))
			return pa_fail(env, PA_ERR_RANGE, "weight of an adapter is out of range");
	return PA_OK;
}

PaStatus
pa_terms_multiply(PaEnv *env, PaTerm *terms, size_t n, double w)
{
	PA_TRY(check_weight(env, w));
	for (size_t i = 0; i < n; i++)
	{
		terms[i].u = fabs(w) * terms[i].u;
		terms[i].v = w * terms[i].v;
	}
	return check_terms(env, terms, n);
}

PaStatus
pa_terms_divide(PaEnv *env, PaTerm *terms, size_t n, double w)
{
	PA_TRY(check_weight(env, w));
	if (w == 0)
		return pa_fail(env, PA_ERR_DIVISION, "division by zero");
	for (size_t i = 0; i < n; i++)
	{
		terms[i].u = terms[i].u / fabs(w);
		terms[i].v = terms[i].v / w;
	}
	return check_terms(env, terms, n);
}

PaStatus
pa_terms_blend(PaEnv *env, PaTerm *terms, size_t n, double w)
{
	PA_TRY(check_weight(env, w));
	for (size_t i = 0; i < n; i++)
	{
		terms[i].u = terms[i].u * w;
		terms[i].v = terms[i].v * w;
	}
	return check_terms(env, terms, n);
}

/*
 * The terms' indices, grouped by leaf: those of leaf i are
 * order[start[i]] to order[start[i + 1] - 1].  Grouping first means that one
 * exact accumulator is enough, whatever the number of leaves.
 */
static PaStatus
group_by_leaf(PaEnv *env, const PaTerm *terms, size_t n, uint32_t n_leaves, size_t **start, size_t **order)
{
	size_t	   *first;
	size_t	   *next;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) n_leaves + 1, &first));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) n_leaves + 1, &next));
	PA_TRY(PA_NEW_ARRAY(env, n, order));
	for (size_t i = 0; i < n; i++)
	{
		if (terms[i].leaf >= n_leaves)
			return pa_fail(env, PA_ERR_INTERNAL, "term refers to leaf %u of %u", terms[i].leaf, n_leaves);
		first[terms[i].leaf + 1]++;
	}
	for (size_t i = 0; i < n_leaves; i++)
	{
		first[i + 1] += first[i];
		next[i] = first[i];
	}
	for (size_t i = 0; i < n; i++)
		(*order)[next[terms[i].leaf]++] = i;
	pa_free(env, next);
	*start = first;
	return PA_OK;
}

PaStatus
pa_terms_total(PaEnv *env, const PaTerm *terms, size_t n, uint32_t n_leaves, double *p, double *q)
{
	return pa_terms_mean(env, terms, n, n_leaves, 1, p, q);
}

PaStatus
pa_terms_mean(PaEnv *env, const PaTerm *terms, size_t n, uint32_t n_leaves, uint64_t divisor, double *p,
			  double *q)
{
	size_t	   *start = NULL;
	size_t	   *order = NULL;

	PA_TRY(check_terms(env, terms, n));
	PA_TRY(group_by_leaf(env, terms, n, n_leaves, &start, &order));
	for (uint32_t leaf = 0; leaf < n_leaves; leaf++)
	{
		PaFsum		u;
		PaFsum		v;

		PA_TRY(pa_check_cancel(env));
		/* most often there is nothing to add up; only the sign of a zero goes */
		if (divisor == 1 && start[leaf + 1] == start[leaf] + 1)
		{
			p[leaf] = terms[order[start[leaf]]].u + 0.0;
			q[leaf] = terms[order[start[leaf]]].v + 0.0;
			continue;
		}
		pa_fsum_init(&u);
		pa_fsum_init(&v);
		for (size_t i = start[leaf]; i < start[leaf + 1]; i++)
		{
			pa_fsum_add(&u, terms[order[i]].u);
			pa_fsum_add(&v, terms[order[i]].v);
		}
		p[leaf] = pa_fsum_mean(&u, divisor);
		q[leaf] = pa_fsum_mean(&v, divisor);
		if (!isfinite(p[leaf]) || !isfinite(q[leaf]))
			return pa_fail(env, PA_ERR_RANGE, "sum of an adapter's weights is out of range");
	}
	pa_free(env, start);
	pa_free(env, order);
	return PA_OK;
}
