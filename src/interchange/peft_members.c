/*
 * peft_members.c
 *	  Members that PEFT does not have.  See peft_members.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_members.h"

#include <string.h>

#define BEGINNING "use_"
#define END "_config"

/* Named in one message: so many, and no longer ones. */
#define SHOWN 8
#define SHOWN_BYTES 100

static bool
is_set(const json_t *v)
{
	switch (json_typeof(v))
	{
		case JSON_NULL:
		case JSON_FALSE:
			return false;
		case JSON_TRUE:
			return true;
		case JSON_INTEGER:
		case JSON_REAL:
			return json_number_value(v) != 0;
		case JSON_STRING:
			return json_string_length(v) > 0;
		case JSON_ARRAY:
			return json_array_size(v) > 0;
		case JSON_OBJECT:
			return json_object_size(v) > 0;
	}
	return true;
}

PaMember
pa_peft_member(const PaPeftDialect *dialect, const char *name, const json_t *value)
{
	size_t		n = strlen(name);

	if (dialect->members == NULL)
		return PA_MEMBER_KNOWN;
	for (const char *const *known = dialect->members; *known != NULL; known++)
		if (strcmp(*known, name) == 0)
			return PA_MEMBER_KNOWN;
	if (!is_set(value))
		return PA_MEMBER_UNSET;
	if (dialect->has_variants &&
		(strncmp(name, BEGINNING, strlen(BEGINNING)) == 0 ||
		 (n >= strlen(END) && strcmp(name + n - strlen(END), END) == 0)))
		return PA_MEMBER_ANNOUNCES;
	return PA_MEMBER_SET;
}

/* Jansson's loop has no const variant; it changes nothing. */
PaStatus
pa_peft_member_variant(PaEnv *env, const PaPeftDialect *dialect, const json_t *root, const char **variant)
{
	const char *name;
	json_t	   *value;

	*variant = NULL;
	json_object_foreach((json_t *) root, name, value)
	{
		PA_TRY(pa_check_cancel(env));
		if (pa_peft_member(dialect, name, value) != PA_MEMBER_ANNOUNCES)
			continue;
		*variant = name;
		break;
	}
	return PA_OK;
}

static PaStatus
name_them(const PaPeftDialect *dialect, json_t *root, PaBuf *buf)
{
	const char *name;
	json_t	   *value;
	unsigned	shown = 0;
	unsigned	others = 0;

	json_object_foreach(root, name, value)
	{
		PA_TRY(pa_check_cancel(buf->env));
		if (pa_peft_member(dialect, name, value) != PA_MEMBER_SET)
			continue;
		if (shown == SHOWN || strlen(name) > SHOWN_BYTES)
		{
			others++;
			continue;
		}
		PA_TRY(pa_buf_printf(buf, "%s", shown++ > 0 ? ", " : ""));
		PA_TRY(pa_json_quote(buf, pa_text_of(name)));
	}
	if (others > 0)
		PA_TRY(pa_buf_printf(buf, "%s%u%s", shown > 0 ? " and " : "", others,
							 shown > 0 ? " more" : " long ones"));
	return PA_OK;
}

PaStatus
pa_peft_members_set(PaEnv *env, const PaPeftDialect *dialect, PaText config, const char **names)
{
	json_t	   *root;
	PaBuf		buf;
	PaStatus	status;

	*names = NULL;
	if (dialect->members == NULL)
		return PA_OK;
	PA_TRY(pa_json_parse(env, config, "adapter configuration", &root));
	PA_TRY(pa_buf_init(env, &buf, 0, 256));
	status = name_them(dialect, root, &buf);
	if (status == PA_OK && buf.length > 0)
		status = pa_strndup(env, (const char *) buf.data, buf.length, names);
	pa_buf_release(&buf);
	return status;
}
