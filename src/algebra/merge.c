/*
 * merge.c
 *	  One pass over the leaves' blocks: each leaf's block is widened and pruned,
 *	  then goes into the sum, or into the sums of either sign with what elects
 *	  between them, so that no block is read twice.
 *
 * What pruning needs of a whole tensor (a threshold, the key of its draws) is
 * found when the first of its blocks is asked for, and kept until another
 * tensor's is: the writer asks for each tensor once.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/merge.h"

#include <string.h>

#include "adapter/fault.h"
#include "algebra/combine_impl.h"
#include "adapter/operation.h"
#include "core/draw.h"
#include "kernel/kernel.h"

/* Of one term's tensor. */
typedef struct Pruning
{
	PaTop		top;
	uint64_t	key;
} Pruning;

/* Entries of one sign. */
typedef struct Side
{
	double	   *sum;			/* of the weighted entries */
	double	   *count;
} Side;

typedef struct MergeSource
{
	PaSource	base;
	const PaCombine *plan;
	const PaCombineSum **sums;	/* of the described result's tensors */
	PaMerge		merge;
	int64_t		current;		/* the tensor that the prunings are for, or -1 */
	Pruning    *prunings;		/* one for each of its terms */
	PaTopWork	work;			/* its raw block serves the passes and the sum */
	double	   *x;				/* one leaf's entries, pruned */
	double	   *acc;			/* the sum, or the sum that elects */
	Side		plus;			/* only for an election */
	Side		minus;
} MergeSource;

PaStatus
pa_merge_require(PaEnv *env, uint32_t n_leaves, const PaLeaf *leaves)
{
	for (uint32_t i = 0; i < n_leaves; i++)
	{
		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_require(env, leaves[i].source->adapter, PA_OPERATION_MERGE));
	}
	return PA_OK;
}

/* floor(density n) as PEFT has it: the product in double, cut off. */
static uint64_t
kept_entries(double density, uint64_t n)
{
	double		k = density * (double) n;

	return k >= (double) n ? n : (uint64_t) k;
}

/*
 * The key of a term's draws.  All tensors of the module say whose draws they are,
 * so that adapters that share a factor draw apart for it.
 */
static PaStatus
draw_key(PaEnv *env, const MergeSource *self, const PaCombineTerm *term, uint64_t *key)
{
	const PaAdapter *adapter = pa_combine_adapter(self->plan, term->leaf);
	const PaTensor *of = &adapter->tensors[term->tensor];
	const PaModule *module = &adapter->modules[of->module];
	uint8_t		hashes[PA_SINGLE_ROLES][PA_SHA256_LENGTH];
	size_t		n = 0;

	for (int role = 1; role < PA_SINGLE_ROLES; role++)
		if (module->tensor[role] >= 0)
			memcpy(hashes[n++], adapter->tensors[module->tensor[role]].sha256, PA_SHA256_LENGTH);
	return pa_draw_key(env, "dare", self->merge.seed, module->path, pa_role_name(of->role), hashes[0], n,
					   key);
}

static PaStatus
prepare_term(PaEnv *env, const MergeSource *self, const PaCombineTerm *term, Pruning *pruning)
{
	const PaLeaf *leaf = &self->plan->leaves[term->leaf];
	const PaTensor *of = pa_combine_tensor(self->plan, term);

	if (self->merge.prune == PA_PRUNE_DROP)
		return draw_key(env, self, term, &pruning->key);
	return pa_top_select(env, leaf->source, term->tensor, leaf->digest,
						 kept_entries(self->merge.density, of->elements), &self->work, &pruning->top);
}

static PaStatus
prepare(PaEnv *env, MergeSource *self, uint32_t tensor)
{
	const PaCombineSum *sum = self->sums[tensor];

	if (self->current == tensor)
		return PA_OK;
	self->current = -1;
	for (uint32_t i = 0; i < sum->n_terms; i++)
		PA_TRY(prepare_term(env, self, &sum->terms[i], &self->prunings[i]));
	self->current = tensor;
	return PA_OK;
}

static void
drop_entries(const MergeSource *self, const Pruning *pruning, uint64_t first, size_t n)
{
	double		density = self->merge.density;

	for (size_t i = 0; i < n; i++)
		self->x[i] = pa_draw_uniform(pruning->key, first + i) < density ? self->x[i] / density : 0;
}

/* A term's entries, pruned, into x. */
static PaStatus
read_term(PaEnv *env, MergeSource *self, const PaCombineTerm *term, const Pruning *pruning, uint64_t first,
		  size_t n)
{
	PaDtype		dtype = pa_combine_tensor(self->plan, term)->dtype;

	PA_TRY(pa_combine_read_term(env, self->plan, term, first, n, self->work.raw));
	if (!pa_kernel_first(self->x, self->work.raw, dtype, n, 1))
		return pa_combine_not_finite(env, self->plan, term);
	if (self->merge.prune == PA_PRUNE_TOP)
		pa_top_apply(&pruning->top, self->work.raw, dtype, first, n, self->x);
	else
		drop_entries(self, pruning, first, n);
	return PA_OK;
}

static void
add_entries(MergeSource *self, double c, bool is_first, size_t n)
{
	if (is_first)
		for (size_t i = 0; i < n; i++)
			self->acc[i] = c * self->x[i];
	else
		for (size_t i = 0; i < n; i++)
			self->acc[i] += c * self->x[i];
}

/* Entries that are 0 have neither sign: they vote for nothing and are no part of the mean. */
static void
elect_entries(MergeSource *self, double c, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		double		x = self->x[i];
		Side	   *side = x < 0 ? &self->minus : &self->plus;

		self->acc[i] += x;
		if (x == 0)
			continue;
		side->sum[i] += c * x;
		side->count[i] += 1;
	}
}

/* acc becomes the mean over the elected sign; a tie is plus. */
static void
finish_election(MergeSource *self, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		double		votes = self->merge.election == PA_ELECT_TOTAL ? self->acc[i]
															  : self->plus.count[i] - self->minus.count[i];
		const Side *side = votes >= 0 ? &self->plus : &self->minus;

		self->acc[i] = side->sum[i] / (side->count[i] > 1 ? side->count[i] : 1);
	}
}

static void
clear_election(MergeSource *self, size_t n)
{
	double	   *all[] = {self->acc, self->plus.sum, self->plus.count, self->minus.sum, self->minus.count};

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		memset(all[k], 0, n * sizeof(double));
}

static PaStatus
merge_block(PaEnv *env, MergeSource *self, const PaCombineSum *sum, const PaTensor *to, uint64_t first,
			size_t n, uint8_t *dst)
{
	bool		elects = self->merge.election != PA_ELECT_NONE;

	if (elects)
		clear_election(self, n);
	else if (sum->n_terms == 0)
		memset(self->acc, 0, n * sizeof(double));	/* a lora_bias that none has */
	for (uint32_t i = 0; i < sum->n_terms; i++)
	{
		PA_TRY(read_term(env, self, &sum->terms[i], &self->prunings[i], first, n));
		if (elects)
			elect_entries(self, sum->terms[i].c, n);
		else
			add_entries(self, sum->terms[i].c, i == 0, n);
	}
	if (elects)
		finish_election(self, n);
	return pa_kernel_round(dst, to->dtype, self->acc, n) ? PA_OK : pa_fail_overflow(env, to);
}

static PaStatus
merge_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	MergeSource *self = (MergeSource *) source;
	const PaTensor *to = &source->adapter->tensors[tensor];
	const PaCombineSum *sum = self->sums[tensor];

	if (sum->layout == PA_LAYOUT_COPY)
		return pa_combine_read_term(env, self->plan, &sum->terms[0], first, n, dst);
	PA_TRY(prepare(env, self, tensor));
	for (size_t done = 0; done < n;)
	{
		size_t		step = pa_block_step(n - done);

		PA_TRY(merge_block(env, self, sum, to, first + done, step,
						   (uint8_t *) dst + done * (size_t) pa_dtype_plane_width(to->dtype)));
		done += step;
	}
	return PA_OK;
}

/* Draws are keyed by the whole module's tensors: the fingerprints of all of them tell. */
static PaStatus
merge_fingerprint(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t out[PA_SHA256_LENGTH], bool *known)
{
	MergeSource *self = (MergeSource *) source;
	const PaMerge *merge = &self->merge;
	const int64_t by[4] = {source->adapter->tensors[tensor].dtype, merge->prune, merge->election,
						   merge->seed};
	uint8_t		sum[PA_SHA256_LENGTH];

	if (self->sums[tensor]->layout == PA_LAYOUT_COPY)
		return pa_combine_fingerprint(env, self->plan, self->sums[tensor], NULL, 0, out);
	PA_TRY(pa_combine_fingerprint(env, self->plan, self->sums[tensor], by, sizeof(by), sum));
	return pa_fingerprint_of(env, "merge", &merge->density, sizeof(merge->density), sum, out);
}

static PaStatus
allocate_blocks(PaEnv *env, MergeSource *self)
{
	double	  **blocks[] = {&self->x,			&self->acc,		  &self->plus.sum,
						 &self->plus.count, &self->minus.sum, &self->minus.count};
	size_t		n = self->merge.election == PA_ELECT_NONE ? 2 : sizeof(blocks) / sizeof(blocks[0]);

	for (size_t i = 0; i < n; i++)
		PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, blocks[i]));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS * sizeof(double), &self->work.raw));
	if (self->merge.prune == PA_PRUNE_TOP)
		PA_TRY(PA_NEW_RAW(env, PA_TOP_BINS, &self->work.bins));
	return PA_OK;
}

PaStatus
pa_merge_source(PaEnv *env, const PaCombine *plan, const PaMerge *merge, const PaAdapter *adapter,
				const uint32_t *draft_of, PaSource **source)
{
	MergeSource *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &self->sums));
	PA_TRY(PA_NEW_ARRAY(env, plan->n_leaves, &self->prunings));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		self->sums[i] = &plan->sums[plan->draft.tensors[draft_of[i]].tag];
	self->merge = *merge;
	PA_TRY(allocate_blocks(env, self));
	self->base.adapter = adapter;
	self->base.read = merge_read;
	self->base.fingerprint = merge_fingerprint;
	self->plan = plan;
	self->current = -1;
	*source = &self->base;
	return PA_OK;
}
