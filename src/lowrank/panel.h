/*
 * panel.h
 *	  A whole matrix as lines of its longer side, panel by panel, as doubles.
 *	  Private to src/lowrank.
 *
 * T is the matrix or, if it is wide, its transpose: `lines` x `n`, n being the
 * shorter side.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PANEL_H
#define PA_PANEL_H

#include "core/fsum.h"
#include "lowrank/leading.h"

/* Products of one call of the library: a tenth of a second. */
#define PA_CALL_PRODUCTS ((uint64_t) 1 << 28)

typedef struct PaPanels
{
	const PaWholeMatrix *matrix;
	bool		wide;
	uint64_t	lines;
	uint64_t	n;
	uint64_t	room;			/* lines of a panel */
	double	   *panel;
} PaPanels;

/* width: of what the panels are multiplied with, at most. */
extern PaStatus pa_panels(PaEnv *env, const PaWholeMatrix *matrix, uint64_t width, PaPanels *panels);
extern void pa_panels_release(PaEnv *env, PaPanels *panels);

/* Lines [first, first + h) come to the panel. */
extern PaStatus pa_panel_fill(PaEnv *env, PaPanels *panels, uint64_t first, uint64_t h);

/* sum += the squares of the panel, with hardly more than a rounding of each */
extern void pa_panel_squares(const PaPanels *panels, uint64_t h, PaFsum *sum);

/* y (h x width, ld apart) = the panel times v (n x width, n apart) */
extern void pa_panel_times(const PaPanels *panels, uint64_t h, const double *v, uint64_t width, double *y,
						   uint64_t ld);

/* z (n x width) += the panel's transpose times y (h x width, h apart) */
extern void pa_panel_back(const PaPanels *panels, uint64_t h, const double *y, uint64_t width, double *z);

/* Upper triangle of z (n x n) += the panel's transpose times the panel */
extern void pa_panel_square(const PaPanels *panels, uint64_t h, double *z);

#endif
