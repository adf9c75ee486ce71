/*
 * combine_order.c
 *	  In which order the terms of a module, or of a keyed tensor, are computed
 *	  with: by what they are themselves.  doc/algebra.md, "Order of terms".
 *
 * Nothing but the module counts, so the module of a part of a split has the
 * order that it has in the whole.  Nothing is read: the SHA-256s of the tensors
 * are known with their names.  Terms that are equal in all of it are the same
 * numbers, and which of them is first does not show.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/combine_impl.h"

#include <string.h>

#include "core/sort.h"

static int
compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int
compare_bits(double a, double b)
{
	uint64_t	x;
	uint64_t	y;

	memcpy(&x, &a, sizeof(x));
	memcpy(&y, &b, sizeof(y));
	return compare_numbers(x, y);
}

/* The same bytes are other numbers in another dtype. */
static int
compare_tensors(const PaTensor *a, const PaTensor *b)
{
	int			order = memcmp(a->sha256, b->sha256, PA_SHA256_LENGTH);

	return order != 0 ? order : compare_numbers(a->dtype, b->dtype);
}

static int
compare_weights(const PaLeaf *a, const PaLeaf *b)
{
	int			order = compare_bits(a->p, b->p);

	return order != 0 ? order : compare_bits(a->q, b->q);
}

/* Role by role; a module without a tensor of the role comes first. */
static int
compare_modules(const void *a, const void *b, const void *context)
{
	const PaCombine *plan = context;
	const PaModuleRef *x = a;
	const PaModuleRef *y = b;
	const PaModule *mx = pa_combine_module(plan, x);
	const PaModule *my = pa_combine_module(plan, y);
	int			order = 0;

	for (int role = 1; order == 0 && role < PA_SINGLE_ROLES; role++)
	{
		int64_t		tx = mx->tensor[role];
		int64_t		ty = my->tensor[role];

		if (tx >= 0 && ty >= 0)
			order = compare_tensors(&pa_combine_adapter(plan, x->leaf)->tensors[tx],
									&pa_combine_adapter(plan, y->leaf)->tensors[ty]);
		else
			order = (tx >= 0) - (ty >= 0);
	}
	if (order == 0)
		order = compare_bits(mx->scaling, my->scaling);
	return order != 0 ? order : compare_weights(&plan->leaves[x->leaf], &plan->leaves[y->leaf]);
}

static int
compare_keyed(const void *a, const void *b, const void *context)
{
	const PaCombine *plan = context;
	const PaKeyedRef *x = a;
	const PaKeyedRef *y = b;
	int			order = compare_tensors(&pa_combine_adapter(plan, x->leaf)->tensors[x->tensor],
										&pa_combine_adapter(plan, y->leaf)->tensors[y->tensor]);

	return order != 0 ? order : compare_weights(&plan->leaves[x->leaf], &plan->leaves[y->leaf]);
}

PaStatus
pa_combine_order_modules(PaEnv *env, const PaCombine *plan, PaModuleRef *refs, uint32_t n)
{
	return pa_sort(env, refs, n, sizeof(PaModuleRef), compare_modules, plan);
}

PaStatus
pa_combine_order_keyed(PaEnv *env, const PaCombine *plan, PaKeyedRef *refs, uint32_t n)
{
	return pa_sort(env, refs, n, sizeof(PaKeyedRef), compare_keyed, plan);
}
