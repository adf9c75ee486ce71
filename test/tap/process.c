/*
 * process.c
 *	  Test module: what loading and using the extension does to the process.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "postgres.h"

#include <dirent.h>

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(float_control);
PG_FUNCTION_INFO_V1(thread_count);

Datum float_control(PG_FUNCTION_ARGS);
Datum thread_count(PG_FUNCTION_ARGS);

/* MXCSR on x86-64, FPCR on arm64; status bits left out. */
Datum
float_control(PG_FUNCTION_ARGS)
{
#if defined(__x86_64__)
	PG_RETURN_INT32((int32) (__builtin_ia32_stmxcsr() & ~0x3f));
#elif defined(__aarch64__)
	uint64		fpcr;

	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	PG_RETURN_INT32((int32) fpcr);
#else
	PG_RETURN_INT32(0);
#endif
}

Datum
thread_count(PG_FUNCTION_ARGS)
{
	DIR        *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	int			n = 0;

	while (tasks != NULL && (entry = readdir(tasks)) != NULL)
		if (entry->d_name[0] != '.')
			n++;
	if (tasks != NULL)
		closedir(tasks);
	PG_RETURN_INT32(n);
}
