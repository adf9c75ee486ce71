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
} PaFileTensor;

/* Reserved keys of an envelope's __metadata__; every other with this prefix is a later version's. */
#define PA_META_PREFIX "peftarith."
#define PA_META_CONFIG "peftarith.config"
#define PA_META_RECIPE "peftarith.recipe"
#define PA_META_HEADER "peftarith.header"
#define PA_META_DIGEST "peftarith.envelope_digest"

typedef struct PaSafetensors
{
	const char *header;			/* the JSON text as it stands, padding included */
	size_t		header_length;
	const uint8_t *data;		/* NULL when only a header was read */
	uint64_t	data_length;
	uint32_t	n_tensors;
	PaFileTensor *tensors;		/* in order of offset, then of size, then of name */
	const char *config;			/* values of the reserved keys; NULL if absent */
	size_t		config_length;
	const char *recipe;
	size_t		recipe_length;
	const char *inner_header;
	size_t		inner_header_length;
	const char *envelope_digest;	/* hexadecimal, or what stands there */
	size_t		envelope_digest_length;
} PaSafetensors;

/* A whole file.  max_header: PA_MAX_HEADER_BYTES, or PA_MAX_ENVELOPE_HEADER_BYTES if it has reserved keys. */
extern PaStatus pa_safetensors_read(PaEnv *env, const void *file, size_t length, PaSafetensors *out);

/* A header text alone, for a data region of data_length bytes (UINT64_MAX: as the header says). */
extern PaStatus pa_safetensors_read_header(PaEnv *env, const char *header, size_t length,
										   uint64_t data_length, PaStatus code, PaSafetensors *out);

/*
 * The canonical header of a composed value, byte for byte what the safetensors
 * library writes: metadata {"format":"pt"}, tensors by alignment of the dtype
 * (widest first), then by name, compact JSON, padded with spaces to 8 bytes.
 * order[k] is the index of the k-th tensor in the data region.
 */
extern PaStatus pa_safetensors_canonical_header(PaEnv *env, const PaAdapter *adapter,
												const char **header, size_t *length, uint32_t **order);

/* The place of a dtype in the canonical order: lower ones come first. */
extern int	pa_safetensors_place(PaDtype dtype);

/*
 * The envelope's header for a value whose data region is laid out as `tensors`
 * (order of offset): metadata format, then the reserved keys (recipe and
 * inner_header may be NULL, envelope_digest too: PA_SHA256_LENGTH bytes).
 * Padded to 8 bytes.  Larger than
 * PA_MAX_ENVELOPE_HEADER_BYTES is PA_ERR_LIMIT.
 */
extern PaStatus pa_safetensors_envelope_header(PaEnv *env, uint32_t n, const PaFileTensor *tensors,
											   const char *config, size_t config_length,
											   const char *recipe, size_t recipe_length,
											   const char *inner_header, size_t inner_header_length,
											   const uint8_t *envelope_digest,
											   const char **header, size_t *length);

#endif
