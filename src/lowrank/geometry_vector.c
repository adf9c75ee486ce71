/*
 * geometry_vector.c
 *	  Inner products of what is a vector: (IA)^3's l - 1, the bias of lora_bias,
 *	  and differences.  The sums are formed, block by block, so nothing cancels.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/geometry.h"

#include <math.h>

#include "adapter/fault.h"
#include "kernel/kernel.h"

typedef struct Vectors
{
	const PaStack *stack;
	PaRole		role;
	double	   *weights[2];		/* of the parts, for d and e, times 2^-exponent */
	int			exponent[2];
	double	   *sum[2];			/* a block of d and of e */
	double	   *one;			/* a block of one part */
	uint8_t    *raw;
} Vectors;

static int64_t
part_vector(const PaStackPart *part, PaRole role)
{
	if (role == PA_ROLE_DIFFERENCE)
		return part->difference;
	return role == PA_ROLE_VECTOR ? part->vector : part->bias;
}

static double
part_weight(const Vectors *self, const PaStackPart *part, const double *leaf_weights)
{
	return leaf_weights[part->leaf] * (self->role == PA_ROLE_BIAS ? part->scaling : 1);
}

/* The parts' weights, made so small that a sum of doubles times them stays finite. */
static PaStatus
set_weights(PaEnv *env, Vectors *self, const double *leaf_weights, double *weights, int *exponent)
{
	double		largest = 0;

	for (uint32_t i = 0; i < self->stack->n_parts; i++)
	{
		weights[i] = part_weight(self, &self->stack->parts[i], leaf_weights);
		if (!isfinite(weights[i]))
			return pa_fail(env, PA_ERR_RANGE, "weight of module \"%.300s\" is out of range",
						   self->stack->path);
		largest = fmax(largest, fabs(weights[i]));
	}
	(void) frexp(largest, exponent);
	*exponent += 32;
	for (uint32_t i = 0; i < self->stack->n_parts; i++)
		weights[i] = ldexp(weights[i], -*exponent);
	return PA_OK;
}

static PaStatus
begin(PaEnv *env, const PaStack *stack, PaRole role, const double *const *leaf_weights, Vectors *self)
{
	*self = (Vectors) {.stack = stack, .role = role};
	for (int w = 0; w < 2; w++)
	{
		PA_TRY(PA_NEW_ARRAY(env, stack->n_parts, &self->weights[w]));
		PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &self->sum[w]));
		PA_TRY(set_weights(env, self, leaf_weights[w], self->weights[w], &self->exponent[w]));
	}
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &self->one));
	return PA_NEW_RAW(env, PA_BLOCK_ELEMENTS * sizeof(double), &self->raw);
}

static void
release(PaEnv *env, Vectors *self)
{
	for (int w = 0; w < 2; w++)
	{
		pa_free(env, self->weights[w]);
		pa_free(env, self->sum[w]);
	}
	pa_free(env, self->one);
	pa_free(env, self->raw);
}

/* d and e of one block: the parts as they stand in the stack */
static PaStatus
sum_block(PaEnv *env, Vectors *self, uint64_t first, size_t n)
{
	double		neutral = self->role == PA_ROLE_VECTOR ? 1 : 0;

	for (size_t i = 0; i < n; i++)
		self->sum[0][i] = self->sum[1][i] = 0;
	for (uint32_t p = 0; p < self->stack->n_parts; p++)
	{
		const PaStackPart *part = &self->stack->parts[p];
		int64_t		index = part_vector(part, self->role);
		const PaTensor *tensor;

		if (index < 0)
			continue;
		tensor = &part->source->adapter->tensors[index];
		PA_TRY(pa_check_cancel(env));
		PA_TRY(part->source->read(env, part->source, (uint32_t) index, first, n, self->raw));
		if (!pa_kernel_first(self->one, self->raw, tensor->dtype, n, 1))
			return pa_fail_not_finite(env, tensor->name, part->digest);
		for (size_t i = 0; i < n; i++)
		{
			double		change = self->one[i] - neutral;

			self->sum[0][i] += self->weights[0][p] * change;
			self->sum[1][i] += self->weights[1][p] * change;
		}
	}
	return PA_OK;
}

/* Bring the block's sum near 1; its exponent then. */
static int
normalise(double *sum, size_t n)
{
	double		largest = 0;
	int			exponent;

	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fabs(sum[i]));
	(void) frexp(largest, &exponent);
	for (size_t i = 0; i < n; i++)
		sum[i] = ldexp(sum[i], -exponent);
	return exponent;
}

static void
add_block(const Vectors *self, size_t n, PaProducts *products)
{
	int			d = normalise(self->sum[0], n) + self->exponent[0];
	int			e = normalise(self->sum[1], n) + self->exponent[1];
	int			x = d > e ? d : e;
	double		dd = 0;
	double		ee = 0;
	double		xx = 0;
	double		de = 0;

	for (size_t i = 0; i < n; i++)
	{
		double		difference = ldexp(self->sum[0][i], d - x) - ldexp(self->sum[1][i], e - x);

		dd += self->sum[0][i] * self->sum[0][i];
		ee += self->sum[1][i] * self->sum[1][i];
		de += self->sum[0][i] * self->sum[1][i];
		xx += difference * difference;
	}
	pa_scaled_add(&products->dd, dd, 2 * d);
	pa_scaled_add(&products->ee, ee, 2 * e);
	pa_scaled_add(&products->de, de, d + e);
	pa_scaled_add(&products->xx, xx, 2 * x);
}

static uint64_t
vector_length(const PaStack *stack, PaRole role)
{
	for (uint32_t p = 0; p < stack->n_parts; p++)
		if (part_vector(&stack->parts[p], role) >= 0)
			return stack->parts[p].source->adapter->tensors[part_vector(&stack->parts[p], role)].elements;
	return 0;
}

PaStatus
pa_geometry_vectors(PaEnv *env, const PaStack *stack, PaRole role, const double *d, const double *e,
					PaProducts *products)
{
	uint64_t	length = vector_length(stack, role);
	Vectors		self;

	if (length == 0)
		return PA_OK;
	PA_TRY(begin(env, stack, role, (const double *const[]) {d, e}, &self));
	for (uint64_t first = 0; first < length; first += PA_BLOCK_ELEMENTS)
	{
		size_t		n = pa_block_step(length - first);

		PA_TRY(sum_block(env, &self, first, n));
		add_block(&self, n, products);
	}
	release(env, &self);
	return PA_OK;
}
