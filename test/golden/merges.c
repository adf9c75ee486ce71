/*
 * merges.c
 *	  See merges.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "merges.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/merge.h"
#include "engine/sketch.h"

#define DIMS 6
#define MAX_VALUES 5

static const double weights[] = {0.5, -0.25, 0.3, 0.1, 0.7, 1.0 / 3, 0.125};
static const double densities[] = {1.0, 0.5, 0.7, 1.0 / 3, 0.1};

static PaStatus
print_digest(PaEnv *env, int index, PaBuf *buf)
{
	PaMemoryBytes bytes;
	PaValueHeader header;
	char		hex[2 * PA_SHA256_LENGTH + 1];

	pa_bytes_from_memory(&bytes, buf->data, buf->length);
	PA_TRY(pa_value_read_header(env, &bytes.base, &header));
	pa_hex(hex, header.digest);
	printf("%03d merge %s\n", index, hex);
	return PA_OK;
}

static PaStatus
print_sketch(PaEnv *env, int index, uint32_t n, PaValue **values, double *w)
{
	PaDeltaSum	sum = {n, values, w};
	float	   *numbers;

	PA_TRY(pa_sketch_of_sum(env, &sum, DIMS, index, &numbers));
	printf("%03d sketch", index);
	for (int i = 0; i < DIMS; i++)
	{
		uint32_t	bits;

		memcpy(&bits, &numbers[i], sizeof(bits));
		printf(" %08" PRIx32, bits);
	}
	printf("\n");
	return PA_OK;
}

PaStatus
print_merge(PaEnv *env, int index, uint32_t n, PaValue **values)
{
	PaMergeArguments arguments = {
		.method = (PaMergeMethod) (index % 4),
		.density = densities[index % 5],
		.flavour = "peft",
		.majority_sign = index % 3 == 0 ? "frequency" : "total",
		.seed = index,
	};
	double		w[MAX_VALUES];
	PaBuf		out;
	PaStatus	status;

	for (uint32_t i = 0; i < n; i++)
		w[i] = weights[((uint32_t) index + i) % 7];
	PA_TRY(pa_merge_values(env, n, values, w, &arguments, 0, &out));
	status = print_digest(env, index, &out);
	pa_buf_release(&out);
	PA_TRY(status);
	return print_sketch(env, index, n, values, w);
}
