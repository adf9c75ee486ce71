/*
 * bench_codec.c
 *	  Speed of the block codec on the data of a safetensors file, one core,
 *	  without SHA-256: bench_codec FILE DTYPE HEADER_BYTES REPETITIONS.
 *
 * Prints a line "encode_MBps decode_MBps ratio" for each repetition.  Output
 * buffers are touched beforehand, as a loop over many values would find them.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/planes.h"
#include "core/limits.h"
#include "../unit/host.h"

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static uint8_t *
read_file(const char *name, size_t skip, size_t *length)
{
	FILE	   *f = fopen(name, "rb");
	uint8_t    *data;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0)
		exit(2);
	*length = (size_t) ftell(f) - skip;
	data = malloc(*length);
	if (data == NULL || fseek(f, (long) skip, SEEK_SET) != 0 || fread(data, 1, *length, f) != *length)
		exit(2);
	fclose(f);
	return data;
}

int
main(int argc, char **argv)
{
	UnitHost	host;
	PaEnv		env;
	PaPlanes   *planes = NULL;
	PaBuf		out;
	PaDtype		dtype;
	size_t		length;
	size_t		width;
	size_t		blocks;
	size_t	   *stored;
	uint8_t    *raw;
	uint8_t    *back;

	if (argc != 5)
		return 2;
	dtype = pa_dtype_by_name_any_case(argv[2], strlen(argv[2]));
	raw = read_file(argv[1], (size_t) atol(argv[3]), &length);
	width = (size_t) pa_dtype_plane_width(dtype);
	blocks = (length / width + PA_BLOCK_ELEMENTS - 1) / PA_BLOCK_ELEMENTS;
	stored = calloc(blocks, sizeof(size_t));
	back = malloc(length);
	unit_host_init(&host);
	pa_env_init(&env, &host.host);
	if (back == NULL || stored == NULL || pa_planes_create(&env, &planes) != PA_OK ||
		pa_buf_init(&env, &out, 0, length + blocks * 64) != PA_OK)
		return 2;
	memset(out.data, 1, length);
	memset(back, 1, length);
	for (int round = 0; round < atoi(argv[4]); round++)
	{
		double		start = now();
		double		middle;
		double		end;
		size_t		at = 0;

		out.length = 0;
		for (size_t b = 0; b < blocks; b++)
		{
			size_t		n = length / width - b * PA_BLOCK_ELEMENTS;

			if (pa_planes_encode(planes, raw + b * PA_BLOCK_ELEMENTS * width,
								 n < PA_BLOCK_ELEMENTS ? n : PA_BLOCK_ELEMENTS, dtype, &out,
								 &stored[b]) != PA_OK)
				return 2;
		}
		middle = now();
		for (size_t b = 0; b < blocks; b++)
		{
			size_t		n = length / width - b * PA_BLOCK_ELEMENTS;

			if (pa_planes_decode(planes, out.data + at, stored[b],
								 n < PA_BLOCK_ELEMENTS ? n : PA_BLOCK_ELEMENTS, dtype,
								 back + b * PA_BLOCK_ELEMENTS * width) != PA_OK)
				return 2;
			at += stored[b];
		}
		end = now();
		if (memcmp(raw, back, length) != 0)
			return 3;
		printf("%.0f %.0f %.4f\n", (double) length / 1e6 / (middle - start),
			   (double) length / 1e6 / (end - middle), (double) out.length / (double) length);
	}
	return 0;
}
