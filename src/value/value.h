/*
 * value.h
 *	  The stored form of an adapter, format 1: reading it by slices and writing
 *	  it in one pass.  doc/format.md describes it byte by byte; the constants
 *	  here are asserted against it.
 *
 * Reading goes through a PaBytes that the host implements: (offset, length) to
 * a pointer that is valid until the next fetch.  Magic, version, sizes and
 * checksums are checked at every opening, so a value of another type or a
 * damaged page is an error (PA_ERR_CORRUPT), never a wrong result; a future
 * version is PA_ERR_UNSUPPORTED.
 *
 * An outline is a value as it is written where the host asks for outlines
 * (PaHost.outline): all of its description, and no elements but those of small dense
 * tensors (pa_outline_has).  Operations make outlines of outlines and of values, and
 * refuse what they would refuse, but for what other elements decide; reading those is
 * PA_ERR_OUTLINE then.  In the place of SHA-256s their tensors have fingerprints
 * (adapter/source.h), so the digest is none that a value has, unless all tensors are
 * handed on.  Outlines never leave the core.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_VALUE_H
#define PA_VALUE_H

#include "adapter/source.h"
#include "codec/planes.h"

#define PA_VALUE_VERSION 1
#define PA_VALUE_HEADER_BYTES 256

typedef struct PaBytes PaBytes;

struct PaBytes
{
	uint64_t	size;			/* of the whole stored value */

	/* *p: length bytes at offset (in range: checked before), valid until the next fetch. */
	PaStatus	(*fetch)(PaEnv *env, PaBytes *self, uint64_t offset, size_t length, const uint8_t **p);

	/* Nothing that was fetched is needed any more; NULL: nothing is held for it. */
	void		(*release)(PaBytes *self);
};

/* A PaBytes over memory. */
typedef struct PaMemoryBytes
{
	PaBytes		base;
	const uint8_t *p;
} PaMemoryBytes;

/* All n bytes at p, which must live as long. */
extern void pa_bytes_from_memory(PaMemoryBytes *bytes, const void *p, size_t n);

/* What stands in the fixed header. */
typedef struct PaValueHeader
{
	PaKind		kind;
	uint64_t	size;
	uint64_t	raw_bytes;
	uint32_t	n_tensors;
	uint32_t	n_modules;
	uint8_t		digest[PA_SHA256_LENGTH];
	uint8_t		envelope_digest[PA_SHA256_LENGTH];
} PaValueHeader;

typedef enum PaDocument
{
	PA_DOCUMENT_CONFIG = 0,
	PA_DOCUMENT_HEADER = 1,		/* the imported file's header; absent in composed values */
	PA_DOCUMENT_RECIPE = 2,
	PA_DOCUMENT_COUNT = 3
} PaDocument;

typedef struct PaDocuments
{
	PaText		document[PA_DOCUMENT_COUNT];	/* without text: absent (the header only) */
} PaDocuments;

/* Only the header: one fetch of PA_VALUE_HEADER_BYTES. */
extern PaStatus pa_value_read_header(PaEnv *env, PaBytes *bytes, PaValueHeader *header);

/* Four blocks: biases, and heads for some labels; whether others are the same the fingerprints say. */
#define PA_OUTLINE_ELEMENTS (4 * PA_BLOCK_ELEMENTS)

/* An outline has the elements of the tensor: what is refused depends on the bytes of dense ones. */
static inline bool
pa_outline_has(const PaTensor *tensor)
{
	return tensor->role == PA_ROLE_DENSE && tensor->elements <= PA_OUTLINE_ELEMENTS;
}

typedef struct PaValue PaValue;

/* Header, facts and table of contents.  bytes must outlive the value. */
extern PaStatus pa_value_open(PaEnv *env, PaBytes *bytes, PaValue **value);
extern const PaValueHeader *pa_value_header(const PaValue *value);
extern const PaAdapter *pa_value_adapter(const PaValue *value);

/* Names what the adapter's features do not tell (PaAdapter.variant); the text must live as long. */
extern void pa_value_name_variant(PaValue *value, const char *variant);

/* Its modules, to be told what only their names and the configuration tell (engine/open.h). */
extern PaModule *pa_value_modules(PaValue *value);

/* Bytes that a tensor takes in storage. */
extern uint64_t pa_value_stored_bytes(const PaValue *value, uint32_t tensor);

/* The decompressed document in env memory, NUL-terminated; without text if absent. */
extern PaStatus pa_value_document(PaEnv *env, PaValue *value, PaDocument which, PaText *document);

/* Give back a document, and what the host holds for its stored form. */
extern void pa_value_release_document(PaEnv *env, PaValue *value, const PaText *document);

/*
 * Decode with another value's decoder: for many values that are read one block
 * after the other, each decoder being some hundred kB.  Call it before anything
 * of the value was decoded; the lender must live as long.
 */
extern void pa_value_borrow_decoder(PaValue *value, PaValue *lender);

/* A source that reads the value's blocks (checksums checked block by block). */
extern PaStatus pa_value_source(PaEnv *env, PaValue *value, PaSource **source);

/*
 * Append a stored value to out, reading each tensor of source once, in name
 * order.  adapter is source->adapter; its tensors' sha256 are filled on the
 * way.  header (may be NULL) is filled.  Uses PA_HASH_TENSOR.
 */
extern PaStatus pa_value_write(PaEnv *env, PaSource *source, PaAdapter *adapter, const PaDocuments *documents,
							   PaBuf *out, PaValueHeader *header);

/* An upper bound of what pa_value_write appends, from the description alone. */
extern size_t pa_value_bound(const PaAdapter *adapter, const PaDocuments *documents);

/* Decode every block and compare every tensor's SHA-256, the digest and the envelope digest. */
extern PaStatus pa_value_check(PaEnv *env, PaValue *value);

#endif
