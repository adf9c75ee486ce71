/*
 * plane_kernel.h
 *	  Splitting elements into byte planes and joining them again.
 *
 * plane[k] receives byte width-1-k of each element (most significant first),
 * after the sign rotation (left by one bit) if rotate is set.  Planes are n
 * bytes each; splitting puts them one after the other, joining takes them from
 * wherever they are.  Source and destination
 * do not overlap.  width is 1, 2, 4 or 8.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PLANE_KERNEL_H
#define PA_PLANE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The fastest loops that the processor has. */
extern void pa_plane_split(const uint8_t *elements, size_t n, int width, bool rotate, uint8_t *planes);
extern void pa_plane_join(const uint8_t *const *plane, size_t n, int width, bool rotate, uint8_t *elements);

typedef void (*PaPlaneSplit)(const uint8_t *elements, size_t n, int width, bool rotate, uint8_t *planes);
typedef void (*PaPlaneJoin)(const uint8_t *const *plane, size_t n, int width, bool rotate, uint8_t *elements);

/* The instances behind them (kernel/instances.h has the reasons), for the test that compares their bytes. */
typedef struct PaPlaneSet
{
	const char *name;
	bool		(*runs)(void);	/* on this processor */
	PaPlaneSplit split;
	PaPlaneJoin join;
} PaPlaneSet;

/* The fastest first; the last is the portable one. */
extern const PaPlaneSet pa_plane_sets[];
extern const size_t pa_plane_set_count;

extern void pa_plane_split_portable(const uint8_t *elements, size_t n, int width, bool rotate,
									uint8_t *planes);
extern void pa_plane_join_portable(const uint8_t *const *plane, size_t n, int width, bool rotate,
								   uint8_t *elements);
extern void pa_plane_split_avx2(const uint8_t *elements, size_t n, int width, bool rotate, uint8_t *planes);
extern void pa_plane_join_avx2(const uint8_t *const *plane, size_t n, int width, bool rotate,
							   uint8_t *elements);

#endif
