/*
 * merge_top.c
 *	  The k entries of largest magnitude of a whole tensor, in bounded memory:
 *	  a radix selection over the bits of the magnitudes, 16 at a time from the
 *	  top, each a pass over the source that fills a histogram; then, if not all
 *	  entries at the threshold are kept, one more to find the last that is.
 *
 * Magnitudes of one dtype are ordered as their bits without the sign are.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "algebra/merge.h"

#include "adapter/fault.h"
#include "core/bytes.h"
#include "kernel/kernel.h"

#define DIGIT_BITS 16

static inline uint64_t
magnitude(const uint8_t *raw, int width, size_t i)
{
	if (width == 2)
		return pa_load_u16(raw + 2 * i) & UINT16_C(0x7FFF);
	if (width == 4)
		return pa_load_u32(raw + 4 * i) & UINT32_C(0x7FFFFFFF);
	return pa_load_u64(raw + 8 * i) & UINT64_C(0x7FFFFFFFFFFFFFFF);
}

/* Where a selection stands: the digits of the threshold that are known, and how many to keep below them. */
typedef struct Selection
{
	PaSource   *source;
	uint32_t	tensor;
	const PaTensor *of;
	const uint8_t *digest;
	const PaTopWork *work;
	uint64_t	known;			/* upper digits of the threshold, shifted down */
	uint64_t	keep;			/* entries to keep among those that begin with them */
	uint64_t	equal;			/* how many begin with them */
} Selection;

static PaStatus
read_block(PaEnv *env, const Selection *self, uint64_t first, size_t *n)
{
	*n = pa_block_step(self->of->elements - first);
	PA_TRY(pa_check_cancel(env));
	PA_TRY(self->source->read(env, self->source, self->tensor, first, *n, self->work->raw));
	if (!pa_kernel_all_finite(self->work->raw, self->of->dtype, *n))
		return pa_fail_not_finite(env, self->of->name, self->digest);
	return PA_OK;
}

/* Count the digit above `shift` of the entries that begin with the known digits. */
static PaStatus
count_digit(PaEnv *env, const Selection *self, int shift)
{
	int			width = pa_dtype_plane_width(self->of->dtype);
	uint64_t   *bins = self->work->bins;
	size_t		n;

	memset(bins, 0, PA_TOP_BINS * sizeof(uint64_t));
	for (uint64_t first = 0; first < self->of->elements; first += n)
	{
		PA_TRY(read_block(env, self, first, &n));
		for (size_t i = 0; i < n; i++)
		{
			uint64_t	digits = magnitude(self->work->raw, width, i) >> shift;

			if (digits >> DIGIT_BITS == self->known)
				bins[digits & (PA_TOP_BINS - 1)]++;
		}
	}
	return PA_OK;
}

/* The digit of the threshold: the bin in which the kept entries, from the top, come to an end. */
static void
take_digit(Selection *self)
{
	const uint64_t *bins = self->work->bins;
	size_t		digit = PA_TOP_BINS - 1;

	while (digit > 0 && bins[digit] < self->keep)
		self->keep -= bins[digit--];
	self->equal = bins[digit];
	self->known = self->known << DIGIT_BITS | digit;
}

/* One beyond the index of the last entry at the threshold that is kept. */
static PaStatus
find_end(PaEnv *env, const Selection *self, uint64_t *end)
{
	int			width = pa_dtype_plane_width(self->of->dtype);
	uint64_t	left = self->keep;
	size_t		n;

	for (uint64_t first = 0; first < self->of->elements; first += n)
	{
		PA_TRY(read_block(env, self, first, &n));
		for (size_t i = 0; i < n; i++)
		{
			if (magnitude(self->work->raw, width, i) != self->known || --left > 0)
				continue;
			*end = first + i + 1;
			return PA_OK;
		}
	}
	return pa_fail(env, PA_ERR_INTERNAL, "tensor \"%.300s\" changed while it was read", self->of->name);
}

PaStatus
pa_top_select(PaEnv *env, PaSource *source, uint32_t tensor, const uint8_t *digest, uint64_t k,
			  const PaTopWork *work, PaTop *top)
{
	Selection	self = {
		.source = source,
		.tensor = tensor,
		.of = &source->adapter->tensors[tensor],
		.digest = digest,
		.work = work,
		.keep = k,
	};

	top->threshold = k == 0 ? UINT64_MAX : 0;
	top->end = UINT64_MAX;
	if (k == 0 || k >= self.of->elements)
		return PA_OK;
	for (int shift = 8 * pa_dtype_plane_width(self.of->dtype) - DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS)
	{
		PA_TRY(count_digit(env, &self, shift));
		take_digit(&self);
	}
	top->threshold = self.known;
	if (self.keep < self.equal)
		PA_TRY(find_end(env, &self, &top->end));
	return PA_OK;
}

void
pa_top_apply(const PaTop *top, const uint8_t *raw, PaDtype dtype, uint64_t first, size_t n, double *x)
{
	int			width = pa_dtype_plane_width(dtype);

	if (top->threshold == 0 && top->end == UINT64_MAX)
		return;
	for (size_t i = 0; i < n; i++)
	{
		uint64_t	m = magnitude(raw, width, i);

		if (m < top->threshold || (m == top->threshold && first + i >= top->end))
			x[i] = 0;
	}
}
