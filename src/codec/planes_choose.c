/*
 * planes_choose.c
 *	  Which instance of the plane loops this processor runs; chosen once.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "codec/plane_kernel.h"

#include "core/cpu.h"

typedef void (*SplitLoop)(const uint8_t *elements, size_t n, int width, bool rotate, uint8_t *planes);
typedef void (*JoinLoop)(const uint8_t *const *plane, size_t n, int width, bool rotate, uint8_t *elements);

/*
 * Global state, but whoever fills it fills it alike, and which loops run
 * changes no byte.
 */
static SplitLoop split_loop = NULL;
static JoinLoop join_loop = NULL;

static void
choose(void)
{
	bool		avx2 = pa_cpu_has_avx2();

	split_loop = avx2 ? pa_plane_split_avx2 : pa_plane_split_portable;
	join_loop = avx2 ? pa_plane_join_avx2 : pa_plane_join_portable;
}

void
pa_plane_split(const uint8_t *elements, size_t n, int width, bool rotate, uint8_t *planes)
{
	if (split_loop == NULL)
		choose();
	split_loop(elements, n, width, rotate, planes);
}

void
pa_plane_join(const uint8_t *const *plane, size_t n, int width, bool rotate, uint8_t *elements)
{
	if (join_loop == NULL)
		choose();
	join_loop(plane, n, width, rotate, elements);
}
