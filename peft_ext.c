/*
 * peft_ext.c
 *	  The module's magic.  When the library is loaded its settings are made, and
 *	  nothing else is chosen or set up: that changes no other state of the process
 *	  (not the floating-point control register either).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/compat.h"

#include "fmgr.h"
#include "pg/settings.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	settings_define();
}
