/*
 * bridge.h
 *	  The single crossing between the server and the server-free core.
 *
 * A SQL function opens a Bridge, calls the core with &bridge->env, and closes
 * it.  The core never throws and is never thrown through: callbacks that call
 * the server catch its error, keep it in the Bridge and answer with a status;
 * bridge_check() raises it once the core has returned.  bridge_check() also
 * turns a PaError into ereport with the SQLSTATE of the one table in bridge.c.
 *
 * What the core tells (pa_notice) is raised when the bridge is closed, the last of
 * it, unless that is after an error.
 *
 * Memory comes from the context that was current at bridge_open(), huge
 * allocations allowed; so a PaBuf that the core filled is a palloc'ed chunk of
 * that context.  If an error is raised elsewhere while a Bridge is open, its
 * malloc'ed parts are released by a reset callback of that context.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef PA_PG_BRIDGE_H
#define PA_PG_BRIDGE_H

#include "pg/compat.h"

#include "common/cryptohash.h"
#include "core/buf.h"
#include "core/env.h"
#include "core/text.h"
#include "lib/stringinfo.h"

typedef struct Bridge
{
	PaEnv		env;
	PaHost		host;
	MemoryContext context;
	MemoryContextCallback callback;
	pg_cryptohash_ctx *hash[PA_HASH_SLOTS];
	ErrorData  *kept;			/* the server's error that a callback caught */
	PaNotice	notice;			/* in UTF-8; without a message: there is none */
	StringInfoData outlines;	/* of those that were made: see bridge_outline() */
	bool		open;
} Bridge;

/* A bridge in the current memory context. */
extern Bridge *bridge_open(void);

/*
 * The core makes outlines from now on (value/value.h), none of which is noted as a value:
 * outlines is JSON, ["digest", root of its recipe] for each, with commas between them.
 */
extern void bridge_outline(Bridge *bridge);

/* Release everything the core still owns and the hashes; raise the NOTICE that it left, if any. */
extern void bridge_close(Bridge *bridge);

/* Return if status is PA_OK; else close the bridge and raise the error. */
extern void bridge_check(Bridge *bridge, PaStatus status);

/* In a PG_CATCH of a callback: keep the current error for bridge_check. */
extern void bridge_keep_error(Bridge *bridge);

/* The PaBuf (with VARHDRSZ reserved) as a varlena. */
extern struct varlena *bridge_varlena(PaBuf *buf);

/* How a function ends that has the core make a value: the status is checked, the bridge closed. */
extern Datum bridge_return(Bridge *bridge, PaStatus status, PaBuf *value);

/* UTF-8 of the core to the database's encoding and back; may return the argument. */
extern char *bridge_to_server(const char *utf8, size_t length);
extern char *bridge_to_utf8(const char *text, size_t length);

/* An argument of type text as a string in UTF-8. */
extern char *bridge_text_argument(Datum argument);

/* An argument of type text or json, which may be long, in UTF-8; without NUL. */
extern PaText bridge_long_text_argument(Datum argument);

/* A bytea argument where it stands. */
static inline PaText
bridge_bytes(const bytea *bytes)
{
	return pa_text(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

#endif
