/*
 * host.h
 *	  The host of the unit tests: malloc, OpenSSL's SHA-256, and faults on
 *	  demand.
 *
 * Fresh memory is filled with 0xA5, so that nothing can lean on zeros by
 * chance.  `live` counts what was lent and not given back: after pa_env_reset
 * and the release of all buffers it must be what it was before.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_HOST_H
#define PA_TEST_HOST_H

#include <openssl/evp.h>

#include "core/env.h"

typedef struct UnitHost
{
	PaHost		host;			/* hand &host to pa_env_init */
	long		live;			/* allocations that were not released */
	long		allocated;		/* allocations that were asked for */
	long		fail_at;		/* the allocation that fails, counted from 0; -1: none */
	bool		fail_after;		/* and all that follow it */
	long		asked;			/* questions whether to stop */
	long		cancel_at;		/* the question from which on the answer is yes; -1: never */
	bool		hash_fails;		/* the hash callbacks answer false */
	EVP_MD_CTX *hash[PA_HASH_SLOTS];
	bool		hashing[PA_HASH_SLOTS];
} UnitHost;

extern void unit_host_init(UnitHost *host);
extern void unit_host_release(UnitHost *host);

#endif
