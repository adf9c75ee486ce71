/*
 * datum.h
 *	  A Datum of type adapter as bytes that the core can read.
 *
 * Whatever form the Datum has: a deferred expression is evaluated first, and its
 * flat value, like any other, is read as slices.h says.
 *
 * The bytes stay valid as long as the bridge is open and the argument lives.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_DATUM_H
#define PA_PG_DATUM_H

#include "pg/bridge.h"

#include "value/value.h"

/* One of n values that are read side by side: read-ahead shares a budget. */
extern PaBytes *datum_bytes_of(Bridge *bridge, Datum datum, size_t n);

/* Its value, opened, or an error is raised. */
extern PaValue *datum_value_of(Bridge *bridge, Datum datum, size_t n);

/* The same of a value that is read alone. */
extern PaValue *datum_value(Bridge *bridge, Datum datum);

/* The header alone, or an error is raised. */
extern void datum_header(Bridge *bridge, Datum datum, PaValueHeader *header);

#endif
