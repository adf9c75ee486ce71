/*
 * type.c
 *	  Input and output of the types adapter and adapter_delta: the envelope (doc/format.md), binary as it
 *	  is and as text in base64.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg/datum.h"

#include "engine/export.h"
#include "engine/import.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(adapter_in);
PG_FUNCTION_INFO_V1(adapter_out);
PG_FUNCTION_INFO_V1(adapter_recv);
PG_FUNCTION_INFO_V1(adapter_send);

/* Base64 is converted in pieces, so that long values can be cancelled. */
#define TEXT_PIECE 65536
#define BINARY_PIECE (TEXT_PIECE / 4 * 3)

static Datum
import_envelope(PaText envelope)
{
	Bridge	   *bridge = bridge_open();
	PaBuf		out;
	PaStatus	status = pa_import_file(&bridge->env, envelope, pa_text_of(NULL), true, VARHDRSZ, &out);

	return bridge_return(bridge, status, &out);
}

/* The envelope behind VARHDRSZ bytes. */
static struct varlena *
export_envelope(Datum datum)
{
	Bridge	   *bridge = bridge_open();
	PaValue    *value = datum_value(bridge, datum);
	PaBuf		out;
	PaStatus	status = pa_export_value(&bridge->env, value, PA_EXPORT_ENVELOPE, VARHDRSZ, &out);

	return (struct varlena *) DatumGetPointer(bridge_return(bridge, status, &out));
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * Decode base64 with white space into a fresh buffer; the type that an error
 * names is the one that the caller returns.
 */
static char *
decode_text(FunctionCallInfo fcinfo, const char *text, size_t *length)
{
	size_t		left = strlen(text);
	size_t		capacity = left / 4 * 3 + 3;
	char	   *binary = MemoryContextAllocHuge(CurrentMemoryContext, capacity);
	char	   *piece = palloc(TEXT_PIECE);
	size_t		n = 0;

	*length = 0;
	for (;;)
	{
		int			decoded;

		CHECK_FOR_INTERRUPTS();
		for (n = 0; n < TEXT_PIECE && left > 0; text++, left--)
			if (!is_space(*text))
				piece[n++] = *text;
		if (n == 0)
			break;
		/* where it fails it clears all the room that it was given */
		decoded = pg_b64_decode(piece, (int) n, (pa_base64_binary *) binary + *length,
								(int) Min(BINARY_PIECE, capacity - *length));
		if (decoded < 0 || n % 4 != 0)
			ereport(
				ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s",
						format_type_be(get_func_rettype(fcinfo->flinfo->fn_oid))),
				 errdetail("The text form of an adapter is the base64 of an envelope."),
				 errhint(
					 "Use adapter_from_safetensors() for a PEFT file and adapter_from_json() for a small adapter.")));
		*length += decoded;
	}
	pfree(piece);
	return binary;
}

Datum
adapter_in(PG_FUNCTION_ARGS)
{
	size_t		length;
	char	   *envelope = decode_text(fcinfo, PG_GETARG_CSTRING(0), &length);
	Datum		result = import_envelope(pa_text(envelope, length));

	pfree(envelope);
	return result;
}

Datum
adapter_out(PG_FUNCTION_ARGS)
{
	struct varlena *envelope = export_envelope(PG_GETARG_DATUM(0));
	const char *binary = VARDATA(envelope);
	size_t		left = VARSIZE(envelope) - VARHDRSZ;
	size_t		capacity = (left + 2) / 3 * 4;
	char	   *text;
	char	   *out;

	if (!AllocSizeIsValid(capacity + 1))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text of %zu bytes is too long for a value", capacity),
				 errhint("Use the binary format, or adapter_split().")));
	text = out = palloc(capacity + 1);
	while (left > 0)
	{
		int			n = (int) Min(left, BINARY_PIECE);
		int			written;

		CHECK_FOR_INTERRUPTS();
		written = pg_b64_encode((const pa_base64_binary *) binary, n, out, (int) (text + capacity - out));
		if (written < 0)
			elog(ERROR, "base64 buffer is too small");	/* cannot happen: pg_b64_enc_len */
		binary += n;
		left -= n;
		out += written;
	}
	*out = '\0';
	pfree(envelope);
	PG_RETURN_CSTRING(text);
}

Datum
adapter_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			length = message->len - message->cursor;
	const char *envelope = pq_getmsgbytes(message, length);

	return import_envelope(pa_text(envelope, length));
}

Datum
adapter_send(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(export_envelope(PG_GETARG_DATUM(0)));
}
