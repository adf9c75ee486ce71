/*
 * parts.c
 *	  Rows of adapter_split and adapter_import_split.  See parts.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/parts.h"

#include "funcapi.h"
#include "utils/tuplestore.h"

uint64_t
parts_max_bytes(int64 max_bytes)
{
	if (max_bytes <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("size of a part must be positive, not " INT64_FORMAT, max_bytes)));
	return (uint64_t) max_bytes;
}

void
parts_return(FunctionCallInfo fcinfo, Bridge *bridge, PaSplit *split, uint32_t n)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	for (uint32_t part = 0; part < n; part++)
	{
		PaBuf		out;
		Datum		value;
		bool		null = false;

		bridge_check(bridge, pa_split_part(&bridge->env, split, part, VARHDRSZ, &out));
		value = PointerGetDatum(bridge_varlena(&out));
		tuplestore_putvalues(result->setResult, result->setDesc, &value, &null);
		pfree(out.data);
	}
}
