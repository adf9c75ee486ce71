/*
 * json_form_in.c
 *	  Reading the readable form of an adapter: json_form.h.
 *
 * The number of elements is known from the shapes, and checked, before memory
 * for them is taken.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/json_form.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/utf8.h"

/* One tensor being read. */
typedef struct Cursor
{
	PaEnv	   *env;
	const PaFileTensor *tensor;
	size_t		width;
	uint8_t    *next;
} Cursor;

static PaStatus
wrong(Cursor *c, const char *what)
{
	return pa_fail(c->env, PA_ERR_TEXT, "data of tensor \"%.300s\" has %s", c->tensor->name, what);
}

static PaStatus
out_of_range(Cursor *c)
{
	pa_fail(c->env, PA_ERR_RANGE, "data of tensor \"%.300s\" has a number that is out of range",
			c->tensor->name);
	pa_detail(c->env, "Its dtype is %s.", pa_dtype_name(c->tensor->dtype));
	return PA_ERR_RANGE;
}

static PaStatus
float_value(Cursor *c, const json_t *v, double *out)
{
	const char *text = json_string_value(v);

	if (json_is_number(v))
		*out = json_number_value(v);
	else if (text != NULL && strcmp(text, "NaN") == 0)
		*out = NAN;
	else if (text != NULL && strcmp(text, "Infinity") == 0)
		*out = INFINITY;
	else if (text != NULL && strcmp(text, "-Infinity") == 0)
		*out = -INFINITY;
	else
		return wrong(c, "something that is not a number");
	return PA_OK;
}

static PaStatus
store_float(Cursor *c, const json_t *v)
{
	double		d = 0;
	float		f;
	uint32_t	u32;
	uint64_t	u64;
	uint16_t	u16;
	bool		overflows = false;

	PA_TRY(float_value(c, v, &d));
	switch (c->tensor->dtype)
	{
		case PA_F64:
			memcpy(&u64, &d, sizeof(u64));
			pa_store_u64(c->next, u64);
			break;
		case PA_F32:
			f = (float) d;
			overflows = isinf(f);
			memcpy(&u32, &f, sizeof(u32));
			pa_store_u32(c->next, u32);
			break;
		case PA_F16:
			u16 = pa_f64_to_f16(d);
			overflows = (u16 & 0x7FFF) == 0x7C00;
			pa_store_u16(c->next, u16);
			break;
		default:
			u16 = pa_f64_to_bf16(d);
			overflows = (u16 & 0x7FFF) == 0x7F80;
			pa_store_u16(c->next, u16);
			break;
	}
	return overflows && !isinf(d) ? out_of_range(c) : PA_OK;
}

/* JSON integers end at 2^63 - 1 here, so U64 has a smaller range in this form. */
static bool
integer_range(PaDtype dtype, int64_t *low, int64_t *high)
{
	int			bits = pa_dtype_bits(dtype);
	bool		is_signed = dtype == PA_I8 || dtype == PA_I16 || dtype == PA_I32 || dtype == PA_I64;

	if (!is_signed && dtype != PA_U8 && dtype != PA_U16 && dtype != PA_U32 && dtype != PA_U64)
		return false;
	*high = bits == 64 ? INT64_MAX : (INT64_C(1) << (is_signed ? bits - 1 : bits)) - 1;
	*low = is_signed ? -*high - 1 : 0;
	return true;
}

static PaStatus
store_integer(Cursor *c, const json_t *v)
{
	int64_t		low;
	int64_t		high;
	uint64_t	u = (uint64_t) json_integer_value(v);

	if (!json_is_integer(v))
		return wrong(c, "something that is not an integer");
	if (!integer_range(c->tensor->dtype, &low, &high) || json_integer_value(v) < low ||
		json_integer_value(v) > high)
		return out_of_range(c);
	for (size_t i = 0; i < c->width; i++)
		c->next[i] = (uint8_t) (u >> (8 * i));
	return PA_OK;
}

static PaStatus
store_scalar(Cursor *c, const json_t *v)
{
	if (pa_dtype_is_arithmetic(c->tensor->dtype))
		PA_TRY(store_float(c, v));
	else if (c->tensor->dtype != PA_BOOL)
		PA_TRY(store_integer(c, v));
	else if (json_is_boolean(v))
		*c->next = json_is_true(v);
	else
		return wrong(c, "something that is not true or false");
	c->next += c->width;
	return PA_OK;
}

static PaStatus
store_nested(Cursor *c, const json_t *v, int dimension)
{
	if (dimension == c->tensor->ndim)
		return store_scalar(c, v);
	if (!json_is_array(v) || json_array_size(v) != c->tensor->shape[dimension])
		return wrong(c, "another shape than it says");
	for (size_t i = 0; i < json_array_size(v); i++)
		PA_TRY(store_nested(c, json_array_get(v, i), dimension + 1));
	return PA_OK;
}

/* Nested by shape, or all elements in one array. */
static PaStatus
store_data(Cursor *c, const json_t *v)
{
	size_t		n = json_array_size(v);

	if (!json_is_array(v) || (n > 0 && json_is_array(json_array_get(v, 0))) || c->tensor->ndim == 1)
		return store_nested(c, v, 0);
	if (n != c->tensor->bytes / c->width)
		return wrong(c, "another number of elements than its shape says");
	for (size_t i = 0; i < n; i++)
		PA_TRY(store_scalar(c, json_array_get(v, i)));
	return PA_OK;
}

static PaStatus
read_name(PaEnv *env, const char *name)
{
	size_t		n = strlen(name);

	if (n > PA_MAX_NAME_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "tensor name of %zu bytes is longer than %d", n, PA_MAX_NAME_BYTES);
	if (!pa_utf8_valid_name(name, n))
		return pa_fail(env, PA_ERR_TEXT, "a tensor name is empty or has a control character");
	return PA_OK;
}

static PaStatus
read_dtype(PaEnv *env, const json_t *v, PaFileTensor *t)
{
	int64_t		low;
	int64_t		high;

	if (!json_is_string(v))
		return pa_fail(env, PA_ERR_TEXT, "dtype of tensor \"%.300s\" is not a string", t->name);
	t->dtype = pa_dtype_by_name(json_string_value(v), json_string_length(v));
	if (t->dtype == PA_DTYPE_INVALID)
		return pa_fail(env, PA_ERR_TEXT, "tensor \"%.300s\" has unknown dtype \"%.40s\"", t->name,
					   json_string_value(v));
	if (!pa_dtype_is_arithmetic(t->dtype) && t->dtype != PA_BOOL && !integer_range(t->dtype, &low, &high))
		return pa_fail(env, PA_ERR_UNSUPPORTED, "dtype %s of tensor \"%.300s\" has no readable form",
					   pa_dtype_name(t->dtype), t->name);
	return PA_OK;
}

/* Name, dtype, shape; the data are looked at when there is room for them. */
static PaStatus
read_entry(PaEnv *env, const char *name, const json_t *entry, PaFileTensor *t)
{
	const json_t *shape = json_object_get(entry, "shape");
	PaTensor	measured = {.name = name};

	t->name = name;
	PA_TRY(read_name(env, name));
	if (!json_is_object(entry) || json_object_size(entry) != 3 || !json_object_get(entry, "data"))
	{
		pa_fail(env, PA_ERR_TEXT, "tensor \"%.300s\" has not the form of a tensor", name);
		pa_detail(env, "A tensor is an object with the members dtype, shape and data.");
		return PA_ERR_TEXT;
	}
	PA_TRY(read_dtype(env, json_object_get(entry, "dtype"), t));
	if (!json_is_array(shape))
		return pa_fail(env, PA_ERR_TEXT, "shape of tensor \"%.300s\" is not an array", name);
	if (json_array_size(shape) > PA_MAX_NDIM)
		return pa_fail(env, PA_ERR_LIMIT, "tensor \"%.300s\" has more than %d dimensions", name, PA_MAX_NDIM);
	t->ndim = (int) json_array_size(shape);
	for (int i = 0; i < t->ndim; i++)
	{
		const json_t *v = json_array_get(shape, (size_t) i);

		if (!json_is_integer(v) || json_integer_value(v) < 0)
			return pa_fail(env, PA_ERR_TEXT,
						   "shape of tensor \"%.300s\" has a value that is not a non-negative integer", name);
		t->shape[i] = (uint64_t) json_integer_value(v);
	}
	measured.dtype = t->dtype;
	measured.ndim = t->ndim;
	memcpy(measured.shape, t->shape, sizeof(measured.shape));
	PA_TRY(pa_tensor_measure(env, &measured, PA_ERR_TEXT));
	t->bytes = measured.bytes;
	return PA_OK;
}

static int
compare_canonical(const void *a, const void *b)
{
	const PaFileTensor *x = a;
	const PaFileTensor *y = b;
	int			order = pa_safetensors_place(x->dtype) - pa_safetensors_place(y->dtype);

	return order != 0 ? order : strcmp(x->name, y->name);
}

/* In canonical order, with offsets, if they are few enough. */
static PaStatus
place_tensors(PaEnv *env, PaSafetensors *file)
{
	uint64_t	elements = 0;

	qsort(file->tensors, file->n_tensors, sizeof(PaFileTensor), compare_canonical);
	for (uint32_t i = 0; i < file->n_tensors; i++)
	{
		PaFileTensor *t = &file->tensors[i];
		uint64_t	n = t->bytes / (uint64_t) pa_dtype_plane_width(t->dtype);

		if (n > PA_MAX_JSON_FORM_ELEMENTS || elements + n > PA_MAX_JSON_FORM_ELEMENTS)
		{
			pa_fail(env, PA_ERR_LIMIT, "adapter has more than %d elements", PA_MAX_JSON_FORM_ELEMENTS);
			pa_hint(env,
					"The JSON form is for reading; import larger adapters with adapter_from_safetensors().");
			return PA_ERR_LIMIT;
		}
		elements += n;
		t->offset = file->data_length;
		file->data_length += t->bytes;
	}
	return PA_OK;
}

static PaStatus
read_tensors(PaEnv *env, json_t *tensors, PaSafetensors *file)
{
	uint8_t    *data;
	const char *name;
	json_t	   *entry;

	if (json_object_size(tensors) > PA_MAX_TENSORS)
		return pa_fail(env, PA_ERR_LIMIT, "adapter has %zu tensors, more than %d", json_object_size(tensors),
					   PA_MAX_TENSORS);
	PA_TRY(PA_NEW_ARRAY(env, json_object_size(tensors), &file->tensors));
	json_object_foreach(tensors, name, entry)
		PA_TRY(read_entry(env, name, entry, &file->tensors[file->n_tensors++]));
	PA_TRY(place_tensors(env, file));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) file->data_length, &data));
	file->data = data;
	for (uint32_t i = 0; i < file->n_tensors; i++)
	{
		const PaFileTensor *t = &file->tensors[i];
		Cursor		c = {env, t, (size_t) pa_dtype_plane_width(t->dtype), data + t->offset};

		PA_TRY(pa_check_cancel(env));
		PA_TRY(store_data(&c, json_object_get(json_object_get(tensors, t->name), "data")));
	}
	return PA_OK;
}

/* The reading of the names, which a configuration does not tell (doc/format.md, "Containers"). */
static PaStatus
read_names(PaEnv *env, const json_t *root, PaSafetensors *file)
{
	const json_t *names = json_object_get(root, "names");

	if (names == NULL)
		return PA_OK;
	file->names = pa_text_of(json_string_value(names));
	if (file->names.text != NULL && strcmp(file->names.text, PA_NAMES_DIFFUSION) == 0)
		return PA_OK;
	pa_fail(env, PA_ERR_TEXT, "names of the adapter is not \"%s\"", PA_NAMES_DIFFUSION);
	return PA_ERR_TEXT;
}

PaStatus
pa_json_form_read(PaEnv *env, PaText text, PaSafetensors *file, PaText *config)
{
	json_t	   *root;
	json_t	   *tensors;
	json_t	   *read;
	size_t		n;

	memset(file, 0, sizeof(*file));
	PA_TRY(pa_json_parse(env, text, "adapter", &root));
	tensors = json_object_get(root, "tensors");
	read = json_object_get(root, "config");
	n = 1 + (read != NULL) + (json_object_get(root, "names") != NULL);
	if (json_object_size(root) != n || !json_is_object(tensors) || (read != NULL && !json_is_object(read)))
	{
		pa_fail(env, PA_ERR_TEXT, "JSON is not an adapter");
		pa_detail(
			env,
			"An adapter is an object with the members config and tensors, both objects, and perhaps names.");
		return PA_ERR_TEXT;
	}
	*config = (PaText) {0};
	if (read != NULL)
		PA_TRY(pa_json_write(env, read, PA_JSON_PRETTY, config));
	PA_TRY(read_names(env, root, file));
	return read_tensors(env, tensors, file);
}
