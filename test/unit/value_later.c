/*
 * value_later.c
 *	  See value_later.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "value_later.h"

#include "core/bytes.h"
#include "value_seal.h"

#define SECTION(i) (40 + 24 * (i))

static const char *const names[VALUE_LATER_COUNT] = {"version", "kind", "reserved_1", "reserved_2",
													 "dtype",	"role", "feature",	  "flag"};

const char *
value_later_name(int sort)
{
	return names[sort];
}

static size_t
skip_str(const uint8_t *p, size_t at)
{
	return at + 4 + pa_load_u32(p + at);
}

static size_t
skip_optstr(const uint8_t *p, size_t at)
{
	return p[at] ? skip_str(p, at + 1) : at + 1;
}

static size_t
skip_list(const uint8_t *p, size_t at)
{
	uint32_t	n = pa_load_u32(p + at);

	for (at += 4; n > 0; n--)
		at = skip_str(p, at);
	return at;
}

static size_t
features_at(const uint8_t *facts)
{
	return skip_str(facts, skip_optstr(facts, skip_optstr(facts, skip_optstr(facts, 0))));
}

/* Of the first module. */
static size_t
flags_at(const uint8_t *facts)
{
	size_t		at = skip_list(facts, skip_list(facts, features_at(facts) + 4 + 3));

	at = facts[at] ? skip_str(facts, at + 1) + 32 : at + 1;
	return skip_str(facts, at);
}

bool
value_later(uint8_t *p, size_t n, int sort)
{
	uint8_t    *facts = p + pa_load_u64(p + SECTION(0));
	uint8_t    *toc = p + pa_load_u64(p + SECTION(1));
	bool		tensors = pa_load_u32(p + 32) > 0;
	bool		modules = pa_load_u32(p + 36) > 0;

	bool		packed = pa_load_u32(p + SECTION(0) + 8) < pa_load_u32(p + SECTION(0) + 12) ||
		pa_load_u32(p + SECTION(1) + 8) < pa_load_u32(p + SECTION(1) + 12);

	if (packed && sort >= 4)
		return false;
	if ((!tensors && (sort == 4 || sort == 5)) || (!modules && sort == 7))
		return false;
	switch (sort)
	{
		case 0:
			pa_store_u16(p + 8, 3);
			break;
		case 1:
			p[12] = 200;
			break;
		case 2:
			p[14] = 1;
			break;
		case 3:
			p[247] = 128;
			break;
		case 4:
			toc[skip_str(toc, 0) + 1] = 200;
			break;
		case 5:
			toc[skip_str(toc, 0) + 2] = 100;
			break;
		case 6:
			facts[features_at(facts) + 3] = 0x80;
			break;
		default:
			facts[flags_at(facts)] |= 0x80;
	}
	value_seal(p, n, false);
	return true;
}
