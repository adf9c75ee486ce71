/*
 * unit_main.c
 *	  Runs every unit test.
 *
 *   unit [FILTER]		only tests whose "suite.name" contains FILTER
 *
 * Each test prints `ok - suite.name` or `not ok - suite.name`, the last line is
 * `N passed, N failed`.  PA_SEED, a number or "random", sets the seed of random
 * tests; it is printed.  PA_SLOWNESS, of an emulator, is a factor on bounds in
 * seconds.  A suite of the table that was not linked is a failure: a file that
 * went missing must not look like tests that pass.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unit_state.h"

#define DEFAULT_SEED 1

#define FOR_ALL_SUITES(SUITE) \
	SUITE(core) \
	SUITE(pattern_python) \
	SUITE(json) \
	SUITE(dtype) \
	SUITE(fsum) \
	SUITE(sort) \
	SUITE(codec) \
	SUITE(kernel) \
	SUITE(safetensors) \
	SUITE(peft) \
	SUITE(config_lookup) \
	SUITE(wrapped) \
	SUITE(container) \
	SUITE(peft_out) \
	SUITE(json_form) \
	SUITE(adapter) \
	SUITE(adapter_forms) \
	SUITE(value) \
	SUITE(value_damage) \
	SUITE(lowrank) \
	SUITE(basis) \
	SUITE(leading) \
	SUITE(extract) \
	SUITE(products) \
	SUITE(draw) \
	SUITE(merge) \
	SUITE(sketch) \
	SUITE(recompute) \
	SUITE(difference) \
	SUITE(terms) \
	SUITE(combine) \
	SUITE(combine_module) \
	SUITE(combine_order) \
	SUITE(agree) \
	SUITE(pairing) \
	SUITE(stack) \
	SUITE(transform) \
	SUITE(to_lora) \
	SUITE(lineage) \
	SUITE(tree) \
	SUITE(recipe_write) \
	SUITE(recipe_check) \
	SUITE(recipe_memory) \
	SUITE(operands) \
	SUITE(inspect) \
	SUITE(delta) \
	SUITE(engine) \
	SUITE(cancel) \
	SUITE(memory)

#define DECLARE(x) extern const UnitSuite unit_suite_##x __attribute__((weak));
FOR_ALL_SUITES(DECLARE)

typedef struct Row
{
	const char *name;
	const UnitSuite *suite;
} Row;

#define ROW(x) {#x, &unit_suite_##x},
static const Row rows[] = {FOR_ALL_SUITES(ROW)};

static int	passed;
static int	failed;

static void
report(bool ok, const char *name)
{
	printf("%s - %s\n", ok ? "ok" : "not ok", name);
	fflush(stdout);
	if (ok)
		passed++;
	else
		failed++;
}

/* A test without a check cannot fail: that is a failure too. */
static void
run_test(const char *name, void (*run)(PaEnv *env))
{
	UnitHost	host;
	PaEnv		env;

	unit_state.checks = 0;
	unit_state.failures = 0;
	unit_host_init(&host);
	pa_env_init(&env, &host.host);
	run(&env);
	pa_env_reset(&env);
	CHECK(unit_state.checks > 0);
	if (!CHECK(host.live == 0))
		printf("#   %ld allocations are left\n", host.live);
	unit_host_release(&host);
	report(unit_state.failures == 0, name);
}

static void
run_suite(const Row *row, const char *filter)
{
	char		name[128];

	if (row->suite == NULL)
	{
		snprintf(name, sizeof(name), "%s.missing", row->name);
		if (strstr(name, filter) != NULL)
			report(false, name);
		return;
	}
	for (size_t i = 0; i < row->suite->n; i++)
	{
		snprintf(name, sizeof(name), "%s.%s", row->name, row->suite->cases[i].name);
		if (strstr(name, filter) != NULL)
			run_test(name, row->suite->cases[i].run);
	}
}

int
main(int argc, char **argv)
{
	const char *seed = getenv("PA_SEED");
	const char *filter = argc > 1 ? argv[1] : "";

	unit_state.seed = DEFAULT_SEED;
	if (seed != NULL && strcmp(seed, "random") == 0)
		unit_state.seed = (uint64_t) time(NULL);
	else if (seed != NULL && seed[0] != '\0')
		unit_state.seed = strtoull(seed, NULL, 0);
	printf("seed %llu\n", (unsigned long long) unit_state.seed);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_suite(&rows[i], filter);
	printf("%d passed, %d failed\n", passed, failed);
	return failed == 0 && passed > 0 ? 0 : 1;
}
