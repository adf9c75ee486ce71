/*
 * make_golden.c
 *	  Writes the stored values of this folder and the list of their digests with
 *	  the code as it is: see README.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/host.h"
#include "test/unit/value_later.h"
#include "test/unit/value_sample.h"
#include "test/unit/value_unpacked.h"

static int
make(PaEnv *env, int i, const char *folder, FILE *list)
{
	char		path[1024];
	char		hex[2][2 * PA_SHA256_LENGTH + 1];
	Sample		sample;
	PaBuf		buf;
	PaMemoryBytes bytes;
	PaValueHeader header;
	FILE	   *f;

	if (sample_golden(env, i, &sample) != PA_OK || sample_write(env, &sample, 0, &buf) != PA_OK)
		return 1;
	pa_bytes_from_memory(&bytes, buf.data, buf.length);
	if (pa_value_read_header(env, &bytes.base, &header) != PA_OK)
		return 1;
	snprintf(path, sizeof(path), "%s/%s.bin", folder, sample_golden_name(i));
	f = fopen(path, "wb");
	if (f == NULL || fwrite(buf.data, 1, buf.length, f) != buf.length || fclose(f) != 0)
		return 1;
	pa_hex(hex[0], header.digest);
	pa_hex(hex[1], header.envelope_digest);
	fprintf(list, "%s %s %s\n", hex[0], hex[1], sample_golden_name(i));
	pa_buf_release(&buf);
	return 0;
}

/* The first sample with a number that only a later version knows, of each sort. */
static int
make_later(PaEnv *env, const char *folder)
{
	for (int sort = 0; sort < VALUE_LATER_COUNT; sort++)
	{
		char		path[1024];
		Sample		sample;
		PaBuf		buf;
		FILE	   *f;

		if (sample_golden(env, 0, &sample) != PA_OK || sample_write(env, &sample, 0, &buf) != PA_OK ||
			value_unpacked(env, &buf) != PA_OK || !value_later(buf.data, buf.length, sort))
			return 1;
		snprintf(path, sizeof(path), "%s/../later/%s.bin", folder, value_later_name(sort));
		f = fopen(path, "wb");
		if (f == NULL || fwrite(buf.data, 1, buf.length, f) != buf.length || fclose(f) != 0)
			return 1;
		pa_buf_release(&buf);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	UnitHost	host;
	PaEnv		env;
	char		path[1024];
	FILE	   *list;

	if (argc != 2)
	{
		fprintf(stderr, "usage: make_golden FOLDER\n");
		return 2;
	}
	unit_host_init(&host);
	pa_env_init(&env, &host.host);
	snprintf(path, sizeof(path), "%s/digests.txt", argv[1]);
	list = fopen(path, "w");
	for (int i = 0; i < SAMPLE_GOLDEN_COUNT; i++)
		if (list == NULL || make(&env, i, argv[1], list) != 0)
		{
			fprintf(stderr, "could not make %s: %s\n", sample_golden_name(i), env.error.message);
			return 1;
		}
	if (make_later(&env, argv[1]) != 0)
	{
		fprintf(stderr, "could not make the values of later versions: %s\n", env.error.message);
		return 1;
	}
	pa_env_reset(&env);
	unit_host_release(&host);
	return fclose(list) == 0 ? 0 : 1;
}
