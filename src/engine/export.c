/*
 * export.c
 *	  Files of values.  See export.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/export.h"

#include <string.h>

#include "adapter/kind.h"
#include "core/bytes.h"
#include "core/limits.h"
#include "interchange/peft.h"

/* The header's tensors must be those of the value: order from it. */
static PaStatus
order_of_header(PaEnv *env, const PaAdapter *adapter, PaText header, uint32_t **order)
{
	PaSafetensors file;

	PA_TRY(pa_safetensors_read_header(env, header, adapter->raw_bytes, PA_ERR_CORRUPT, &file));
	if (file.n_tensors != adapter->n_tensors)
		return pa_fail(env, PA_ERR_CORRUPT, "stored header has %u tensors, the value %u", file.n_tensors,
					   adapter->n_tensors);
	PA_TRY(PA_NEW_ARRAY(env, file.n_tensors, order));
	for (uint32_t k = 0; k < file.n_tensors; k++)
	{
		const PaFileTensor *a = &file.tensors[k];
		int64_t		i = pa_adapter_find_tensor(adapter, a->name);
		const PaTensor *b = i < 0 ? NULL : &adapter->tensors[i];

		if (b == NULL || a->dtype != b->dtype || a->ndim != b->ndim || a->bytes != b->bytes ||
			memcmp(a->shape, b->shape, (size_t) a->ndim * sizeof(a->shape[0])) != 0)
			return pa_fail(env, PA_ERR_CORRUPT, "stored header does not describe the value's tensors");
		(*order)[k] = (uint32_t) i;
	}
	return PA_OK;
}

static PaStatus
envelope_header(PaEnv *env, PaValue *value, PaText inner, const uint32_t *order, PaText *header)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	PaEnvelope	envelope = {
		.inner_header = inner,
		.envelope_digest = pa_value_header(value)->envelope_digest,
	};
	PaFileTensor *tensors;
	bool		told;
	uint64_t	offset = 0;

	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &tensors));
	for (uint32_t k = 0; k < adapter->n_tensors; k++)
	{
		tensors[k] = pa_safetensors_tensor(adapter, order[k], offset);
		offset += tensors[k].bytes;
	}
	if (pa_kind_methods(adapter->kind)->peft_type == NULL)
		envelope.kind = pa_text_of(pa_kind_name(adapter->kind));
	PA_TRY(pa_peft_names_tell(env, adapter, false, &told));
	if (!told)
		envelope.names = pa_text_of(PA_NAMES_WRAPPED);
	if (pa_container_of(adapter) == PA_CONTAINER_DIFFUSION)
		envelope.names = pa_text_of(PA_NAMES_DIFFUSION);
	PA_TRY(pa_value_document(env, value, PA_DOCUMENT_CONFIG, &envelope.config));
	PA_TRY(pa_value_document(env, value, PA_DOCUMENT_RECIPE, &envelope.recipe));
	return pa_safetensors_envelope_header(env, adapter->n_tensors, tensors, &envelope, header);
}

/* order[k] is the value's tensor that is the k-th in the file. */
static PaStatus
make_header(PaEnv *env, PaValue *value, PaExportForm form, PaText *header, uint32_t **order)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	PaText		inner;

	PA_TRY(pa_value_document(env, value, PA_DOCUMENT_HEADER, &inner));
	*header = inner;
	if (inner.text != NULL)
		PA_TRY(order_of_header(env, adapter, inner, order));
	else
		PA_TRY(pa_safetensors_canonical_header(env, adapter, header, order));
	if (form == PA_EXPORT_ENVELOPE)
		PA_TRY(envelope_header(env, value, inner, *order, header));
	return PA_OK;
}

static PaStatus
write_tensor(PaSource *source, uint32_t tensor, PaBuf *out)
{
	const PaTensor *of = &source->adapter->tensors[tensor];
	size_t		width = (size_t) pa_dtype_plane_width(of->dtype);
	uint64_t	units = pa_tensor_units(of);

	for (uint64_t done = 0; done < units;)
	{
		size_t		step = pa_block_step(units - done);

		PA_TRY(pa_check_cancel(out->env));
		PA_TRY(pa_buf_room(out, step * width));
		PA_TRY(source->read(out->env, source, tensor, done, step, out->data + out->length));
		out->length += step * width;
		done += step;
	}
	return PA_OK;
}

static PaStatus
write_file(PaText header, PaSource *source, const uint32_t *order, PaBuf *out)
{
	PA_TRY(pa_buf_u64(out, header.length));
	PA_TRY(pa_buf_bytes(out, header.text, header.length));
	for (uint32_t k = 0; k < source->adapter->n_tensors; k++)
		PA_TRY(write_tensor(source, order[k], out));
	return PA_OK;
}

PaStatus
pa_export_value(PaEnv *env, PaValue *value, PaExportForm form, size_t reserve, PaBuf *out)
{
	PaText		header;
	uint32_t   *order;
	PaSource   *source;
	size_t		size;
	PaStatus	status;

	PA_TRY(make_header(env, value, form, &header, &order));
	PA_TRY(pa_value_source(env, value, &source));
	size = 8 + header.length + (size_t) source->adapter->raw_bytes;
	PA_TRY(pa_buf_init(env, out, reserve, reserve + size));
	status = write_file(header, source, order, out);
	if (status != PA_OK)
		pa_buf_release(out);
	return status;
}

static PaStatus
hash_tensor(PaEnv *env, PaSource *source, uint32_t tensor, uint8_t *raw)
{
	const PaTensor *of = &source->adapter->tensors[tensor];
	size_t		width = (size_t) pa_dtype_plane_width(of->dtype);
	uint64_t	units = pa_tensor_units(of);
	size_t		step;

	for (uint64_t done = 0; done < units; done += step)
	{
		step = pa_block_step(units - done);
		PA_TRY(pa_check_cancel(env));
		PA_TRY(source->read(env, source, tensor, done, step, raw));
		PA_TRY(pa_hash_update(env, PA_HASH_FILE, raw, step * width));
	}
	return PA_OK;
}

PaStatus
pa_export_canonical(PaEnv *env, PaSource *source, PaText *header, uint8_t sha256[PA_SHA256_LENGTH])
{
	uint32_t   *order;
	uint8_t		length[8];
	uint8_t    *raw;

	PA_TRY(pa_safetensors_canonical_header(env, source->adapter, header, &order));
	PA_TRY(PA_NEW_RAW(env, PA_BLOCK_ELEMENTS * sizeof(double), &raw));
	pa_store_u64(length, header->length);
	PA_TRY(pa_hash_begin(env, PA_HASH_FILE));
	PA_TRY(pa_hash_update(env, PA_HASH_FILE, length, sizeof(length)));
	PA_TRY(pa_hash_update(env, PA_HASH_FILE, header->text, header->length));
	for (uint32_t k = 0; k < source->adapter->n_tensors; k++)
		PA_TRY(hash_tensor(env, source, order[k], raw));
	pa_free(env, raw);
	return pa_hash_finish(env, PA_HASH_FILE, sha256);
}
