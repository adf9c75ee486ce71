/*
 * value_impl.h
 *	  What the files of this room share: the fixed header and the table of
 *	  contents as they are on disk (doc/format.md), and the opened value.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_VALUE_IMPL_H
#define PA_VALUE_IMPL_H

#include "value/value.h"

/* In order of their place in the value; the documents in the order of PaDocument. */
typedef enum PaSectionId
{
	PA_SECTION_FACTS = 0,
	PA_SECTION_TOC = 1,
	PA_SECTION_CONFIG = 2,
	PA_SECTION_HEADER = 3,
	PA_SECTION_RECIPE = 4,
	PA_SECTION_COUNT = 5
} PaSectionId;

typedef struct PaSection
{
	uint64_t	offset;
	uint32_t	stored;
	uint32_t	raw;
	uint64_t	checksum;
} PaSection;

/*
 * Facts and table of contents above it are never compressed: as much is asked for
 * before a value is known to be sound, at every opening.
 */
#define PA_MAX_PACKED_BYTES (4 * 1024 * 1024)

/* All of the fixed header. */
typedef struct PaLayout
{
	uint16_t	version;		/* read; written is what the sections need */
	PaValueHeader header;
	PaSection	section[PA_SECTION_COUNT];
	uint64_t	data_offset;
	uint64_t	data_length;
} PaLayout;

typedef struct PaBlock
{
	uint64_t	offset;			/* in the data section */
	uint64_t	checksum;
	uint32_t	stored;
} PaBlock;

/* Where a tensor's bytes are. */
typedef struct PaExtent
{
	uint64_t	offset;			/* in the data section */
	uint64_t	stored;
	uint32_t	n_blocks;
	PaBlock    *blocks;
} PaExtent;

struct PaValue
{
	PaBytes    *bytes;
	PaLayout	layout;
	PaAdapter	adapter;
	PaExtent   *extents;		/* one for each tensor */
	PaPlanes   *planes;			/* NULL until something is decoded */
	PaValue    *lender;			/* whose planes are used; NULL: its own */
};

/* Largest raw length of a document. */
extern size_t pa_document_limit(PaDocument which);

/* As messages call it: "recipe". */
extern const char *pa_document_name(PaDocument which);

/* Fetch, with the range checked against bytes->size. */
extern PaStatus pa_value_fetch(PaEnv *env, PaBytes *bytes, uint64_t offset, uint64_t length,
							   const uint8_t **p);

/* PA_ERR_CORRUPT "stored value is damaged" and a detail. */
extern PaStatus pa_value_damaged(PaEnv *env, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Make value->planes if need be: one decoder for documents and all sources of a value. */
extern PaStatus pa_value_planes(PaEnv *env, PaValue *value);

/* The header, checked against itself and the bytes' size. */
extern PaStatus pa_layout_read(PaEnv *env, PaBytes *bytes, PaLayout *layout);

/* The header with its checksum. */
extern void pa_layout_write(const PaLayout *layout, uint8_t out[PA_VALUE_HEADER_BYTES]);

static inline uint64_t
pa_tensor_blocks(const PaTensor *tensor)
{
	return (pa_tensor_units(tensor) + PA_BLOCK_ELEMENTS - 1) / PA_BLOCK_ELEMENTS;
}

/* Units in block k, the last one being shorter. */
static inline size_t
pa_block_units(const PaTensor *tensor, uint64_t k)
{
	return pa_block_step(pa_tensor_units(tensor) - k * PA_BLOCK_ELEMENTS);
}

/* Bytes that pa_toc_write appends. */
extern size_t pa_toc_size(const PaAdapter *adapter);

/* One block table for each tensor, with n_blocks from its shape; the rest is zero. */
extern PaStatus pa_extents_make(PaEnv *env, const PaAdapter *adapter, PaExtent **extents);

/* Append the table of contents; the tensors' sha256 are filled by now. */
extern PaStatus pa_toc_write(PaBuf *buf, const PaAdapter *adapter, const PaExtent *extents);

/*
 * Fill value->adapter's tensors, with the modules' references to them, and
 * value->extents from the section's bytes.
 */
extern PaStatus pa_toc_read(PaEnv *env, const void *p, size_t n, PaValue *value);

#endif
