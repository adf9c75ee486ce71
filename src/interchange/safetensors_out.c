/*
 * safetensors_out.c
 *	  Writing headers of safetensors files: the canonical one, which is byte for
 *	  byte what the safetensors library writes for the same tensors, and the
 *	  envelope's.  doc/format.md, "Safetensors" and "Envelope".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/safetensors.h"

#include <stdlib.h>
#include <string.h>

/* The library's order of dtypes in a file: the last of its list first, wider before narrower. */
static const int place_of_dtype[PA_DTYPE_COUNT] = {
	[PA_U64] = 0,	   [PA_I64] = 1,		  [PA_F64] = 2,			 [PA_C64] = 3,		[PA_F32] = 4,
	[PA_U32] = 5,	   [PA_I32] = 6,		  [PA_BF16] = 7,		 [PA_F16] = 8,		[PA_U16] = 9,
	[PA_I16] = 10,	   [PA_F8_E5M2FNUZ] = 11, [PA_F8_E4M3FNUZ] = 12, [PA_F8_E8M0] = 13, [PA_F8_E4M3] = 14,
	[PA_F8_E5M2] = 15, [PA_I8] = 16,		  [PA_U8] = 17,			 [PA_F6_E3M2] = 18, [PA_F6_E2M3] = 19,
	[PA_F4] = 20,	   [PA_BOOL] = 21,
};

int
pa_safetensors_place(PaDtype dtype)
{
	return place_of_dtype[dtype];
}

PaFileTensor
pa_safetensors_tensor(const PaAdapter *adapter, uint32_t i, uint64_t offset)
{
	const PaTensor *tensor = &adapter->tensors[i];
	PaFileTensor result = {
		.name = tensor->name,
		.dtype = tensor->dtype,
		.ndim = tensor->ndim,
		.bytes = tensor->bytes,
		.offset = offset,
		.module = adapter->modules[tensor->module].path,
	};

	memcpy(result.shape, tensor->shape, sizeof(result.shape));
	return result;
}

typedef struct Placed
{
	int			place;
	uint32_t	index;			/* in name order */
} Placed;

static int
compare_placed(const void *a, const void *b)
{
	const Placed *x = a;
	const Placed *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static PaStatus
write_entry(PaBuf *buf, const char *name, PaDtype dtype, int ndim, const uint64_t *shape, uint64_t begin,
			uint64_t bytes)
{
	PA_TRY(pa_buf_u8(buf, ','));
	PA_TRY(pa_json_quote(buf, pa_text_of(name)));
	PA_TRY(pa_buf_printf(buf, ":{\"dtype\":\"%s\",\"shape\":[", pa_dtype_name(dtype)));
	for (int i = 0; i < ndim; i++)
		PA_TRY(pa_buf_printf(buf, "%s%llu", i > 0 ? "," : "", (unsigned long long) shape[i]));
	return pa_buf_printf(buf, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long) begin,
						 (unsigned long long) (begin + bytes));
}

static PaStatus
write_end(PaBuf *buf)
{
	PA_TRY(pa_buf_u8(buf, '}'));
	while (buf->length % 8 != 0)
		PA_TRY(pa_buf_u8(buf, ' '));
	return PA_OK;
}

/* The text into env memory; the buffer goes, whatever happened. */
static PaStatus
take_text(PaEnv *env, PaBuf *buf, PaStatus status, PaText *text)
{
	if (status == PA_OK)
		status = pa_strndup(env, (const char *) buf->data, buf->length, &text->text);
	text->length = buf->length;
	pa_buf_release(buf);
	return status;
}

static PaStatus
write_metadata(PaBuf *buf, const json_t *metadata)
{
	const char *key;
	json_t	   *v;
	bool		first = true;

	PA_TRY(pa_buf_printf(buf, "{\"__metadata__\":{"));
	json_object_foreach((json_t *) metadata, key, v)
	{
		if (!first)
			PA_TRY(pa_buf_u8(buf, ','));
		first = false;
		PA_TRY(pa_json_quote(buf, pa_text_of(key)));
		PA_TRY(pa_buf_u8(buf, ':'));
		PA_TRY(pa_json_quote(buf, pa_text(json_string_value(v), json_string_length(v))));
	}
	return pa_buf_u8(buf, '}');
}

static PaStatus
canonical_text(PaBuf *buf, const PaAdapter *adapter, const json_t *metadata, const uint32_t *order)
{
	uint64_t	offset = 0;

	PA_TRY(write_metadata(buf, metadata));
	for (uint32_t k = 0; k < adapter->n_tensors; k++)
	{
		const PaTensor *t = &adapter->tensors[order[k]];

		PA_TRY(pa_check_cancel(buf->env));
		PA_TRY(write_entry(buf, t->name, t->dtype, t->ndim, t->shape, offset, t->bytes));
		offset += t->bytes;
	}
	return write_end(buf);
}

PaStatus
pa_safetensors_canonical_header(PaEnv *env, const PaAdapter *adapter, PaText *header, uint32_t **order)
{
	json_t	   *metadata = pa_json_object();

	PA_TRY(pa_json_own(env, metadata));
	if (json_object_set_new(metadata, "format", json_string("pt")) != 0)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	return pa_safetensors_header(env, adapter, metadata, header, order);
}

PaStatus
pa_safetensors_header(PaEnv *env, const PaAdapter *adapter, const json_t *metadata, PaText *header,
					  uint32_t **order)
{
	Placed	   *placed;
	PaBuf		buf;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &placed));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, order));
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		placed[i] = (Placed) {pa_safetensors_place(adapter->tensors[i].dtype), i};
	qsort(placed, adapter->n_tensors, sizeof(Placed), compare_placed);
	for (uint32_t i = 0; i < adapter->n_tensors; i++)
		(*order)[i] = placed[i].index;
	pa_free(env, placed);
	PA_TRY(pa_buf_init(env, &buf, 0, 128 * ((size_t) adapter->n_tensors + 1)));
	return take_text(env, &buf, canonical_text(&buf, adapter, metadata, *order), header);
}

static PaStatus
write_document(PaBuf *buf, const char *key, PaText document)
{
	if (document.text == NULL)
		return PA_OK;
	PA_TRY(pa_buf_printf(buf, ",\"%s\":", key));
	return pa_json_quote(buf, document);
}

static PaStatus
write_tensors(PaBuf *buf, uint32_t n, const PaFileTensor *tensors)
{
	for (uint32_t i = 0; i < n; i++)
	{
		PA_TRY(pa_check_cancel(buf->env));
		PA_TRY(write_entry(buf, tensors[i].name, tensors[i].dtype, tensors[i].ndim, tensors[i].shape,
						   tensors[i].offset, tensors[i].bytes));
	}
	return write_end(buf);
}

static PaStatus
envelope_text(PaBuf *buf, uint32_t n, const PaFileTensor *tensors, const PaEnvelope *envelope)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];

	PA_TRY(pa_buf_printf(buf, "{\"__metadata__\":{\"format\":\"pt\""));
	PA_TRY(write_document(buf, PA_META_CONFIG, envelope->config));
	PA_TRY(write_document(buf, PA_META_RECIPE, envelope->recipe));
	PA_TRY(write_document(buf, PA_META_HEADER, envelope->inner_header));
	PA_TRY(write_document(buf, PA_META_KIND, envelope->kind));
	PA_TRY(write_document(buf, PA_META_NAMES, envelope->names));
	if (envelope->envelope_digest != NULL)
	{
		pa_hex(hex, envelope->envelope_digest);
		PA_TRY(write_document(buf, PA_META_DIGEST, pa_text_of(hex)));
	}
	PA_TRY(pa_buf_u8(buf, '}'));
	PA_TRY(write_tensors(buf, n, tensors));
	if (buf->length <= PA_MAX_ENVELOPE_HEADER_BYTES)
		return PA_OK;
	pa_fail(buf->env, PA_ERR_LIMIT, "header of the envelope would have %zu bytes, more than %zu", buf->length,
			PA_MAX_ENVELOPE_HEADER_BYTES);
	pa_hint(buf->env, "Cut the adapter with adapter_split().");
	return PA_ERR_LIMIT;
}

PaStatus
pa_safetensors_envelope_header(PaEnv *env, uint32_t n, const PaFileTensor *tensors,
							   const PaEnvelope *envelope, PaText *header)
{
	PaBuf		buf;

	PA_TRY(pa_buf_init(env, &buf, 0,
					   128 * ((size_t) n + 1) + envelope->config.length + envelope->recipe.length +
						   envelope->inner_header.length));
	return take_text(env, &buf, envelope_text(&buf, n, tensors, envelope), header);
}
