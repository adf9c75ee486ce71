/*
 * datum.c
 *	  Reading values of type adapter, flat or not.  See datum.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "fmgr.h"
#include "pg/expanded.h"
#include "pg/slices.h"

/* The argument without its deferral. */
static struct varlena *
flat_of(Datum datum)
{
	struct varlena *attr = (struct varlena *) DatumGetPointer(datum);

	return VARATT_IS_EXTERNAL_EXPANDED(attr) ? expanded_evaluate(DatumGetEOHP(datum)) : attr;
}

PaBytes *
datum_bytes_of(Bridge *bridge, Datum datum, size_t n)
{
	return slices_bytes(bridge, flat_of(datum), n);
}

PaValue *
datum_value_of(Bridge *bridge, Datum datum, size_t n)
{
	return slices_value(bridge, flat_of(datum), n);
}

PaValue *
datum_value(Bridge *bridge, Datum datum)
{
	return datum_value_of(bridge, datum, 1);
}

void
datum_header(Bridge *bridge, Datum datum, PaValueHeader *header)
{
	slices_header(bridge, flat_of(datum), header);
}
