/*
 * horizon.c
 *	  Whether anybody is left who may not have seen what was committed before a
 *	  transaction id was assigned: doc/trust.md, "Revocation".
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/compat.h"

#include "access/transam.h"
#include "fmgr.h"
#include "storage/procarray.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(registry_all_after);
PG_FUNCTION_INFO_V1(registry_next_transaction);

/* Higher than all ids so far, unlike a snapshot's xmax, which is lower than some that are running. */
Datum
registry_next_transaction(PG_FUNCTION_ARGS)
{
	PG_RETURN_FULLTRANSACTIONID(ReadNextFullTransactionId());
}

/*
 * The oldest transaction id that is running, is prepared, or is seen as running
 * by any snapshot, of the whole cluster: that errs on the side of waiting.
 */
Datum
registry_all_after(PG_FUNCTION_ARGS)
{
	FullTransactionId bound = PG_GETARG_FULLTRANSACTIONID(0);
	FullTransactionId next = ReadNextFullTransactionId();
	TransactionId oldest = GetOldestTransactionIdConsideredRunning();
	int32		behind = (int32) (XidFromFullTransactionId(next) - oldest);

	PG_RETURN_BOOL(U64FromFullTransactionId(next) - (uint64) behind >= U64FromFullTransactionId(bound));
}
