/*
 * settings.h
 *	  The extension's settings (GUC), and what is asked of them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_SETTINGS_H
#define PA_PG_SETTINGS_H

#include "pg/compat.h"

#include "core/env.h"

/* When the library is loaded. */
extern void settings_define(void);

/* peftarith.unpaired_modules */
extern PaUnpaired settings_unpaired_modules(void);

#endif
