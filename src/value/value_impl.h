/*
 * value_impl.h
 *	  The layout of the stored form, for the files of src/value only; mirrors
 *	  doc/format.md.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_VALUE_IMPL_H
#define PA_VALUE_IMPL_H

#include "value/value.h"

/* Offsets in the header. */
#define HEADER_MAGIC			0
#define HEADER_VERSION			8
#define HEADER_LENGTH			10
#define HEADER_KIND				12
#define HEADER_RESERVED_1		13
#define HEADER_SIZE				16
#define HEADER_RAW_BYTES		24
#define HEADER_N_TENSORS		32
#define HEADER_N_MODULES		36
#define HEADER_SECTIONS			40
#define HEADER_DATA_OFFSET		160
#define HEADER_DATA_LENGTH		168
#define HEADER_DIGEST			176
#define HEADER_ENVELOPE_DIGEST	208
#define HEADER_RESERVED_2		240
#define HEADER_CHECKSUM			248

#define SECTION_BYTES 24		/* of a section's entry in the header */
#define MAGIC_BYTES 8

typedef enum SectionId
{
	SECTION_FACTS = 0,
	SECTION_TOC = 1,
	SECTION_CONFIG = 2,
	SECTION_HEADER = 3,
	SECTION_RECIPE = 4,
	SECTION_COUNT = 5
} SectionId;

_Static_assert(HEADER_SECTIONS + SECTION_COUNT * SECTION_BYTES == HEADER_DATA_OFFSET, "header layout");
_Static_assert(HEADER_DIGEST + PA_SHA256_LENGTH == HEADER_ENVELOPE_DIGEST, "header layout");
_Static_assert(HEADER_ENVELOPE_DIGEST + PA_SHA256_LENGTH == HEADER_RESERVED_2, "header layout");
_Static_assert(HEADER_CHECKSUM + 8 == PA_VALUE_HEADER_BYTES, "header layout");

typedef struct Section
{
	uint64_t	offset;
	uint32_t	stored;
	uint32_t	raw;
	uint64_t	checksum;
} Section;

/* The whole header, opened. */
typedef struct Header
{
	PaValueHeader facts;
	Section		section[SECTION_COUNT];
	uint64_t	data_offset;
	uint64_t	data_length;
} Header;

typedef struct Block
{
	uint64_t	offset;			/* in the data section */
	uint32_t	stored;
	uint64_t	checksum;
} Block;

/* Where a tensor's blocks are: blocks[first] .. blocks[first + count - 1]. */
typedef struct Extent
{
	uint64_t	offset;			/* in the data section */
	uint64_t	first;
	uint32_t	count;
} Extent;

struct PaValue
{
	PaBytes    *bytes;
	Header		header;
	PaAdapter	adapter;
	Extent	   *extents;		/* one a tensor */
	Block	   *blocks;
	uint64_t	n_blocks;
	PaPlanes   *planes;			/* made when first needed */
};

extern PaStatus value_header_read(PaEnv *env, PaBytes *bytes, Header *header);
extern void value_header_write(const Header *header, uint8_t out[PA_VALUE_HEADER_BYTES]);

extern uint64_t value_block_count(const PaTensor *tensor);
extern size_t value_block_units(const PaTensor *tensor, uint64_t block);

extern PaStatus value_toc_write(PaBuf *out, const PaAdapter *adapter, const Extent *extents, const Block *blocks);
extern PaStatus value_toc_read(PaEnv *env, PaValue *value, const uint8_t *p, size_t n);

/* Damage of the stored value: message and detail. */
extern PaStatus value_damaged(PaEnv *env, const char *detail, ...) __attribute__((format(printf, 2, 3)));

/* Planes of a value, made when first needed. */
extern PaStatus value_planes(PaEnv *env, PaValue *value);

#endif
