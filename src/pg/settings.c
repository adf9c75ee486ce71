/*
 * settings.c
 *	  See settings.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/settings.h"

#include "utils/guc.h"

static const struct config_enum_entry unpaired_values[] = {
	{"off", PA_UNPAIRED_OFF, false},
	{"notice", PA_UNPAIRED_NOTICE, false},
	{"error", PA_UNPAIRED_ERROR, false},
	{NULL, 0, false},
};

static int	unpaired_modules = PA_UNPAIRED_NOTICE;

void
settings_define(void)
{
	DefineCustomEnumVariable("peftarith.unpaired_modules",
							 "What happens when operands share some of their modules only.",
							 "With notice or error, operands that share no module, or whose modules "
							 "differ by a prefix, are an error; with off nothing is compared.",
							 &unpaired_modules, PA_UNPAIRED_NOTICE, unpaired_values, PGC_USERSET, 0, NULL,
							 NULL, NULL);
	MarkGUCPrefixReserved("peftarith");
}

PaUnpaired
settings_unpaired_modules(void)
{
	return (PaUnpaired) unpaired_modules;
}
