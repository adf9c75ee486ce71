/*
 * transform_plain.c
 *	  adapter_plain(a, rank): the same change with every scaling 1 and one rank.
 *	  doc/algebra.md, "adapter_plain".
 *
 * B and its bias take the scaling on; A gets rows of zeros and B columns of them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/transform.h"

#include <math.h>
#include <string.h>

#include "adapter/operation.h"
#include "adapter/scaling.h"
#include "algebra/pass.h"
#include "kernel/kernel.h"

/* The r of a module's configuration: of stacked experts that of one. */
static PaStatus
config_rank(PaEnv *env, const PaAdapter *adapter, const PaModule *module, uint64_t *r)
{
	*r = pa_config_rank(module, adapter->rslora);
	if (*r == 0)
		return pa_fail(env, PA_ERR_MISMATCH, "scaling of module \"%.300s\" does not tell its rank",
					   module->path);
	if (!isfinite(module->scaling))
		return pa_fail(env, PA_ERR_RANGE, "scaling of module \"%.300s\" is not finite", module->path);
	return PA_OK;
}

static PaStatus
common_rank(PaEnv *env, const PaAdapter *adapter, uint64_t asked, uint64_t *rank)
{
	uint64_t	most = 0;
	uint64_t	r;

	for (uint32_t i = 0; i < adapter->n_modules; i++)
	{
		if (!(adapter->modules[i].flags & PA_MODULE_TARGET))
			continue;
		PA_TRY(config_rank(env, adapter, &adapter->modules[i], &r));
		most = r > most ? r : most;
		if (asked == 0 || r <= asked)
			continue;
		pa_fail(env, PA_ERR_CONFIG, "module \"%.300s\" has rank %llu, more than %llu",
				adapter->modules[i].path, (unsigned long long) r, (unsigned long long) asked);
		pa_detail(env, "Ranks are filled up with zeros, and nothing is cut.");
		pa_hint(env, "Truncate first: adapter_plain(adapter_truncate(a, %llu), %llu).",
				(unsigned long long) asked, (unsigned long long) asked);
		return PA_ERR_CONFIG;
	}
	*rank = asked > 0 ? asked : most;
	return PA_OK;
}

/* Rows and columns of groups or experts are not side by side, and their readers are not those that need this.
 */
static PaStatus
check_padding(PaEnv *env, const PaAdapter *adapter, const PaModule *module, uint64_t r, uint64_t rank)
{
	const PaTensor *b = &adapter->tensors[module->tensor[PA_ROLE_FACTOR_B]];

	if (r == rank || (!(module->flags & PA_MODULE_PARAMETER) && b->shape[1] == module->rank))
		return PA_OK;
	pa_fail(env, PA_ERR_UNSUPPORTED, "rank %llu of module \"%.300s\" cannot be filled up to %llu",
			(unsigned long long) r, module->path, (unsigned long long) rank);
	pa_detail(env, "It is a grouped convolution or has stacked experts, whose factors are no one product.");
	pa_hint(env, "adapter_select(a, pattern) makes an adapter of the modules with the same rank.");
	return PA_ERR_UNSUPPORTED;
}

static PaStatus
plain_module(PaEnv *env, const PaAdapter *adapter, PaModule *module, const PaModule *of, uint64_t rank)
{
	uint64_t	r;

	PA_TRY(config_rank(env, adapter, of, &r));
	PA_TRY(check_padding(env, adapter, of, r, rank));
	module->rank = r == rank ? of->rank : rank;
	module->scaling = 1;
	module->alpha = (double) rank;
	return PA_OK;
}

PaStatus
pa_plain_draft(PaEnv *env, const PaAdapter *adapter, uint64_t asked, PaDraft **draft)
{
	PaDraft    *d;
	uint64_t	rank;

	PA_TRY(pa_adapter_require_arithmetic(env, adapter));
	PA_TRY(common_rank(env, adapter, asked, &rank));
	PA_TRY(pa_draft_of(env, adapter, &d));
	for (uint32_t i = 0; i < d->facts.n_modules; i++)
		if (d->facts.modules[i].flags & PA_MODULE_TARGET)
			PA_TRY(plain_module(env, adapter, &d->facts.modules[i], &adapter->modules[i], rank));
	d->facts.rslora = false;
	for (uint32_t i = 0; i < d->n_tensors; i++)
	{
		PaDraftTensor *t = &d->tensors[i];
		const PaModule *module = &d->facts.modules[t->module];
		PaWeightRule weight = pa_role(t->role)->weight;

		if (pa_role(t->role)->scale != PA_SCALE_NONE)
			PA_TRY(pa_tensor_require_arithmetic(env, &adapter->tensors[i]));
		if (module->rank == adapter->modules[t->module].rank)
			continue;
		if (weight == PA_WEIGHT_FACTOR_A)
			t->shape[0] = module->rank;
		else if (weight == PA_WEIGHT_FACTOR_B)
			t->shape[1] = module->rank;
	}
	*draft = d;
	return PA_OK;
}

/* The operand's tensors as they are, but for the scaling: what is filled up reads from it. */
typedef struct PaPlain
{
	PaSource	base;
	PaSource   *scaled;			/* over the parent's own shapes */
	const uint32_t *from;
} PaPlain;

static double
folded(const PaPass *pass, const PaTensor *tensor)
{
	PaWeightRule weight = pa_role(tensor->role)->weight;
	bool		folds = weight == PA_WEIGHT_FACTOR_B || weight == PA_WEIGHT_PRODUCT;

	return folds ? pass->parent->adapter->modules[tensor->module].scaling : 1;
}

static bool
fold_block(PaPass *pass, const PaTensor *tensor, const void *raw, size_t n, double *acc)
{
	return pa_kernel_first(acc, raw, tensor->dtype, n, folded(pass, tensor));
}

/*
 * Elements of the result are rows of `width`, of which the first `narrow` are the
 * operand's.  A padded A is one such row, for what is added stands behind it.
 */
static PaStatus
read_padded(PaEnv *env, PaPlain *self, uint32_t origin, uint64_t narrow, uint64_t width, size_t element,
			uint64_t first, size_t n, uint8_t *dst)
{
	PaSource   *scaled = self->scaled;

	while (n > 0)
	{
		uint64_t	row = first / width;
		uint64_t	column = first % width;
		uint64_t	left = column < narrow ? narrow - column : width - column;
		size_t		step = left < n ? (size_t) left : n;

		PA_TRY(pa_check_cancel(env));
		if (column < narrow)
			PA_TRY(scaled->read(env, scaled, origin, row * narrow + column, step, dst));
		else
			memset(dst, 0, step * element);
		dst += step * element;
		first += step;
		n -= step;
	}
	return PA_OK;
}

static PaStatus
plain_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	PaPlain    *self = (PaPlain *) source;
	const PaTensor *to = &source->adapter->tensors[tensor];
	uint32_t	origin = self->from[tensor];
	const PaTensor *of = &self->scaled->adapter->tensors[origin];
	size_t		element = (size_t) pa_dtype_plane_width(to->dtype);

	if (to->elements == of->elements)
		return self->scaled->read(env, self->scaled, origin, first, n, dst);
	if (pa_role(to->role)->weight == PA_WEIGHT_FACTOR_A)
		return read_padded(env, self, origin, of->elements, to->elements, element, first, n, dst);
	return read_padded(env, self, origin, of->shape[1], to->shape[1], element, first, n, dst);
}

static PaStatus
plain_fingerprint(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH], bool *known)
{
	PaPlain    *self = (PaPlain *) source;
	const PaTensor *to = &source->adapter->tensors[tensor];

	PA_TRY(pa_source_fingerprint(env, self->scaled, self->from[tensor], out, known));
	if (to->elements == self->scaled->adapter->tensors[self->from[tensor]].elements)
		return PA_OK;
	return pa_fingerprint_of(env, "filled up", to->shape, sizeof(to->shape), out, out);
}

PaStatus
pa_plain_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter, const uint32_t *from,
				PaSource **source)
{
	PaPlain    *self;
	PaPass	   *pass;
	uint32_t   *same;
	uint32_t   *copy;
	uint32_t	n = parent->adapter->n_tensors;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(PA_NEW(env, &pass));
	PA_TRY(PA_NEW_ARRAY(env, n, &same));
	PA_TRY(PA_NEW_ARRAY(env, n, &copy));
	for (uint32_t i = 0; i < n; i++)
		same[i] = i;
	memcpy(copy, from, n * sizeof(uint32_t));
	PA_TRY(pa_pass_init(env, pass, parent->adapter, parent, same, fold_block, folded));
	pass->keep_dense = true;
	pa_free(env, same);
	self->base.adapter = adapter;
	self->base.read = plain_read;
	self->base.fingerprint = plain_fingerprint;
	self->scaled = &pass->base;
	self->from = copy;
	*source = &self->base;
	return PA_OK;
}
