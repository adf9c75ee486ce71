/*
 * memory.c
 *	  See memory.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "memory.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>

static size_t held;
static size_t most;

static void *(*host_alloc)(void *state, size_t size);
static void (*host_release)(void *state, void *p);

static void *
hold(void *p)
{
	held += p != NULL ? malloc_usable_size(p) : 0;
	most = held > most ? held : most;
	return p;
}

static void
let_go(void *p)
{
	held -= p != NULL ? malloc_usable_size(p) : 0;
}

static void *
counting_alloc(void *state, size_t size)
{
	return hold(host_alloc(state, size));
}

static void
counting_release(void *state, void *p)
{
	let_go(p);
	host_release(state, p);
}

static void *
json_alloc(size_t size)
{
	return hold(malloc(size));
}

static void
json_release(void *p)
{
	let_go(p);
	free(p);
}

void
unit_memory_begin(UnitHost *host)
{
	held = most = 0;
	host_alloc = host->host.alloc;
	host_release = host->host.release;
	host->host.alloc = counting_alloc;
	host->host.release = counting_release;
	json_set_alloc_funcs(json_alloc, json_release);
}

size_t
unit_memory_most(void)
{
	return most;
}

void
unit_memory_end(void)
{
	json_set_alloc_funcs(malloc, free);
}
