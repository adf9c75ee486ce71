/*
 * replay.c
 *	  Runs a fuzz target on every file of its corpus, without libFuzzer.
 *
 *   replay_<target> FILE|FOLDER ...
 *
 * A finding ends the program (the sanitizers and the target abort), so the last
 * line, `N passed, N failed`, is missing then; the line before names the file.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long passed;
static long failed;

/* An unreadable file is a failure: a corpus that is not there proves nothing. */
static void
replay_file(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	uint8_t    *data = NULL;
	size_t		size = 0;
	size_t		room = 0;

	printf("%s\n", path);
	fflush(stdout);
	while (file != NULL && !feof(file) && !ferror(file))
	{
		if (size == room)
			data = realloc(data, room = 2 * room + 65536);
		if (data == NULL)
			abort();
		size += fread(data + size, 1, room - size, file);
	}
	if (file == NULL || ferror(file))
		failed++;
	else
	{
		/* exactly as large as the input, so that a read beyond it is seen */
		data = realloc(data, size > 0 ? size : 1);
		LLVMFuzzerTestOneInput(data, size);
		passed++;
	}
	free(data);
	if (file != NULL)
		fclose(file);
}

static int
compare_entries(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
replay(const char *path)
{
	struct dirent **entries;
	int			n = scandir(path, &entries, NULL, compare_entries);

	if (n < 0)
	{
		replay_file(path);
		return;
	}
	for (int i = 0; i < n; i++)
	{
		char		name[4096];

		if (entries[i]->d_name[0] != '.')
		{
			snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
			replay_file(name);
		}
		free(entries[i]);
	}
	free(entries);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%ld passed, %ld failed\n", passed, failed);
	return failed == 0 && passed > 0 ? 0 : 1;
}
