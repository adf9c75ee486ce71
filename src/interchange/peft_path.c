/*
 * peft_path.c
 *	  Paths of modules and parameters.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_path.h"

#include <string.h>

#include "core/strings.h"

#define PREFIX_MODEL "base_model.model."
#define PREFIX_BASE "base_model."
#define WRAPPER ".base_layer"
#define TOKEN_WRAPPER ".token_adapter"

/* torch.compile, FSDP and activation checkpointing: in no model's own names. */
static const char *const wrappers[] = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"};

/* DDP's; a model's own module can have this name too, so it is one in front of the whole name only. */
#define WRAPPER_DDP "module."

static bool
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static bool
is_wrapper(const char *component, size_t n)
{
	for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++)
		if (strlen(wrappers[i]) == n && memcmp(component, wrappers[i], n) == 0)
			return true;
	return false;
}

size_t
pa_peft_path_prefix(const char *name)
{
	if (begins(name, PREFIX_MODEL))
		return strlen(PREFIX_MODEL);
	return begins(name, PREFIX_BASE) ? strlen(PREFIX_BASE) : 0;
}

size_t
pa_peft_path_front(const char *name)
{
	bool		prefixed = false;
	size_t		front = 0;
	size_t		n;

	do
	{
		n = strcspn(name + front, ".");
		n = is_wrapper(name + front, n) && name[front + n] == '.' ? n + 1 : 0;
		if (n == 0 && !prefixed)
		{
			n = pa_peft_path_prefix(name + front);
			prefixed = n > 0;
		}
		else if (n == 0 && begins(name + front, PREFIX_MODEL))
			n = strlen(PREFIX_MODEL);
		if (n == 0 && !prefixed && begins(name + front, WRAPPER_DDP))
			n = strlen(WRAPPER_DDP);
		/* the stored value has a byte for it */
		if (front + n > UINT8_MAX)
			n = 0;
		front += n;
	} while (n > 0);
	return front;
}

PaStatus
pa_peft_path_without_wrappers(PaEnv *env, const char *path, const char **without)
{
	const char *s = path;
	char	   *out;
	char	   *end;

	*without = path;
	PA_TRY(PA_NEW_RAW(env, strlen(path) + 2, &out));
	end = out;
	while (true)
	{
		size_t		n = strcspn(s, ".");

		if (!is_wrapper(s, n))
		{
			memcpy(end, s, n);
			end += n;
			*end++ = '.';
		}
		if (s[n] == '\0')
			break;
		s += n + 1;
	}
	/* what is a wrapper and nothing else stays */
	if (end > out && (size_t) (end - out) <= strlen(path))
	{
		end[-1] = '\0';
		*without = out;
		return PA_OK;
	}
	pa_free(env, out);
	return PA_OK;
}

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

PaStatus
pa_peft_path_selected(PaEnv *env, size_t n, const char *const *modules, const char *path,
					  const char **selected, bool *part)
{
	size_t		length = strlen(WRAPPER ".");

	if (part != NULL)
		*part = false;
	for (const char *at = strstr(path, WRAPPER "."); at != NULL; at = strstr(at + length, WRAPPER "."))
	{
		int64_t		whole = pa_find_string(modules, n, path, (size_t) (at - path));

		if (whole < 0)
			continue;
		if (part != NULL)
			*part = true;
		path = modules[whole];
		break;
	}
	return pa_peft_path_unwrapped(env, path, selected);
}
