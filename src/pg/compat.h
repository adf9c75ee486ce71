/*
 * compat.h
 *	  Every condition on the server's version, in one place; PostgreSQL 15 to
 *	  19.  Includes postgres.h, so files of this room include it first.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_COMPAT_H
#define PA_PG_COMPAT_H

#include "postgres.h"

#include "common/base64.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#error "peftarith needs PostgreSQL 15 or later"
#endif

/* 18 made the binary side of the base64 functions uint8. */
#if PG_VERSION_NUM >= 180000
typedef uint8 pa_base64_binary;
#else
typedef char pa_base64_binary;
#endif

#endif
