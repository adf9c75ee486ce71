/*
 * bytes.h
 *	  Checked reading of bytes that nobody trusts, and little-endian loads and
 *	  stores that need no alignment.
 *
 * A PaReader is (pointer, length) with a position.  pa_take is the only way
 * forward; it fails with the status and the subject that the reader was opened
 * with ("stored value is truncated: ...").  No length out of the input is used
 * before it is checked against the rest.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_BYTES_H
#define PA_BYTES_H

#include <string.h>

#include "core/env.h"

typedef struct PaReader
{
	PaEnv	   *env;
	const uint8_t *p;
	size_t		left;
	PaStatus	code;			/* what a fault is reported as */
	const char *subject;		/* "stored value", "recipe": for the message */
} PaReader;

/* A reader of the n bytes at p; subject must live as long. */
extern void pa_reader_init(PaReader *r, PaEnv *env, const void *p, size_t n, PaStatus code,
						   const char *subject);

/* The next n bytes, where they stand. */
extern PaStatus pa_take(PaReader *r, size_t n, const uint8_t **p);

/* A number, little-endian; a double has any bits. */
extern PaStatus pa_take_u8(PaReader *r, uint8_t *v);
extern PaStatus pa_take_u16(PaReader *r, uint16_t *v);
extern PaStatus pa_take_u32(PaReader *r, uint32_t *v);
extern PaStatus pa_take_u64(PaReader *r, uint64_t *v);
extern PaStatus pa_take_f64(PaReader *r, double *v);

/* A string without NUL inside, valid UTF-8, at most max bytes; copied into env. */
extern PaStatus pa_take_str(PaReader *r, size_t max, const char **s);
extern PaStatus pa_take_optstr(PaReader *r, size_t max, const char **s);	/* u8 0: NULL; or u8 1 and str */

static inline uint16_t
pa_load_u16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t) (b[0] | (b[1] << 8));
}

static inline uint32_t
pa_load_u32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t) b[0] | ((uint32_t) b[1] << 8) | ((uint32_t) b[2] << 16) | ((uint32_t) b[3] << 24);
}

static inline uint64_t
pa_load_u64(const void *p)
{
	const uint8_t *b = p;

	return (uint64_t) pa_load_u32(b) | ((uint64_t) pa_load_u32(b + 4) << 32);
}

static inline void
pa_store_u16(void *p, uint16_t v)
{
	uint8_t    *b = p;

	b[0] = (uint8_t) v;
	b[1] = (uint8_t) (v >> 8);
}

static inline void
pa_store_u32(void *p, uint32_t v)
{
	pa_store_u16(p, (uint16_t) v);
	pa_store_u16((uint8_t *) p + 2, (uint16_t) (v >> 16));
}

static inline void
pa_store_u64(void *p, uint64_t v)
{
	pa_store_u32(p, (uint32_t) v);
	pa_store_u32((uint8_t *) p + 4, (uint32_t) (v >> 32));
}

#endif
