/*
 * settings.c
 *	  See settings.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/settings.h"

#include "access/xact.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

static const struct config_enum_entry unpaired_values[] = {
	{"off", UNPAIRED_OFF, false},
	{"notice", UNPAIRED_NOTICE, false},
	{"error", UNPAIRED_ERROR, false},
	{NULL, 0, false},
};

static int	unpaired_modules = UNPAIRED_NOTICE;
static TimestampTz noticed_in;	/* the statement of the last notice */

void
settings_define(void)
{
	DefineCustomEnumVariable("peftarith.unpaired_modules",
							 "What happens when operands share some of their modules only.",
							 "With notice or error, operands that share no module, or whose modules "
							 "differ by a prefix, are an error; with off nothing is compared.",
							 &unpaired_modules, UNPAIRED_NOTICE, unpaired_values, PGC_USERSET, 0, NULL, NULL,
							 NULL);
	MarkGUCPrefixReserved("peftarith");
}

UnpairedModules
settings_unpaired_modules(void)
{
	return (UnpairedModules) unpaired_modules;
}

void
settings_notice_unpaired(uint32 unpaired, uint32 modules)
{
	TimestampTz statement = GetCurrentStatementStartTimestamp();

	if (statement == noticed_in)
		return;
	noticed_in = statement;
	ereport(NOTICE,
			(errcode(ERRCODE_SUCCESSFUL_COMPLETION),
			 errmsg("%u of %u modules are in some operands only", unpaired, modules),
			 errdetail("An operand that lacks a module counts as no change there."),
			 errhint("Set peftarith.unpaired_modules to error or off if that is wrong, or meant.")));
}
