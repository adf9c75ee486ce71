/*
 * recompute.c
 *	  Evaluating a recipe: the nodes that are needed are put in an order, then
 *	  computed one by one.  See recompute.h.
 *
 * Each operation runs in a PaEnv of its own, which is reset after it: so a
 * recipe of thousands of nodes takes the memory of one operation and of the
 * values that are still needed.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/recompute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/fsum.h"
#include "engine/open.h"
#include "engine/recompute_ops.h"

/* A value: one that was given, or one that was computed and is kept until its last use. */
typedef struct Held
{
	PaBytes    *bytes;
	PaValueHeader header;
	PaMemoryBytes memory;
	PaBuf		buf;			/* data NULL: given */
	uint32_t	users;			/* nodes that have this value */
} Held;

typedef enum State
{
	STATE_NEW,
	STATE_OPEN,					/* its operands are being looked at */
	STATE_READY					/* its place in the order is known */
} State;

typedef struct Slot
{
	State		state;
	uint32_t	next;			/* operand to look at */
	uint32_t	uses;			/* operands that refer to it and were not computed yet */
	Held	   *given;
	Held	   *held;			/* NULL: not computed yet, not needed any more, or left out */
	bool		changed;		/* something was left out of it */
	bool		tolerant;		/* an operation of its history is not bit for bit */
} Slot;

typedef struct Run
{
	PaEnv	   *env;
	const PaRecompute *task;
	PaRecipeGraph graph;
	Slot	   *slots;
	uint32_t   *order;			/* operands come before their users */
	uint32_t	n_order;
	uint32_t	without;		/* number of the node, 0: none */
	bool		met_without;
} Run;

static void
drop(Run *run, Held *held)
{
	if (--held->users > 0)
		return;
	if (held->buf.data != NULL)
		pa_buf_release(&held->buf);
	pa_free(run->env, held);
}

static void
drop_slot(Run *run, Slot *slot)
{
	if (slot->held != NULL)
		drop(run, slot->held);
	slot->held = NULL;
}

/* Deferred: an error leaves values behind. */
static void
drop_all(void *arg)
{
	Run        *run = arg;

	for (uint32_t i = 0; i < run->graph.n; i++)
		drop_slot(run, &run->slots[i]);
}

static PaStatus
read_given(Run *run)
{
	for (uint32_t i = 0; i < run->task->n_known; i++)
	{
		PaValueHeader header;
		uint32_t	node;
		Held	   *held;

		PA_TRY(pa_check_cancel(run->env));
		PA_TRY(pa_value_read_header(run->env, run->task->known[i], &header));
		node = pa_recipe_find(&run->graph, header.digest);
		if (node == 0)
			continue;
		held = run->slots[node].given;
		if (held != NULL &&
			memcmp(held->header.envelope_digest, header.envelope_digest, PA_SHA256_LENGTH) <= 0)
			continue;
		if (held == NULL)
			PA_TRY(PA_NEW(run->env, &held));
		held->bytes = run->task->known[i];
		held->header = header;
		run->slots[node].given = held;
	}
	return PA_OK;
}

static PaStatus
needed(Run *run, uint32_t node)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];

	if (node == 0)
		return pa_fail(run->env, PA_ERR_NOT_FOUND, "an imported value cannot be made from its recipe");
	pa_hex(hex, run->graph.nodes[node].digest);
	pa_fail(run->env, PA_ERR_NOT_FOUND, "value of digest %s is needed", hex);
	pa_detail(run->env, "The recipe does not say how it can be made.");
	return PA_ERR_NOT_FOUND;
}

/* A node that was not met before: given, left out, or to be looked into. */
static PaStatus
enter(Run *run, uint32_t node, uint32_t *stack, uint32_t *depth)
{
	Slot	   *slot = &run->slots[node];
	const PaRecipeNode *recipe = &run->graph.nodes[node];

	PA_TRY(pa_check_cancel(run->env));
	if (node != 0 && node == run->without)
	{
		run->met_without = true;
		slot->changed = true;
		slot->state = STATE_READY;
	}
	else if (slot->given != NULL)
	{
		slot->held = slot->given;
		slot->held->users = 1;
		slot->state = STATE_READY;
	}
	else if (pa_recipe_is_end(recipe))
		return needed(run, node);
	else if (pa_recompute_operation(recipe->op) == NULL)
		return pa_fail(run->env, PA_ERR_UNSUPPORTED, "recomputing operation \"%s\" is not supported",
					   recipe->op);
	else
	{
		slot->state = STATE_OPEN;
		stack[(*depth)++] = node;
	}
	return PA_OK;
}

/* The nodes that are to be computed, in order; depth first, with a stack of our own. */
static PaStatus
put_in_order(Run *run)
{
	uint32_t   *stack;
	uint32_t	depth = 0;

	PA_TRY(PA_NEW_ARRAY(run->env, run->graph.n, &stack));
	PA_TRY(enter(run, 0, stack, &depth));
	while (depth > 0)
	{
		uint32_t	node = stack[depth - 1];
		Slot	   *slot = &run->slots[node];
		uint32_t	of;

		if (slot->next == run->graph.nodes[node].n_operands)
		{
			slot->state = STATE_READY;
			run->order[run->n_order++] = node;
			depth--;
			continue;
		}
		of = run->graph.nodes[node].operands[slot->next++].leaf;
		run->slots[of].uses++;
		if (run->slots[of].state == STATE_OPEN)
		{
			pa_fail(run->env, PA_ERR_CONFIG, "recipe leads in a circle");
			pa_detail(run->env, "A value cannot be made from itself.");
			return PA_ERR_CONFIG;
		}
		if (run->slots[of].state == STATE_NEW)
			PA_TRY(enter(run, of, stack, &depth));
	}
	pa_free(run->env, stack);
	return PA_OK;
}

/* An operand that is left, while the operands of one node are put together. */
typedef struct Operand
{
	Held	   *held;
	double		u;
	double		v;
} Operand;

static int
compare_operands(const void *a, const void *b)
{
	const PaValueHeader *x = &((const Operand *) a)->held->header;
	const PaValueHeader *y = &((const Operand *) b)->held->header;
	int			order = memcmp(x->digest, y->digest, PA_SHA256_LENGTH);

	return order != 0 ? order : memcmp(x->envelope_digest, y->envelope_digest, PA_SHA256_LENGTH);
}

/* What the weights that are left are multiplied by, so that their total stays. */
static PaStatus
renormalize(PaEnv *env, const PaRecipeNode *node, Operand *left, size_t n)
{
	PaFsum		all;
	PaFsum		rest;
	double		divisor;
	double		f;

	pa_fsum_init(&all);
	pa_fsum_init(&rest);
	for (uint32_t i = 0; i < node->n_operands; i++)
		pa_fsum_add(&all, node->operands[i].v);
	for (size_t i = 0; i < n; i++)
		pa_fsum_add(&rest, left[i].v);
	divisor = pa_fsum_round(&rest);
	if (divisor == 0)
	{
		pa_fail(env, PA_ERR_DIVISION, "weights that are left sum to 0");
		pa_detail(env, "They cannot be multiplied so that the total of the weights stays.");
		return PA_ERR_DIVISION;
	}
	f = pa_fsum_round(&all) / divisor;
	if (!isfinite(divisor) || !isfinite(f))
		return pa_fail(env, PA_ERR_RANGE,
					   "weights that are left are out of range when their total is to stay");
	for (size_t i = 0; i < n; i++)
	{
		left[i].u = left[i].u * fabs(f);
		left[i].v = left[i].v * f;
	}
	return PA_OK;
}

/* The operands of a node that are left, in order of digest. */
static PaStatus
gather(PaEnv *env, Run *run, uint32_t number, Operand **left, size_t *n)
{
	const PaRecipeNode *node = &run->graph.nodes[number];
	Slot	   *slot = &run->slots[number];

	*n = 0;
	slot->tolerant = node->tolerance;
	PA_TRY(PA_NEW_ARRAY(env, node->n_operands, left));
	for (uint32_t i = 0; i < node->n_operands; i++)
	{
		const Slot *of = &run->slots[node->operands[i].leaf];

		slot->changed |= of->changed;
		slot->tolerant |= of->tolerant;
		if (of->held != NULL)
			(*left)[(*n)++] = (Operand) {of->held, node->operands[i].u, node->operands[i].v};
	}
	if (run->task->renormalize && node->weighted && *n > 0 && *n < node->n_operands)
		PA_TRY(renormalize(env, node, *left, *n));
	qsort(*left, *n, sizeof(Operand), compare_operands);
	return PA_OK;
}

/* Values of one digest are one operand: the one with the smallest envelope digest, which comes first. */
static PaStatus
prepare(PaEnv *env, const Operand *left, size_t n, PaStep *step, Held **held)
{
	PA_TRY(PA_NEW_ARRAY(env, n, &step->values));
	PA_TRY(PA_NEW_ARRAY(env, n, &step->terms));
	for (size_t i = 0; i < n; i++)
	{
		if (i == 0 ||
			memcmp(left[i].held->header.digest, left[i - 1].held->header.digest, PA_SHA256_LENGTH) != 0)
		{
			held[step->n_values] = left[i].held;
			PA_TRY(pa_open_value(env, left[i].held->bytes, &step->values[step->n_values]));
			step->n_values++;
		}
		step->terms[step->n_terms++] = (PaTerm) {step->n_values - 1, left[i].u, left[i].v};
	}
	return PA_OK;
}

/*
 * Compute one node in `env`.  *same is the operand that the result is, else
 * NULL and out is filled; *gone: nothing is left of it.
 */
static PaStatus
compute(PaEnv *env, Run *run, uint32_t number, size_t reserve, PaBuf *out, Held **same, bool *gone)
{
	PaStep		step = {.node = &run->graph.nodes[number], .reserve = reserve, .same_as = -1};
	Operand    *left;
	size_t		n;
	Held	  **held;

	*same = NULL;
	PA_TRY(gather(env, run, number, &left, &n));
	*gone = n == 0;
	if			(*gone)
		return PA_OK;
	PA_TRY(PA_NEW_ARRAY(env, n, &held));
	PA_TRY(prepare(env, left, n, &step, held));
	PA_TRY(pa_recompute_operation(step.node->op)(env, &step, out));
	if (step.same_as >= 0)
		*same = held[step.same_as];
	return PA_OK;
}

/* The same in a PaEnv that is gone afterwards; the PaBuf is the caller's. */
static PaStatus
compute_apart(Run *run, uint32_t number, size_t reserve, PaBuf *out, Held **same, bool *gone)
{
	PaHost		host = *run->env->host;
	PaEnv		env;
	PaStatus	status;

	/* what was made is made again, whether its operands would pair today or not, and was told then */
	host.unpaired = PA_UNPAIRED_OFF;
	host.notice = NULL;
	pa_env_init(&env, &host);
	status = compute(&env, run, number, reserve, out, same, gone);
	pa_env_reset(&env);
	if (status != PA_OK)
		run->env->error = env.error;
	else if (*same == NULL && !*gone)
		out->env = run->env;
	return status;
}

static PaStatus
check_digest(Run *run, uint32_t number)
{
	const Slot *slot = &run->slots[number];
	const uint8_t *wanted = run->graph.nodes[number].digest;
	const uint8_t *got = slot->held->header.digest;
	char		hex[2 * PA_SHA256_LENGTH + 1];

	if (run->env->host->outline || slot->changed || slot->tolerant ||
		memcmp(got, wanted, PA_SHA256_LENGTH) == 0)
		return PA_OK;
	pa_hex(hex, wanted);
	pa_fail(run->env, PA_ERR_MISMATCH, "recipe does not lead to digest %s", hex);
	pa_hex(hex, got);
	pa_detail(run->env, "Operation \"%s\" has a result of digest %s.", run->graph.nodes[number].op, hex);
	return PA_ERR_MISMATCH;
}

/* buf becomes the value of a slot; it is released with it. */
static PaStatus
hold(Run *run, Slot *slot, PaBuf *buf)
{
	Held	   *held;
	PaStatus	status = PA_NEW(run->env, &held);

	if (status != PA_OK)
	{
		pa_buf_release(buf);
		return status;
	}
	held->buf = *buf;
	pa_bytes_from_memory(&held->memory, held->buf.data, held->buf.length);
	held->bytes = &held->memory.base;
	held->users = 1;
	slot->held = held;
	return pa_value_read_header(run->env, held->bytes, &held->header);
}

static PaStatus
compute_node(Run *run, uint32_t number)
{
	const PaRecipeNode *node = &run->graph.nodes[number];
	Slot	   *slot = &run->slots[number];
	PaBuf		buf;
	Held	   *same;
	bool		gone;

	PA_TRY(compute_apart(run, number, 0, &buf, &same, &gone));
	if (same != NULL)
	{
		same->users++;
		slot->held = same;
	}
	else if (!gone)
		PA_TRY(hold(run, slot, &buf));
	for (uint32_t i = 0; i < node->n_operands; i++)
		if (--run->slots[node->operands[i].leaf].uses == 0)
			drop_slot(run, &run->slots[node->operands[i].leaf]);
	return gone ? PA_OK : check_digest(run, number);
}

#define COPY_BYTES ((uint64_t) 1024 * 1024)

static PaStatus
copy_bytes(PaBytes *bytes, PaBuf *out)
{
	for (uint64_t at = 0; at < bytes->size; at += COPY_BYTES)
	{
		uint64_t	left = bytes->size - at;
		size_t		n = (size_t) (left < COPY_BYTES ? left : COPY_BYTES);
		const uint8_t *p;

		PA_TRY(pa_check_cancel(out->env));
		PA_TRY(bytes->fetch(out->env, bytes, at, n, &p));
		PA_TRY(pa_buf_bytes(out, p, n));
	}
	return PA_OK;
}

static PaStatus
copy_value(PaEnv *env, const Held *held, size_t reserve, PaBuf *out)
{
	PaStatus	status;

	PA_TRY(pa_buf_init(env, out, reserve, reserve + (size_t) held->bytes->size));
	status = copy_bytes(held->bytes, out);
	if (status != PA_OK)
		pa_buf_release(out);
	return status;
}

static PaStatus
fail_without(Run *run, bool met)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];

	pa_hex(hex, run->task->without);
	if (met)
		return pa_fail(run->env, PA_ERR_CONFIG, "nothing is left without digest %s", hex);
	pa_fail(run->env, PA_ERR_CONFIG, "digest %s is not met in the recipe and cannot be left out", hex);
	pa_hint(run->env, "Values that were made from it must not be given: they are to be made without it.");
	return PA_ERR_CONFIG;
}

/* All but the root, which is the last in the order. */
static PaStatus
make_operands(PaEnv *env, const PaRecompute *task, Run **made)
{
	Run        *run;

	PA_TRY(PA_NEW(env, &run));
	*made = run;
	run->env = env;
	run->task = task;
	PA_TRY(pa_recipe_read(env, task->recipe, &run->graph));
	PA_TRY(PA_NEW_ARRAY(env, run->graph.n, &run->slots));
	PA_TRY(PA_NEW_ARRAY(env, run->graph.n, &run->order));
	PA_TRY(pa_defer(env, drop_all, run));
	if (task->without != NULL)
		run->without = pa_recipe_find(&run->graph, task->without);
	PA_TRY(read_given(run));
	PA_TRY(put_in_order(run));
	if (task->without != NULL && !run->met_without)
		return fail_without(run, false);
	for (uint32_t i = 0; i + 1 < run->n_order; i++)
		PA_TRY(compute_node(run, run->order[i]));
	return PA_OK;
}

PaStatus
pa_recompute_recipe(PaEnv *env, const PaRecompute *task, size_t reserve, PaBuf *out)
{
	Run        *run;
	Held	   *same;
	bool		gone;

	PA_TRY(make_operands(env, task, &run));
	PA_TRY(compute_apart(run, 0, reserve, out, &same, &gone));
	if (gone)
		return fail_without(run, true);
	if (same != NULL)
		PA_TRY(copy_value(env, same, reserve, out));
	drop_all(run);
	return PA_OK;
}

PaStatus
pa_recompute_outline(PaEnv *env, const PaRecompute *task, uint8_t digest[PA_SHA256_LENGTH])
{
	Run        *run;
	Held	   *same;
	bool		gone;
	PaBuf		out;

	PA_TRY(make_operands(env, task, &run));
	PA_TRY(compute_apart(run, 0, 0, &out, &same, &gone));
	if (gone)
		return fail_without(run, true);
	if (same == NULL)
	{
		PA_TRY(hold(run, &run->slots[0], &out));
		same = run->slots[0].held;
	}
	memcpy(digest, same->header.digest, PA_SHA256_LENGTH);
	drop_all(run);
	return PA_OK;
}
