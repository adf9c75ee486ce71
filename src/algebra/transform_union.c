/*
 * transform_union.c
 *	  adapter_union: adapters without a common module put together, the opposite
 *	  of adapter_split.  The result does not depend on their order.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/transform.h"

#include <string.h>

#include "adapter/scaling.h"
#include "algebra/agree.h"
#include "algebra/pairing.h"
#include "algebra/saved_modules.h"
#include "core/sort.h"

/*
 * Features that are seen in the tensors rather than in the configuration: a
 * part of a split has them only if it has the tensor.
 */
#define FEATURES_OF_TENSORS \
	(PA_FEATURE_DORA | PA_FEATURE_TRAINABLE_TOKENS | PA_FEATURE_KASA | PA_FEATURE_UNKNOWN_TENSOR | \
	 PA_FEATURE_COMPANION)

typedef struct ModuleRef
{
	const char *path;
	uint32_t	adapter;
	uint32_t	module;
} ModuleRef;

static int
compare_refs(const void *a, const void *b, const void *context)
{
	const ModuleRef *x = a;
	const ModuleRef *y = b;
	int			order = strcmp(x->path, y->path);

	(void) context;
	if (order != 0)
		return order;
	return x->adapter < y->adapter ? -1 : x->adapter > y->adapter;
}

static PaStatus
union_agree(PaEnv *env, const PaAdapter *a, const PaAdapter *b)
{
	const char *what = NULL;

	PA_TRY(pa_agree(env, a, b));
	if (a->lora_bias != b->lora_bias)
		what = "lora_bias";
	else if (!pa_same_text(a->task_type, b->task_type))
		what = "task types";
	else if (!pa_same_text(a->bias, b->bias))
		what = "bias settings";
	else if ((a->features | FEATURES_OF_TENSORS) != (b->features | FEATURES_OF_TENSORS))
		what = "features";
	if (what == NULL)
		return PA_OK;
	pa_fail(env, PA_ERR_MISMATCH, "adapters have different %s", what);
	pa_detail(env, "A union needs adapters that agree in everything but their modules.");
	if (a->lora_bias != b->lora_bias)
		pa_hint(env, "A sum, a + b, puts different modules together too, with biases of zero.");
	return PA_ERR_MISMATCH;
}

/* Operands may be of two forms; which one is written is chosen when the draft is described. */
static void
plain_form(const PaAdapter *adapter, PaModule *module)
{
	bool		exact;

	if (adapter->rslora && (module->flags & PA_MODULE_TARGET))
		module->alpha = pa_alpha_for(module->scaling, pa_alpha_divisor(pa_config_rank(module, true), false),
									 &exact);
}

/* Modules in path order; moved[k] is the new index of the k-th module of all adapters. */
static PaStatus
union_modules(PaEnv *env, uint32_t n, const PaAdapter *const *adapters, const size_t *offset, PaDraft *d,
			  uint32_t *moved)
{
	ModuleRef  *refs;
	size_t		total = offset[n];

	PA_TRY(PA_NEW_ARRAY(env, total, &refs));
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t m = 0; m < adapters[i]->n_modules; m++)
			refs[offset[i] + m] = (ModuleRef) {adapters[i]->modules[m].path, i, m};
	PA_TRY(pa_sort(env, refs, total, sizeof(ModuleRef), compare_refs, NULL));
	for (size_t k = 0; k < total; k++)
	{
		const PaAdapter *adapter = adapters[refs[k].adapter];
		PaModule   *module = &d->facts.modules[k];

		if (k > 0 && strcmp(refs[k - 1].path, refs[k].path) == 0)
		{
			pa_fail(env, PA_ERR_MISMATCH, "module \"%.300s\" is in more than one adapter", refs[k].path);
			pa_hint(env, "A union puts different modules together; to add adapters use +.");
			return PA_ERR_MISMATCH;
		}
		*module = adapter->modules[refs[k].module];
		pa_module_clear(module);
		plain_form(adapter, module);
		moved[offset[refs[k].adapter] + refs[k].module] = (uint32_t) k;
	}
	pa_free(env, refs);
	d->facts.n_modules = (uint32_t) total;
	return PA_OK;
}

static PaStatus
union_tensors(PaEnv *env, uint32_t n, const PaAdapter *const *adapters, const size_t *offset,
			  const uint32_t *moved, PaDraft *d)
{
	size_t		total = 0;

	for (uint32_t i = 0; i < n; i++)
		total += adapters[i]->n_tensors;
	if (total > PA_MAX_TENSORS)
		return pa_fail(env, PA_ERR_LIMIT, "adapter would have %zu tensors, more than %d", total,
					   PA_MAX_TENSORS);
	PA_TRY(PA_NEW_ARRAY(env, total, &d->tensors));
	for (uint32_t i = 0; i < n; i++)
	{
		for (uint32_t t = 0; t < adapters[i]->n_tensors; t++)
		{
			PaDraftTensor *tensor = &d->tensors[d->n_tensors++];
			const PaTensor *of = &adapters[i]->tensors[t];

			pa_draft_tensor_of(tensor, of, ((uint64_t) i << 32) | t);
			/* names are in the digest, configuration texts are not: so no name may depend on these */
			tensor->name = of->name;
			tensor->module = moved[offset[i] + tensor->module];
		}
	}
	return PA_OK;
}

PaStatus
pa_union_draft(PaEnv *env, uint32_t n, const PaAdapter *const *adapters, PaDraft **draft)
{
	PaDraft    *d;
	size_t	   *offset;
	uint32_t   *moved;

	PA_TRY(PA_NEW(env, &d));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) n + 1, &offset));
	d->facts = *adapters[0];
	d->facts.tensors = NULL;
	d->facts.n_tensors = 0;
	d->facts.rslora = false;
	for (uint32_t i = 0; i < n; i++)
	{
		if (i > 0)
			PA_TRY(union_agree(env, adapters[0], adapters[i]));
		pa_agree_flags(&d->facts, adapters[i]);
		d->facts.features |= adapters[i]->features;
		offset[i + 1] = offset[i] + adapters[i]->n_modules;
	}
	PA_TRY(PA_NEW_ARRAY(env, offset[n], &d->facts.modules));
	PA_TRY(PA_NEW_ARRAY(env, offset[n], &moved));
	PA_TRY(union_modules(env, n, adapters, offset, d, moved));
	PA_TRY(union_tensors(env, n, adapters, offset, moved, d));
	PA_TRY(pa_union_parameters(env, n, adapters, &d->facts));
	PA_TRY(pa_union_saved_modules(env, n, adapters, d));
	*draft = d;
	return PA_OK;
}

PaStatus
pa_union_check_paths(PaEnv *env, uint32_t n, const PaAdapter *const *adapters)
{
	return pa_pairing_check_union(env, n, adapters);
}

typedef struct PaUnion
{
	PaSource	base;
	PaSource  **parents;
	uint64_t   *tags;
} PaUnion;

static PaStatus
union_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	PaUnion    *self = (PaUnion *) source;
	PaSource   *parent = self->parents[self->tags[tensor] >> 32];

	return parent->read(env, parent, (uint32_t) self->tags[tensor], first, n, dst);
}

static PaStatus
union_fingerprint(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH], bool *known)
{
	PaUnion    *self = (PaUnion *) source;
	PaSource   *parent = self->parents[self->tags[tensor] >> 32];

	return pa_source_fingerprint(env, parent, (uint32_t) self->tags[tensor], out, known);
}

PaStatus
pa_union_source(PaEnv *env, uint32_t n, PaSource *const *parents, const PaAdapter *adapter,
				const uint64_t *tags, PaSource **source)
{
	PaUnion    *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(PA_NEW_ARRAY(env, n, &self->parents));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &self->tags));
	memcpy(self->parents, parents, n * sizeof(PaSource *));
	memcpy(self->tags, tags, adapter->n_tensors * sizeof(uint64_t));
	self->base.adapter = adapter;
	self->base.read = union_read;
	self->base.fingerprint = union_fingerprint;
	*source = &self->base;
	return PA_OK;
}
