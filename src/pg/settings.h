/*
 * settings.h
 *	  The extension's settings (GUC), and what is asked of them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_SETTINGS_H
#define PA_PG_SETTINGS_H

#include "pg/compat.h"

typedef enum UnpairedModules
{
	UNPAIRED_OFF,
	UNPAIRED_NOTICE,
	UNPAIRED_ERROR
} UnpairedModules;

/* When the library is loaded. */
extern void settings_define(void);

/* peftarith.unpaired_modules */
extern UnpairedModules settings_unpaired_modules(void);

/* The notice that so many of the operands' modules are in some only; at most one for what the client sent. */
extern void settings_notice_unpaired(uint32 unpaired, uint32 modules);

#endif
