/*
 * unit.h
 *	  The harness of the unit tests.
 *
 * A suite is a file test_<x>.c that exports unit_suite_<x>, a list of named
 * tests, and a line in the table of unit_main.c.
 *
 * Each test gets a fresh PaEnv on a UnitHost; afterwards the PaEnv is reset and
 * everything that the host lent must have come back.  A test goes on after a
 * failed check; checks are expressions and tell whether they held.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_TEST_UNIT_H
#define PA_TEST_UNIT_H

#include "core/env.h"
#include "host.h"

typedef struct UnitCase
{
	const char *name;
	void		(*run)(PaEnv *env);
} UnitCase;

typedef struct UnitSuite
{
	const UnitCase *cases;
	size_t		n;
} UnitSuite;

/* UNIT_TEST(name) { ... } with env; then UNIT_SUITE(x, UNIT_CASE(name), ...); */
#define UNIT_TEST(name) static void name(PaEnv *env)
#define UNIT_CASE(name) \
	{ \
#name, name \
	}
#define UNIT_SUITE(suite, ...) \
	extern const UnitSuite unit_suite_##suite; \
	static const UnitCase unit_cases_of_##suite[] = {__VA_ARGS__}; \
	const UnitSuite unit_suite_##suite = {unit_cases_of_##suite, \
										  sizeof(unit_cases_of_##suite) / sizeof(UnitCase)}

#define CHECK(cond) unit_check((cond), #cond, __FILE__, __LINE__)

/* The status of a call; a failure shows the error of the PaEnv. */
#define CHECK_OK(status, env) unit_check_status((status), PA_OK, (env), #status, __FILE__, __LINE__)
#define CHECK_STATUS(status, expected, env) \
	unit_check_status((status), (expected), (env), #status, __FILE__, __LINE__)

extern bool unit_check(bool held, const char *text, const char *file, int line);
extern bool unit_check_status(PaStatus got, PaStatus expected, const PaEnv *env, const char *text,
							  const char *file, int line);

/* A seed for random tests: printed at the start, set by PA_SEED. */
extern uint64_t unit_seed(void);
extern uint64_t unit_random(uint64_t *state);

/* How many times as long as on a processor a bound in seconds is: 1, or PA_SLOWNESS under emulation. */
extern double unit_slowness(void);

/* About normally distributed, mean 0, deviation 1. */
extern double unit_gaussian(uint64_t *state);

/*
 * Run the action again and again, failing allocation 0, 1, 2, ...: alone, and
 * with all that follow it, until it passes.  It must answer PA_ERR_NOMEM, and
 * afterwards nothing may be lent any more.  The action releases the PaBufs that
 * it made.  The second does the same with cancellation.
 */
typedef PaStatus (*UnitAction)(PaEnv *env, void *arg);
extern void unit_fail_every_allocation(UnitAction action, void *arg);
extern void unit_cancel_everywhere(UnitAction action, void *arg);

#endif
