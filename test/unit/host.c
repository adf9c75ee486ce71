/*
 * host.c
 *	  The host of the unit tests, see host.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "host.h"

#include <stdlib.h>
#include <string.h>

static void *
host_alloc(void *state, size_t size)
{
	UnitHost   *self = state;
	long		number = self->allocated++;
	void	   *p;

	if (self->fail_at >= 0 && (number == self->fail_at || (self->fail_after && number > self->fail_at)))
		return NULL;
	p = malloc(size);
	if (p == NULL)
		return NULL;
	memset(p, 0xA5, size);
	self->live++;
	return p;
}

static void
host_release(void *state, void *p)
{
	UnitHost   *self = state;

	if (p != NULL)
		self->live--;
	free(p);
}

static bool
host_cancelled(void *state)
{
	UnitHost   *self = state;
	long		number = self->asked++;

	return self->cancel_at >= 0 && number >= self->cancel_at;
}

static bool
host_hash_begin(void *state, PaHashSlot slot)
{
	UnitHost   *self = state;

	if (self->hash_fails)
		return false;
	self->hashing[slot] = EVP_DigestInit_ex(self->hash[slot], EVP_sha256(), NULL) == 1;
	return self->hashing[slot];
}

static bool
host_hash_update(void *state, PaHashSlot slot, const void *p, size_t n)
{
	UnitHost   *self = state;

	return !self->hash_fails && self->hashing[slot] && EVP_DigestUpdate(self->hash[slot], p, n) == 1;
}

static bool
host_hash_finish(void *state, PaHashSlot slot, uint8_t out[PA_SHA256_LENGTH])
{
	UnitHost   *self = state;
	unsigned	n = 0;

	if (self->hash_fails || !self->hashing[slot])
		return false;
	self->hashing[slot] = false;
	return EVP_DigestFinal_ex(self->hash[slot], out, &n) == 1 && n == PA_SHA256_LENGTH;
}

void
unit_host_init(UnitHost *host)
{
	memset(host, 0, sizeof(*host));
	host->fail_at = -1;
	host->cancel_at = -1;
	for (int i = 0; i < PA_HASH_SLOTS; i++)
		host->hash[i] = EVP_MD_CTX_new();
	host->host = (PaHost) {
		.state = host,
		.alloc = host_alloc,
		.release = host_release,
		.cancelled = host_cancelled,
		.hash_begin = host_hash_begin,
		.hash_update = host_hash_update,
		.hash_finish = host_hash_finish,
	};
}

void
unit_host_release(UnitHost *host)
{
	for (int i = 0; i < PA_HASH_SLOTS; i++)
		EVP_MD_CTX_free(host->hash[i]);
}
