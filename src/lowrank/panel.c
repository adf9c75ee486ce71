/*
 * panel.c
 *	  See panel.h.
 *
 * A panel of a tall matrix is its rows as they stand, which is n x h column-major;
 * one of a wide matrix is h x n column-major.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/panel.h"

#include <math.h>

#include "core/limits.h"
#include "kernel/kernel.h"
#include "lowrank/blas.h"

#define PANEL_BYTES ((uint64_t) 4 * 1024 * 1024)

/* Squares that are added as doubles. */
#define RUN 64

PaStatus
pa_panels(PaEnv *env, const PaWholeMatrix *matrix, uint64_t width, PaPanels *panels)
{
	bool		wide = matrix->rows < matrix->columns;
	uint64_t	n = wide ? matrix->rows : matrix->columns;
	uint64_t	lines = wide ? matrix->columns : matrix->rows;
	uint64_t	room = PANEL_BYTES / sizeof(double) / n;

	if (room > PA_CALL_PRODUCTS / n / width)
		room = PA_CALL_PRODUCTS / n / width;
	if (room < 1)
		room = 1;
	if (room > lines)
		room = lines;
	*panels = (PaPanels) {.matrix = matrix, .wide = wide, .lines = lines, .n = n, .room = room};
	return PA_NEW_RAW(env, (size_t) (room * n), &panels->panel);
}

void
pa_panels_release(PaEnv *env, PaPanels *panels)
{
	pa_free(env, panels->panel);
	panels->panel = NULL;
}

/* n elements from `first` on, over 2^exponent. */
static PaStatus
widen(PaEnv *env, const PaWholeMatrix *matrix, uint64_t first, uint64_t n, double *out)
{
	size_t		width = (size_t) pa_dtype_plane_width(matrix->dtype);
	double		factor = ldexp(1, -matrix->exponent / 2);
	double		other = ldexp(1, -matrix->exponent + matrix->exponent / 2);

	while (n > 0)
	{
		size_t		step = n < PA_BLOCK_ELEMENTS ? (size_t) n : PA_BLOCK_ELEMENTS;

		PA_TRY(pa_check_cancel(env));
		pa_kernel_widen(out, matrix->raw + first * width, matrix->dtype, step);
		for (size_t i = 0; i < step; i++)
			out[i] = out[i] * factor * other;
		out += step;
		first += step;
		n -= step;
	}
	return PA_OK;
}

PaStatus
pa_panel_fill(PaEnv *env, PaPanels *panels, uint64_t first, uint64_t h)
{
	const PaWholeMatrix *matrix = panels->matrix;

	if (!panels->wide)
		return widen(env, matrix, first * panels->n, h * panels->n, panels->panel);
	for (uint64_t row = 0; row < panels->n; row++)
		PA_TRY(widen(env, matrix, row * matrix->columns + first, h, panels->panel + row * h));
	return PA_OK;
}

void
pa_panel_squares(const PaPanels *panels, uint64_t h, PaFsum *sum)
{
	uint64_t	n = h * panels->n;

	for (uint64_t first = 0; first < n; first += RUN)
	{
		double		run = 0;

		for (uint64_t i = first; i < n && i < first + RUN; i++)
			run += panels->panel[i] * panels->panel[i];
		pa_fsum_add(sum, run);
	}
}

void
pa_panel_times(const PaPanels *panels, uint64_t h, const double *v, uint64_t width, double *y, uint64_t ld)
{
	int			n = (int) panels->n;

	pa_blas_gemm(!panels->wide, false, (int) h, (int) width, n, panels->panel, panels->wide ? (int) h : n, v,
				 n, 0, y, (int) ld);
}

void
pa_panel_back(const PaPanels *panels, uint64_t h, const double *y, uint64_t width, double *z)
{
	int			n = (int) panels->n;

	pa_blas_gemm(panels->wide, false, n, (int) width, (int) h, panels->panel, panels->wide ? (int) h : n, y,
				 (int) h, 1, z, n);
}

void
pa_panel_square(const PaPanels *panels, uint64_t h, double *z)
{
	int			n = (int) panels->n;

	pa_blas_syrk(panels->wide, n, (int) h, panels->panel, panels->wide ? (int) h : n, 1, z, n);
}
