"""What somebody with all rights changes in a registry is found, and named.

Random edits of the tables behind the registry's back, triggers and constraints
out of the way: any column of any row, rows deleted, invented and swapped, tables
emptied, the log cut and written anew.  registry.verify() with an earlier
checkpoint must name the entry or the row with a class that fits.  Each edit is
rolled back.  PA_EDITS sets their number (1200; the full form is 2000).

SPDX-License-Identifier: PostgreSQL
"""
import importlib.util
import os
import pathlib

import psycopg

import harness
import random_registry

spec = importlib.util.spec_from_file_location(
    "verify_log", pathlib.Path(__file__).parents[2] / "tools/verify-log.py")
verify_log = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify_log)

STORIES = ("story", "edge", "claim_set", "claim")     # what versions tell
TABLES = ("version", "alias_history", "revocation", "log", "dead") + STORIES
# Of events that are not sealed, what their rows tell too; the rest has no hash yet.
TOLD = {"event": ("kind", "fields")}
# A claim that is called a fact is found by recomputing alone; the others say only how far settling is.
UNSEEN = {("story", "proven"), ("revocation", "bound"), ("revocation", "settled")}
EVERY = TABLES + ("entry", "alias", "log_head", "event", "tree")

# New values by type; {c} is the column, {n} a small number, {b} a byte's index.
VALUES = {
    "text": ("{c} || 'x'", "{c} || chr(233)", "''", "'other'", "null", "upper({c})", "left({c}, -1)",
             "{c} || ' '", "repeat('long', 1000)"),
    "name": ("'mallory'", "null", "upper({c}::text)::name"),
    "integer": ("{c} + 1", "-{c}", "0", "{c} + 1000", "null", "2147483647", "{n}"),
    "bigint": ("{c} + 1", "-{c}", "0", "{c} + 1000", "null", "9223372036854775807", "{n}", "-9223372036854775808"),
    "boolean": ("not {c}", "null"),
    "timestamp with time zone": ("{c} + interval '1 microsecond'", "'infinity'", "'-infinity'", "null",
                                 "{c} - interval '4051 years'", "now()", "{c} + interval '10000 years'"),
    "double precision": ("{c} + 1", "'NaN'", "null", "-{c}", "0", "{c} * (1 + 1e-15)", "'infinity'", "'-0'"),
    "xid8": ("null",),
    "bigint[]": ("{c} || 1000000::bigint", "null", "{c} || null::bigint"),
    "bytea[]": ("{c} || sha256('')", "null"),
    "bytea": ("set_byte({c}, {b}, get_byte({c}, {b}) # (1 << {n} % 8))", "decode(repeat('00', 32), 'hex')",
              "sha256({c})", "substr({c}, 2)", "{c} || '\\x00'", "null", "''"),
    "jsonb": ("{c} || '{{\"x\": 1}}'", "'{{}}'", "{c} - 'nodes'", "null", "'null'", "'[1e9]'",
              "jsonb_set({c}, '{{root,op}}', '\"sum\"')"),
    "text[]": ("array_append({c}, 'x')", "array_append({c}, null)", "{c}[2:]", "array_replace({c}, {c}[{n}], 'other')",
               "array_replace({c}, {c}[{n}], null)", "'{{}}'", "array[{c}, {c}]", "null", "{c}[:cardinality({c}) - 1]",
               "('[0:' || cardinality({c}) - 1 || ']=' || {c}::text)::text[]"),
    "adapter": ("(select v.value from registry.version v where v.value is not null order by v.digest offset {n} % greatest(1, (select count(value) from registry.version)) limit 1)", "null",
                "set_byte({c}::bytea, {b} % octet_length({c}::bytea), {n})::adapter", "substr({c}::bytea, 1, 200)::adapter",
                "''::bytea::adapter", "({c}::bytea || '\\x00')::adapter"),
}


class Edits:
    """A registry with a history, its checkpoint, and edits of it."""

    def __init__(self, run, connection):
        self.run, self.c, self.rng = run, connection, run.random
        self.registry = random_registry.Registry(connection, self.rng)
        self.registry.happen(self.rng.randint(25, 45))
        if self.rng.random() < 0.5:
            # enough entries for a subtree that is kept
            entry, number = self.registry.pick("registry.is_live(digest)")
            connection.execute("select registry.set_alias(%s, 'a' || i, %s) from generate_series(1, 250) i", (entry, number))
        self.settle()
        self.checkpoint = self.registry.checkpoint()
        self.log = self.registry.log()
        if self.rng.random() < 0.5:
            self.registry.happen(self.rng.randint(1, 6))        # stays unsealed
            self.settle()               # until then a mark may be there or not
        self.events = {}
        unsealed = connection.execute("select null, kind, fields from registry.event order by id").fetchall()
        for position, kind, fields in [e[:3] for e in self.log] + unsealed:
            size = {"alias": 3, "revoke": 1}.get(kind, 2)
            self.events[(kind,) + tuple(fields[:size])] = position
        self.columns = {t: connection.execute(
            "select attname, format_type(atttypid, null) from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
            ("registry." + t,)).fetchall() for t in EVERY}

    def free(self, table):
        """No trigger sees what follows."""
        self.c.execute("alter table registry.%s disable trigger all" % table)
        if table in ("story", "claim_set"):
            self.c.execute("alter table registry.%s alter id drop identity if exists" % table)

    def loosen(self, table):
        """No constraint refuses it."""
        for name, in self.c.execute("select conname from pg_constraint where conrelid = %s::regclass and contype not in ('t', 'n') order by contype",
                                    ("registry." + table,)).fetchall():
            self.c.execute("alter table registry.%s drop constraint if exists %s cascade" % (table, name))
        for name, in self.c.execute("select i.indexrelid::regclass::text from pg_index i where i.indrelid = %s::regclass",
                                    ("registry." + table,)).fetchall():
            self.c.execute("drop index %s" % name)
        for column, _ in self.columns[table]:
            if (table, column) == ("event", "id"):
                self.c.execute("alter table registry.event alter id drop identity if exists")
            self.c.execute("alter table registry.%s alter %s drop not null" % (table, column))

    def settle(self):
        while self.c.execute("select registry.settle()").fetchone()[0]:
            pass

    def attempt(self, table, sql, arguments=()):
        """Rows changed; constraints that refuse it go."""
        self.free(table)
        try:
            with self.c.transaction():
                return self.c.execute(sql, arguments).rowcount
        except (psycopg.errors.IntegrityError, psycopg.errors.ProgramLimitExceeded, psycopg.errors.DataCorrupted):
            # (the last where the message of a refusal would show a damaged value)
            self.loosen(table)
            return self.c.execute(sql, arguments).rowcount

    def row(self, table):
        """(ctid, {column: text}) of some row; of value only whether it is there."""
        columns = ", ".join("(%s is not null)::text" % c if t == "adapter" else "encode(%s, 'hex')" % c if t == "bytea" else c + "::text"
                            for c, t in self.columns[table])
        rows = self.c.execute("select ctid::text, %s from registry.%s order by ctid" % (columns, table)).fetchall()
        if not rows:
            return None, None
        found = self.rng.choice(rows)
        return found[0], dict(zip((c for c, _ in self.columns[table]), found[1:]))

    # What must be reported of a row: (classes, position, what); a position of
    # None is any, what of None too.  False or None: nothing need be.

    def expected(self, table, r, column=None):
        classes = {"changed", "missing"}
        if table == "version":
            key = (r["entry"], r["number"])
            if column == "value":
                return classes, None, "value of %s@%s" % key
            if column in ("erased_at", "erase_reason"):
                return classes, self.events.get(("erase",) + key), "erasure of %s@%s" % key
            if column in ("root", "facts", "claims", "upgraded"):
                return classes, None, "lineage of %s@%s" % key
            if column == "recipe" and r["erased_at"] is not None:
                return classes, self.events.get(("erase",) + key), "erasure of %s@%s" % key
            if column == "recipe" and r["virtual"] != "true":
                return classes, None, "recipe of %s@%s" % key
            gone = column in (None, "entry", "number")
            return {"missing"} if gone else {"changed"}, self.events[("version",) + key], "version %s@%s" % key
        if table == "event":
            return (column is None or r["kind"] in ("version", "alias", "revoke")) and (classes, None, None)
        if table == "tree":
            return classes, None, "tree %s/%s" % (r["level"], r["index"])
        if table in STORIES:
            return classes, None, None
        if table == "dead":
            return classes, None, "mark of " + r["digest"]
        if table == "alias_history":
            key = (r["entry"], r["alias"], r["move"])
            gone = column in (None, "entry", "alias", "move")
            return {"missing"} if gone else {"changed"}, self.events[("alias",) + key], \
                "move %s of %s@%s" % (r["move"], r["entry"], r["alias"])
        if table == "revocation":
            return classes, self.events.get(("revoke", r["digest"])), "revocation of " + r["digest"]
        if table == "log":
            if column in (None, "position"):
                return {"missing", "truncated"}, int(r["position"]), None
            return {"changed"}, int(r["position"]), "entry " + r["position"]
        if table == "entry":
            return {"missing"}, None, "entry " + r["name"]
        if table == "alias":
            return classes, None, "alias %s@%s" % (r["entry"], r["alias"])
        return {"changed", "truncated"}, None, "log_head"

    def column_edit(self):
        table = self.rng.choice(TABLES + ("event", "tree", "log_head"))
        ctid, r = self.row(table)
        if r is None:
            return None
        column, kind = self.rng.choice([c for c in self.columns[table] if c[0] in TOLD.get(table, c[0])])
        if (table, column) in UNSEEN:
            return None
        number, byte = self.rng.randint(0, 200) if kind == "adapter" else self.rng.randint(1, 8), self.rng.randint(0, 31)
        if kind == "adapter":
            byte = self.rng.randrange(1 << 20)
        value = self.rng.choice(VALUES[kind]).format(c=column, n=number, b=byte)
        same = ("(%s)::bytea is distinct from %s::bytea" if kind == "adapter" else "(%s)::text is distinct from %s::text") % (value, column)
        sql = "update registry.%s set %s = %s where ctid = %%s::tid and %s" % (table, column, value.replace("%", "%%"), same.replace("%", "%%"))
        try:
            with self.c.transaction():
                changed = self.attempt(table, sql, (ctid,))
        except psycopg.errors.DataError:
            return None     # no such value (a byte past the end, a number too large)
        return changed and ("%s.%s = %s" % (table, column, value), [self.expected(table, r, column)])

    def deletion(self):
        table = self.rng.choice(EVERY)
        ctid, r = self.row(table)
        if r is None:
            return None
        self.attempt(table, "delete from registry.%s where ctid = %%s::tid" % table, (ctid,))
        if table == "entry" and not self.c.execute("select count(*) from registry.version where entry = %s", (r["name"],)).fetchone()[0]:
            return None
        wanted = self.expected(table, r)
        return "delete from " + table, [wanted]

    def invention(self):
        """A row that looks as if it belonged there."""
        table = self.rng.choice(("version", "edge", "alias_history", "revocation", "alias", "dead"))
        ctid, r = self.row(table)
        if r is None:
            return None
        change = {"version": ("number", "number + 1000"), "edge": ("parent", "sha256(parent)"), "dead": ("digest", "sha256(digest)"), "alias": ("alias", "alias || 'x'"),
                  "alias_history": ("move", "move + 1000"), "revocation": ("digest", "sha256(digest)")}[table]
        columns = [c for c, _ in self.columns[table] if c != "id"]
        self.attempt(table, "insert into registry.%s (%s) select %s from registry.%s where ctid = %%s::tid" % (
            table, ", ".join(columns), ", ".join(change[1] if c == change[0] else c for c in columns), table), (ctid,))
        what = {"version": "version %s@%d" % (r.get("entry"), int(r.get("number") or 0) + 1000), "edge": None,
                "alias_history": "move %d of %s@%s" % (int(r.get("move") or 0) + 1000, r.get("entry"), r.get("alias")),
                "revocation": None, "dead": None, "alias": "alias %s@%sx" % (r.get("entry"), r.get("alias"))}[table]
        return "insert into " + table, [({"changed"}, None, what)]

    def swap_rows(self):
        """Two versions, moves or states exchange a column."""
        table, column = self.rng.choice((("version", "message"), ("version", "digest"), ("version", "created_at"), ("version", "value"),
                                         ("alias_history", "number"), ("alias_history", "moved_at")))
        (one, r), (two, s) = self.row(table), self.row(table)
        if r is None or r[column] == s[column] and column != "value" or one == two:
            return None
        if column == "value" and (r["digest"] == s["digest"] or "false" in (r["value"], s["value"])):
            return None
        self.attempt(table, "update registry.{0} a set {1} = b.{1} from registry.{0} b where (a.ctid = %s::tid and b.ctid = %s::tid)"
                     " or (a.ctid = %s::tid and b.ctid = %s::tid)".format(table, column), (one, two, two, one))
        return "swap of %s.%s" % (table, column), [self.expected(table, r, column), self.expected(table, s, column)]

    def swap_entries(self):
        """Two entries of the log change places, with or without the hashes before them."""
        i, j = sorted(self.rng.sample(range(1, len(self.log) + 1), 2))
        columns = self.rng.choice((("kind", "fields", "hash"), ("kind", "fields", "previous", "hash"), ("kind", "fields")))
        if columns == ("kind", "fields") and self.log[i - 1][1:3] == self.log[j - 1][1:3]:
            return None
        self.attempt("log", "update registry.log a set %s from registry.log b where (a.position, b.position) in ((%%s, %%s), (%%s, %%s))" %
                     ", ".join("{0} = b.{0}".format(c) for c in columns), (i, j, j, i))
        class_ = {"changed"} if len(columns) == 2 else {"reordered"}
        return "swap of entries (%s)" % ", ".join(columns), [(class_, i, None), (class_, j, None)]

    def shift(self):
        """An entry is pushed in, the later ones move on."""
        i = self.rng.randint(2, len(self.log))
        self.loosen("log")
        self.attempt("log", "update registry.log set position = position + 1 where position >= %s", (i,))
        self.attempt("log", "insert into registry.log select position + 1, kind, fields, previous, hash from registry.log where position = %s", (i - 1,))
        self.attempt("log_head", "update registry.log_head set size = size + 1")
        return "entry pushed in", [({"reordered"}, i + 1, None)]

    def emptied(self):
        table = self.rng.choice(EVERY)
        ctid, r = self.row(table)
        if r is None:
            return None
        for t in EVERY:
            self.free(t)
        self.loosen(table)
        self.c.execute("truncate registry.%s" % table)
        if table == "log":
            return "truncate log", [({"truncated"}, 1, None)]
        wanted = self.expected(table, r)
        if table == "entry":
            entry, number = self.registry.pick()
            wanted = {"missing"}, None, "entry " + entry
        return "truncate " + table, [wanted]

    def write_anew(self, entries):
        """The chain computed again, as who knows how it is made can."""
        self.free("log")
        self.free("log_head")
        self.c.execute("delete from registry.log")
        previous = verify_log.ZEROS
        for position, (kind, fields) in enumerate(entries, 1):
            hash_ = verify_log.entry_hash(position, previous, kind, fields)
            self.c.execute("insert into registry.log values (%s, %s, %s::text[], %s, %s)", (position, kind, fields, previous, hash_))
            previous = hash_
        self.c.execute("update registry.log_head set size = %s, hash = %s", (len(entries), previous))
        self.free("tree")
        self.c.execute("delete from registry.tree")
        self.c.execute("select registry.tree_begin()")

    def rewritten(self):
        """A version's message and its entry, or any field, and the whole chain after it."""
        entries = [(kind, list(fields)) for _, kind, fields, _, _ in self.log]
        i = self.rng.choice([n for n, (kind, _) in enumerate(entries) if kind == "version"])
        entries[i][1][7] += "!"
        self.write_anew(entries)
        self.attempt("version", "update registry.version set message = message || '!' where entry = %s and number::text = %s", entries[i][1][:2])
        consistent = self.registry.faults()
        self.run.ok(not consistent, "without a checkpoint a chain that was written anew looks right", consistent)
        return "chain written anew", [({"forked"}, len(entries), None)]

    def cut(self):
        """The last entries of the log, its head set back."""
        n = self.rng.randint(1, len(self.log) - 1)
        self.write_anew([(kind, fields) for _, kind, fields, _, _ in self.log[:n]])
        return "log cut", [({"truncated"}, n + 1, None)]

    def forged(self):
        """More entries at the end, rightly chained, that tell of nothing that is there."""
        digest = "%064x" % self.rng.getrandbits(256)
        time = "2026-01-01T00:00:00.000000Z"
        kind, fields, wanted = self.rng.choice((
            ("revoke", [digest, "r", "mallory", time], ({"missing"}, len(self.log) + 1, "revocation of " + digest)),
            ("alias", ["e", "a", "1", "1", None, "mallory", time], ({"missing"}, len(self.log) + 1, "move 1 of e@a")),
            ("erase", ["e", "1", "r", "mallory", time], ({"missing"}, len(self.log) + 1, "erasure of e@1")),
            ("materialize", ["e", "1", digest, "mallory", time], ({"missing"}, len(self.log) + 1, "value of e@1")),
            ("version", ["e", "1", digest] + [None] * 9, ({"missing"}, len(self.log) + 1, "version e@1")),
            ("version", ["e"], ({"changed"}, len(self.log) + 1, None)),
            ("unheard", [], ({"changed"}, len(self.log) + 1, None)),
            (*self.rng.choice(self.log[1:])[1:3], ({"changed"}, len(self.log) + 1, None))))
        self.write_anew([(k, f) for _, k, f, _, _ in self.log] + [(kind, fields)])
        return "entry forged: " + kind, [wanted]

    def head(self):
        change = self.rng.choice(("size = size + 3", "size = 0", "hash = sha256(hash)", "size = size - 1", "hash = substr(hash, 2)"))
        self.attempt("log_head", "update registry.log_head set " + change)
        return change, [({"changed", "truncated"}, None, "log_head")]

    def moved_alias(self):
        ctid, r = self.row("alias")
        if r is None or not self.attempt("alias", "update registry.alias set number = number + 1 where ctid = %s::tid", (ctid,)):
            return None
        return "alias moved", [self.expected("alias", r)]

    def one(self):
        """One edit of a random sort: false if there was nothing to edit."""
        sort = self.rng.choice((self.column_edit,) * 12 + (self.deletion,) * 3 + (self.invention,) * 2 + (
            self.swap_rows, self.swap_entries, self.shift, self.emptied, self.rewritten, self.cut, self.forged, self.head, self.moved_alias))
        with self.c.transaction(force_rollback=True):
            done = sort()
            if not done:
                return None
            label, wanted = done
            if not all(wanted):
                return None
            faults = self.registry.faults(self.checkpoint)
            for classes, position, what in wanted:
                named = [f for f in faults if f[1] in classes and (position is None or f[0] == position) and (what is None or f[2] == what)]
                self.run.ok(named, label, "wanted %s %s %s, got %s" % (classes, position, what, harness.short(faults, 900)))
            order = [f[0] for f in faults if f[0] is not None]
            self.run.ok(order == sorted(order) and faults[:len(order)] == [f for f in faults if f[0] is not None],
                        "the first bad entry comes first", harness.short(faults))
        return label


def tamper(run):
    n = int(os.environ.get("PA_EDITS", "1200"))
    with harness.scratch("tampering") as database, harness.connect(database) as connection:
        # Binary, so that damaged bytes can be stored where a value should stand.
        connection.execute("create cast (adapter as bytea) without function")
        connection.execute("create cast (bytea as adapter) without function")
        done = 0
        while done < n:
            edits = Edits(run, connection)
            faults = edits.registry.faults(edits.checkpoint)
            run.ok(not faults, "nothing is wrong before", faults)
            for _ in range(250):
                done += edits.one() is not None and done < n
            faults = edits.registry.faults(edits.checkpoint)
            run.ok(not faults, "nothing is wrong after", faults)
        print("%d edits" % done)


harness.main("test_registry_tampering", tamper)
