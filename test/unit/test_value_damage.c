/*
 * test_value_damage.c
 *	  Stored bytes that are wrong, and faults of the host while they are written
 *	  and read: an error each time, never a wrong result.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "value_later.h"
#include "value_sample.h"
#include "value_seal.h"
#include "value_unpacked.h"

/* Open, decode, compare all. */
static PaStatus
read_all(PaEnv *env, const uint8_t *p, size_t n)
{
	PaMemoryBytes bytes;
	PaValue    *value;

	pa_bytes_from_memory(&bytes, p, n);
	PA_TRY(pa_value_open(env, &bytes.base, &value));
	return pa_value_check(env, value);
}

/* Each in memory of exactly its size, so that ASan sees a byte too many. */
static PaStatus
read_copy(PaEnv *env, const uint8_t *p, size_t n, bool seal)
{
	uint8_t    *copy = malloc(n > 0 ? n : 1);
	PaEnv		own;
	PaStatus	status;

	memcpy(copy, p, n);
	if (seal)
		value_seal(copy, n, false);
	pa_env_init(&own, env->host);
	status = read_all(&own, copy, n);
	CHECK(status == PA_OK || (status == own.error.code && own.error.message[0] != '\0'));
	pa_env_reset(&own);
	free(copy);
	return status;
}

static bool
is_damage(PaStatus status)
{
	return status == PA_ERR_CORRUPT || status == PA_ERR_UNSUPPORTED;
}

/* A sample as it is written; or with its description as it is, as version 1 has it. */
static PaStatus
write_golden(PaEnv *env, int golden, bool unpacked, PaBuf *buf)
{
	Sample		s;

	PA_TRY(sample_golden(env, golden, &s));
	PA_TRY(sample_write(env, &s, 0, buf));
	return unpacked ? value_unpacked(env, buf) : PA_OK;
}

/* What was written by version 1 is read, and is the same value. */
UNIT_TEST(both_versions)
{
	for (int i = 0; i < SAMPLE_GOLDEN_COUNT; i++)
	{
		PaBuf		buf;
		PaBuf		old;

		CHECK_OK(write_golden(env, i, false, &buf), env);
		CHECK_OK(write_golden(env, i, true, &old), env);
		CHECK(pa_load_u16(old.data + 8) == 1 && read_copy(env, old.data, old.length, false) == PA_OK);
		CHECK(pa_load_u16(buf.data + 8) == (buf.length < old.length ? 2 : 1));
		CHECK(memcmp(buf.data + 176, old.data + 176, 64) == 0);
		pa_buf_release(&buf);
		pa_buf_release(&old);
	}
}

UNIT_TEST(every_byte)
{
	static const uint8_t masks[] = {0x01, 0x80, 0xFF};

	for (int i = 0; i < 6; i++)
	{
		PaBuf		buf;

		CHECK_OK(write_golden(env, i % 3, i >= 3, &buf), env);
		CHECK(buf.length < 4096 && read_copy(env, buf.data, buf.length, false) == PA_OK);
		for (size_t at = 0; at < buf.length; at++)
			for (size_t m = 0; m < sizeof(masks); m++)
			{
				buf.data[at] ^= masks[m];
				CHECK(is_damage(read_copy(env, buf.data, buf.length, false)));
				buf.data[at] ^= masks[m];
			}
		pa_buf_release(&buf);
	}
}

UNIT_TEST(every_length)
{
	for (int i = 0; i < 10; i++)
	{
		PaBuf		buf;

		CHECK_OK(write_golden(env, i % 5, i >= 5, &buf), env);
		CHECK_OK(pa_buf_zero(&buf, 16), env);
		for (size_t n = 0; n <= buf.length; n++)
		{
			bool		whole = n == buf.length - 16;

			CHECK((read_copy(env, buf.data, n, false) == PA_OK) == whole);
			/* with the checksums made right for what is left of it */
			if (n >= PA_VALUE_HEADER_BYTES)
			{
				uint64_t	kept = pa_load_u64(buf.data + 16);

				pa_store_u64(buf.data + 16, n);
				CHECK((read_copy(env, buf.data, n, true) == PA_OK) == whole);
				pa_store_u64(buf.data + 16, kept);
			}
		}
		pa_buf_release(&buf);
	}
}

/*
 * Behind the checksums: all of the tensors' bytes and most of the metadata are
 * in the digests.  What is in none is the form of the value (alpha and the form
 * of the scaling, prefix, the modules of dense tensors), and must open or fail
 * without harm.
 */
UNIT_TEST(sealed_damage)
{
	static const uint8_t masks[] = {0x01, 0x10, 0x80};

	for (int i = 0; i < 3; i++)
	{
		PaBuf		buf;
		size_t		data;
		long		accepted = 0;

		CHECK_OK(write_golden(env, i, true, &buf), env);
		data = (size_t) pa_load_u64(buf.data + 160);
		for (size_t at = PA_VALUE_HEADER_BYTES; at < buf.length; at++)
			for (size_t m = 0; m < sizeof(masks); m++)
			{
				PaStatus	status;

				buf.data[at] ^= masks[m];
				status = read_copy(env, buf.data, buf.length, true);
				CHECK(is_damage(status) || (status == PA_OK && at < data));
				accepted += status == PA_OK;
				buf.data[at] ^= masks[m];
			}
		/* a small part of the metadata */
		CHECK(accepted > 0 && accepted < (long) (data - PA_VALUE_HEADER_BYTES));
		pa_buf_release(&buf);
	}
}

/* Fields of the header, each changed with its checksum right. */
static const struct
{
	int			at;
	int			size;
	uint64_t	v;
	PaStatus	status;
	bool		keeps_digest;	/* found by what it contradicts, not by a digest */
} header_rows[] = {
	{0, 1, 0x88, PA_ERR_CORRUPT, true},
	{8, 2, 0, PA_ERR_CORRUPT, true},
	{8, 2, 3, PA_ERR_UNSUPPORTED, true},
	{8, 2, 0xFFFF, PA_ERR_UNSUPPORTED, true},
	{10, 2, 255, PA_ERR_CORRUPT, true},
	{12, 1, 0, PA_ERR_CORRUPT, true},
	{12, 1, 2, PA_ERR_CORRUPT, true},
	{12, 1, 3, PA_ERR_CORRUPT, true},
	{12, 1, 5, PA_ERR_UNSUPPORTED, true},
	{12, 1, 255, PA_ERR_UNSUPPORTED, true},
	{13, 1, 1, PA_ERR_UNSUPPORTED, true},
	{14, 1, 1, PA_ERR_UNSUPPORTED, true},
	{15, 1, 128, PA_ERR_UNSUPPORTED, true},
	{16, 8, 0, PA_ERR_CORRUPT, true},
	{16, 8, UINT64_MAX, PA_ERR_CORRUPT, true},
	{24, 8, 0, PA_ERR_CORRUPT, true},
	{24, 8, UINT64_MAX, PA_ERR_CORRUPT, true},
	{32, 4, 0, PA_ERR_CORRUPT, true},
	{32, 4, 5, PA_ERR_CORRUPT, true},
	{32, 4, 7, PA_ERR_CORRUPT, true},
	{32, 4, 65537, PA_ERR_CORRUPT, true},
	{32, 4, UINT32_MAX, PA_ERR_CORRUPT, true},
	{36, 4, 2, PA_ERR_CORRUPT, true},
	{36, 4, 4, PA_ERR_CORRUPT, true},
	{36, 4, UINT32_MAX, PA_ERR_CORRUPT, true},
	{40, 8, 0, PA_ERR_CORRUPT, true},
	{40, 8, UINT64_MAX, PA_ERR_CORRUPT, true},
	{48, 4, UINT32_MAX, PA_ERR_CORRUPT, true},
	{52, 4, 1, PA_ERR_CORRUPT, true},
	{72, 4, 0, PA_ERR_CORRUPT, true},
	{96, 4, 0, PA_ERR_CORRUPT, true},
	{100, 4, UINT32_MAX, PA_ERR_CORRUPT, true},
	{124, 4, 0, PA_ERR_CORRUPT, true},
	{148, 4, 0, PA_ERR_CORRUPT, true},
	{148, 4, 1024 * 1024 + 1, PA_ERR_CORRUPT, true},
	{160, 8, 256, PA_ERR_CORRUPT, true},
	{160, 8, UINT64_MAX, PA_ERR_CORRUPT, true},
	{168, 8, 0, PA_ERR_CORRUPT, true},
	{168, 8, UINT64_MAX, PA_ERR_CORRUPT, true},
	{176, 1, 0, PA_ERR_CORRUPT, false},
	{207, 1, 0, PA_ERR_CORRUPT, false},
	{208, 1, 0, PA_ERR_CORRUPT, false},
	{239, 1, 0, PA_ERR_CORRUPT, false},
	{240, 1, 1, PA_ERR_UNSUPPORTED, true},
	{247, 1, 1, PA_ERR_UNSUPPORTED, true},
};

UNIT_TEST(sealed_header)
{
	PaBuf		buf;

	CHECK_OK(write_golden(env, 0, true, &buf), env);
	for (size_t i = 0; i < sizeof(header_rows) / sizeof(header_rows[0]); i++)
	{
		uint8_t    *copy = malloc(buf.length);
		uint8_t		v[8];
		PaMemoryBytes bytes;
		PaValue    *value;

		memcpy(copy, buf.data, buf.length);
		pa_store_u64(v, header_rows[i].v);
		if (!header_rows[i].keeps_digest)
			v[0] = copy[header_rows[i].at] ^ 1;
		memcpy(copy + header_rows[i].at, v, (size_t) header_rows[i].size);
		/* the header alone: sections that moved must not be made to fit */
		pa_store_u64(copy + 248, pa_checksum(copy, 248));
		pa_bytes_from_memory(&bytes, copy, buf.length);
		CHECK_STATUS(read_all(env, copy, buf.length), header_rows[i].status, env);
		CHECK((pa_value_open(env, &bytes.base, &value) == PA_OK) == !header_rows[i].keeps_digest);
		free(copy);
	}
	pa_buf_release(&buf);
}

/* Lengths of what is compressed, and frames that are not theirs. */
UNIT_TEST(packed_descriptions)
{
	static const struct
	{
		size_t		at;
		int			size;
		uint64_t	v;
	} rows[] = {
		{8, 2, 1},				/* version 1 has none */
		{48, 4, 0},				/* facts: stored */
		{52, 4, 1},				/* raw */
		{52, 4, 100000},	 {52, 4, 4 * 1024 * 1024 + 1},
		{52, 4, UINT32_MAX}, {76, 4, 1},	/* table of contents: raw */
		{76, 4, 100000},	 {76, 4, 4 * 1024 * 1024 + 1},
		{76, 4, UINT32_MAX}, {256, 1, 0},	/* the frame's magic */
	};
	PaBuf		buf;

	CHECK_OK(write_golden(env, 0, false, &buf), env);
	CHECK(pa_load_u16(buf.data + 8) == 2 && pa_load_u32(buf.data + 48) < pa_load_u32(buf.data + 52) &&
		  pa_load_u32(buf.data + 72) < pa_load_u32(buf.data + 76));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		uint8_t		v[8];
		uint8_t		kept[8];

		pa_store_u64(v, rows[i].v);
		memcpy(kept, buf.data + rows[i].at, 8);
		memcpy(buf.data + rows[i].at, v, (size_t) rows[i].size);
		if (!CHECK(read_copy(env, buf.data, buf.length, true) == PA_ERR_CORRUPT))
			printf("#   row %zu\n", i);
		memcpy(buf.data + rows[i].at, kept, 8);
	}
	CHECK(read_copy(env, buf.data, buf.length, true) == PA_OK);
	pa_buf_release(&buf);
}

/* What only a later version knows: never damage, and said so. */
UNIT_TEST(later_versions)
{
	for (int i = 0; i < SAMPLE_GOLDEN_COUNT; i++)
		for (int sort = 0; sort < VALUE_LATER_COUNT; sort++)
		{
			PaBuf		buf;

			CHECK_OK(write_golden(env, i, true, &buf), env);
			CHECK(value_later(buf.data, buf.length, sort));
			CHECK_STATUS(read_all(env, buf.data, buf.length), PA_ERR_UNSUPPORTED, env);
			CHECK(strcmp(env->error.message, "adapter was written by a later version of the extension") == 0);
			CHECK(env->error.detail[0] != '\0' && env->error.hint[0] != '\0');
			pa_buf_release(&buf);
		}
}

/* The same as files, as the code of their time wrote them. */
UNIT_TEST(later_files)
{
	for (int sort = 0; sort < VALUE_LATER_COUNT; sort++)
	{
		static uint8_t room[1 << 16];
		char		path[128];
		size_t		n;
		FILE	   *f;

		snprintf(path, sizeof(path), "test/golden/later/%s.bin", value_later_name(sort));
		f = fopen(path, "rb");
		if (!CHECK(f != NULL))
			return;
		n = fread(room, 1, sizeof(room), f);
		fclose(f);
		CHECK(n > PA_VALUE_HEADER_BYTES && n < sizeof(room));
		CHECK_STATUS(read_all(env, room, n), PA_ERR_UNSUPPORTED, env);
	}
}

/* Numbers that ask for more than there is, everywhere in the metadata. */
UNIT_TEST(sealed_numbers)
{
	static const uint32_t numbers[] = {0, 0x7FFFFFFF, 0xFFFFFFFF};

	for (int i = 0; i < 3; i++)
	{
		PaBuf		buf;
		size_t		data;

		CHECK_OK(write_golden(env, i, true, &buf), env);
		data = (size_t) pa_load_u64(buf.data + 160);
		for (size_t at = 16; at + 4 <= data; at++)
			for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			{
				uint32_t	kept = pa_load_u32(buf.data + at);
				PaStatus	status;

				pa_store_u32(buf.data + at, numbers[k]);
				status = read_copy(env, buf.data, buf.length, true);
				CHECK(status == PA_OK || is_damage(status));
				pa_store_u32(buf.data + at, kept);
			}
		pa_buf_release(&buf);
	}
}

/* A tensor with so many blocks that the table ends among them: there is memory for fewer. */
UNIT_TEST(blocks_of_later_tensors)
{
	PaBuf		buf;
	uint8_t    *toc;
	size_t		n;

	CHECK_OK(write_golden(env, 3, true, &buf), env);
	toc = buf.data + pa_load_u64(buf.data + 64);
	n = pa_load_u32(buf.data + 72);
	CHECK(memcmp(toc + 4, "saved.01", 8) == 0 && n > 80 + 100 * 12);
	pa_store_u64(toc + 20, 100);
	pa_store_u64(toc + 28, PA_BLOCK_ELEMENTS);
	CHECK(pa_load_u32(toc + 76) == 1);
	pa_store_u32(toc + 76, 100);
	memset(toc + 80, 0, n - 80);
	CHECK(is_damage(read_copy(env, buf.data, buf.length, true)));
	pa_buf_release(&buf);
}

typedef struct Stored
{
	const uint8_t *p;
	size_t		n;
	int			golden;
} Stored;

static PaStatus
action_write(PaEnv *env, void *arg)
{
	Stored	   *stored = arg;
	Sample		s;
	PaSource   *source;
	PaBuf		buf = {.env = env};
	PaStatus	status;

	PA_TRY(sample_golden(env, stored->golden, &s));
	PA_TRY(sample_source(env, &s, &source));
	PA_TRY(pa_buf_init(env, &buf, 0, 16));	/* so that it has to grow */
	status = pa_value_write(env, source, &s.adapter, &s.documents, &buf, NULL);
	CHECK(status == PA_OK || buf.data == NULL);
	pa_buf_release(&buf);
	return status;
}

static PaStatus
action_read(PaEnv *env, void *arg)
{
	Stored	   *stored = arg;

	return read_all(env, stored->p, stored->n);
}

UNIT_TEST(faults_of_the_host)
{
	for (int i = 0; i < SAMPLE_GOLDEN_COUNT; i++)
	{
		Sample		s;
		PaBuf		buf;
		Stored		stored = {.golden = i};

		CHECK_OK(sample_golden(env, i, &s), env);
		CHECK_OK(sample_write(env, &s, 0, &buf), env);
		stored.p = buf.data;
		stored.n = buf.length;
		unit_fail_every_allocation(action_write, &stored);
		unit_fail_every_allocation(action_read, &stored);
		unit_cancel_everywhere(action_write, &stored);
		unit_cancel_everywhere(action_read, &stored);
		pa_buf_release(&buf);
	}
}

UNIT_TEST(hash_fails)
{
	UnitHost	host;
	PaEnv		own;
	Sample		s;
	PaBuf		buf;
	Stored		stored = {.golden = 0};

	CHECK_OK(sample_golden(env, 0, &s), env);
	CHECK_OK(sample_write(env, &s, 0, &buf), env);
	stored.p = buf.data;
	stored.n = buf.length;
	unit_host_init(&host);
	host.hash_fails = true;
	pa_env_init(&own, &host.host);
	CHECK_STATUS(action_write(&own, &stored), PA_ERR_HOST, &own);
	CHECK_STATUS(action_read(&own, &stored), PA_ERR_HOST, &own);
	pa_env_reset(&own);
	CHECK(host.live == 0);
	unit_host_release(&host);
	pa_buf_release(&buf);
}

UNIT_SUITE(value_damage, UNIT_CASE(both_versions), UNIT_CASE(packed_descriptions), UNIT_CASE(every_byte),
		   UNIT_CASE(every_length), UNIT_CASE(sealed_damage), UNIT_CASE(sealed_header),
		   UNIT_CASE(later_versions), UNIT_CASE(later_files), UNIT_CASE(sealed_numbers),
		   UNIT_CASE(blocks_of_later_tensors), UNIT_CASE(faults_of_the_host), UNIT_CASE(hash_fails));
