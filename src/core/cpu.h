/*
 * cpu.h
 *	  What the processor has, for the rooms that have loops in two instances.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_CPU_H
#define PA_CPU_H

#include <stdbool.h>

static inline bool
pa_cpu_has_avx2(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("avx2");
#else
	return false;
#endif
}

#endif
