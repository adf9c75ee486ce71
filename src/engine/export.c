/*
 * export.c
 *	  From a value to a file: the PEFT file byte for byte as it was imported, or
 *	  with a canonical header if the value was composed; or the envelope.
 *
 * The size is known before a byte is written.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "engine/engine_impl.h"

#include <string.h>

#include "core/limits.h"

struct PaExport
{
	PaSource   *source;
	const char *header;
	size_t		header_length;
	uint32_t   *order;			/* the adapter's tensors as they lie in the file */
};

/* The stored header must describe the value's tensors: order from it. */
static PaStatus
order_of_header(PaEnv *env, const PaAdapter *adapter, const char *header, size_t length, uint32_t **order)
{
	PaSafetensors file;

	PA_TRY(pa_safetensors_read_header(env, header, length, adapter->raw_bytes, PA_ERR_CORRUPT, &file));
	if (file.n_tensors != adapter->n_tensors)
		return pa_fail(env, PA_ERR_CORRUPT, "stored header has %u tensors, the value %u",
					   file.n_tensors, adapter->n_tensors);
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
envelope_header(PaEnv *env, PaValue *value, const char *inner, size_t inner_length, PaExport *self)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	PaFileTensor *by_name;
	PaFileTensor *in_file;
	uint64_t	offset = 0;
	PaText		config;
	PaText		recipe;

	PA_TRY(pa_engine_file_tensors(env, adapter, &by_name));
	PA_TRY(PA_NEW_ARRAY(env, adapter->n_tensors, &in_file));
	for (uint32_t k = 0; k < adapter->n_tensors; k++)
	{
		in_file[k] = by_name[self->order[k]];
		in_file[k].offset = offset;
		offset += in_file[k].bytes;
	}
	PA_TRY(pa_value_document(env, value, PA_DOCUMENT_CONFIG, &config.text, &config.length));
	PA_TRY(pa_value_document(env, value, PA_DOCUMENT_RECIPE, &recipe.text, &recipe.length));
	return pa_safetensors_envelope_header(env, adapter->n_tensors, in_file, config.text, config.length,
										  recipe.text, recipe.length, inner, inner_length,
										  pa_value_header(value)->envelope_digest,
										  &self->header, &self->header_length);
}

PaStatus
pa_engine_export(PaEnv *env, PaValue *value, PaExportForm form, PaExport **out, uint64_t *size)
{
	const PaAdapter *adapter = pa_value_adapter(value);
	const char *inner;
	size_t		inner_length;
	PaExport   *self;

	PA_TRY(PA_NEW(env, &self));
	PA_TRY(pa_value_document(env, value, PA_DOCUMENT_HEADER, &inner, &inner_length));
	if (inner != NULL)
	{
		PA_TRY(order_of_header(env, adapter, inner, inner_length, &self->order));
		self->header = inner;
		self->header_length = inner_length;
	}
	else
		PA_TRY(pa_safetensors_canonical_header(env, adapter, &self->header, &self->header_length, &self->order));
	if (form == PA_EXPORT_ENVELOPE)
		PA_TRY(envelope_header(env, value, inner, inner_length, self));
	PA_TRY(pa_value_source(env, value, &self->source));
	*out = self;
	*size = 8 + (uint64_t) self->header_length + adapter->raw_bytes;
	return PA_OK;
}

static PaStatus
write_tensor(PaEnv *env, PaExport *self, uint32_t tensor, PaBuf *out)
{
	const PaTensor *of = &self->source->adapter->tensors[tensor];
	size_t		width = (size_t) pa_dtype_plane_width(of->dtype);
	uint64_t	units = pa_tensor_units(of);

	for (uint64_t done = 0; done < units;)
	{
		size_t		step = pa_block_step(units - done);

		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_buf_room(out, step * width));
		PA_TRY(self->source->read(env, self->source, tensor, done, step, out->data + out->length));
		out->length += step * width;
		done += step;
	}
	return PA_OK;
}

static PaStatus
write_file(PaEnv *env, PaExport *self, PaBuf *out)
{
	PA_TRY(pa_buf_u64(out, self->header_length));
	PA_TRY(pa_buf_bytes(out, self->header, self->header_length));
	for (uint32_t k = 0; k < self->source->adapter->n_tensors; k++)
		PA_TRY(write_tensor(env, self, self->order[k], out));
	return PA_OK;
}

PaStatus
pa_engine_export_write(PaEnv *env, PaExport *self, PaBuf *out)
{
	PaStatus	status = write_file(env, self, out);

	if (status != PA_OK)
		pa_buf_release(out);
	return status;
}
