/*
 * parts.h
 *	  Returning the parts of a split adapter as rows, one part in memory at a
 *	  time.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_PARTS_H
#define PA_PG_PARTS_H

#include "pg/bridge.h"

#include "engine/split.h"
#include "fmgr.h"

/* A max_bytes argument, checked: 22023 unless it is positive. */
extern uint64_t parts_max_bytes(int64 max_bytes);

/* Write all parts into the result set of InitMaterializedSRF. */
extern void parts_return(FunctionCallInfo fcinfo, Bridge *bridge, PaSplit *split, uint32_t n);

#endif
