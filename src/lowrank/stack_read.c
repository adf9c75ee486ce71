/*
 * stack_read.c
 *	  Slabs and windows of a stack's factors.  See stack_read.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/stack_read.h"

#include "adapter/fault.h"
#include "kernel/kernel.h"

static const PaTensor *
part_tensor(const PaStackPart *part, PaFactor factor)
{
	return &part->source->adapter->tensors[factor == PA_FACTOR_A ? part->factor_a : part->factor_b];
}

static size_t
part_width(const PaStackPart *part, PaFactor factor)
{
	return (size_t) pa_dtype_plane_width(part_tensor(part, factor)->dtype);
}

static PaStatus
check_stack(PaEnv *env, const PaStack *stack, uint32_t most_rank)
{
	if (stack->groups > 1)
	{
		pa_fail(env, PA_ERR_UNSUPPORTED, "module \"%.300s\" is not one product of two factors", stack->path);
		pa_detail(env, "Grouped convolutions and stacked experts are one product for each group.");
		pa_hint(env, "Leave the module out with adapter_select().");
		return PA_ERR_UNSUPPORTED;
	}
	if (stack->rank <= most_rank)
		return PA_OK;
	pa_fail(env, PA_ERR_LIMIT, "rank of module \"%.300s\" is %llu, more than %u", stack->path,
			(unsigned long long) stack->rank, most_rank);
	pa_hint(env,
			"Sum fewer adapters at a time and make the rank of each sum smaller with adapter_truncate().");
	return PA_ERR_LIMIT;
}

static PaStatus
begin_slab(PaEnv *env, PaStackReader *reader, PaFactor factor, uint64_t lines)
{
	PaStackSlab *slab = &reader->slab[factor];
	uint64_t	line_bytes = 0;

	for (uint32_t i = 0; i < reader->stack->n_parts; i++)
		line_bytes += reader->stack->parts[i].rank * part_width(&reader->stack->parts[i], factor);
	slab->lines = lines;
	slab->room = line_bytes > 0 ? reader->budget / line_bytes : 1;
	if (slab->room < 1)
		slab->room = 1;
	if (slab->room > lines)
		slab->room = lines;
	return PA_NEW_RAW(env, (size_t) (slab->room * line_bytes), &slab->raw);
}

PaStatus
pa_stack_reader(PaEnv *env, const PaStack *stack, uint32_t most_rank, size_t budget, PaStackReader *reader)
{
	PA_TRY(check_stack(env, stack, most_rank));
	*reader = (PaStackReader) {.stack = stack, .budget = budget, .rank = (uint32_t) stack->rank};
	PA_TRY(begin_slab(env, reader, PA_FACTOR_A, stack->columns));
	return begin_slab(env, reader, PA_FACTOR_B, stack->rows);
}

void
pa_stack_reader_release(PaEnv *env, PaStackReader *reader)
{
	for (int factor = 0; factor < PA_FACTORS; factor++)
	{
		pa_free(env, reader->slab[factor].raw);
		pa_free(env, reader->scale[factor]);
		reader->slab[factor].raw = NULL;
		reader->scale[factor] = NULL;
	}
}

uint64_t
pa_stack_window(const PaStackReader *reader, PaFactor factor, size_t bytes)
{
	uint64_t	n = reader->rank > 0 ? bytes / (reader->rank * sizeof(double)) : 1;

	if (n < 1)
		n = 1;
	return n < reader->slab[factor].room ? n : reader->slab[factor].room;
}

/* Elements [first, first + n) of a part's factor, in steps that end where blocks end. */
static PaStatus
read_elements(PaEnv *env, const PaStackPart *part, PaFactor factor, uint64_t first, uint64_t n, uint8_t *dst)
{
	const PaTensor *tensor = part_tensor(part, factor);
	size_t		width = part_width(part, factor);
	int64_t		index = factor == PA_FACTOR_A ? part->factor_a : part->factor_b;

	while (n > 0)
	{
		uint64_t	step = PA_BLOCK_ELEMENTS - first % PA_BLOCK_ELEMENTS;

		if (step > n)
			step = n;
		PA_TRY(pa_check_cancel(env));
		PA_TRY(part->source->read(env, part->source, (uint32_t) index, first, (size_t) step, dst));
		if (!pa_kernel_all_finite(dst, tensor->dtype, (size_t) step))
			return pa_fail_not_finite(env, tensor->name, part->digest);
		first += step;
		n -= step;
		dst += step * width;
	}
	return PA_OK;
}

/*
 * Lines [first, first + n) of a part: A has them as columns, so each of its rows
 * is read by itself unless all are wanted.
 */
static PaStatus
read_part(PaEnv *env, const PaStackReader *reader, const PaStackPart *part, PaFactor factor, uint64_t first,
		  uint64_t n, uint8_t *dst)
{
	uint64_t	columns = reader->stack->columns;

	if (factor == PA_FACTOR_B)
		return read_elements(env, part, factor, first * part->rank, n * part->rank, dst);
	if (n == columns)
		return read_elements(env, part, factor, 0, n * part->rank, dst);
	for (uint64_t k = 0; k < part->rank; k++)
		PA_TRY(
			read_elements(env, part, factor, k * columns + first, n, dst + k * n * part_width(part, factor)));
	return PA_OK;
}

/* See that the slab holds lines [first, first + n). */
static PaStatus
need_lines(PaEnv *env, PaStackReader *reader, PaFactor factor, uint64_t first, uint64_t n)
{
	PaStackSlab *slab = &reader->slab[factor];
	uint8_t    *dst = slab->raw;

	if (first >= slab->first && first + n <= slab->first + slab->n)
		return PA_OK;
	if (n > slab->room || first + n > slab->lines)
		return pa_fail(env, PA_ERR_INTERNAL, "window of %llu lines of module \"%.300s\" is too large",
					   (unsigned long long) n, reader->stack->path);
	slab->n = 0;
	n = slab->lines - first < slab->room ? slab->lines - first : slab->room;
	for (uint32_t i = 0; i < reader->stack->n_parts; i++)
	{
		const PaStackPart *part = &reader->stack->parts[i];

		PA_TRY(read_part(env, reader, part, factor, first, n, dst));
		dst += part->rank * n * part_width(part, factor);
	}
	slab->first = first;
	slab->n = n;
	return PA_OK;
}

PaStatus
pa_stack_read_a(PaEnv *env, PaStackReader *reader, uint64_t first, uint64_t n, double *out, size_t ld)
{
	const PaStackSlab *slab = &reader->slab[PA_FACTOR_A];
	const double *scale = reader->scale[PA_FACTOR_A];
	const uint8_t *raw = slab->raw;
	uint32_t	column = 0;

	PA_TRY(pa_check_cancel(env));
	PA_TRY(need_lines(env, reader, PA_FACTOR_A, first, n));
	for (uint32_t i = 0; i < reader->stack->n_parts; i++)
	{
		const PaStackPart *part = &reader->stack->parts[i];
		const PaTensor *tensor = part_tensor(part, PA_FACTOR_A);
		size_t		width = part_width(part, PA_FACTOR_A);

		for (uint64_t k = 0; k < part->rank; k++, column++)
		{
			if (!pa_kernel_first(out + column * ld, raw + (first - slab->first) * width, tensor->dtype,
								 (size_t) n, scale != NULL ? scale[column] : 1))
				return pa_fail_not_finite(env, tensor->name, part->digest);
			raw += slab->n * width;
		}
	}
	return PA_OK;
}

PaStatus
pa_stack_read_b(PaEnv *env, PaStackReader *reader, uint64_t first, uint64_t n, double *out)
{
	const PaStackSlab *slab = &reader->slab[PA_FACTOR_B];
	const double *scale = reader->scale[PA_FACTOR_B];
	const uint8_t *raw = slab->raw;
	size_t		rank = reader->rank;
	size_t		column = 0;

	PA_TRY(pa_check_cancel(env));
	PA_TRY(need_lines(env, reader, PA_FACTOR_B, first, n));
	for (uint32_t i = 0; i < reader->stack->n_parts; i++)
	{
		const PaStackPart *part = &reader->stack->parts[i];
		size_t		row = (size_t) part->rank * part_width(part, PA_FACTOR_B);
		PaDtype		dtype = part_tensor(part, PA_FACTOR_B)->dtype;

		if (reader->stack->n_parts == 1)
			pa_kernel_widen(out, raw + (first - slab->first) * row, dtype, (size_t) n * rank);
		else
			for (uint64_t line = 0; line < n; line++)
				pa_kernel_widen(out + line * rank + column, raw + (first - slab->first + line) * row, dtype,
								(size_t) part->rank);
		raw += slab->n * row;
		column += (size_t) part->rank;
	}
	for (uint64_t line = 0; line < n && scale != NULL; line++)
		for (size_t k = 0; k < rank; k++)
			out[line * rank + k] *= scale[k];
	return PA_OK;
}
