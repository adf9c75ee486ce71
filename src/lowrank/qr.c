/*
 * qr.c
 *	  [R so far; next lines] = Q R, again and again.  See qr.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/qr.h"

#include <string.h>

#include "lowrank/blas.h"

/* Panels of small ranks stay in the second-level cache. */
#define PANEL_BYTES ((size_t) 512 * 1024)

typedef struct Panel
{
	int			rank;
	int			ld;				/* lines that it has room for: R's, then new ones */
	int			filled;			/* lines of R so far */
	double	   *a;
	double	   *lines;			/* of B, as they are read */
	double	   *tau;
	double	   *work;
	int			n_work;
} Panel;

/*
 * New lines for each call: twice the rank, so that factoring R again costs
 * little, or what the cache holds; within the budget, and the slab.
 */
static uint64_t
lines_of_panel(const PaStackReader *reader, PaFactor factor)
{
	uint64_t	rank = reader->rank > 0 ? reader->rank : 1;
	uint64_t	wanted = PANEL_BYTES / sizeof(double) / rank;
	uint64_t	most = reader->budget / sizeof(double) / rank;
	uint64_t	room = pa_stack_window(reader, factor, reader->budget);

	if (wanted < 2 * rank)
		wanted = 2 * rank;
	most = most > rank ? most - rank : 1;
	if (wanted > most)
		wanted = most;
	return wanted < room ? wanted : room;
}

static PaStatus
begin_panel(PaEnv *env, PaFactor factor, uint32_t rank, uint64_t lines, Panel *panel)
{
	*panel = (Panel) {.rank = (int) rank, .ld = (int) (rank + lines)};
	panel->n_work = (int) PA_LAPACK_WORK(rank);
	PA_TRY(PA_NEW_ARRAY(env, (size_t) panel->ld * rank, &panel->a));
	PA_TRY(PA_NEW_ARRAY(env, rank, &panel->tau));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) panel->n_work, &panel->work));
	if (factor == PA_FACTOR_B)
		PA_TRY(PA_NEW_ARRAY(env, (size_t) lines * rank, &panel->lines));
	return PA_OK;
}

static void
release_panel(PaEnv *env, Panel *panel)
{
	pa_free(env, panel->a);
	pa_free(env, panel->tau);
	pa_free(env, panel->work);
	pa_free(env, panel->lines);
}

/* Lines [first, first + n) below what is filled. */
static PaStatus
fill_panel(PaEnv *env, PaStackReader *reader, PaFactor factor, Panel *panel, uint64_t first, uint64_t n)
{
	double	   *to = panel->a + panel->filled;
	size_t		ld = (size_t) panel->ld;
	size_t		rank = (size_t) panel->rank;

	if (factor == PA_FACTOR_A)
		return pa_stack_read_a(env, reader, first, n, to, ld);
	PA_TRY(pa_stack_read_b(env, reader, first, n, panel->lines));
	for (size_t line = 0; line < n; line++)
		for (size_t k = 0; k < rank; k++)
			to[k * ld + line] = panel->lines[line * rank + k];
	return PA_OK;
}

static PaStatus
factor_panel(PaEnv *env, Panel *panel, uint64_t n)
{
	int			lines = panel->filled + (int) n;

	PA_TRY(pa_check_cancel(env));
	PA_TRY(pa_lapack_geqrf(env, lines, panel->rank, panel->a, panel->ld, panel->tau, panel->work,
						   panel->n_work));
	panel->filled = lines < panel->rank ? lines : panel->rank;
	for (int k = 0; k < panel->rank; k++)
		for (int i = k + 1; i < panel->filled; i++)
			panel->a[(size_t) k * (size_t) panel->ld + (size_t) i] = 0;
	return PA_OK;
}

PaStatus
pa_stack_qr(PaEnv *env, PaStackReader *reader, PaFactor factor, double *r, int *rows)
{
	uint64_t	lines = reader->slab[factor].lines;
	uint64_t	room = lines_of_panel(reader, factor);
	size_t		rank = reader->rank;
	Panel		panel;

	memset(r, 0, rank * rank * sizeof(double));
	*rows = 0;
	if (lines == 0 || rank == 0)
		return PA_OK;
	PA_TRY(begin_panel(env, factor, reader->rank, room, &panel));
	for (uint64_t first = 0; first < lines; first += room)
	{
		uint64_t	n = lines - first < room ? lines - first : room;

		PA_TRY(fill_panel(env, reader, factor, &panel, first, n));
		PA_TRY(factor_panel(env, &panel, n));
	}
	for (size_t k = 0; k < rank; k++)
		memcpy(r + k * rank, panel.a + k * (size_t) panel.ld, (size_t) panel.filled * sizeof(double));
	*rows = panel.filled;
	release_panel(env, &panel);
	return PA_OK;
}
