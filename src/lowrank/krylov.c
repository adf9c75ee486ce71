/*
 * krylov.c
 *	  Block Krylov iteration with restarts.  See krylov.h.
 *
 * With A = T^T T a basis is built of blocks V, A V, A A V, made orthonormal, and
 * turned to the eigenvectors of A seen on it; the leading ones are the next V.  A V
 * is needed anyway, and says how far each column of V is from an eigenvector, so
 * that an error is bounded, not guessed from what the last passes have gained: a
 * hidden group of values that are hardly above the others shows in it long before
 * it gains anything.
 *
 * V has more columns than ranks are kept.  An eigenvalue that is there many times
 * is found as often as V has random columns, and no more often.  The leading columns
 * that have what they can get stay in V, and the other blocks are of the others.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/krylov.h"

#include <math.h>
#include <string.h>

#include "core/draw.h"
#include "core/fsum.h"
#include "lowrank/basis.h"
#include "lowrank/svd.h"

#define OVERSAMPLING 16
#define FIRST_KEPT 48			/* ranks, where they are not known */
#define BLOCKS 3				/* that the basis has room for */
#define DEPTH_MOST 4
#define WIDEST 1056				/* basis: what is decomposed between two questions whether to stop */
#define PASSES_MOST 100

/* Half of what is stated: the error beside the least possible one, and beside the norm. */
#define WORSE 5e-4
#define OF_NORM 5e-8

/* Of what is left out, in squares: what leading columns may lack together and be left alone. */
#define SETTLED 1e-4

/* What an energy leaves out is nothing below this share of the sum of squares. */
#define FLOOR 0x1p-45

typedef struct Krylov
{
	PaPanels	panels;
	PaSought	sought;
	uint64_t	key;
	uint64_t	block;			/* columns of V, the first block */
	uint64_t	room;			/* columns of a basis at most */
	uint64_t	width;			/* of the basis so far */
	uint64_t	settled;		/* columns of V that other blocks do without */
	double	   *basis;			/* n x room */
	double	   *image;			/* n x block: A times the last block */
	double	   *gram;			/* room x room: the basis' transpose times A times the basis */
	double	   *squares;		/* eigenvalues that the first block has */
	double	   *excess;			/* by which each may be too small */
	double		total;			/* sum of squares, or -1 */
	uint64_t	kept;			/* ranks; 0: the first block has no eigenvalues yet */
	int			passes;
} Krylov;

/* Sums that lose less than the floor: the total is what all else is taken from. */
static PaStatus
sum_squares(PaEnv *env, Krylov *self)
{
	PaPanels   *p = &self->panels;
	PaFsum		sum;

	pa_fsum_init(&sum);
	for (uint64_t first = 0; first < p->lines; first += p->room)
	{
		uint64_t	h = p->lines - first < p->room ? p->lines - first : p->room;

		PA_TRY(pa_panel_fill(env, p, first, h));
		pa_panel_squares(p, h, &sum);
	}
	self->total = pa_fsum_round(&sum);
	return PA_OK;
}

/* So many more columns of the basis are there: image = A times them, and what the gram matrix has of it. */
static PaStatus
make_pass(PaEnv *env, Krylov *self, uint64_t columns)
{
	PaPanels   *p = &self->panels;
	const double *v = self->basis + self->width * p->n;
	double	   *gram = self->gram + self->width * self->room;
	double	   *y;

	memset(self->image, 0, (size_t) (p->n * columns) * sizeof(double));
	PA_TRY(PA_NEW_RAW(env, (size_t) (p->room * columns), &y));
	for (uint64_t first = 0; first < p->lines; first += p->room)
	{
		uint64_t	h = p->lines - first < p->room ? p->lines - first : p->room;

		PA_TRY(pa_panel_fill(env, p, first, h));
		pa_panel_times(p, h, v, columns, y, h);
		PA_TRY(pa_check_cancel(env));
		pa_panel_back(p, h, y, columns, self->image);
	}
	pa_free(env, y);
	self->passes++;
	self->width += columns;
	return pa_basis_products(env, p->n, self->width, self->basis, columns, self->image, gram, self->room);
}

/* The other blocks: A times the one before, without what is there. */
static PaStatus
expand_basis(PaEnv *env, Krylov *self)
{
	uint64_t	n = self->panels.n;
	uint64_t	columns = self->block - self->settled;
	const double *from = self->image + self->settled * n;

	for (int depth = 0; depth < DEPTH_MOST && self->width + columns <= self->room; depth++)
	{
		memcpy(self->basis + self->width * n, from, (size_t) (n * columns) * sizeof(double));
		PA_TRY(pa_basis_orthonormalise(env, n, self->width, self->width + columns, self->basis));
		PA_TRY(make_pass(env, self, columns));
		from = self->image;
	}
	return PA_OK;
}

static void
release_arrays(PaEnv *env, Krylov *self)
{
	pa_panels_release(env, &self->panels);
	pa_free(env, self->image);
	pa_free(env, self->gram);
	pa_free(env, self->excess);
	self->image = self->gram = self->excess = NULL;
}

/* Columns from the stream of draws beside those that are there, which stay. */
static PaStatus
widen_block(PaEnv *env, Krylov *self, uint64_t block)
{
	uint64_t	n = self->panels.n;
	double	   *basis;

	self->room = block * BLOCKS < WIDEST ? block * BLOCKS : WIDEST;
	PA_TRY(PA_NEW_RAW(env, (size_t) (n * self->room), &basis));
	if (self->block > 0)
		memcpy(basis, self->basis, (size_t) (n * self->block) * sizeof(double));
	for (uint64_t i = n * self->block; i < n * block; i++)
		basis[i] = 2 * pa_draw_uniform(self->key, i) - 1;
	pa_free(env, self->basis);
	pa_free(env, self->squares);
	release_arrays(env, self);
	self->basis = basis;
	PA_TRY(pa_basis_orthonormalise(env, n, self->block, block, basis));
	self->block = block;
	self->kept = self->settled = 0;
	PA_TRY(PA_NEW_RAW(env, (size_t) (n * block), &self->image));
	PA_TRY(PA_NEW_RAW(env, (size_t) (self->room * self->room), &self->gram));
	PA_TRY(PA_NEW_RAW(env, (size_t) block, &self->squares));
	PA_TRY(PA_NEW_RAW(env, (size_t) block, &self->excess));
	return pa_panels(env, self->panels.matrix, block, &self->panels);
}

/* The leading vectors that the basis has become its first block; the rank that they let expect. */
static PaStatus
turn_basis(PaEnv *env, Krylov *self)
{
	uint64_t	n = self->panels.n;
	uint64_t	w = self->width;
	double	   *gram;
	PaSvd		svd;

	/* (of the blocks on the diagonal both halves are there, and are not the same bits) */
	PA_TRY(PA_NEW_RAW(env, (size_t) (w * w), &gram));
	for (uint64_t i = 0; i < w; i++)
		for (uint64_t j = 0; j <= i; j++)
			gram[i * w + j] = gram[j * w + i] = self->gram[i * self->room + j];
	PA_TRY(pa_svd(env, (int) w, (int) w, gram, true, &svd));
	pa_free(env, gram);
	PA_TRY(pa_basis_times(env, n, w, self->block, self->basis, svd.u, self->image));
	memcpy(self->basis, self->image, (size_t) (n * self->block) * sizeof(double));
	memcpy(self->squares, svd.s, (size_t) self->block * sizeof(double));
	self->kept = pa_sought_rank(&self->sought, self->total, svd.s, w);
	self->width = 0;
	pa_svd_release(env, &svd);
	return PA_OK;
}

/*
 * A column v with the quotient q, and |A v - q v| = e: its eigenvalue is within e of
 * q, and within e^2 over the distance to what is beyond the block, which is less
 * where that is far.
 */
static PaStatus
bound_excess(PaEnv *env, Krylov *self)
{
	uint64_t	n = self->panels.n;
	double		beyond = self->squares[self->block - 1];

	for (uint64_t k = 0; k < self->block; k++)
	{
		const double *v = self->basis + k * n;
		const double *z = self->image + k * n;
		double		sum = 0;
		double		gap = self->squares[k] - beyond;

		PA_TRY(pa_check_cancel(env));
		for (uint64_t i = 0; i < n; i++)
		{
			double		e = z[i] - self->squares[k] * v[i];

			sum += e * e;
		}
		self->excess[k] = sum < gap * gap ? sum / gap : sqrt(sum);
	}
	return PA_OK;
}

/* Squares that are left out of so many ranks. */
static double
left_out(const Krylov *self, uint64_t rank)
{
	double		left = self->total;

	for (uint64_t i = 0; i < rank; i++)
		left -= self->squares[i];
	return left > 0 ? left : 0;
}

/* What the best vectors would leave out at least. */
static double
least_out(const Krylov *self, uint64_t rank)
{
	double		left = left_out(self, rank);

	for (uint64_t i = 0; i < rank; i++)
		left -= self->excess[i];
	return left > 0 ? left : 0;
}

static bool
within_tolerance(const Krylov *self, uint64_t rank)
{
	double		most = (1 + WORSE) * sqrt(least_out(self, rank)) + OF_NORM * sqrt(self->total);

	return sqrt(left_out(self, rank)) <= most || self->passes >= PASSES_MOST;
}

/* Leading columns that lack hardly anything of what so many ranks leave out. */
static uint64_t
settled_columns(const Krylov *self, uint64_t rank)
{
	double		most = SETTLED * left_out(self, rank);
	double		sum = self->excess[0];
	uint64_t	k = 0;

	while (k + 1 < rank && sum <= most)
		sum += self->excess[++k];
	return k;
}

/* What an energy may leave out. */
static double
may_leave(const PaSought *sought, double total)
{
	return (1 - sought->energy) * total + FLOOR * total;
}

uint64_t
pa_sought_rank(const PaSought *sought, double total, const double *squares, uint64_t n)
{
	double		most = may_leave(sought, total);
	double		left = total;
	uint64_t	rank = 0;

	if (sought->rank > 0)
		return sought->rank < n ? sought->rank : n;
	while (rank < n && (rank == 0 || left > most))
		left -= squares[rank++];
	return left > most ? n + 1 : rank;
}

/* Ranks that the block has, with what it has beside them. */
static uint64_t
ranks_of_block(const Krylov *self)
{
	return self->block - OVERSAMPLING;
}

/* What so many ranks as are found leave out at least: each that the block has not is at most its last one. */
static double
least_of_most(const Krylov *self)
{
	uint64_t	ranks = ranks_of_block(self);
	double		last = self->squares[ranks - 1] + self->excess[ranks - 1];
	double		left = least_out(self, ranks) - last * (double) (self->sought.most - ranks);

	return left > 0 ? left : 0;
}

static PaStatus
refuse_energy(PaEnv *env, const Krylov *self)
{
	const PaWholeMatrix *m = self->panels.matrix;
	int			most = (int) self->sought.most;

	pa_fail(env, PA_ERR_LIMIT, "energy %g of tensor \"%.300s\" needs a rank above %d", self->sought.energy,
			m->name, most);
	pa_detail(env, "It is %llu x %llu, and %d ranks keep at most %.4g of the sum of its squares.",
			  (unsigned long long) m->rows, (unsigned long long) m->columns, most,
			  1 - least_of_most(self) / self->total);
	pa_hint(env, "Ask for less, or for a rank: adapter_extract(a, %d).", most);
	return PA_ERR_LIMIT;
}

/* Is the rank that an energy needs known, or that it is too large? */
static PaStatus
judge_energy(PaEnv *env, const Krylov *self, bool *done)
{
	double		may = may_leave(&self->sought, self->total);
	uint64_t	ranks = ranks_of_block(self);

	if (least_of_most(self) > may)
		return refuse_energy(env, self);
	if (self->kept <= ranks)
		*done = least_out(self, self->kept - 1) > may || within_tolerance(self, self->kept);
	else if (within_tolerance(self, ranks))
		return refuse_energy(env, self);
	return PA_OK;
}

static PaStatus
judge(PaEnv *env, Krylov *self, bool *done)
{
	uint64_t	ranks = ranks_of_block(self);

	*done = false;
	if (self->kept == 0)
		return PA_OK;
	PA_TRY(bound_excess(env, self));
	self->settled = settled_columns(self, self->kept < ranks ? self->kept : ranks);
	if (self->sought.rank == 0)
		return judge_energy(env, self, done);
	*done = within_tolerance(self, self->kept);
	return PA_OK;
}

/* Where an energy needs more ranks than the block has it grows. */
static PaStatus
follow_energy(PaEnv *env, Krylov *self)
{
	uint64_t	ranks = self->kept < self->sought.most ? self->kept : self->sought.most;

	if (ranks <= ranks_of_block(self))
		return PA_OK;
	return widen_block(env, self, ranks + OVERSAMPLING);
}

PaStatus
pa_krylov(PaEnv *env, const PaWholeMatrix *matrix, PaSought sought, uint64_t key, PaLeadingSide *side)
{
	Krylov		self = {.sought = sought, .key = key};
	uint64_t	ranks = sought.rank > 0 ? sought.rank : FIRST_KEPT;
	bool		done;

	if (ranks > sought.most)
		ranks = sought.most;
	PA_TRY(pa_panels(env, matrix, 1, &self.panels));
	PA_TRY(sum_squares(env, &self));
	PA_TRY(widen_block(env, &self, ranks + OVERSAMPLING));
	for (;;)
	{
		PA_TRY(make_pass(env, &self, self.block));
		PA_TRY(judge(env, &self, &done));
		if (done)
			break;
		PA_TRY(expand_basis(env, &self));
		PA_TRY(turn_basis(env, &self));
		PA_TRY(follow_energy(env, &self));
	}
	release_arrays(env, &self);
	*side = (PaLeadingSide) {.kept = self.kept, .squares = self.squares, .v = self.basis};
	return PA_OK;
}

void
pa_leading_side_release(PaEnv *env, PaLeadingSide *side)
{
	pa_free(env, side->squares);
	pa_free(env, side->v);
	*side = (PaLeadingSide) {0};
}
