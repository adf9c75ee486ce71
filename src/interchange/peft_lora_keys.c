/*
 * peft_lora_keys.c
 *	  Which keys may be plain, and all of them written.  See peft_lora_keys.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_lora_keys.h"

#include <string.h>

#include "interchange/config_write.h"
#include "interchange/plain_keys.h"

typedef struct Writer
{
	json_t	   *object;
	uint32_t	n;
	const PaKeyValue *keys;
	double		usual;
	bool	   *plain;			/* of each key: is its path one, and good enough? */
	size_t		bytes;			/* of the keys so far */
} Writer;

static PaStatus
collect(PaEnv *env, Writer *writer, PaPlainKeys *plain)
{
	PaPlainKey *list;
	uint32_t	n = 0;

	PA_TRY(PA_NEW_ARRAY(env, writer->n, &list));
	PA_TRY(PA_NEW_ARRAY(env, writer->n, &writer->plain));
	for (uint32_t i = 0; i < writer->n; i++)
	{
		writer->plain[i] = writer->keys[i].value != writer->usual && pa_plain_key(writer->keys[i].path);
		if (writer->plain[i])
			list[n++] = (PaPlainKey) {writer->keys[i].path, i};
	}
	return pa_plain_keys(env, n, list, plain);
}

/* A key that is found for a path with another value cannot be plain. */
static PaStatus
find_doubts(PaEnv *env, Writer *writer)
{
	PaPlainKeys plain;
	PaPlainWalk walk;
	uint32_t	found;

	PA_TRY(collect(env, writer, &plain));
	for (uint32_t i = 0; plain.n > 0 && i < writer->n; i++)
	{
		PA_TRY(pa_check_cancel(env));
		PA_TRY(pa_plain_walk(env, writer->keys[i].path, &walk));
		while (pa_plain_keys_next(&plain, &walk, &found))
			if (writer->keys[found].value != writer->keys[i].value)
				writer->plain[found] = false;
		pa_plain_walk_release(env, &walk);
	}
	pa_plain_keys_release(env, &plain);
	return PA_OK;
}

static PaStatus
set_key(PaEnv *env, Writer *writer, const char *key, double value)
{
	writer->bytes += strlen(key);
	if (writer->bytes > PA_MAX_CONFIG_BYTES)
		return pa_fail(env, PA_ERR_LIMIT, "adapter configuration would be larger than %zu bytes",
					   PA_MAX_CONFIG_BYTES);
	return pa_config_set_number(env, writer->object, key, value);
}

PaStatus
pa_peft_keys_write(PaEnv *env, json_t *object, uint32_t n, const PaKeyValue *keys, double usual)
{
	Writer		writer = {.object = object, .n = n, .keys = keys, .usual = usual};
	const char *escaped;

	PA_TRY(find_doubts(env, &writer));
	for (uint32_t i = 0; i < n; i++)
	{
		PA_TRY(pa_check_cancel(env));
		if (keys[i].value == usual)
			continue;
		if (writer.plain[i])
		{
			PA_TRY(set_key(env, &writer, keys[i].path, keys[i].value));
			continue;
		}
		PA_TRY(pa_pattern_escape(env, keys[i].path, &escaped));
		PA_TRY(set_key(env, &writer, escaped, keys[i].value));
		pa_free(env, (void *) escaped);
	}
	pa_free(env, writer.plain);
	return PA_OK;
}
