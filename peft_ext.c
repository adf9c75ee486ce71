/*
 * peft_ext.c
 *	  The module's magic.  There is no _PG_init: nothing has to be chosen or
 *	  set up when the library is loaded, and loading it changes no state of the
 *	  process (not the floating-point control register either).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/compat.h"

#include "fmgr.h"

PG_MODULE_MAGIC;
