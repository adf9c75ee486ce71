/*
 * test_pairing.c
 *	  Operands whose modules pair, and those whose do not.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algebra/pairing.h"

#define MOST_OPERANDS 4
#define MOST_MODULES 8

typedef struct Told
{
	uint32_t	unpaired;
	uint32_t	modules;
} Told;

/* What the last check told: the callback's state is the host's own, and the tests run one by one. */
static Told told;

static void
tell(void *state, const PaNotice *notice)
{
	(void) state;
	CHECK(notice->once && notice->detail != NULL && notice->hint != NULL);
	CHECK(sscanf(notice->message, "%u of %u modules", &told.unpaired, &told.modules) == 2);
}

/* Adapters of the paths between blanks; "-" before a path: no target module. */
static uint32_t
make_adapters(const char *const *texts, char *copies, PaModule (*modules)[MOST_MODULES], PaAdapter *adapters,
			  const PaAdapter **list)
{
	uint32_t	n = 0;

	for (; n < MOST_OPERANDS && texts[n] != NULL; n++)
	{
		char	   *rest = copies + n * 512;

		adapters[n] = (PaAdapter) {.modules = modules[n]};
		strcpy(rest, texts[n]);
		for (char *path = strtok(rest, " "); path != NULL; path = strtok(NULL, " "))
			modules[n][adapters[n].n_modules++] = (PaModule) {
				.path = path + (path[0] == '-'),
				.flags = path[0] == '-' ? 0 : PA_MODULE_TARGET,
			};
		list[n] = &adapters[n];
	}
	return n;
}

static PaStatus
check(PaEnv *env, const char *const *texts, PaUnpaired unpaired, bool as_union)
{
	PaHost		host = *env->host;
	const PaHost *before = env->host;
	char		copies[MOST_OPERANDS * 512];
	PaModule	modules[MOST_OPERANDS][MOST_MODULES];
	PaAdapter	adapters[MOST_OPERANDS];
	const PaAdapter *list[MOST_OPERANDS];
	uint32_t	n = make_adapters(texts, copies, modules, adapters, list);
	PaStatus	status;

	told = (Told) {0};
	host.unpaired = unpaired;
	host.notice = tell;
	env->host = &host;
	status = as_union ? pa_pairing_check_union(env, n, list) : pa_pairing_check(env, n, list);
	env->host = before;
	return status;
}

UNIT_TEST(sums)
{
	static const struct
	{
		const char *operands[MOST_OPERANDS + 1];
		PaStatus	status;
		const char *message;	/* a part of it */
		Told		told;
	} rows[] = {
		{{"a b", "a b"}, PA_OK, "", {0, 0}},
		{{"a b"}, PA_OK, "", {0, 0}},
		{{"a b", "a"}, PA_OK, "", {1, 2}},
		{{"a b", "b c", "a b"}, PA_OK, "", {2, 3}},
		{{"a b", "c d"}, PA_ERR_MISMATCH, "no module in common", {0, 0}},
		{{"a", "b", "c"}, PA_ERR_MISMATCH, "no module in common", {0, 0}},
		{{"a b c", "a d e"}, PA_OK, "", {4, 5}},
		/* dense modules and operands without any other do not count */
		{{"-h a", "a"}, PA_OK, "", {0, 0}},
		{{"-h", "a", "a"}, PA_OK, "", {0, 0}},
		/* something was put in */
		{{"m.l.0.q m.l.1.q", "m.x.l.0.q m.x.l.1.q"},
		 PA_ERR_MISMATCH,
		 "\"m.x.l.0.q\" and \"m.l.0.q\"",
		 {0, 0}},
		{{"l.0.q", "u.l.0.q"}, PA_ERR_MISMATCH, "\"u.l.0.q\" and \"l.0.q\"", {0, 0}},
		{{"u.v.l.0.q", "l.0.q"}, PA_ERR_MISMATCH, "by a prefix", {0, 0}},
		{{"m.l.0.q", "w.m.l.0.q"}, PA_ERR_MISMATCH, "by a prefix", {0, 0}},
		{{"h l.0.q l.1.q", "h u.l.0.q"}, PA_ERR_MISMATCH, "by a prefix", {0, 0}},
		{{"h u.l.0.q u.l.1.k", "h l.0.q"}, PA_ERR_MISMATCH, "by a prefix", {0, 0}},
		{{"l.0.q", "u.l.0.q", "l.0.q"}, PA_ERR_MISMATCH, "by a prefix", {0, 0}},
		{{"u.l.0.q", "l.0.q", "l.0.q"}, PA_ERR_MISMATCH, "by a prefix", {0, 0}},
		{{"l.0.q", "l.0.q", "u.l.0.q", "u.l.0.q"}, PA_ERR_MISMATCH, "by a prefix", {0, 0}},
		/* nothing was */
		{{"h l.0.q", "h l.1.q"}, PA_OK, "", {2, 3}},
		{{"h encoder.q", "h decoder.q"}, PA_OK, "", {2, 3}},
		{{"h xl.q", "h l.q"}, PA_OK, "", {2, 3}},
		{{"h l.0.q u.l.0.q", "h l.0.q"}, PA_OK, "", {1, 3}},
		{{"h u.l.0.q u.l.1.k", "h k.0.q"}, PA_OK, "", {3, 4}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		PaStatus	status = check(env, rows[i].operands, PA_UNPAIRED_NOTICE, false);
		PaStatus	wanted = rows[i].told.unpaired > 0 ? PA_ERR_MISMATCH : rows[i].status;

		if (!CHECK_STATUS(status, rows[i].status, env) ||
			!CHECK(status == PA_OK || strstr(env->error.message, rows[i].message) != NULL) ||
			!CHECK(told.unpaired == rows[i].told.unpaired && told.modules == rows[i].told.modules))
			printf("#   row %zu: %s; %u of %u\n", i, env->error.message, told.unpaired, told.modules);
		CHECK_STATUS(check(env, rows[i].operands, PA_UNPAIRED_ERROR, false), wanted, env);
		CHECK(told.modules == 0);
		CHECK_OK(check(env, rows[i].operands, PA_UNPAIRED_OFF, false), env);
	}
}

UNIT_TEST(unions)
{
	static const struct
	{
		const char *operands[MOST_OPERANDS + 1];
		PaStatus	status;
	} rows[] = {
		{{"a", "b"}, PA_OK},
		{{"l.0.q", "l.1.q", "l.2.q"}, PA_OK},
		{{"encoder.q", "decoder.q"}, PA_OK},
		{{"l.0.q l.1.q", "u.l.0.q"}, PA_OK},
		{{"l.0.q l.1.q", "u.l.0.q u.l.1.q"}, PA_ERR_MISMATCH},
		{{"h", "l.0.q l.1.q", "k"}, PA_OK},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		if (!CHECK_STATUS(check(env, rows[i].operands, PA_UNPAIRED_NOTICE, true), rows[i].status, env))
			printf("#   row %zu\n", i);
		CHECK_OK(check(env, rows[i].operands, PA_UNPAIRED_OFF, true), env);
	}
}

static PaStatus
check_some(PaEnv *env, void *arg)
{
	return check(env, arg, PA_UNPAIRED_NOTICE, false);
}

UNIT_TEST(without_memory)
{
	const char *operands[] = {"h l.0.q", "h u.k.0", "h", NULL};

	unit_fail_every_allocation(check_some, operands);
	CHECK_OK(check_some(env, operands), env);
}

UNIT_SUITE(pairing, UNIT_CASE(sums), UNIT_CASE(unions), UNIT_CASE(without_memory));
