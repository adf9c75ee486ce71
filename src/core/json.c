/*
 * json.c
 *	  Bounded JSON on libjansson.  See json.h.
 *
 * jansson's depth limit is a constant of its build (2,048) and it has none for
 * the number of values, whose memory may be forty times their text.  Both are
 * checked before parsing, by a scan that knows strings and punctuation only.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/strings.h"
#include "core/utf8.h"

static void
release(void *arg)
{
	json_decref(arg);
}

json_t *
pa_json_object(void)
{
	return json_pack("{}");
}

PaStatus
pa_json_own(PaEnv *env, json_t *made)
{
	if (made == NULL)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	return pa_defer(env, release, made);
}

static PaStatus
check_size(PaEnv *env, PaText text, const char *subject)
{
	int			depth = 0;
	size_t		values = 0;		/* at most one more than brackets and commas */
	bool		in_string = false;

	for (size_t i = 0; i < text.length; i++)
	{
		char		c = text.text[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (in_string)
			continue;
		else if (c == '{' || c == '[')
		{
			depth++;
			values++;
		}
		else if (c == '}' || c == ']')
			depth--;
		else if (c == ',')
			values++;
		if (depth > PA_MAX_JSON_DEPTH)
			return pa_fail(env, PA_ERR_LIMIT, "%s is nested deeper than %d levels", subject,
						   PA_MAX_JSON_DEPTH);
	}
	if (values > PA_MAX_JSON_VALUES)
		return pa_fail(env, PA_ERR_LIMIT, "%s has more than %d values", subject, PA_MAX_JSON_VALUES);
	return PA_OK;
}

static PaStatus
parse_failed(PaEnv *env, const json_error_t *error, const char *subject)
{
	PaStatus	code = PA_ERR_JSON;

	/*
	 * jansson says nothing when it runs out of memory, except inside a token,
	 * where it takes the token for a bad one.
	 */
	if (json_error_code(error) == json_error_out_of_memory || error->text[0] == '\0')
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	if (json_error_code(error) == json_error_duplicate_key)
		pa_fail(env, code = PA_ERR_DUPLICATE_KEY, "%s has a key twice in one object", subject);
	else
		pa_fail(env, code, "%s is not valid JSON", subject);
	if (json_error_code(error) == json_error_null_character)
		pa_detail(env, "Line %d, column %d: a string has a NUL, \\u0000.", error->line, error->column);
	else
		pa_detail(env, "Line %d, column %d: %s.", error->line, error->column, error->text);
	return code;
}

/* The text in pieces, so that parsing can be cancelled. */
typedef struct Feed
{
	PaEnv	   *env;
	PaText		left;
	PaStatus	status;
} Feed;

static size_t
feed(void *buffer, size_t room, void *state)
{
	Feed	   *self = state;
	size_t		n = self->left.length < room ? self->left.length : room;

	self->status = pa_check_cancel(self->env);
	if (self->status != PA_OK)
		return (size_t) -1;
	memcpy(buffer, self->left.text, n);
	self->left.text += n;
	self->left.length -= n;
	return n;
}

PaStatus
pa_json_load(PaEnv *env, PaText text, const char *subject, json_t **root)
{
	Feed		self = {env, text, PA_OK};
	json_error_t error;
	json_t	   *parsed;

	if (!pa_utf8_valid(text.text, text.length))
		return pa_fail(env, PA_ERR_JSON, "%s is not valid UTF-8", subject);
	/* jansson loses a NUL behind a number */
	if (memchr(text.text, '\0', text.length) != NULL)
		return pa_fail(env, PA_ERR_JSON, "%s has a NUL byte", subject);
	PA_TRY(check_size(env, text, subject));
	parsed = json_load_callback(feed, &self, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (self.status != PA_OK)
	{
		json_decref(parsed);
		return self.status;
	}
	if (parsed == NULL)
		return parse_failed(env, &error, subject);
	if (!json_is_object(parsed))
	{
		json_decref(parsed);
		return pa_fail(env, PA_ERR_JSON, "%s is not a JSON object", subject);
	}
	*root = parsed;
	return PA_OK;
}

PaStatus
pa_json_parse(PaEnv *env, PaText text, const char *subject, json_t **root)
{
	json_t	   *parsed;

	PA_TRY(pa_json_load(env, text, subject, &parsed));
	PA_TRY(pa_json_own(env, parsed));
	*root = parsed;
	return PA_OK;
}

/* Small exponents are written out, as Python does: 20, not 2e+01. */
void
pa_shortest_double(char out[32], double v)
{
	for (int digits = 1; digits <= 17; digits++)
	{
		int			exponent;

		snprintf(out, 32, "%.*e", digits - 1, v);
		if (strtod(out, NULL) != v)
			continue;
		exponent = atoi(strchr(out, 'e') + 1);
		if (exponent >= -4 && exponent < 16)
			snprintf(out, 32, "%.*f", digits > exponent + 1 ? digits - 1 - exponent : 0, v);
		return;
	}
}

static const char *const hex = "0123456789abcdef";

/* The letter that stands for a byte after a backslash; 0 if there is none. */
static char
short_escape(unsigned char c)
{
	switch (c)
	{
		case '"':
			return '"';
		case '\\':
			return '\\';
		case '\b':
			return 'b';
		case '\f':
			return 'f';
		case '\n':
			return 'n';
		case '\r':
			return 'r';
		case '\t':
			return 't';
		default:
			return '\0';
	}
}

size_t
pa_json_quoted_length(PaText text)
{
	size_t		length = text.length + 2;

	for (size_t i = 0; i < text.length; i++)
	{
		unsigned char c = (unsigned char) text.text[i];

		if (short_escape(c) != '\0')
			length += 1;
		else if (c < 0x20)
			length += 5;
	}
	return length;
}

PaStatus
pa_json_quote(PaBuf *buf, PaText text)
{
	uint8_t    *out;

	PA_TRY(pa_buf_room(buf, pa_json_quoted_length(text)));
	out = buf->data + buf->length;
	*out++ = '"';
	for (size_t i = 0; i < text.length; i++)
	{
		unsigned char c = (unsigned char) text.text[i];
		char		escape = short_escape(c);

		if (escape != '\0')
		{
			*out++ = '\\';
			*out++ = (uint8_t) escape;
		}
		else if (c < 0x20)
		{
			memcpy(out, "\\u00", 4);
			out[4] = (uint8_t) hex[c >> 4];
			out[5] = (uint8_t) hex[c & 15];
			out += 6;
		}
		else
			*out++ = c;
	}
	*out++ = '"';
	buf->length = (size_t) (out - buf->data);
	return PA_OK;
}

/*
 * Our own writer over jansson's values, because jansson prints reals with 17
 * digits always.
 */
typedef struct Writer
{
	PaBuf	   *out;
	PaJsonLayout layout;
} Writer;

static PaStatus write_value(Writer *w, const json_t *v, int level);

static PaStatus
new_line(Writer *w, int level)
{
	if (w->layout != PA_JSON_PRETTY)
		return PA_OK;
	PA_TRY(pa_buf_u8(w->out, '\n'));
	for (int i = 0; i < level; i++)
		PA_TRY(pa_buf_bytes(w->out, "  ", 2));
	return PA_OK;
}

static PaStatus
write_array(Writer *w, const json_t *v, int level)
{
	size_t		n = json_array_size(v);

	PA_TRY(pa_buf_u8(w->out, '['));
	for (size_t i = 0; i < n; i++)
	{
		if (i > 0)
			PA_TRY(pa_buf_u8(w->out, ','));
		if (i % 1024 == 0)
			PA_TRY(pa_check_cancel(w->out->env));
		PA_TRY(new_line(w, level + 1));
		PA_TRY(write_value(w, json_array_get(v, i), level + 1));
	}
	if (n > 0)
		PA_TRY(new_line(w, level));
	return pa_buf_u8(w->out, ']');
}

static PaStatus
write_object(Writer *w, const json_t *v, int level)
{
	size_t		n = json_object_size(v);
	size_t		i = 0;
	const char **keys;
	const char *key;
	json_t	   *value;

	PA_TRY(PA_NEW_ARRAY(w->out->env, n, &keys));
	json_object_foreach((json_t *) v, key, value) keys[i++] = key;
	if (w->layout != PA_JSON_COMPACT)
		pa_sort_strings(keys, n);
	PA_TRY(pa_buf_u8(w->out, '{'));
	PA_TRY(pa_check_cancel(w->out->env));
	for (i = 0; i < n; i++)
	{
		if (i > 0)
			PA_TRY(pa_buf_u8(w->out, ','));
		PA_TRY(new_line(w, level + 1));
		PA_TRY(pa_json_quote(w->out, pa_text_of(keys[i])));
		PA_TRY(pa_buf_bytes(w->out, ": ", w->layout == PA_JSON_PRETTY ? 2 : 1));
		PA_TRY(write_value(w, json_object_get(v, keys[i]), level + 1));
	}
	if (n > 0)
		PA_TRY(new_line(w, level));
	pa_free(w->out->env, keys);
	return pa_buf_u8(w->out, '}');
}

/* A real keeps a point or an exponent, so that it reads back as a real. */
static PaStatus
write_real(Writer *w, double v)
{
	char		text[32];

	pa_shortest_double(text, v);
	if (strpbrk(text, ".en") == NULL)
		return pa_buf_printf(w->out, "%s.0", text);
	return pa_buf_bytes(w->out, text, strlen(text));
}

static PaStatus
write_value(Writer *w, const json_t *v, int level)
{
	switch (json_typeof(v))
	{
		case JSON_OBJECT:
			return write_object(w, v, level);
		case JSON_ARRAY:
			return write_array(w, v, level);
		case JSON_STRING:
			return pa_json_quote(w->out, pa_text(json_string_value(v), json_string_length(v)));
		case JSON_INTEGER:
			return pa_buf_printf(w->out, "%lld", (long long) json_integer_value(v));
		case JSON_REAL:
			return write_real(w, json_real_value(v));
		case JSON_TRUE:
			return pa_buf_bytes(w->out, "true", 4);
		case JSON_FALSE:
			return pa_buf_bytes(w->out, "false", 5);
		case JSON_NULL:
			return pa_buf_bytes(w->out, "null", 4);
	}
	return pa_fail(w->out->env, PA_ERR_INTERNAL, "unknown JSON type");
}

PaStatus
pa_json_write(PaEnv *env, const json_t *root, PaJsonLayout layout, PaText *text)
{
	PaBuf		out;
	Writer		w = {&out, layout};
	PaStatus	status;

	PA_TRY(pa_buf_init(env, &out, 0, 1024));
	status = write_value(&w, root, 0);
	if (status == PA_OK)
		status = pa_strndup(env, (const char *) out.data, out.length, &text->text);
	text->length = out.length;
	pa_buf_release(&out);
	return status;
}
