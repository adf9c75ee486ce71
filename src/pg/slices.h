/*
 * slices.h
 *	  A flat value of type adapter as bytes that the core can read.
 *
 * Nothing is copied that need not be: a value in TOAST is read by slices (with
 * read-ahead once the reading is sequential), inline values are read where they
 * stand (the stored form needs no alignment, so short headers do not matter),
 * and values that TOAST has compressed after ALTER ... SET STORAGE are detoasted
 * whole.
 *
 * The bytes stay valid as long as the bridge is open and the varlena lives.  n
 * is how many values are read side by side: read-ahead shares a budget.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_SLICES_H
#define PA_PG_SLICES_H

#include "pg/bridge.h"

#include "value/value.h"

/* Read as they are fetched, or now and whole if TOAST has compressed them. */
extern PaBytes *slices_bytes(Bridge *bridge, struct varlena *flat, size_t n);

/* Opened, or an error is raised. */
extern PaValue *slices_value(Bridge *bridge, struct varlena *flat, size_t n);

/* The header alone, in one slice, or an error is raised. */
extern void slices_header(Bridge *bridge, struct varlena *flat, PaValueHeader *header);

#endif
