/*
 * env.h
 *	  What the host lends to the server-free core: memory, cancellation and
 *	  SHA-256.  A PaEnv is the first argument of every fallible function; the
 *	  core has no global state.
 *
 * Memory.  PA_NEW() and its like hand out memory that lives until pa_free() or until
 * pa_env_reset(), which releases everything that the PaEnv still owns and runs
 * the deferred clean-ups (pa_defer) in reverse order.  So a core function may
 * return early without a clean-up path of its own.  Memory that must outlive
 * the PaEnv (a result that is handed to the host) is a PaBuf, see buf.h.
 *
 * Callbacks never throw: the server's implementations catch their own errors,
 * keep them and answer with NULL or false.  Then the core returns PA_ERR_NOMEM,
 * PA_ERR_CANCELLED or PA_ERR_HOST and the bridge raises the kept error.
 *
 * Cancellation.  Every loop over tensor data calls pa_check_cancel() at least
 * once per block (PA_BLOCK_ELEMENTS elements).
 *
 * SHA-256.  The host lends PA_HASH_SLOTS independent running hashes.  Which
 * slot a function uses is said at the function: the value writer and the
 * digest use PA_HASH_TENSOR for tensors and digests; a whole file is hashed in
 * PA_HASH_FILE.  No two live uses of a slot may overlap.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_ENV_H
#define PA_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define PA_SHA256_LENGTH 32

typedef enum PaHashSlot
{
	PA_HASH_TENSOR = 0,
	PA_HASH_FILE = 1,
	PA_HASH_SLOTS = 2
} PaHashSlot;

/* A value: its content digest, and its envelope digest, which covers its recipe too (NULL: not known). */
typedef struct PaIdentity
{
	const uint8_t *digest;
	const uint8_t *envelope_digest;
} PaIdentity;

/* What the user should know though nothing is wrong. */
typedef struct PaNotice
{
	const char *message;
	const char *detail;			/* or NULL */
	const char *hint;			/* or NULL */
	bool		once;			/* at most one such for what the client sent */
} PaNotice;

/* What becomes of operands that share some of their modules only (algebra/pairing.h). */
typedef enum PaUnpaired
{
	PA_UNPAIRED_OFF,			/* nothing is compared */
	PA_UNPAIRED_NOTICE,
	PA_UNPAIRED_ERROR
} PaUnpaired;

typedef struct PaHost
{
	void	   *state;			/* passed back to each callback */
	void	   *(*alloc)(void *state, size_t size); /* NULL: no memory */
	void		(*release)(void *state, void *p);
	bool		(*cancelled)(void *state);
	bool		(*hash_begin)(void *state, PaHashSlot slot);
	bool		(*hash_update)(void *state, PaHashSlot slot, const void *p, size_t n);
	bool		(*hash_finish)(void *state, PaHashSlot slot, uint8_t out[PA_SHA256_LENGTH]);
	/* NULL, or takes down a notice; the texts are copied */
	void		(*notice)(void *state, const PaNotice *notice);
	/* NULL, or is told of each value that an operation made: the text of its recipe's root, and of what */
	void		(*made)(void *state, const PaIdentity *value, const char *root, size_t n_root, uint32_t n_operands,
						const PaIdentity *operands);
	PaUnpaired	unpaired;
	bool		outline;		/* values are written without elements, and none are read (value/value.h) */
} PaHost;

typedef struct PaAllocation PaAllocation;
typedef struct PaDeferred PaDeferred;

typedef struct PaEnv
{
	const PaHost *host;
	PaError		error;
	PaAllocation *allocations;	/* owned memory, newest first */
	PaDeferred *deferred;		/* clean-ups, newest first */
} PaEnv;

/* A PaEnv that owns nothing; the host must live as long. */
extern void pa_env_init(PaEnv *env, const PaHost *host);

/* Run the clean-ups, release all memory; the PaEnv can be used again. */
extern void pa_env_reset(PaEnv *env);

/* Run the clean-ups only: for a host whose own memory contexts free the rest. */
extern void pa_env_run_deferred(PaEnv *env);

/*
 * Typed memory: p is the address of a pointer, whose type says the size.  Zeroed
 * but for PA_NEW_RAW, which is for buffers that are filled at once.  *p is set
 * only on success; n = 0 gives a valid pointer; an overflow is
 * PA_ERR_LIMIT, more than the host has PA_ERR_NOMEM.
 */
#define PA_NEW(env, p) pa_alloc((env), 1, sizeof(**(p)), (p))
#define PA_NEW_ARRAY(env, n, p) pa_alloc((env), (n), sizeof(**(p)), (p))
#define PA_NEW_RAW(env, n, p) pa_alloc_raw((env), (n), sizeof(**(p)), (p))

/*
 * What they call: n objects of a size.  slot is the address of a pointer to any
 * type of object; it is written as bytes, since a cast to void ** would be a pun.
 */
extern PaStatus pa_alloc(PaEnv *env, size_t n, size_t size, void *slot);
extern PaStatus pa_alloc_raw(PaEnv *env, size_t n, size_t size, void *slot);

/* A copy with a terminating NUL. */
extern PaStatus pa_strndup(PaEnv *env, const char *s, size_t n, const char **copy);

/* p may be NULL. */
extern void pa_free(PaEnv *env, void *p);

/* Call clean(arg) at pa_env_reset.  When this fails it has called it already. */
extern PaStatus pa_defer(PaEnv *env, void (*clean)(void *arg), void *arg);

/* Tell the host, if it listens; printf's format makes the message. */
extern void pa_notice(PaEnv *env, PaNotice notice, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* PA_ERR_CANCELLED if the host wants to stop. */
extern PaStatus pa_check_cancel(PaEnv *env);

/*
 * Begin a slot's hash anew, feed it, read it; PA_ERR_HOST if the host fails.  An
 * update of more than 1 MiB asks on the way whether to stop.
 */
extern PaStatus pa_hash_begin(PaEnv *env, PaHashSlot slot);
extern PaStatus pa_hash_update(PaEnv *env, PaHashSlot slot, const void *p, size_t n);
extern PaStatus pa_hash_finish(PaEnv *env, PaHashSlot slot, uint8_t out[PA_SHA256_LENGTH]);

/* Write 64 lower-case hexadecimal digits and a NUL. */
extern void pa_hex(char out[2 * PA_SHA256_LENGTH + 1], const uint8_t digest[PA_SHA256_LENGTH]);

/* Read exactly 64 lower-case hexadecimal digits; false otherwise. */
extern bool pa_unhex(uint8_t digest[PA_SHA256_LENGTH], const char *s, size_t n);

/* Fill env->error; return code.  pa_detail and pa_hint add to the same error. */
extern PaStatus pa_fail(PaEnv *env, PaStatus code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
extern void pa_detail(PaEnv *env, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
extern void pa_hint(PaEnv *env, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
