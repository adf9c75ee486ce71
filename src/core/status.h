/*
 * status.h
 *	  How the server-free core reports that something went wrong.
 *
 * Every fallible function returns PaStatus; PA_OK is zero.  The function that
 * knows the fault fills the PaError inside the PaEnv (pa_fail, then pa_detail
 * and pa_hint) and returns the code; callers forward it with PA_TRY and add
 * nothing.  Messages follow PostgreSQL's style guide: the primary text is
 * short, starts in lower case, has no full stop and no function name; detail
 * and hint are whole sentences.  Texts are UTF-8 and are cut, never
 * overflowed, at the size of their buffer.
 *
 * src/pg/bridge.c holds the one table from PaStatus to SQLSTATE.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_STATUS_H
#define PA_STATUS_H

/* Every file includes this one first of the core's: what a machine must be. */
#if !defined(__LP64__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "peftarith needs a 64-bit little-endian machine"
#endif

typedef enum PaStatus
{
	PA_OK = 0,
	PA_ERR_FILE,				/* malformed bytes of a file          22P03 */
	PA_ERR_TEXT,				/* malformed text input               22P02 */
	PA_ERR_JSON,				/* not JSON                           22032 */
	PA_ERR_DUPLICATE_KEY,		/* JSON object with a key twice       22030 */
	PA_ERR_CONFIG,				/* configuration or argument is wrong 22023 */
	PA_ERR_MISMATCH,			/* operands do not fit together       22000 */
	PA_ERR_RANGE,				/* overflow, or not finite            22003 */
	PA_ERR_DIVISION,			/* division by zero                   22012 */
	PA_ERR_REGEX,				/* bad pattern                        2201B */
	PA_ERR_LIMIT,				/* a stated limit is exceeded         54000 */
	PA_ERR_UNSUPPORTED,			/* valid, but not supported           0A000 */
	PA_ERR_OUTLINE,				/* an outline has no such elements    0A000 */
	PA_ERR_NOT_FOUND,			/* no such tensor or module           42704 */
	PA_ERR_CORRUPT,				/* stored bytes are damaged           XX001 */
	PA_ERR_NOMEM,				/* the host has no memory             53200 */
	PA_ERR_CANCELLED,			/* the host asked to stop; host knows why */
	PA_ERR_HOST,				/* a lent callback failed; host knows why */
	PA_ERR_INTERNAL				/* cannot happen                      XX000 */
} PaStatus;

typedef struct PaError
{
	PaStatus	code;
	char		message[512];
	char		detail[1024];
	char		hint[512];
} PaError;

/* Forward a failure; the error itself is already in the PaEnv. */
#define PA_TRY(expr) \
	do \
	{ \
		PaStatus pa_status_ = (expr); \
		if (pa_status_ != PA_OK) \
			return pa_status_; \
	} while (0)

#endif
