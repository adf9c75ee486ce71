/*
 * cpu.h
 *	  What the processor has, for the rooms that have loops in several instances.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_CPU_H
#define PA_CPU_H

#include <stdbool.h>

/* What the portable instance asks. */
static inline bool
pa_cpu_any(void)
{
	return true;
}

#if defined(__x86_64__)
static inline bool
pa_cpu_has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}
#endif

#endif
