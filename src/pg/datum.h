/*
 * datum.h
 *	  A Datum of type adapter as bytes that the core can read.
 *
 * Whatever form the Datum has, nothing is copied that need not be: a value in
 * TOAST is read by slices (with read-ahead once the reading is sequential),
 * inline values are read where they stand (the stored form needs no alignment,
 * so short headers do not matter), values that TOAST has compressed after
 * ALTER ... SET STORAGE are detoasted whole, and a deferred expression is
 * evaluated first.
 *
 * The bytes stay valid as long as the bridge is open and the argument lives.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_DATUM_H
#define PA_PG_DATUM_H

#include "pg/bridge.h"

#include "value/value.h"

extern PaBytes *datum_bytes(Bridge *bridge, Datum datum);

/* One of n values that are read side by side: read-ahead shares a budget. */
extern PaBytes *datum_bytes_of(Bridge *bridge, Datum datum, size_t n);
extern PaValue *datum_value_of(Bridge *bridge, Datum datum, size_t n);

/* Opened, or an error is raised. */
extern PaValue *datum_value(Bridge *bridge, Datum datum);
extern void datum_header(Bridge *bridge, Datum datum, PaValueHeader *header);

#endif
