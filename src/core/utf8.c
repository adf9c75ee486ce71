/*
 * utf8.c
 *	  Strict UTF-8 and the characters that a name may have.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "core/utf8.h"

#include <stdint.h>
#include <string.h>

/* Decode one code point; its length, or 0 if the bytes are not well formed. */
static size_t
decode(const unsigned char *s, size_t n, uint32_t *c)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t		length;

	if (s[0] < 0x80)
	{
		*c = s[0];
		return 1;
	}
	if (s[0] >= 0xC2 && s[0] <= 0xDF)
		length = 2;
	else if (s[0] >= 0xE0 && s[0] <= 0xEF)
		length = 3;
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
		length = 4;
	else
		return 0;
	if (length > n)
		return 0;
	*c = s[0] & (0xFFu >> (length + 1));
	for (size_t i = 1; i < length; i++)
	{
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3F);
	}
	if (*c < smallest[length] || *c > 0x10FFFF || (*c >= 0xD800 && *c <= 0xDFFF))
		return 0;
	return length;
}

void
pa_utf8_clean(char *s)
{
	size_t		n = strlen(s);

	while (n > 0)
	{
		uint32_t	c;
		size_t		length = decode((const unsigned char *) s, n, &c);

		if (length == 0)
		{
			*s = '?';
			length = 1;
		}
		s += length;
		n -= length;
	}
}

bool
pa_utf8_valid(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *) s;

	while (n > 0)
	{
		uint32_t	c;
		size_t		length = decode(p, n, &c);

		if (length == 0)
			return false;
		p += length;
		n -= length;
	}
	return true;
}

bool
pa_utf8_valid_name(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *) s;

	if (n == 0)
		return false;
	while (n > 0)
	{
		uint32_t	c;
		size_t		length = decode(p, n, &c);

		if (length == 0 || c < 0x20 || (c >= 0x7F && c <= 0x9F))
			return false;
		p += length;
		n -= length;
	}
	return true;
}
