/*
 * truncate.c
 *	  The source of a truncated sum: windows of the new factors, rounded once.
 *	  See truncate.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/truncate.h"

#include <math.h>
#include <string.h>

#include "adapter/fault.h"
#include "kernel/kernel.h"
#include "lowrank/truncate_module.h"

typedef struct Truncate
{
	PaSource	base;
	const PaStack *const *stacks;
	const double *leaf_weights;
	PaSource   *rest;
	size_t		budget;
	const PaStack *stack;		/* of the module at hand, or NULL */
	PaTruncatedModule module;
	int64_t		tensor;			/* that the window is of, or -1 */
	uint64_t	first;			/* elements that the window has */
	uint64_t	n;
	uint64_t	room;
	double	   *window;
	uint8_t    *raw;			/* one block, rounded */
	double	   *back;			/* and widened again */
} Truncate;

/* Fill the window with element `first` of a factor and what follows it. */
static PaStatus
move_window(PaEnv *env, Truncate *self, uint32_t tensor, uint64_t first)
{
	bool		is_a = self->base.adapter->tensors[tensor].role == PA_ROLE_FACTOR_A;

	self->tensor = -1;
	PA_TRY((is_a ? pa_truncated_a : pa_truncated_b)(env, &self->module, first, self->room, self->window,
													&self->first, &self->n));
	self->tensor = tensor;
	return PA_OK;
}

/* n elements of the window, from `first` on, rounded into dst. */
static PaStatus
round_window(PaEnv *env, const Truncate *self, const PaTensor *to, uint64_t first, size_t n, void *dst)
{
	return pa_kernel_round(dst, to->dtype, self->window + (first - self->first), n)
		? PA_OK
		: pa_fail_overflow(env, to);
}

/* The largest rounded magnitude of each row so far, with its sign. */
static PaStatus
look_for_signs(PaEnv *env, Truncate *self, const PaTensor *a, double *largest)
{
	uint64_t	columns = self->stack->columns;

	for (uint64_t done = 0; done < self->n;)
	{
		uint64_t	row = (self->first + done) / columns;
		size_t		step = pa_block_step(columns - (self->first + done) % columns);

		if (step > self->n - done)
			step = (size_t) (self->n - done);
		PA_TRY(pa_check_cancel(env));
		PA_TRY(round_window(env, self, a, self->first + done, step, self->raw));
		pa_kernel_widen(self->back, self->raw, a->dtype, step);
		for (size_t i = 0; i < step; i++)
			if (fabs(self->back[i]) > fabs(largest[row]))
				largest[row] = self->back[i];
		done += step;
	}
	return PA_OK;
}

/*
 * The entry of largest magnitude in each row of A is made positive, as the
 * result shows it: after rounding.  That needs a pass over A; the window that
 * it leaves is the first, if all of A fits.
 */
static PaStatus
make_signs(PaEnv *env, Truncate *self, uint32_t tensor)
{
	const PaTensor *a = &self->base.adapter->tensors[tensor];
	double	   *largest;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) a->shape[0], &largest));
	for (uint64_t first = 0; first < a->elements; first += self->n)
	{
		PA_TRY(move_window(env, self, tensor, first));
		PA_TRY(look_for_signs(env, self, a, largest));
	}
	for (uint64_t row = 0; row < a->shape[0]; row++)
	{
		if (largest[row] >= 0)
			continue;
		pa_truncated_flip(&self->module, row);
		for (uint64_t i = 0; i < self->stack->columns && self->n == a->elements; i++)
			self->window[row * self->stack->columns + i] = -self->window[row * self->stack->columns + i];
	}
	if (self->n != a->elements)
		self->tensor = -1;
	pa_free(env, largest);
	return PA_OK;
}

static PaStatus
need_module(PaEnv *env, Truncate *self, uint32_t tensor)
{
	const PaAdapter *adapter = self->base.adapter;
	int64_t		a = adapter->modules[adapter->tensors[tensor].module].tensor[PA_ROLE_FACTOR_A];

	if (self->stack == self->stacks[tensor])
		return PA_OK;
	if (a < 0)
		return pa_fail(env, PA_ERR_INTERNAL, "tensor \"%s\" has no factor A beside it",
					   adapter->tensors[tensor].name);
	self->tensor = -1;
	pa_truncated_release(env, &self->module);
	self->stack = NULL;
	PA_TRY(pa_truncated_module(env, self->stacks[tensor], self->leaf_weights, self->budget,
							   adapter->tensors[a].shape[0], &self->module));
	self->stack = self->stacks[tensor];
	return make_signs(env, self, (uint32_t) a);
}

static PaStatus
truncate_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	Truncate   *self = (Truncate *) source;
	const PaTensor *to = &source->adapter->tensors[tensor];
	uint8_t    *out = dst;

	if (self->stacks[tensor] == NULL)
		return self->rest->read(env, self->rest, tensor, first, n, dst);
	PA_TRY(need_module(env, self, tensor));
	while (n > 0)
	{
		size_t		step = pa_block_step(n);

		PA_TRY(pa_check_cancel(env));
		if (self->tensor != tensor || first < self->first || first >= self->first + self->n)
			PA_TRY(move_window(env, self, tensor, first));
		if (step > self->first + self->n - first)
			step = (size_t) (self->first + self->n - first);
		PA_TRY(round_window(env, self, to, first, step, out));
		out += step * (size_t) pa_dtype_plane_width(to->dtype);
		first += step;
		n -= step;
	}
	return PA_OK;
}

/* Both factors are made of the stack's two, which the sum has as they are. */
static PaStatus
truncate_fingerprint(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH],
					 bool *known)
{
	Truncate   *self = (Truncate *) source;
	const PaTensor *to = &source->adapter->tensors[tensor];
	const PaModule *module = &source->adapter->modules[to->module];
	uint8_t		b[PA_SHA256_LENGTH];

	if (self->stacks[tensor] == NULL)
		return pa_source_fingerprint(env, self->rest, tensor, out, known);
	PA_TRY(pa_source_fingerprint(env, self->rest, (uint32_t) module->tensor[PA_ROLE_FACTOR_A], out, known));
	PA_TRY(pa_source_fingerprint(env, self->rest, (uint32_t) module->tensor[PA_ROLE_FACTOR_B], b, known));
	return pa_fingerprint_of(env, to->role == PA_ROLE_FACTOR_A ? "leading a" : "leading b", b, sizeof(b), out,
							 out);
}

/* At most this many elements, no more than a factor has, and a row of B at least. */
static uint64_t
window_room(const PaAdapter *adapter, const PaStack *const *stacks, uint64_t most)
{
	uint64_t	largest = 0;
	uint64_t	row = 1;

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		const PaTensor *tensor = &adapter->tensors[i];

		if (stacks[i] == NULL)
			continue;
		if (tensor->elements > largest)
			largest = tensor->elements;
		if (tensor->role == PA_ROLE_FACTOR_B && tensor->shape[1] > row)
			row = tensor->shape[1];
	}
	if (most > largest)
		most = largest;
	return most > row ? most : row;
}

PaStatus
pa_truncate_source(PaEnv *env, const PaAdapter *adapter, const PaStack *const *stacks,
				   const double *leaf_weights, PaSource *rest, size_t budget, PaSource **source)
{
	Truncate   *self;

	PA_TRY(PA_NEW(env, &self));
	self->base.adapter = adapter;
	self->base.read = truncate_read;
	self->base.fingerprint = truncate_fingerprint;
	self->stacks = stacks;
	self->leaf_weights = leaf_weights;
	self->rest = rest;
	self->budget = budget;
	self->tensor = -1;
	self->room = window_room(adapter, stacks, budget / sizeof(double));
	PA_TRY(PA_NEW_RAW(env, (size_t) self->room, &self->window));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS * sizeof(double), &self->raw));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &self->back));
	*source = &self->base;
	return PA_OK;
}
