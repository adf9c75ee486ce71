/*
 * latest.c
 *	  A look at what is committed now, whatever snapshot the transaction has: what
 *	  a registry may call a fact must not depend on how long a transaction has
 *	  been open.  doc/trust.md, "Facts and claims".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(registry_latest_exists);

/* As the caller's role; read only, so that the query cannot do more than look. */
Datum
registry_latest_exists(PG_FUNCTION_ARGS)
{
	char	   *query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			types[3] = {BYTEAOID, BYTEAOID, NAMEOID};
	Datum		values[3] = {PG_GETARG_DATUM(1), PG_GETARG_DATUM(2), PG_GETARG_DATUM(3)};
	SPIPlanPtr	plan;
	bool		found;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");	/* cannot happen */
	plan = SPI_prepare(query, 3, types);
	if (plan == NULL || !SPI_is_cursor_plan(plan))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a query that returns rows is needed")));
	SPI_execute_snapshot(plan, values, NULL, GetLatestSnapshot(), InvalidSnapshot, true, false, 1);
	found = SPI_processed > 0;
	SPI_finish();
	PG_RETURN_BOOL(found);
}
