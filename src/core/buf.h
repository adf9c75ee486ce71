/*
 * buf.h
 *	  A growable output buffer whose memory goes to the host in the end.
 *
 * The memory comes from the host's allocator directly and is not released by
 * pa_env_reset: whoever ends up with the PaBuf owns buf->data and frees it with
 * pa_buf_release or hands it on.  A core function that fails has released what
 * it had put into its PaBuf.  `reserve` bytes at the front are left for the
 * host (PostgreSQL's length word); `length` counts them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_BUF_H
#define PA_BUF_H

#include "core/env.h"

typedef struct PaBuf
{
	PaEnv	   *env;
	uint8_t    *data;
	size_t		length;
	size_t		capacity;
} PaBuf;

/* Empty buffer with `reserve` zero bytes and room for `expected` bytes in all. */
extern PaStatus pa_buf_init(PaEnv *env, PaBuf *buf, size_t reserve, size_t expected);

/* Make room for n more bytes; buf->data may move. */
extern PaStatus pa_buf_room(PaBuf *buf, size_t n);

/*
 * Append, and make the room for it: PA_ERR_NOMEM or PA_ERR_LIMIT if there is
 * none.
 */
extern PaStatus pa_buf_bytes(PaBuf *buf, const void *p, size_t n);
extern PaStatus pa_buf_zero(PaBuf *buf, size_t n);	/* n zero bytes */
extern PaStatus pa_buf_u8(PaBuf *buf, uint8_t v);	/* one byte */
extern PaStatus pa_buf_u16(PaBuf *buf, uint16_t v); /* little-endian, as all below */
extern PaStatus pa_buf_u32(PaBuf *buf, uint32_t v);
extern PaStatus pa_buf_u64(PaBuf *buf, uint64_t v);
extern PaStatus pa_buf_f64(PaBuf *buf, double v);
extern PaStatus pa_buf_str(PaBuf *buf, const char *s);	/* u32 length, bytes */
extern PaStatus pa_buf_optstr(PaBuf *buf, const char *s);	/* u8 0, or u8 1 and str */
extern PaStatus pa_buf_printf(PaBuf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Free the memory, if there is any; the PaBuf is empty then. */
extern void pa_buf_release(PaBuf *buf);

#endif
