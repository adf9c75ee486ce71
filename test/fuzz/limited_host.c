/*
 * limited_host.c
 *	  See limited_host.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "limited_host.h"

#include <stdio.h>
#include <stdlib.h>

static void *
limited_alloc(void *state, size_t size)
{
	LimitedHost *host = state;

	if (size > host->budget)
		return NULL;
	host->budget -= size;
	return host->unit.host.alloc(host->unit.host.state, size);
}

static void
limited_free(void *state, void *p)
{
	LimitedHost *host = state;

	host->unit.host.release(host->unit.host.state, p);
}

static bool
limited_cancelled(void *state)
{
	LimitedHost *host = state;

	return host->unit.host.cancelled(host->unit.host.state);
}

void
limited_host_init(LimitedHost *host, size_t budget)
{
	unit_host_init(&host->unit);
	host->host = host->unit.host;
	host->host.state = host;
	host->host.alloc = limited_alloc;
	host->host.release = limited_free;
	host->host.cancelled = limited_cancelled;
	host->budget = budget;
}

void
limited_host_release(LimitedHost *host)
{
	if (host->unit.live != 0)
	{
		fprintf(stderr, "broken: %ld allocations are left\n", host->unit.live);
		abort();
	}
	unit_host_release(&host->unit);
}

void
limited_insist(bool held, const char *what, const PaEnv *env)
{
	if (held)
		return;
	fprintf(stderr, "broken: %s (%s)\n", what, env->error.message);
	abort();
}

PaStatus
limited_proper(const PaEnv *env, PaStatus status, const char *what)
{
	limited_insist(status != PA_ERR_INTERNAL && status != PA_ERR_CORRUPT && status != PA_ERR_NOMEM &&
					   status != PA_ERR_CANCELLED && status != PA_ERR_HOST,
				   what, env);
	limited_insist(status == PA_OK || env->error.message[0] != '\0', "a refusal says why", env);
	return status;
}
