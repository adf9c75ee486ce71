/*
 * bridge.c
 *	  What the server lends to the core, and the way back for errors.
 *
 * See bridge.h.  The host's callbacks may run server code that raises errors
 * (CHECK_FOR_INTERRUPTS, creating a hash): each such call stands in PG_TRY, and
 * since the error is raised again as soon as the core has returned, without
 * any other call into the server in between, no subtransaction is needed.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/bridge.h"

#include <sys/mman.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/evaluated.h"
#include "pg/settings.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

StaticAssertDecl(PG_SHA256_DIGEST_LENGTH == PA_SHA256_LENGTH, "SHA-256 is 32 bytes");

/* Buffers of at least this size get huge pages. */
#define HUGE_BUFFER ((size_t) 8 * 1024 * 1024)

static int
sqlstate_of(PaStatus status)
{
	switch (status)
	{
		case PA_ERR_FILE:
			return ERRCODE_INVALID_BINARY_REPRESENTATION;
		case PA_ERR_TEXT:
			return ERRCODE_INVALID_TEXT_REPRESENTATION;
		case PA_ERR_JSON:
			return ERRCODE_INVALID_JSON_TEXT;
		case PA_ERR_DUPLICATE_KEY:
			return ERRCODE_DUPLICATE_JSON_OBJECT_KEY_VALUE;
		case PA_ERR_CONFIG:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case PA_ERR_MISMATCH:
			return ERRCODE_DATA_EXCEPTION;
		case PA_ERR_RANGE:
			return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
		case PA_ERR_DIVISION:
			return ERRCODE_DIVISION_BY_ZERO;
		case PA_ERR_REGEX:
			return ERRCODE_INVALID_REGULAR_EXPRESSION;
		case PA_ERR_LIMIT:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case PA_ERR_UNSUPPORTED:
		case PA_ERR_OUTLINE:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case PA_ERR_NOT_FOUND:
			return ERRCODE_UNDEFINED_OBJECT;
		case PA_ERR_CORRUPT:
			return ERRCODE_DATA_CORRUPTED;
		case PA_ERR_NOMEM:
			return ERRCODE_OUT_OF_MEMORY;
		case PA_OK:
		case PA_ERR_CANCELLED:
		case PA_ERR_HOST:
		case PA_ERR_INTERNAL:
			break;
	}
	return ERRCODE_INTERNAL_ERROR;
}

/*
 * A large buffer is fresh from the kernel each time, and its page faults cost as
 * much as filling it: ask for huge pages, where the system gives them on request.
 */
static void
advise_huge_pages(void *p, size_t size)
{
#ifdef MADV_HUGEPAGE
	uintptr_t	page = 4096;
	uintptr_t	start = TYPEALIGN(page, (uintptr_t) p);
	uintptr_t	end = TYPEALIGN_DOWN(page, (uintptr_t) p + size);

	if (size >= HUGE_BUFFER)
		(void) madvise((void *) start, end - start, MADV_HUGEPAGE);
#endif
}

static void *
host_alloc(void *state, size_t size)
{
	Bridge	   *bridge = state;
	void	   *p = MemoryContextAllocExtended(bridge->context, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);

	if (p != NULL)
		advise_huge_pages(p, size);
	return p;
}

static void
host_release(void *state, void *p)
{
	pfree(p);
}

void
bridge_keep_error(Bridge *bridge)
{
	MemoryContextSwitchTo(bridge->context);
	bridge->kept = CopyErrorData();
	FlushErrorState();
}

static bool
host_cancelled(void *state)
{
	Bridge	   *bridge = state;
	volatile bool stop = false;

	if (!INTERRUPTS_PENDING_CONDITION())
		return false;

	PG_TRY();
	{
		CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		bridge_keep_error(bridge);
		stop = true;
	}
	PG_END_TRY();
	return stop;
}

static bool
host_hash_begin(void *state, PaHashSlot slot)
{
	Bridge	   *bridge = state;
	volatile bool ok = true;

	if (bridge->hash[slot] == NULL)
	{
		PG_TRY();
		{
			bridge->hash[slot] = pg_cryptohash_create(PG_SHA256);
		}
		PG_CATCH();
		{
			bridge_keep_error(bridge);
			ok = false;
		}
		PG_END_TRY();
	}
	return ok && bridge->hash[slot] != NULL && pg_cryptohash_init(bridge->hash[slot]) == 0;
}

static bool
host_hash_update(void *state, PaHashSlot slot, const void *p, size_t n)
{
	Bridge	   *bridge = state;

	return pg_cryptohash_update(bridge->hash[slot], p, n) == 0;
}

static bool
host_hash_finish(void *state, PaHashSlot slot, uint8_t out[PA_SHA256_LENGTH])
{
	Bridge	   *bridge = state;

	return pg_cryptohash_final(bridge->hash[slot], out, PA_SHA256_LENGTH) == 0;
}

/*
 * The context goes away while the bridge is open: an error was raised outside
 * the core.  Palloc'ed memory goes with the context and the resource owner
 * takes the hashes; what the core's libraries got from malloc is ours.
 */
static void
bridge_abandoned(void *arg)
{
	Bridge	   *bridge = arg;

	if (bridge->open)
		pa_env_run_deferred(&bridge->env);
	bridge->open = false;
}

static void
add_outline(Bridge *bridge, const uint8_t *digest, const char *root, size_t n_root)
{
	char		hex[2 * PA_SHA256_LENGTH + 1];

	pa_hex(hex, digest);
	appendStringInfo(&bridge->outlines, "%s[\"%s\", %.*s]", bridge->outlines.len > 0 ? ", " : "", hex,
					 (int) n_root, root);
}

static void
host_made(void *state, const PaIdentity *value, const char *root, size_t n_root, uint32_t n_operands,
		  const PaIdentity *operands)
{
	Bridge	   *bridge = state;

	PG_TRY();
	{
		if (bridge->host.outline)
			add_outline(bridge, value->digest, root, n_root);
		else
			evaluated_note(value, root, n_root, n_operands, operands);
	}
	PG_CATCH();
	{
		/* What is not noted is a claim; the value is made nevertheless. */
		MemoryContextSwitchTo(bridge->context);
		FlushErrorState();
	}
	PG_END_TRY();
}

/* A callback may not throw: without memory for it there is no notice. */
static char *
copy_text(Bridge *bridge, const char *text)
{
	char	   *copy = text != NULL ? host_alloc(bridge, strlen(text) + 1) : NULL;

	return copy != NULL ? strcpy(copy, text) : NULL;
}

/* One for each call of a function: the last one. */
static void
host_notice(void *state, const PaNotice *notice)
{
	Bridge	   *bridge = state;

	bridge->notice.message = copy_text(bridge, notice->message);
	bridge->notice.detail = copy_text(bridge, notice->detail);
	bridge->notice.hint = copy_text(bridge, notice->hint);
	bridge->notice.once = notice->once;
}

Bridge *
bridge_open(void)
{
	Bridge	   *bridge = palloc0(sizeof(Bridge));

	bridge->context = CurrentMemoryContext;
	bridge->host.state = bridge;
	bridge->host.alloc = host_alloc;
	bridge->host.release = host_release;
	bridge->host.cancelled = host_cancelled;
	bridge->host.hash_begin = host_hash_begin;
	bridge->host.hash_update = host_hash_update;
	bridge->host.hash_finish = host_hash_finish;
	bridge->host.notice = host_notice;
	bridge->host.made = host_made;
	bridge->host.unpaired = settings_unpaired_modules();
	pa_env_init(&bridge->env, &bridge->host);
	bridge->callback.func = bridge_abandoned;
	bridge->callback.arg = bridge;
	MemoryContextRegisterResetCallback(bridge->context, &bridge->callback);
	bridge->open = true;
	return bridge;
}

void
bridge_outline(Bridge *bridge)
{
	initStringInfo(&bridge->outlines);
	bridge->host.outline = true;
}

/* The core's work is done; the struct itself stays, since its reset callback cannot be taken back. */
static void
close_core(Bridge *bridge)
{
	if (!bridge->open)
		return;
	bridge->open = false;
	pa_env_reset(&bridge->env);
	for (int i = 0; i < PA_HASH_SLOTS; i++)
	{
		if (bridge->hash[i] != NULL)
			pg_cryptohash_free(bridge->hash[i]);
		bridge->hash[i] = NULL;
	}
}

/* In the server's encoding, with ? for what it has not: an error about an error would hide it. */
static char *
error_text(const char *utf8)
{
	int			encoding = GetDatabaseEncoding();
	int			left = (int) strlen(utf8);
	int			room = MAX_CONVERSION_GROWTH * left + 16;
	unsigned char *piece;
	StringInfoData text;
	Oid			conversion;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return pstrdup(utf8);
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	piece = palloc(room);
	initStringInfo(&text);
	while (left > 0)
	{
		int			done = 0;

		if (OidIsValid(conversion))
			done = pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
												 unconstify(unsigned char *, (const unsigned char *) utf8),
												 left, piece, room, true);
		if (done > 0)
			appendStringInfoString(&text, (char *) piece);
		utf8 += done;
		left -= done;
		if (left > 0)
		{
			int			skipped = Min(left, pg_utf_mblen((const unsigned char *) utf8));

			appendStringInfoChar(&text, '?');
			utf8 += skipped;
			left -= skipped;
		}
	}
	return text.data;
}

void
bridge_check(Bridge *bridge, PaStatus status)
{
	PaError		error;
	ErrorData  *kept;

	if (likely(status == PA_OK))
		return;

	error = bridge->env.error;
	kept = bridge->kept;
	close_core(bridge);
	if ((status == PA_ERR_CANCELLED || status == PA_ERR_HOST || status == PA_ERR_NOMEM) && kept != NULL)
		ReThrowError(kept);
	ereport(ERROR,
			(errcode(sqlstate_of(status)), errmsg_internal("%s", error_text(error.message)),
			 error.detail[0] != '\0' ? errdetail_internal("%s", error_text(error.detail)) : 0,
			 error.hint[0] != '\0' ? errhint("%s", error_text(error.hint)) : 0));
}

/* When the last statement began that was told something which is told once. */
static TimestampTz told_in;

static bool
was_told(const PaNotice *notice)
{
	TimestampTz statement = GetCurrentStatementStartTimestamp();

	if (!notice->once)
		return false;
	if (statement == told_in)
		return true;
	told_in = statement;
	return false;
}

void
bridge_close(Bridge *bridge)
{
	PaNotice	notice = bridge->notice;

	if (!bridge->open)
		return;
	close_core(bridge);
	if (notice.message == NULL || was_told(&notice))
		return;
	ereport(NOTICE,
			(errcode(ERRCODE_SUCCESSFUL_COMPLETION), errmsg_internal("%s", error_text(notice.message)),
			 notice.detail != NULL ? errdetail_internal("%s", error_text(notice.detail)) : 0,
			 notice.hint != NULL ? errhint("%s", error_text(notice.hint)) : 0));
}

struct varlena *
bridge_varlena(PaBuf *buf)
{
	if (!AllocSizeIsValid(buf->length))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("result of %zu bytes is too large for a value", buf->length),
				 errdetail("A value can have at most %zu bytes.", (size_t) MaxAllocSize),
				 errhint("Split the adapter with adapter_split().")));
	SET_VARSIZE(buf->data, buf->length);
	return (struct varlena *) buf->data;
}

Datum
bridge_return(Bridge *bridge, PaStatus status, PaBuf *value)
{
	struct varlena *result;

	bridge_check(bridge, status);
	result = bridge_varlena(value);
	bridge_close(bridge);
	return PointerGetDatum(result);
}

char *
bridge_to_server(const char *utf8, size_t length)
{
	return pg_any_to_server(utf8, (int) length, PG_UTF8);
}

char *
bridge_to_utf8(const char *text, size_t length)
{
	return pg_server_to_any(text, (int) length, PG_UTF8);
}

char *
bridge_text_argument(Datum argument)
{
	char	   *s = TextDatumGetCString(argument);

	return bridge_to_utf8(s, strlen(s));
}

PaText
bridge_long_text_argument(Datum argument)
{
	text	   *t = DatumGetTextPP(argument);
	const char *utf8 = bridge_to_utf8(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));

	return utf8 == VARDATA_ANY(t) ? bridge_bytes(t) : pa_text_of(utf8);
}
