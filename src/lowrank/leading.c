/*
 * leading.c
 *	  Subspace iteration on the shorter side of T: V becomes an orthonormal basis of
 *	  T^T T V, turned to the eigenvectors of V^T T^T T V, until those that are kept
 *	  have what they can get.  See leading.h.
 *
 * The eigenvalues are squares of singular values, so what is smaller than 2^-26 of
 * the largest singular value is lost in rounding: the stated tolerance.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lowrank/leading.h"

#include <math.h>
#include <string.h>

#include "core/draw.h"
#include "lowrank/basis.h"
#include "lowrank/blas.h"
#include "lowrank/panel.h"
#include "lowrank/svd.h"

#define OVERSAMPLING 16
#define FIRST_WIDTH 64			/* of a basis whose rank is not known */
#define PASSES_MOST 64
#define PASSES_WIDEST 3			/* after which the widest basis is too narrow */

/* Of what is left out, in squares: how much less it could be, as the last passes have it. */
#define TOLERANCE 1e-3

/* What is left out is nothing below this share of the sum of squares. */
#define FLOOR 0x1p-45

typedef struct Finder
{
	PaPanels	panels;
	uint64_t	rank;			/* asked for, or 0 */
	double		energy;
	uint64_t	key;
	bool		whole;			/* the basis is the unit vectors */
	uint64_t	width;			/* of the basis */
	double	   *v;				/* n x width; not there if whole */
	double	   *z;				/* T^T T v */
	PaSvd		gram;			/* of v^T z: s are the squares, u turns v */
	double		total;			/* sum of squares */
	uint64_t	kept;			/* ranks */
	uint64_t	before_kept;	/* of the pass before; 0: there is none to compare with */
	double		before;			/* what was left out then */
	double		gain;			/* what that pass had gained */
} Finder;

static void
release_pass(PaEnv *env, Finder *self)
{
	pa_svd_release(env, &self->gram);
	pa_free(env, self->z);
	self->z = NULL;
}

/* z = T^T T v, and the sum of squares. */
static PaStatus
make_pass(PaEnv *env, Finder *self)
{
	PaPanels   *p = &self->panels;
	double	   *y = NULL;
	double		total = 0;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) (p->n * self->width), &self->z));
	if (!self->whole)
		PA_TRY(PA_NEW_RAW(env, (size_t) (p->room * self->width), &y));
	for (uint64_t first = 0; first < p->lines; first += p->room)
	{
		uint64_t	h = p->lines - first < p->room ? p->lines - first : p->room;

		PA_TRY(pa_panel_fill(env, p, first, h));
		for (uint64_t i = 0; i < h * p->n; i++)
			total += p->panel[i] * p->panel[i];
		if (self->whole)
			pa_panel_square(p, h, self->z);
		else
		{
			pa_panel_times(p, h, self->v, self->width, y, h);
			PA_TRY(pa_check_cancel(env));
			pa_panel_back(p, h, y, self->width, self->z);
		}
	}
	pa_free(env, y);
	self->total = total;
	return PA_OK;
}

/* Squares of the singular values that the basis has, and how it turns to their vectors. */
static PaStatus
turn_basis(PaEnv *env, Finder *self)
{
	uint64_t	l = self->width;
	double	   *gram;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) (l * l), &gram));
	if (self->whole)
		for (uint64_t i = 0; i < l; i++)
			for (uint64_t j = 0; j <= i; j++)
				gram[i * l + j] = gram[j * l + i] = self->z[i * l + j];
	else
		PA_TRY(pa_basis_gram(env, self->panels.n, l, self->v, self->z, gram));
	PA_TRY(pa_svd(env, (int) l, (int) l, gram, true, &self->gram));
	pa_free(env, gram);
	return PA_OK;
}

static double
left_out(const Finder *self, uint64_t rank)
{
	double		left = self->total;

	for (uint64_t i = 0; i < rank; i++)
		left -= self->gram.s[i];
	return left > 0 ? left : 0;
}

/* The rank that is asked for, or that the energy needs; more than the width if the basis is too narrow. */
static uint64_t
needed_rank(const Finder *self)
{
	double		most = (1 - self->energy) * self->total;
	double		left = self->total;
	uint64_t	rank = 0;

	if (self->rank > 0)
		return self->rank < self->width ? self->rank : self->width;
	while (rank < self->width && (rank == 0 || left > most + FLOOR * self->total))
		left -= self->gram.s[rank++];
	return left > most + FLOOR * self->total ? self->width + 1 : rank;
}

/*
 * Do these ranks have what they can get?  What later passes would gain is taken for
 * a geometric series from the last two gains.
 */
static bool
has_converged(Finder *self)
{
	double		left = left_out(self, self->kept);
	double		gain = self->before - left;
	double		ratio = self->gain > 0 ? gain / self->gain : 1;
	bool		comparable = self->before_kept == self->kept;
	bool		known = comparable && self->gain > 0;

	self->before = left;
	self->gain = comparable ? gain : 0;
	self->before_kept = self->kept;
	if (left <= FLOOR * self->total)
		return true;
	if (!known)
		return comparable && gain <= 0;
	return gain <= 0 || (ratio < 0.99 && gain * ratio / (1 - ratio) <= TOLERANCE * left);
}

/* The next basis: T^T T v along its eigenvectors, the largest first. */
static PaStatus
next_basis(PaEnv *env, Finder *self)
{
	PA_TRY(pa_basis_times(env, self->panels.n, self->width, self->width, self->z, self->gram.u, self->v));
	return pa_basis_orthonormalise(env, self->panels.n, 0, self->width, self->v);
}

/* More columns, from the stream of draws; those that are there stay. */
static PaStatus
widen_basis(PaEnv *env, Finder *self, uint64_t width)
{
	uint64_t	n = self->panels.n;
	double	   *v;

	PA_TRY(PA_NEW_ARRAY(env, (size_t) (n * width), &v));
	if (self->width > 0)
		memcpy(v, self->v, (size_t) (n * self->width) * sizeof(double));
	for (uint64_t i = n * self->width; i < n * width; i++)
		v[i] = 2 * pa_draw_uniform(self->key, i) - 1;
	pa_free(env, self->v);
	self->v = v;
	PA_TRY(pa_basis_orthonormalise(env, n, self->width, width, v));
	self->width = width;
	self->before_kept = 0;
	pa_panels_release(env, &self->panels);
	return pa_panels(env, self->panels.matrix, width, &self->panels);
}

static PaStatus
refuse_rank(PaEnv *env, const Finder *self)
{
	const PaWholeMatrix *m = self->panels.matrix;

	if (self->rank > 0)
		pa_fail(env, PA_ERR_LIMIT, "rank %llu of tensor \"%.300s\" is above %d",
				(unsigned long long) self->rank, m->name, PA_LEADING_MOST);
	else
		pa_fail(env, PA_ERR_LIMIT, "energy %g of tensor \"%.300s\" needs a rank above %d", self->energy,
				m->name, PA_LEADING_MOST);
	pa_detail(env, "It is %llu x %llu; of matrices of more than %d rows and columns so many ranks are found.",
			  (unsigned long long) m->rows, (unsigned long long) m->columns, PA_LEADING_EXACT);
	return PA_ERR_LIMIT;
}

/* Where the rank is not known the basis is doubled until it has twice what is needed. */
static PaStatus
iterate(PaEnv *env, Finder *self)
{
	uint64_t	widest = 2 * PA_LEADING_MOST;
	uint64_t	width = self->rank > 0 ? 2 * self->rank + OVERSAMPLING : FIRST_WIDTH;

	if (self->rank > PA_LEADING_MOST)
		return refuse_rank(env, self);
	PA_TRY(widen_basis(env, self, width < widest ? width : widest));
	for (int pass = 1, at_widest = 0;; pass++)
	{
		bool		too_narrow;

		PA_TRY(make_pass(env, self));
		PA_TRY(turn_basis(env, self));
		self->kept = needed_rank(self);
		too_narrow = self->rank == 0 && self->kept > self->width / 2;
		if (!too_narrow && (has_converged(self) || pass == PASSES_MOST))
			return PA_OK;
		at_widest += self->width == widest;
		if (too_narrow && at_widest == PASSES_WIDEST)
			return refuse_rank(env, self);
		PA_TRY(next_basis(env, self));
		release_pass(env, self);
		if (too_narrow && self->width < widest && pass % 2 == 0)
			PA_TRY(widen_basis(env, self, 2 * self->width));
	}
}

static PaStatus
find(PaEnv *env, const PaWholeMatrix *matrix, uint64_t rank, double energy, uint64_t key, Finder *self)
{
	uint64_t	n = matrix->rows < matrix->columns ? matrix->rows : matrix->columns;

	*self = (Finder) {.rank = rank, .energy = energy, .key = key, .whole = n <= PA_LEADING_EXACT};
	if (self->whole && rank > n)
		self->rank = n;
	PA_TRY(pa_blas_open(env));
	PA_TRY(pa_panels(env, matrix, self->whole ? n : FIRST_WIDTH, &self->panels));
	if (!self->whole)
		return iterate(env, self);
	self->width = n;
	PA_TRY(make_pass(env, self));
	PA_TRY(turn_basis(env, self));
	self->kept = needed_rank(self);
	if (self->kept > n)
		self->kept = n;
	return PA_OK;
}

static void
release_finder(PaEnv *env, Finder *self)
{
	release_pass(env, self);
	pa_free(env, self->v);
	pa_panels_release(env, &self->panels);
}

/* Vectors of singular values that are rounding noise are 0; the others' largest entry is positive. */
static void
finish_vectors(const Finder *self, double *v)
{
	uint64_t	n = self->panels.n;
	double		noise = self->gram.s[0] * (double) n * 0x1p-52;

	for (uint64_t k = 0; k < self->kept; k++)
	{
		double	   *x = v + k * n;
		double		largest = 0;
		double		factor;

		for (uint64_t i = 0; i < n; i++)
			if (fabs(x[i]) > fabs(largest))
				largest = x[i];
		factor = self->gram.s[k] > noise ? copysign(1, largest) : 0;
		for (uint64_t i = 0; i < n; i++)
			x[i] = factor == 0 ? 0 : factor * x[i];
	}
}

/* y (lines x kept) = T v */
static PaStatus
long_side(PaEnv *env, Finder *self, const double *v, double *y)
{
	PaPanels   *p = &self->panels;

	for (uint64_t first = 0; first < p->lines; first += p->room)
	{
		uint64_t	h = p->lines - first < p->room ? p->lines - first : p->room;

		PA_TRY(pa_panel_fill(env, p, first, h));
		pa_panel_times(p, h, v, self->kept, y + first, p->lines);
	}
	return PA_OK;
}

PaStatus
pa_leading(PaEnv *env, const PaWholeMatrix *matrix, uint64_t rank, double energy, uint64_t key,
		   PaLeading *leading)
{
	Finder		self;
	double	   *v;
	double	   *y;

	PA_TRY(find(env, matrix, rank, energy, key, &self));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) (self.panels.n * self.kept), &v));
	PA_TRY(PA_NEW_ARRAY(env, (size_t) (self.panels.lines * self.kept), &y));
	if (self.whole)
		memcpy(v, self.gram.u, (size_t) (self.panels.n * self.kept) * sizeof(double));
	else
		PA_TRY(pa_basis_times(env, self.panels.n, self.width, self.kept, self.v, self.gram.u, v));
	finish_vectors(&self, v);
	PA_TRY(long_side(env, &self, v, y));
	*leading = (PaLeading) {
		.rank = self.kept,
		.largest = sqrt(self.gram.s[0]),
		.left = self.panels.wide ? v : y,
		.right = self.panels.wide ? y : v,
	};
	release_finder(env, &self);
	return PA_OK;
}

PaStatus
pa_leading_rank(PaEnv *env, const PaWholeMatrix *matrix, double energy, uint64_t key, uint64_t *rank)
{
	Finder		self;

	PA_TRY(find(env, matrix, 0, energy, key, &self));
	*rank = self.kept;
	release_finder(env, &self);
	return PA_OK;
}

void
pa_leading_release(PaEnv *env, PaLeading *leading)
{
	pa_free(env, leading->left);
	pa_free(env, leading->right);
	*leading = (PaLeading) {0};
}
