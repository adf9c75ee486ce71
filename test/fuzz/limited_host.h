/*
 * limited_host.h
 *	  The unit tests' host with a limit on memory, for targets whose work must
 *	  stay in proportion to their input.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_LIMITED_HOST_H
#define PA_LIMITED_HOST_H

#include "test/unit/host.h"

typedef struct LimitedHost
{
	UnitHost	unit;
	PaHost		host;			/* hand &host to pa_env_init */
	size_t		budget;			/* bytes that may still be asked for, in all */
} LimitedHost;

extern void limited_host_init(LimitedHost *host, size_t budget);

/* Aborts if something was not given back. */
extern void limited_host_release(LimitedHost *host);

/* Aborts with a message unless `held`. */
extern void limited_insist(bool held, const char *what, const PaEnv *env);

/* The status, if it is one that an input may cause. */
extern PaStatus limited_proper(const PaEnv *env, PaStatus status, const char *what);

#endif
