/*
 * peft_path.c
 *	  Paths of modules and parameters.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_path.h"

#include <string.h>

#define WRAPPER ".base_layer"
#define TOKEN_WRAPPER ".token_adapter"

bool
pa_peft_path_ends(const char *path, size_t n, const char *end)
{
	size_t		length = strlen(end);

	return n >= length && memcmp(path + n - length, end, length) == 0;
}

static size_t
parent_length(const char *key)
{
	const char *dot = strrchr(key, '.');

	return dot != NULL && dot > key ? (size_t) (dot - key) : strlen(key);
}

PaStatus
pa_peft_path_of_parameter(PaEnv *env, const char *key, const char **path)
{
	return pa_strndup(env, key, parent_length(key), path);
}

PaStatus
pa_peft_path_of_dense(PaEnv *env, const char *key, const char **path)
{
	size_t		n = parent_length(key);
	size_t		stripped;

	do
	{
		stripped = n;
		if (pa_peft_path_ends(key, n, WRAPPER))
			n -= strlen(WRAPPER);
		if (pa_peft_path_ends(key, n, TOKEN_WRAPPER))
			n -= strlen(TOKEN_WRAPPER);
		if (n == 0)
			n = stripped;
	} while (n != stripped);
	return pa_strndup(env, key, n, path);
}

PaStatus
pa_peft_path_unwrapped(PaEnv *env, const char *path, const char **unwrapped)
{
	size_t		n = strlen(WRAPPER);
	char	   *out;

	*unwrapped = path;
	if (strstr(path, WRAPPER) == NULL)
		return PA_OK;
	PA_TRY(PA_NEW_RAW(env, strlen(path) + 1, &out));
	*unwrapped = out;
	while (*path != '\0')
	{
		if (strncmp(path, WRAPPER, n) == 0 && (path[n] == '.' || path[n] == '\0'))
			path += n;
		else
			*out++ = *path++;
	}
	*out = '\0';
	return PA_OK;
}
