/*
 * plane_kernel_impl.h
 *	  The loops of plane_kernel.h: a template, compiled once portable and once
 *	  for AVX2.  Before inclusion define P(name), the name of an instance.
 *
 * One loop per width over whole elements, written so that the compiler can
 * vectorise it: a load, a rotation, one narrow store per plane.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <string.h>

#include "codec/plane_kernel.h"

/* Without rotation both shifts are 0 and nothing is kept of the second. */
#define SPLIT(NAME, TYPE, BITS, STORES) \
	static void NAME(const uint8_t *elements, size_t n, bool rotate, uint8_t *planes) \
	{ \
		const int left = rotate ? 1 : 0; \
		const int right = rotate ? (BITS) -1 : 0; \
		const TYPE keep = (TYPE) (rotate ? 1 : 0); \
		for (size_t i = 0; i < n; i++) \
		{ \
			TYPE v; \
			memcpy(&v, elements + i * sizeof(TYPE), sizeof(TYPE)); \
			v = (TYPE) ((TYPE) (v << left) | ((TYPE) (v >> right) & keep)); \
			STORES \
		} \
	}

#define PLANE(k) const uint8_t *p##k = plane[k];

#define JOIN(NAME, TYPE, BITS, PLANES, LOADS) \
	static void NAME(const uint8_t *const *plane, size_t n, bool rotate, uint8_t *elements) \
	{ \
		PLANES \
		const int right = rotate ? 1 : 0; \
		const int left = rotate ? (BITS) -1 : 0; \
		const TYPE keep = (TYPE) (rotate ? 1 : 0); \
		for (size_t i = 0; i < n; i++) \
		{ \
			TYPE v = LOADS; \
			v = (TYPE) ((TYPE) (v >> right) | (TYPE) ((TYPE) (v & keep) << left)); \
			memcpy(elements + i * sizeof(TYPE), &v, sizeof(TYPE)); \
		} \
	}

SPLIT(split_2, uint16_t, 16, planes[i] = (uint8_t) (v >> 8); planes[n + i] = (uint8_t) v;)

SPLIT(split_4, uint32_t, 32, planes[i] = (uint8_t) (v >> 24); planes[n + i] = (uint8_t) (v >> 16);
	  planes[2 * n + i] = (uint8_t) (v >> 8); planes[3 * n + i] = (uint8_t) v;)

SPLIT(split_8, uint64_t, 64,
	  for (int k = 0; k < 8; k++) planes[(size_t) k * n + i] = (uint8_t) (v >> (56 - 8 * k));)

JOIN(join_2, uint16_t, 16, PLANE(0) PLANE(1), (uint16_t) ((uint16_t) p0[i] << 8 | p1[i]))

JOIN(join_4, uint32_t, 32, PLANE(0) PLANE(1) PLANE(2) PLANE(3),
	 ((uint32_t) p0[i] << 24 | (uint32_t) p1[i] << 16 | (uint32_t) p2[i] << 8 | p3[i]))

JOIN(join_8, uint64_t, 64, PLANE(0) PLANE(1) PLANE(2) PLANE(3) PLANE(4) PLANE(5) PLANE(6) PLANE(7),
	 ((uint64_t) p0[i] << 56 | (uint64_t) p1[i] << 48 | (uint64_t) p2[i] << 40 | (uint64_t) p3[i] << 32 |
	  (uint64_t) p4[i] << 24 | (uint64_t) p5[i] << 16 | (uint64_t) p6[i] << 8 | p7[i]))

void
P(split)(const uint8_t *elements, size_t n, int width, bool rotate, uint8_t *planes)
{
	if (width == 1)
		memcpy(planes, elements, n);
	else if (width == 2)
		split_2(elements, n, rotate, planes);
	else if (width == 4)
		split_4(elements, n, rotate, planes);
	else
		split_8(elements, n, rotate, planes);
}

void
P(join)(const uint8_t *const *plane, size_t n, int width, bool rotate, uint8_t *elements)
{
	if (width == 1)
		memcpy(elements, plane[0], n);
	else if (width == 2)
		join_2(plane, n, rotate, elements);
	else if (width == 4)
		join_4(plane, n, rotate, elements);
	else
		join_8(plane, n, rotate, elements);
}
