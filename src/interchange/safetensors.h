/*
 * safetensors.h
 *	  Reading and writing safetensors files: u64 header length, JSON header,
 *	  tensor data.  doc/format.md, "Safetensors", lists every rule.
 *
 * The reader takes (pointer, length) and refuses everything that the reference
 * reader refuses (holes, overlaps, trailing bytes, sizes that do not fit the
 * shape, overflow), and besides: a header that does not begin with '{',
 * duplicate keys at any level, unknown members of an entry, NUL and control
 * characters in names, a tensor called __metadata__, dimensions of 2^31 and
 * more, more than 65,536 tensors.  Other file types are refused by name:
 * pickle, zip (and .pt, .npz), GGUF, HDF5, numpy, JSON, gzip, zstd.
 * Nothing is allocated from a number in the file before it is checked.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_SAFETENSORS_H
#define PA_SAFETENSORS_H

#include "adapter/adapter.h"
#include "core/json.h"

typedef struct PaFileTensor
{
	const char *name;
	PaDtype		dtype;
	int			ndim;
	uint64_t	shape[PA_MAX_NDIM];
	uint64_t	bytes;
	uint64_t	offset;			/* into the data region */
	const char *module;			/* its path where it is known; NULL: the name says it */
} PaFileTensor;

/* Tensor i of an adapter as it is in a file, at this offset. */
extern PaFileTensor pa_safetensors_tensor(const PaAdapter *adapter, uint32_t i, uint64_t offset);

/* Reserved keys of an envelope's __metadata__; every other with this prefix is a later version's. */
#define PA_META_PREFIX "peftarith."
#define PA_META_CONFIG "peftarith.config"
#define PA_META_RECIPE "peftarith.recipe"
#define PA_META_HEADER "peftarith.header"
#define PA_META_DIGEST "peftarith.envelope_digest"
#define PA_META_KIND "peftarith.kind"
#define PA_META_NAMES "peftarith.names"

/* What stands under PA_META_NAMES: names have wrappers that the modules' paths have not. */
#define PA_NAMES_WRAPPED "wrapped"
/* they are read as those of a file for a diffusion model (container.h) */
#define PA_NAMES_DIFFUSION "diffusion"

typedef struct PaSafetensors
{
	PaText		header;			/* the JSON text as it stands, padding included */
	const uint8_t *data;		/* NULL when only a header was read */
	uint64_t	data_length;
	uint32_t	n_tensors;
	PaFileTensor *tensors;		/* in order of offset, then of size, then of name */
	PaText		config;			/* values of the reserved keys; without text if absent */
	PaText		recipe;
	PaText		inner_header;
	PaText		envelope_digest;	/* hexadecimal, or what stands there */
	PaText		kind;			/* the one that the configuration is read as; none: that of its type */
	PaText		names;			/* PA_NAMES_..., or none: PEFT's, and paths are as they say them */
	const json_t *metadata;		/* of the header; NULL: none */
} PaSafetensors;

/* Whether there is one of the reserved keys that hold documents. */
static inline bool
pa_safetensors_is_envelope(const PaSafetensors *file)
{
	return file->config.text != NULL || file->recipe.text != NULL || file->inner_header.text != NULL;
}

/* A whole file.  max_header: PA_MAX_HEADER_BYTES, or PA_MAX_ENVELOPE_HEADER_BYTES if it has reserved keys. */
extern PaStatus pa_safetensors_read(PaEnv *env, PaText file, PaSafetensors *out);

/* A header text alone, for a data region of data_length bytes (UINT64_MAX: as the header says). */
extern PaStatus pa_safetensors_read_header(PaEnv *env, PaText header, uint64_t data_length, PaStatus code,
										   PaSafetensors *out);

/*
 * The canonical header of a composed value, byte for byte what the safetensors
 * library writes: metadata {"format":"pt"}, tensors by alignment of the dtype
 * (widest first), then by name, compact JSON, padded with spaces to 8 bytes.
 * order[k] is the index of the k-th tensor in the data region.
 */
extern PaStatus pa_safetensors_canonical_header(PaEnv *env, const PaAdapter *adapter, PaText *header,
												uint32_t **order);

/* The same with this metadata, an object of strings. */
extern PaStatus pa_safetensors_header(PaEnv *env, const PaAdapter *adapter, const json_t *metadata,
									  PaText *header, uint32_t **order);

/* The place of a dtype in the canonical order: lower ones come first. */
extern int pa_safetensors_place(PaDtype dtype);

/*
 * What an envelope has under its reserved keys; what has no text is left out.
 */
typedef struct PaEnvelope
{
	PaText		config;
	PaText		recipe;
	PaText		inner_header;
	const uint8_t *envelope_digest; /* PA_SHA256_LENGTH, or NULL */
	PaText		kind;
	PaText		names;
} PaEnvelope;

/*
 * The envelope's header for a value whose data region is laid out as `tensors`
 * (order of offset): metadata format, then the reserved keys.  Padded to 8
 * bytes.  Larger than PA_MAX_ENVELOPE_HEADER_BYTES is PA_ERR_LIMIT.
 */
extern PaStatus pa_safetensors_envelope_header(PaEnv *env, uint32_t n, const PaFileTensor *tensors,
											   const PaEnvelope *envelope, PaText *header);

#endif
