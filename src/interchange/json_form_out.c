/*
 * json_form_out.c
 *	  Writing the readable form of a small adapter: json_form.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/json_form.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "interchange/container.h"

/* A block of one tensor that is being written. */
typedef struct Block
{
	PaEnv	   *env;
	PaSource   *source;
	PaBuf	   *out;
	uint32_t	index;
	const PaTensor *tensor;
	size_t		width;
	uint64_t	first;			/* element that stands first in raw */
	uint64_t	next;			/* element to be written */
	uint8_t    *raw;
	uint64_t	loaded;			/* elements in raw */
} Block;

static double
widen(PaDtype dtype, const uint8_t *p)
{
	uint64_t	u64;
	uint32_t	u32;
	double		d;
	float		f;

	switch (dtype)
	{
		case PA_F64:
			u64 = pa_load_u64(p);
			memcpy(&d, &u64, sizeof(d));
			return d;
		case PA_F32:
			u32 = pa_load_u32(p);
			memcpy(&f, &u32, sizeof(f));
			return f;
		case PA_F16:
			return pa_f16_to_f32(pa_load_u16(p));
		default:
			return pa_bf16_to_f32(pa_load_u16(p));
	}
}

/* What reading gives back for d. */
static double
narrow(PaDtype dtype, double d)
{
	switch (dtype)
	{
		case PA_F64:
			return d;
		case PA_F32:
			return (float) d;
		case PA_F16:
			return pa_f16_to_f32(pa_f64_to_f16(d));
		default:
			return pa_bf16_to_f32(pa_f64_to_bf16(d));
	}
}

/* The shortest text that reading turns into the same value of this dtype. */
static PaStatus
write_float(PaBuf *out, PaDtype dtype, double v)
{
	char		text[32];
	double		near = v;

	if (isnan(v))
		return pa_buf_printf(out, "\"NaN\"");
	if (isinf(v))
		return pa_buf_printf(out, v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
	if (v == 0)
		return pa_buf_printf(out, signbit(v) ? "-0.0" : "0");
	for (int digits = 0; digits < 17; digits++)
	{
		snprintf(text, sizeof(text), "%.*e", digits, v);
		near = strtod(text, NULL);
		if (narrow(dtype, near) == v)
			break;
	}
	pa_shortest_double(text, near);
	return pa_buf_printf(out, "%s", text);
}

static PaStatus
write_integer(PaEnv *env, PaBuf *out, const PaTensor *t, const uint8_t *p)
{
	switch (t->dtype)
	{
		case PA_U8:
			return pa_buf_printf(out, "%u", *p);
		case PA_I8:
			return pa_buf_printf(out, "%d", (int8_t) *p);
		case PA_U16:
			return pa_buf_printf(out, "%u", pa_load_u16(p));
		case PA_I16:
			return pa_buf_printf(out, "%d", (int16_t) pa_load_u16(p));
		case PA_U32:
			return pa_buf_printf(out, "%" PRIu32, pa_load_u32(p));
		case PA_I32:
			return pa_buf_printf(out, "%" PRId32, (int32_t) pa_load_u32(p));
		case PA_I64:
			return pa_buf_printf(out, "%" PRId64, (int64_t) pa_load_u64(p));
		default:
			break;
	}
	/* a reader may hold JSON integers in 64 bits with a sign; ours does */
	if (pa_load_u64(p) > INT64_MAX)
		return pa_fail(env, PA_ERR_UNSUPPORTED,
					   "tensor \"%.300s\" has a number above %" PRId64 ", which has no readable form",
					   t->name, INT64_MAX);
	return pa_buf_printf(out, "%" PRIu64, pa_load_u64(p));
}

static PaStatus
check_dtype(PaEnv *env, const PaTensor *t)
{
	switch (t->dtype)
	{
		case PA_BOOL:
		case PA_U8:
		case PA_I8:
		case PA_U16:
		case PA_I16:
		case PA_U32:
		case PA_I32:
		case PA_U64:
		case PA_I64:
		case PA_F16:
		case PA_BF16:
		case PA_F32:
		case PA_F64:
			return PA_OK;
		default:
			return pa_fail(env, PA_ERR_UNSUPPORTED, "dtype %s of tensor \"%.300s\" has no readable form",
						   pa_dtype_name(t->dtype), t->name);
	}
}

static PaStatus
write_element(Block *b)
{
	const uint8_t *p;

	if (b->next == b->first + b->loaded)
	{
		PA_TRY(pa_check_cancel(b->env));
		b->first = b->next;
		b->loaded = pa_block_step(b->tensor->elements - b->next);
		PA_TRY(b->source->read(b->env, b->source, b->index, b->first, (size_t) b->loaded, b->raw));
	}
	p = b->raw + (b->next - b->first) * b->width;
	b->next++;
	if (pa_dtype_is_arithmetic(b->tensor->dtype))
		return write_float(b->out, b->tensor->dtype, widen(b->tensor->dtype, p));
	if (b->tensor->dtype == PA_BOOL)
		return pa_buf_printf(b->out, *p ? "true" : "false");
	return write_integer(b->env, b->out, b->tensor, p);
}

static PaStatus
write_nested(Block *b, int dimension)
{
	if (dimension == b->tensor->ndim)
		return write_element(b);
	PA_TRY(pa_buf_u8(b->out, '['));
	for (uint64_t i = 0; i < b->tensor->shape[dimension]; i++)
	{
		if (i > 0)
			PA_TRY(pa_buf_bytes(b->out, ", ", 2));
		PA_TRY(write_nested(b, dimension + 1));
	}
	return pa_buf_u8(b->out, ']');
}

static PaStatus
write_tensor(PaEnv *env, PaSource *source, uint32_t index, uint8_t *raw, PaBuf *out)
{
	const PaTensor *t = &source->adapter->tensors[index];
	Block		b = {
		.env = env,
		.source = source,
		.out = out,
		.index = index,
		.tensor = t,
		.width = (size_t) pa_dtype_plane_width(t->dtype),
		.raw = raw,
	};

	PA_TRY(pa_json_quote(out, pa_text_of(t->name)));
	PA_TRY(pa_buf_printf(out, ": {\"dtype\": \"%s\", \"shape\": [", pa_dtype_name(t->dtype)));
	for (int i = 0; i < t->ndim; i++)
		PA_TRY(pa_buf_printf(out, "%s%llu", i > 0 ? ", " : "", (unsigned long long) t->shape[i]));
	PA_TRY(pa_buf_bytes(out, "], \"data\": ", 11));
	/* a tensor without elements may have billions of empty rows */
	if (t->elements == 0 && t->ndim > 1)
		PA_TRY(pa_buf_bytes(out, "[]", 2));
	else
		PA_TRY(write_nested(&b, 0));
	return pa_buf_u8(out, '}');
}

static PaStatus
check_size(PaEnv *env, const PaAdapter *adapter)
{
	uint64_t	elements = 0;

	for (uint32_t i = 0; i < adapter->n_tensors; i++)
	{
		PA_TRY(check_dtype(env, &adapter->tensors[i]));
		elements += adapter->tensors[i].elements;
	}
	if (elements <= PA_MAX_JSON_FORM_ELEMENTS)
		return PA_OK;
	pa_fail(env, PA_ERR_LIMIT, "adapter has %llu elements, more than %d", (unsigned long long) elements,
			PA_MAX_JSON_FORM_ELEMENTS);
	pa_hint(
		env,
		"The JSON form is for reading; look at one tensor with adapter_tensor(), or export with adapter_to_safetensors().");
	return PA_ERR_LIMIT;
}

static PaStatus
write_all(PaEnv *env, PaSource *source, PaText config, PaBuf *out)
{
	uint8_t    *raw;

	PA_TRY(PA_NEW_RAW(env, (size_t) PA_BLOCK_ELEMENTS * 8, &raw));
	PA_TRY(pa_buf_bytes(out, "{\"config\": ", 11));
	PA_TRY(pa_buf_bytes(out, config.text, config.length));
	if (pa_container_of(source->adapter) == PA_CONTAINER_DIFFUSION)
		PA_TRY(pa_buf_printf(out, ", \"names\": \"%s\"", PA_NAMES_DIFFUSION));
	PA_TRY(pa_buf_bytes(out, ", \"tensors\": {", 14));
	for (uint32_t i = 0; i < source->adapter->n_tensors; i++)
	{
		if (i > 0)
			PA_TRY(pa_buf_bytes(out, ", ", 2));
		PA_TRY(write_tensor(env, source, i, raw, out));
	}
	pa_free(env, raw);
	return pa_buf_bytes(out, "}}", 2);
}

PaStatus
pa_json_form_write(PaEnv *env, PaSource *source, PaText config, PaBuf *out)
{
	PaStatus	status = check_size(env, source->adapter);

	if (status == PA_OK)
		status = write_all(env, source, config, out);
	if (status != PA_OK)
		pa_buf_release(out);
	return status;
}
