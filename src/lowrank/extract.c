/*
 * extract.c
 *	  See extract.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/extract.h"

#include <math.h>

#include "adapter/fault.h"
#include "adapter/role.h"
#include "core/draw.h"
#include "kernel/kernel.h"
#include "lowrank/leading.h"

typedef struct Extract
{
	PaSource	base;
	PaSource   *parent;
	const PaExtractPart *const *parts;
	int64_t		tensor;			/* of the parent, which is decomposed; or -1 */
	int			exponent;		/* of its matrix */
	PaLeading	leading;
	double	   *window;			/* one block */
} Extract;

static uint64_t
columns_of(const PaTensor *tensor)
{
	return tensor->elements / tensor->shape[0];
}

/* The whole tensor, checked, and the exponent that brings its largest entry near 1. */
static PaStatus
load_matrix(PaEnv *env, PaSource *parent, uint32_t tensor, PaWholeMatrix *matrix)
{
	const PaTensor *t = &parent->adapter->tensors[tensor];
	size_t		width = (size_t) pa_dtype_plane_width(t->dtype);
	double		largest = 0;
	double	   *wide;
	uint8_t    *raw;

	PA_TRY(PA_NEW_RAW(env, (size_t) t->bytes, &raw));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &wide));
	for (uint64_t done = 0; done < t->elements; done += PA_BLOCK_ELEMENTS)
	{
		size_t		step = pa_block_step(t->elements - done);

		PA_TRY(pa_check_cancel(env));
		PA_TRY(parent->read(env, parent, tensor, done, step, raw + done * width));
		if (!pa_kernel_all_finite(raw + done * width, t->dtype, step))
			return pa_fail_not_finite(env, t->name, NULL);
		pa_kernel_widen(wide, raw + done * width, t->dtype, step);
		for (size_t i = 0; i < step; i++)
			largest = fabs(wide[i]) > largest ? fabs(wide[i]) : largest;
	}
	pa_free(env, wide);
	*matrix = (PaWholeMatrix) {
		.name = t->name,
		.dtype = t->dtype,
		.rows = t->shape[0],
		.columns = columns_of(t),
		.raw = raw,
	};
	(void) frexp(largest, &matrix->exponent);
	return PA_OK;
}

static PaStatus
draw_key(PaEnv *env, const PaTensor *tensor, uint64_t *key)
{
	return pa_draw_key(env, "extract", 0, tensor->key, pa_role_name(tensor->role), NULL, 0, key);
}

PaStatus
pa_extract_rank(PaEnv *env, PaSource *parent, uint32_t tensor, double energy, uint64_t *rank)
{
	PaWholeMatrix matrix;
	uint64_t	key;

	PA_TRY(draw_key(env, &parent->adapter->tensors[tensor], &key));
	PA_TRY(load_matrix(env, parent, tensor, &matrix));
	PA_TRY(pa_leading_rank(env, &matrix, energy, key, rank));
	pa_free(env, (void *) matrix.raw);
	return PA_OK;
}

static PaStatus
need_tensor(PaEnv *env, Extract *self, uint32_t tensor, uint64_t rank)
{
	PaWholeMatrix matrix;
	uint64_t	key;

	if (self->tensor == (int64_t) tensor)
		return PA_OK;
	self->tensor = -1;
	pa_leading_release(env, &self->leading);
	PA_TRY(draw_key(env, &self->parent->adapter->tensors[tensor], &key));
	PA_TRY(load_matrix(env, self->parent, tensor, &matrix));
	PA_TRY(pa_leading(env, &matrix, rank, key, &self->leading));
	self->exponent = matrix.exponent;
	self->tensor = tensor;
	pa_free(env, (void *) matrix.raw);
	return PA_OK;
}

/* floor(log2(the largest singular value) / 2) goes to either factor. */
static int
shared_exponent(const Extract *self)
{
	int			exponent;

	if (self->leading.largest == 0)
		return 0;
	(void) frexp(self->leading.largest, &exponent);
	exponent += self->exponent - 1;
	return exponent >= 0 ? exponent / 2 : -((1 - exponent) / 2);
}

/*
 * The powers of two of either side: the longer one has the singular values.  The
 * factors' product is the matrix, so the two add up to its exponent.
 */
static int
exponent_of(const Extract *self, bool left)
{
	const PaTensor *t = &self->parent->adapter->tensors[self->tensor];
	bool		wide = t->shape[0] < columns_of(t);

	return left == wide ? shared_exponent(self) : self->exponent - shared_exponent(self);
}

static PaStatus
extract_read(PaEnv *env, PaSource *source, uint32_t tensor, uint64_t first, size_t n, void *dst)
{
	Extract    *self = (Extract *) source;
	const PaTensor *to = &source->adapter->tensors[tensor];
	const PaExtractPart *part = self->parts[tensor];
	bool		is_a = to->role == PA_ROLE_FACTOR_A;
	bool		left = is_a == part->transposed;
	uint64_t	rank = is_a ? to->shape[0] : to->shape[1];
	uint64_t	length = to->elements / rank;
	uint8_t    *out = dst;

	PA_TRY(need_tensor(env, self, part->tensor, rank));
	while (n > 0)
	{
		size_t		step = pa_block_step(n);
		const double *from = left ? self->leading.left : self->leading.right;
		int			e = exponent_of(self, left);

		PA_TRY(pa_check_cancel(env));
		for (size_t i = 0; i < step; i++)
		{
			uint64_t	at = first + i;

			/* A has the vectors one after the other, B side by side */
			if (!is_a)
				at = at % rank * length + at / rank;
			self->window[i] = at / length < self->leading.rank ? ldexp(from[at], e) : 0;
		}
		if (!pa_kernel_round(out, to->dtype, self->window, step))
			return pa_fail_overflow(env, to);
		out += step * (size_t) pa_dtype_plane_width(to->dtype);
		first += step;
		n -= step;
	}
	return PA_OK;
}

PaStatus
pa_extract_source(PaEnv *env, PaSource *parent, const PaAdapter *adapter, const PaExtractPart *const *parts,
				  PaSource **source)
{
	Extract    *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &self->window));
	self->base.adapter = adapter;
	self->base.read = extract_read;
	self->parent = parent;
	self->parts = parts;
	self->tensor = -1;
	*source = &self->base;
	return PA_OK;
}

/* Of a type without arithmetic what is no zero byte. */
static bool
has_change(const uint8_t *raw, PaDtype dtype, size_t n, double *wide)
{
	if (!pa_dtype_is_arithmetic(dtype))
	{
		for (size_t i = 0; i < n * (size_t) pa_dtype_plane_width(dtype); i++)
			if (raw[i] != 0)
				return true;
		return false;
	}
	pa_kernel_widen(wide, raw, dtype, n);
	for (size_t i = 0; i < n; i++)
		if (wide[i] != 0)
			return true;
	return false;
}

PaStatus
pa_extract_changes(PaEnv *env, PaSource *parent, uint32_t tensor, bool *changes)
{
	const PaTensor *t = &parent->adapter->tensors[tensor];
	uint64_t	units = pa_tensor_units(t);
	uint8_t    *raw;
	double	   *wide;

	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS * sizeof(double), &raw));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS, &wide));
	*changes = false;
	for (uint64_t done = 0; done < units && !*changes; done += PA_BLOCK_ELEMENTS)
	{
		size_t		step = pa_block_step(units - done);

		PA_TRY(pa_check_cancel(env));
		PA_TRY(parent->read(env, parent, tensor, done, step, raw));
		*changes = has_change(raw, t->dtype, step, wide);
	}
	pa_free(env, raw);
	pa_free(env, wide);
	return PA_OK;
}
