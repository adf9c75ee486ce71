/*
 * test_sort.c
 *	  The sort: order, stability, and that it stops when it is asked to.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdlib.h>

#include "build_file.h"
#include "core/sort.h"
#include "host.h"

/* Twelve bytes: an element's size need not be a power of two. */
typedef struct Element
{
	uint32_t	key;
	uint32_t	was;			/* its place before */
	uint32_t	also;			/* key + was: that elements move whole */
} Element;

/* context: a mask of the keys' bits that count. */
static int
compare_elements(const void *a, const void *b, const void *context)
{
	uint32_t	mask = *(const uint32_t *) context;
	uint32_t	x = ((const Element *) a)->key & mask;
	uint32_t	y = ((const Element *) b)->key & mask;

	return x < y ? -1 : x > y;
}

static Element *
make_elements(uint32_t n, uint32_t below, uint64_t *seed)
{
	Element    *elements = malloc((n + 1) * sizeof(Element));

	for (uint32_t i = 0; i < n; i++)
	{
		elements[i].key = (uint32_t) (build_bits(seed) % below);
		elements[i].was = i;
		elements[i].also = elements[i].key + i;
	}
	return elements;
}

UNIT_TEST(test_order)
{
	uint64_t	seed = unit_seed();
	uint32_t	mask = 0xFFF0;

	for (uint32_t n = 0; n < 70 || n == 3000; n = n == 69 ? 3000 : n + 1)
	{
		Element    *e = make_elements(n, n % 3 == 0 ? 100000 : 40, &seed);
		uint64_t	sum = 0;
		bool		right = true;

		CHECK_OK(pa_sort(env, e, n, sizeof(Element), compare_elements, &mask), env);
		for (uint32_t i = 0; i < n; i++)
		{
			int			order = i > 0 ? compare_elements(&e[i - 1], &e[i], &mask) : -1;

			/* equals as they were given, and each once */
			right = right && (order < 0 || (order == 0 && e[i - 1].was < e[i].was));
			right = right && e[i].also == e[i].key + e[i].was;
			sum += e[i].was;
		}
		CHECK(right && sum == (uint64_t) n * (n > 0 ? n - 1 : 0) / 2);
		free(e);
	}
}

static bool
stop(void *state)
{
	(void) state;
	return true;
}

UNIT_TEST(test_cancel)
{
	uint64_t	seed = unit_seed();
	uint32_t	mask = UINT32_MAX;
	Element    *e = make_elements(5000, 100000, &seed);
	PaHost		host = *env->host;
	PaEnv		stopped;

	host.cancelled = stop;
	pa_env_init(&stopped, &host);
	CHECK_STATUS(pa_sort(&stopped, e, 5000, sizeof(Element), compare_elements, &mask), PA_ERR_CANCELLED,
				 &stopped);
	pa_env_reset(&stopped);
	free(e);
}

UNIT_SUITE(sort, UNIT_CASE(test_order), UNIT_CASE(test_cancel));
