/*
 * unit.c
 *	  Checks, random numbers and injected faults of the harness, see unit.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit_state.h"

/* Failed checks that are shown of one test: loops could print thousands. */
#define SHOWN 10

UnitState	unit_state;

static bool
failed(const char *text, const char *file, int line)
{
	if (unit_state.failures++ < SHOWN)
		printf("# %s:%d: %s\n", file, line, text);
	return false;
}

bool
unit_check(bool held, const char *text, const char *file, int line)
{
	unit_state.checks++;
	return held || failed(text, file, line);
}

bool
unit_check_status(PaStatus got, PaStatus expected, const PaEnv *env, const char *text, const char *file,
				  int line)
{
	unit_state.checks++;
	if (got == expected)
		return true;
	failed(text, file, line);
	if (unit_state.failures <= SHOWN)
		printf("#   status %d, not %d: %s (%s)\n", got, expected, got != PA_OK ? env->error.message : "",
			   got != PA_OK ? env->error.detail : "");
	return false;
}

uint64_t
unit_seed(void)
{
	return unit_state.seed;
}

double
unit_slowness(void)
{
	const char *factor = getenv("PA_SLOWNESS");

	return factor != NULL ? strtod(factor, NULL) : 1;
}

/* splitmix64 */
uint64_t
unit_random(uint64_t *state)
{
	uint64_t	z = (*state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* The sum of twelve uniform numbers: normal enough for weights. */
double
unit_gaussian(uint64_t *state)
{
	double		sum = -6.0;

	for (int i = 0; i < 12; i++)
		sum += (double) (unit_random(state) >> 11) * 0x1p-53;
	return sum;
}

static PaStatus
run_on(UnitHost *host, UnitAction action, void *arg, const char *what, long number)
{
	PaEnv		env;
	PaStatus	status;

	pa_env_init(&env, &host->host);
	status = action(&env, arg);
	pa_env_reset(&env);
	if (!CHECK(host->live == 0))
		printf("#   %ld allocations are left after %s %ld\n", host->live, what, number);
	return status;
}

void
unit_fail_every_allocation(UnitAction action, void *arg)
{
	for (int after = 0; after <= 1; after++)
		for (long number = 0;; number++)
		{
			UnitHost	host;
			PaStatus	status;

			unit_host_init(&host);
			host.fail_at = number;
			host.fail_after = after;
			status = run_on(&host, action, arg, "failed allocation", number);
			unit_host_release(&host);
			if (host.allocated <= number)
			{
				CHECK(status == PA_OK && number > 0);
				break;
			}
			if (!CHECK(status == PA_ERR_NOMEM))
				printf("#   status %d after failed allocation %ld\n", status, number);
		}
}

void
unit_cancel_everywhere(UnitAction action, void *arg)
{
	for (long number = 0;; number++)
	{
		UnitHost	host;
		PaStatus	status;

		unit_host_init(&host);
		host.cancel_at = number;
		status = run_on(&host, action, arg, "cancellation", number);
		unit_host_release(&host);
		if (host.asked <= number)
		{
			CHECK(status == PA_OK && number > 0);
			break;
		}
		if (!CHECK(status == PA_ERR_CANCELLED))
			printf("#   status %d after cancellation %ld\n", status, number);
	}
}
