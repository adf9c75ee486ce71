/*
 * lowrank.c
 *	  Truncation, spectra and geometry of deltas.  Each function takes adapter
 *	  and adapter_delta; a sum of deltas is not evaluated first.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/delta_argument.h"

#include "engine/geometry.h"
#include "engine/lowrank.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(adapter_truncate);
PG_FUNCTION_INFO_V1(adapter_truncate_int2);
PG_FUNCTION_INFO_V1(adapter_truncate_int8);
PG_FUNCTION_INFO_V1(adapter_truncate_energy);
PG_FUNCTION_INFO_V1(adapter_spectrum);
PG_FUNCTION_INFO_V1(adapter_truncation_error);
PG_FUNCTION_INFO_V1(adapter_truncation_error_int2);
PG_FUNCTION_INFO_V1(adapter_truncation_error_int8);
PG_FUNCTION_INFO_V1(adapter_truncation_error_energy);
PG_FUNCTION_INFO_V1(adapter_norm);
PG_FUNCTION_INFO_V1(adapter_inner);
PG_FUNCTION_INFO_V1(adapter_distance);
PG_FUNCTION_INFO_V1(adapter_cosine_distance);
PG_FUNCTION_INFO_V1(adapter_module_norms);
PG_FUNCTION_INFO_V1(adapter_module_geometry);

#define MOST_COLUMNS 6

/* Every type of whole numbers is a rank: clients send small ones as smallint. */
static PaKeep
keep_rank(Bridge *bridge, int64 rank)
{
	PaKeep		keep;

	bridge_check(bridge, pa_lowrank_keep_rank(&bridge->env, rank, &keep));
	return keep;
}

static PaKeep
energy_argument(FunctionCallInfo fcinfo, Bridge *bridge)
{
	PaKeep		keep;

	bridge_check(bridge, pa_lowrank_keep_energy(&bridge->env, PG_GETARG_FLOAT8(1), &keep));
	return keep;
}

static Datum
truncate_to(FunctionCallInfo fcinfo, Bridge *bridge, PaKeep keep)
{
	PaDeltaSum	sum;
	PaBuf		out;

	delta_argument(bridge, PG_GETARG_DATUM(0), &sum);
	return bridge_return(bridge, pa_lowrank_truncate(&bridge->env, &sum, keep, VARHDRSZ, &out), &out);
}

Datum
adapter_truncate(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();

	return truncate_to(fcinfo, bridge, keep_rank(bridge, PG_GETARG_INT32(1)));
}

Datum
adapter_truncate_int2(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();

	return truncate_to(fcinfo, bridge, keep_rank(bridge, PG_GETARG_INT16(1)));
}

Datum
adapter_truncate_int8(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();

	return truncate_to(fcinfo, bridge, keep_rank(bridge, PG_GETARG_INT64(1)));
}

Datum
adapter_truncate_energy(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge = bridge_open();

	return truncate_to(fcinfo, bridge, energy_argument(fcinfo, bridge));
}

static void
put_row(FunctionCallInfo fcinfo, Datum *values)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		no_nulls[MOST_COLUMNS] = {false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, no_nulls);
}

static Datum
path_datum(const char *path)
{
	return PointerGetDatum(cstring_to_text(bridge_to_server(path, strlen(path))));
}

Datum
adapter_spectrum(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;
	PaDeltaSum	sum;
	PaModuleSpectrum *modules;
	uint32_t	n;

	InitMaterializedSRF(fcinfo, 0);
	bridge = bridge_open();
	delta_argument(bridge, PG_GETARG_DATUM(0), &sum);
	bridge_check(bridge, pa_lowrank_spectrum(&bridge->env, &sum, &n, &modules));
	for (uint32_t i = 0; i < n; i++)
	{
		Datum		path = path_datum(modules[i].path);

		for (uint32_t k = 0; k < modules[i].n; k++)
			put_row(fcinfo,
					(Datum[]) {path, Int32GetDatum((int32) k + 1), Float8GetDatum(modules[i].values[k])});
	}
	bridge_close(bridge);
	return (Datum) 0;
}

static Datum
truncation_errors(FunctionCallInfo fcinfo, Bridge *bridge, PaKeep keep)
{
	PaDeltaSum	sum;
	PaModuleError *modules;
	uint32_t	n;

	delta_argument(bridge, PG_GETARG_DATUM(0), &sum);
	bridge_check(bridge, pa_lowrank_error(&bridge->env, &sum, keep, &n, &modules));
	for (uint32_t i = 0; i < n; i++)
		put_row(fcinfo,
				(Datum[]) {path_datum(modules[i].path), Int32GetDatum((int32) modules[i].full_rank),
						   Int32GetDatum((int32) modules[i].rank),
						   Float8GetDatum(modules[i].relative_error)});
	bridge_close(bridge);
	return (Datum) 0;
}

Datum
adapter_truncation_error(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;

	InitMaterializedSRF(fcinfo, 0);
	bridge = bridge_open();
	return truncation_errors(fcinfo, bridge, keep_rank(bridge, PG_GETARG_INT32(1)));
}

Datum
adapter_truncation_error_int2(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;

	InitMaterializedSRF(fcinfo, 0);
	bridge = bridge_open();
	return truncation_errors(fcinfo, bridge, keep_rank(bridge, PG_GETARG_INT16(1)));
}

Datum
adapter_truncation_error_int8(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;

	InitMaterializedSRF(fcinfo, 0);
	bridge = bridge_open();
	return truncation_errors(fcinfo, bridge, keep_rank(bridge, PG_GETARG_INT64(1)));
}

Datum
adapter_truncation_error_energy(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;

	InitMaterializedSRF(fcinfo, 0);
	bridge = bridge_open();
	return truncation_errors(fcinfo, bridge, energy_argument(fcinfo, bridge));
}

/* Geometry of the first argument, or of both. */
static PaModuleGeometry
geometry(FunctionCallInfo fcinfo, Bridge *bridge, bool both, uint32_t *n, PaModuleGeometry **modules)
{
	PaDeltaSum	d;
	PaDeltaSum	e;
	PaModuleGeometry total;

	delta_argument(bridge, PG_GETARG_DATUM(0), &d);
	if (both)
		delta_argument(bridge, PG_GETARG_DATUM(1), &e);
	bridge_check(bridge, pa_geometry_measure(&bridge->env, &d, both ? &e : NULL, &total, n, modules));
	return total;
}

static PaModuleGeometry
total_geometry(FunctionCallInfo fcinfo, bool both)
{
	Bridge	   *bridge = bridge_open();
	PaModuleGeometry total = geometry(fcinfo, bridge, both, NULL, NULL);

	bridge_close(bridge);
	return total;
}

Datum
adapter_norm(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(total_geometry(fcinfo, false).norm_d);
}

Datum
adapter_inner(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(total_geometry(fcinfo, true).inner);
}

Datum
adapter_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(total_geometry(fcinfo, true).distance);
}

Datum
adapter_cosine_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(total_geometry(fcinfo, true).cosine_distance);
}

Datum
adapter_module_norms(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;
	PaModuleGeometry *modules;
	uint32_t	n;

	InitMaterializedSRF(fcinfo, 0);
	bridge = bridge_open();
	geometry(fcinfo, bridge, false, &n, &modules);
	for (uint32_t i = 0; i < n; i++)
		put_row(fcinfo, (Datum[]) {path_datum(modules[i].path), Float8GetDatum(modules[i].norm_d)});
	bridge_close(bridge);
	return (Datum) 0;
}

Datum
adapter_module_geometry(PG_FUNCTION_ARGS)
{
	Bridge	   *bridge;
	PaModuleGeometry *modules;
	uint32_t	n;

	InitMaterializedSRF(fcinfo, 0);
	bridge = bridge_open();
	bridge->host.unpaired = PA_UNPAIRED_OFF;	/* each module is told by itself, whoever has it */
	geometry(fcinfo, bridge, true, &n, &modules);
	for (uint32_t i = 0; i < n; i++)
		put_row(fcinfo,
				(Datum[]) {path_datum(modules[i].path), Float8GetDatum(modules[i].norm_d),
						   Float8GetDatum(modules[i].norm_e), Float8GetDatum(modules[i].inner),
						   Float8GetDatum(modules[i].distance), Float8GetDatum(modules[i].cosine_distance)});
	bridge_close(bridge);
	return (Datum) 0;
}
