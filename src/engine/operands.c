/*
 * operands.c
 *	  Values sorted, opened and named.  See operands.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/operands.h"

#include <string.h>

#include "core/sort.h"
#include "engine/view.h"

typedef struct Given
{
	PaValue    *value;
	uint32_t	index;			/* as the caller counts */
} Given;

static int
compare_given(const void *a, const void *b, const void *context)
{
	const Given *x = a;
	const Given *y = b;
	const PaValueHeader *hx = pa_value_header(x->value);
	const PaValueHeader *hy = pa_value_header(y->value);
	int			order = memcmp(hx->digest, hy->digest, PA_SHA256_LENGTH);

	(void) context;
	if (order == 0)
		order = memcmp(hx->envelope_digest, hy->envelope_digest, PA_SHA256_LENGTH);
	if (order == 0)
		order = x->index < y->index ? -1 : x->index > y->index;
	return order;
}

static bool
same_digest(const PaValue *a, const PaValue *b)
{
	return memcmp(pa_value_header(a)->digest, pa_value_header(b)->digest, PA_SHA256_LENGTH) == 0;
}

static PaStatus
load_recipe(PaEnv *env, void *state, PaText *recipe)
{
	return pa_value_document(env, state, PA_DOCUMENT_RECIPE, recipe);
}

static void
release_recipe(PaEnv *env, void *state, const PaText *recipe)
{
	pa_value_release_document(env, state, recipe);
}

static const PaRecipeLoader loader = {load_recipe, release_recipe};

static PaStatus
put_in_order(PaEnv *env, uint32_t n, PaValue *const *values, Given **given)
{
	PA_TRY(PA_NEW_ARRAY(env, n, given));
	for (uint32_t i = 0; i < n; i++)
		(*given)[i] = (Given) {values[i], i};
	return pa_sort(env, *given, n, sizeof(Given), compare_given, NULL);
}

static PaStatus
add_operand(PaEnv *env, PaOperands *operands, PaValue *value)
{
	uint32_t	i = operands->n++;

	operands->values[i] = value;
	operands->named[i] = (PaOperand) {
		.digest = pa_value_header(value)->digest,
		.envelope_digest = pa_value_header(value)->envelope_digest,
		.loader = &loader,
		.state = value,
	};
	pa_value_borrow_decoder(value, operands->values[0]);
	return pa_view_source(env, value, &operands->sources[i]);
}

PaStatus
pa_operands_open(PaEnv *env, uint32_t n, PaValue *const *values, bool distinct, PaOperands *operands)
{
	Given	   *given;

	*operands = (PaOperands) {0};
	PA_TRY(put_in_order(env, n, values, &given));
	PA_TRY(PA_NEW_ARRAY(env, n, &operands->values));
	PA_TRY(PA_NEW_ARRAY(env, n, &operands->sources));
	PA_TRY(PA_NEW_ARRAY(env, n, &operands->named));
	PA_TRY(PA_NEW_ARRAY(env, n, &operands->place));
	for (uint32_t i = 0; i < n; i++)
	{
		PA_TRY(pa_check_cancel(env));
		if (i == 0 || !distinct || !same_digest(given[i - 1].value, given[i].value))
			PA_TRY(add_operand(env, operands, given[i].value));
		operands->place[given[i].index] = operands->n - 1;
	}
	pa_free(env, given);
	return PA_OK;
}

PaStatus
pa_operands_single(PaEnv *env, PaValue *value, PaOperand *operand)
{
	*operand = (PaOperand) {
		.digest = pa_value_header(value)->digest,
		.envelope_digest = pa_value_header(value)->envelope_digest,
	};
	return pa_value_document(env, value, PA_DOCUMENT_RECIPE, &operand->recipe);
}
