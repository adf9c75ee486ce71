/*
 * planes_choose.c
 *	  Which instance of the plane loops this processor runs; chosen once.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "codec/plane_kernel.h"

#include "core/cpu.h"

const PaPlaneSet pa_plane_sets[] = {
#if defined(__x86_64__)
	{"avx2", pa_cpu_has_avx2, pa_plane_split_avx2, pa_plane_join_avx2},
#endif
	{"portable", pa_cpu_any, pa_plane_split_portable, pa_plane_join_portable},
};

const size_t pa_plane_set_count = sizeof(pa_plane_sets) / sizeof(pa_plane_sets[0]);

/*
 * Global state, but whoever fills it fills it alike, and which loops run
 * changes no byte.
 */
static const PaPlaneSet *chosen = NULL;

static const PaPlaneSet *
choose(void)
{
	if (chosen == NULL)
	{
		const PaPlaneSet *set = pa_plane_sets;

		while (!set->runs())
			set++;
		chosen = set;
	}
	return chosen;
}

void
pa_plane_split(const uint8_t *elements, size_t n, int width, bool rotate, uint8_t *planes)
{
	choose()->split(elements, n, width, rotate, planes);
}

void
pa_plane_join(const uint8_t *const *plane, size_t n, int width, bool rotate, uint8_t *elements)
{
	choose()->join(plane, n, width, rotate, elements);
}
