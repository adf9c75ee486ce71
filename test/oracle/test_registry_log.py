"""The registry's log: its hash, two verifiers, and no false alarm.

The hash in C against the one in tools/verify-log.py on random fields; the same
log under every setting of a session; registries with random histories that
verify cleanly; forged exports, which registry.verify_export and
tools/verify-log.py must refuse in the same words.  PA_CLEAN sets the number of
clean verifications (200), PA_FORGED that of forged exports (200), PA_CROWD how
long a crowd writes (6 seconds).

SPDX-License-Identifier: PostgreSQL
"""
import importlib.util
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

import psycopg

import harness
import random_registry
import safetensors_lite as st

PROGRAM = pathlib.Path(__file__).parents[2] / "tools/verify-log.py"
spec = importlib.util.spec_from_file_location("verify_log", PROGRAM)
verify_log = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify_log)

ALPHABETS = ("abc", "\u00e9\u00fc\u0301", "\U0001f600\U00010348", "\x01\x1f\x7f\u0085\u2028", "\"\\/{},", " \t\r\n", "\ufeff\ufffd\uffff")


def random_text(rng):
    if rng.random() < 0.1:
        return rng.choice(("", "null", "NULL", "x" * 5000, "\\", "{}"))
    return "".join(rng.choice(rng.choice(ALPHABETS)) for _ in range(rng.randint(0, 12)))


def random_fields(rng):
    return [None if rng.random() < 0.2 else random_text(rng) for _ in range(rng.choice((0, 1, 2, 5, 40)))]


def hashes(run, connection):
    rng = run.random
    for i in range(500):
        position = rng.choice((1, 2, 2**31, 2**32 + 1, 2**63 - 1, rng.randint(1, 10**12)))
        previous, kind, fields = rng.randbytes(32), random_text(rng), random_fields(rng)
        got = connection.execute("select registry_entry_hash(%s::bigint, %s, %s, %s::text[])",
                                 (position, previous, kind, fields)).fetchone()[0]
        run.equal(got, verify_log.entry_hash(position, previous, kind, fields), "hash of %r" % (fields,))
    for arguments in ("0, sha256(''), 'k', '{}'", "-1, sha256(''), 'k', '{}'", "1, '\\x00', 'k', '{}'", "1, sha256('') || '\\x00', 'k', '{}'",
                      "1, sha256(''), 'k', '{{a},{b}}'", "1, sha256(''), 'k', '[0:1]={a,b}'"):
        run.equal(harness.sqlstate_of(connection, "select registry_entry_hash(%s)" % arguments), "22023", arguments)


def encodings(run):
    """The same texts in a database with another encoding have the same hash."""
    name = "peftarith_latin_%d" % os.getpid()
    fields = ["\u00e9\u00fc", None, "", "\u00ff"]
    with harness.connect() as admin:
        admin.execute("create database %s template template0 encoding 'LATIN1' locale 'C'" % name)
        try:
            with harness.connect(name) as c:
                c.execute("create extension peftarith")
                got = c.execute("select registry_entry_hash(7, %s, %s, %s::text[])", (bytes(range(32)), "k\u00e4", fields)).fetchone()[0]
                run.equal(got, verify_log.entry_hash(7, bytes(range(32)), "k\u00e4", fields), "hash in LATIN1")
                registry = random_registry.Registry(c, run.random)
                c.execute("insert into registry.version (entry, value, message) values (%s, adapter_from_safetensors(%s, %s::json), %s)",
                          ("\u00fcber", *random_registry.small_adapter(run.random), "\u00e9"))
                checkpoint = registry.checkpoint()
                run.ok(not registry.faults(checkpoint), "verify in LATIN1")
                run.equal(outside(registry.export(), checkpoint), [], "export from LATIN1")
                run.ok(c.execute("select registry.log_checkpoint(%s)", (checkpoint + "\n\u00fc x\n",)), "a signed note in LATIN1")
        finally:
            admin.execute("drop database %s with (force)" % name)


STYLES = ("ISO, DMY", "SQL, MDY", "German", "Postgres, YMD")
ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns")
OTHERS = (("-15", "escape", "LATIN1", "evil, pg_catalog, public"), ("3", "hex", "UTF8", "public"), ("0", "escape", "SQL_ASCII", "evil, public"))


def settings(run, connection):
    """What is logged, and whether it verifies, depends on no setting."""
    registry = random_registry.Registry(connection, run.random)
    registry.happen(25)
    connection.execute("create schema evil")
    for function in ("encode(bytea, text) returns text language sql as $$ select 'evil' $$",
                     "to_char(timestamp, text) returns text language sql as $$ select 'evil' $$",
                     "sha256(bytea) returns bytea language sql as $$ select '\\x00'::bytea $$"):
        connection.execute("create function evil." + function)
    checkpoint = registry.checkpoint()
    size = verify_log.parse_checkpoint(checkpoint).size
    export = ("select pg_catalog.md5(pg_catalog.string_agg(l, E'\\n' order by o))::bytea"
              " from registry.export_log() with ordinality e(l, o) where o <= %d" % size)
    wanted = connection.execute(export).fetchone()
    for n, (style, zone, others) in enumerate(itertools.product(STYLES, ZONES, OTHERS)):
        label = "%s %s %s" % (style, zone, others)
        entry = "set %d" % n
        connection.execute("insert into registry.version (entry, value, message) values (%s, adapter_from_safetensors(%s, %s::json), 'm')",
                           (entry, *random_registry.small_adapter(run.random)))
        with harness.connect(connection.info.dbname) as c:
            for name, value in zip(("DateStyle", "TimeZone", "extra_float_digits", "bytea_output", "client_encoding", "search_path"),
                                   (style, zone) + others):
                c.execute("select set_config('%s', '%s', false)" % (name, value))
            # an event that is written under these settings
            c.execute("insert into registry.version (entry, value, message)"
                      " select '%s', 0.1::float8 operator(public.*) v.value, 'under' from registry.version v where v.entry = '%s'" % (entry, entry))
            run.equal(c.execute("select pg_catalog.count(*) from registry.verify('%s')" % checkpoint).fetchone()[0], 0, "verify: " + label)
            run.equal(c.execute(export, binary=True).fetchone(), wanted, "export: " + label)
            run.equal(c.execute("select pg_catalog.count(*) from registry.log l"
                                " where public.registry_entry_hash(l.position, l.previous, l.kind, l.fields) <> l.hash").fetchone()[0],
                      0, "hashes: " + label)
    run.ok(not registry.faults(checkpoint), "verify of what was written under %d settings" % (n + 1), registry.faults(checkpoint))


def claims(run, connection):
    """A recipe that came with a file is a claim; only recomputing finds a lie."""
    registry = random_registry.Registry(connection, run.random)
    file, config = random_registry.small_adapter(run.random)
    connection.execute("insert into registry.version (entry, value) values ('x', adapter_from_safetensors(%s, %s::json))", (file, config))
    for entry, sql, lie in (("honest", "2 * x.value", 0), ("lie", "2 * x.value", 1e-6),
                            ("truncation", "adapter_truncate(x.value, 1)", 0), ("near truncation", "adapter_truncate(x.value, 1)", 1e-6),
                            ("false truncation", "adapter_truncate(x.value, 1)", 1e-3)):
        file, config, recipe = connection.execute("select adapter_to_safetensors(e), adapter_config(e)::text, adapter_recipe(e)::text"
                                                  " from (select %s as e from registry.version x where x.entry = 'x') s" % sql).fetchone()
        tensors = st.read(file)[1]
        if lie:
            name, tensor = sorted(tensors.items())[0]
            tensors[name] = st.of_array("F32", tensor.array() * (1 + lie))
        envelope = st.build(list(tensors.items()), {"format": "pt", "peftarith.config": config, "peftarith.recipe": recipe})
        connection.execute("insert into registry.version (entry, value) values (%s, adapter_from_safetensors(%s))", (entry, envelope))
    checkpoint = registry.checkpoint()
    run.equal(registry.faults(checkpoint), [], "claims are logged as they came")
    run.equal(sorted(f[1:3] for f in registry.faults(checkpoint, recompute=True)),
              [("changed", "recipe of false truncation@1"), ("changed", "recipe of lie@1")], "recomputing finds the false ones")


def clean(run, connection):
    """Every state of a random history verifies, sealed or not; its export too, by both."""
    n = int(os.environ.get("PA_CLEAN", "120"))
    done, checkpoints = 0, []
    while done < n:
        registry, checkpoints = random_registry.Registry(connection, run.random), []
        for _ in range(min(20, n - done)):
            if run.random.random() < 0.95:
                registry.happen(run.random.randint(1, 6))
            if run.random.random() < 0.7:
                checkpoints.append(registry.checkpoint())
            checkpoint = run.random.choice(checkpoints + [None])
            faults = registry.faults(checkpoint, recompute=done % 4 == 0)
            run.ok(not faults, "clean verification", harness.short(faults, 900))
            lines = registry.export()
            run.equal((inside(connection, lines, checkpoint), outside(lines, checkpoint)), ([], []), "clean export")
            done += 1
    print("%d clean verifications" % done)


def inside(connection, lines, checkpoint):
    return sorted((p, c, d) for p, c, _, d in connection.execute(
        "select * from registry.verify_export(%s::text[], %s)", (lines, checkpoint)).fetchall())


def outside(lines, checkpoint):
    return sorted(verify_log.verify(lines, verify_log.parse_checkpoint(checkpoint) if checkpoint else None))


class Forger:
    """Changes of an export; each gives (lines, classes that fit, or None for any)."""

    def __init__(self, rng, lines):
        self.rng, self.lines = rng, list(lines)

    def index(self, first=0):
        return self.rng.randrange(first, len(self.lines))

    def bit(self):
        i = self.index()
        data = bytearray(self.lines[i].encode())
        data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        text = data.decode("utf-8", "replace").replace("\0", "\x01")
        self.lines[i] = text
        return {"changed", "missing", "reordered", "truncated"}

    def member(self):
        """A member of another value, in the right spelling."""
        i = self.index()
        entry = json.loads(self.lines[i])
        key = self.rng.choice(("position", "kind", "fields", "previous", "hash"))
        entry[key] = {"position": entry["position"] + self.rng.choice((-1, 1, 1000, 10**17)), "kind": self.rng.choice(("erase", "alias", "k")),
                      "fields": entry["fields"] + [None], "previous": "%064x" % self.rng.getrandbits(256), "hash": "%064x" % self.rng.getrandbits(256)}[key]
        self.put(i, entry)
        return {"changed", "missing", "reordered", "truncated"}

    def put(self, i, entry):
        self.lines[i] = verify_log.canonical(*(entry[k] for k in ("position", "kind", "fields", "previous", "hash")))

    def spelling(self):
        """The same JSON, or nearly, spelled otherwise."""
        i = self.index()
        s = self.lines[i]
        self.lines[i] = self.rng.choice((
            s + " ", " " + s, s.replace(",", ", ", 1), s.replace('"position":', '"position":0', 1), s.replace("}", ',"x":1}', 1),
            s.replace('{"position"', '{"position":7,"position"', 1), s.upper(), s + s, "", "null", "[]", "{}", "[" * 2000, s[:-1],
            s.replace('"kind":"', '"kind":"\\u0061', 1), s.replace('"kind":"', '"kind":"\\ud800', 1), s.replace('"kind":"', '"kind":"\\u0000', 1),
            s.replace(',"kind"', ".0,\"kind\"", 1), s.replace(',"kind"', "e0,\"kind\"", 1), s.replace('"position":', '"position":-', 1),
            s.replace('"position":', '"position":1111111111111111111', 1), s.replace('"fields":[', '"fields":[true,', 1),
            s.replace('"fields":[', '"fields":[["a"],', 1), s.replace('"fields":[', '"fields":[1,', 1), s.replace("]", ",]", 1), "\ufeff" + s, s + "\r",
            s.replace('"previous":"', '"previous":"A', 1), s.replace('"kind":"', '"kind":"\t', 1), s.replace('"kind":"', '"kind":"\\/', 1)))
        return {"changed"}

    def duplicate(self):
        self.lines.insert(self.index(), self.lines[self.index()])
        return {"reordered"}

    def drop(self):
        i = self.index()
        del self.lines[i]
        return {"missing", "truncated"}

    def cut(self):
        del self.lines[self.index():]
        return {"truncated"}

    def swap(self):
        i, j = self.rng.sample(range(len(self.lines)), 2)
        self.lines[i], self.lines[j] = self.lines[j], self.lines[i]
        return {"reordered"}

    def renumber(self):
        """Two entries in each other's place, under each other's number."""
        i, j = self.rng.sample(range(len(self.lines)), 2)
        one, two = json.loads(self.lines[i]), json.loads(self.lines[j])
        one["position"], two["position"] = two["position"], one["position"]
        self.put(i, two)
        self.put(j, one)
        return {"reordered"}

    def insert(self):
        """A line that was never there, rightly hashed after the one before."""
        i = self.index()
        e = json.loads(self.lines[i])
        self.chain([("revoke", ["0" * 64, "r", "mallory", "2026-01-01T00:00:00.000000Z"])], e["position"], bytes.fromhex(e["previous"]), i)
        return {"reordered", "changed"}

    def chain(self, entries, position, previous, i):
        for kind, fields in entries:
            hash_ = verify_log.entry_hash(position, previous, kind, fields)
            self.lines.insert(i, verify_log.canonical(position, kind, fields, previous.hex(), hash_.hex()))
            position, previous, i = position + 1, hash_, i + 1

    def previous(self):
        """One entry rehashed over another hash before it."""
        i = self.index(1)
        e = json.loads(self.lines.pop(i))
        self.chain([(e["kind"], e["fields"])], e["position"], self.rng.choice((bytes(32), self.rng.randbytes(32))), i)
        return {"changed"}

    def rehashed(self):
        """One entry changed and rehashed; the next no longer follows it (or the checkpoint tells)."""
        i = self.index(1)
        e = json.loads(self.lines.pop(i))
        self.chain([(e["kind"], [self.other(e["fields"][0])] + e["fields"][1:])], e["position"], bytes.fromhex(e["previous"]), i)
        return {"changed", "forked"}

    @staticmethod
    def other(field):
        return (field or "") + "x"

    def rewritten(self):
        """The whole chain computed again from a changed entry on."""
        entries = [json.loads(s) for s in self.lines]
        i = self.index(1)
        entries[i]["fields"][0] = self.other(entries[i]["fields"][0])
        self.lines = []
        self.chain([(e["kind"], e["fields"]) for e in entries], 1, bytes(32), 0)
        return {"forked"}

    def fewer(self):
        """An event taken out, and the whole chain computed again."""
        entries = [json.loads(s) for s in self.lines]
        del entries[self.index(1)]
        self.lines = []
        self.chain([(e["kind"], e["fields"]) for e in entries], 1, bytes(32), 0)
        return {"truncated"}

    def longer(self):
        """A fork: from some entry on another history, longer than the true one."""
        entries = [json.loads(s) for s in self.lines]
        entries = entries[:self.index(1)]
        self.lines = []
        self.chain([(e["kind"], e["fields"]) for e in entries] + [("revoke", ["0" * 64, "r", "m", "t"])] * 200, 1, bytes(32), 0)
        return {"forked"}

    def structure(self):
        """Rightly chained entries that are no events."""
        entries = [(e["kind"], e["fields"]) for e in map(json.loads, self.lines)]
        entries[self.index()] = self.rng.choice((("create", ["1"]), ("create", ["2"]), ("unheard", []), ("alias", ["a"]), ("", [])))
        if [e for e in entries if e[0] == "create"] == [("create", ["1"])] and len(self.lines) == len(entries) and entries[0][0] == "create":
            entries[0] = ("create", ["2"])
        self.lines = []
        self.chain(entries, 1, bytes(32), 0)
        return {"changed"}

    SORTS = ("bit", "bit", "member", "member", "spelling", "spelling", "spelling", "duplicate", "drop", "cut", "swap", "renumber", "insert",
             "previous", "rehashed", "rewritten", "fewer", "longer", "structure")


def forged(run, connection):
    n, done = int(os.environ.get("PA_FORGED", "120")), 0
    while done < n:
        registry = random_registry.Registry(connection, run.random)
        registry.happen(run.random.randint(8, 40))
        checkpoint, lines = registry.checkpoint(), registry.export()
        for _ in range(40):
            forger = Forger(run.random, lines)
            sort = run.random.choice(Forger.SORTS)
            classes = getattr(forger, sort)()
            if forger.lines == lines:
                continue
            mine, theirs = outside(forger.lines, checkpoint), inside(connection, forger.lines, checkpoint)
            run.ok({f[1] for f in mine} & classes, "forged export is refused: " + sort, "wanted %s, got %s" % (classes, harness.short(mine)))
            run.equal(theirs, mine, "both verifiers say the same: " + sort)
            run.equal(inside(connection, forger.lines, None), outside(forger.lines, None), "both say the same without a checkpoint: " + sort)
            done += 1
    chain = "peftarith-log 1 7 %s 2026-01-01T00:00:00.000000Z" % ("0" * 64)
    name, size, root, _ = checkpoint.split("\n")
    for text in (chain, checkpoint, checkpoint.rstrip("\n"), checkpoint + "more\n", checkpoint + "\n\u2014 a b\n", checkpoint + "more\n\n\u2014 a b\n\u2014 c d"):
        run.equal(harness.sqlstate_of(connection, "select registry.verify_export('{}', %s)", (text,)), None, "a checkpoint: " + text)
        run.ok(verify_log.parse_checkpoint(text), "a checkpoint: " + text)
    for text in ("", "x", chain.replace("log 1 7", "log 1 0"), chain[:-1], chain + "x", chain.replace("log 1", "log 2"),
                 chain.replace("peftarith", "Peftarith"), name, name + "\n" + size, checkpoint.replace("=", ""), checkpoint[1 + len(name):],
                 "\n".join((name, "0", root)), "\n".join((name, "0" + size, root)), "\n".join((name, "+" + size, root)),
                 "\n".join((name, size, root[:-2] + "B=")), "\n".join((name, size, "-" + root[1:])), "\n".join((name, size, root + "=")),
                 "\n".join((name, size, "AAAA" + root)), checkpoint + "\n\nx", checkpoint + "x\n\n\ny", "\n" + checkpoint, name + "\n" + checkpoint):
        run.equal(harness.sqlstate_of(connection, "select registry.verify_export('{}', %s)", (text,)), "22023", "not a checkpoint: " + text)
        try:
            verify_log.parse_checkpoint(text)
            run.ok(False, "not a checkpoint: " + text)
        except ValueError:
            run.ok(True, "not a checkpoint")
    print("%d forged exports" % done)


def program(run, connection):
    """The program as it is called."""
    registry = random_registry.Registry(connection, run.random)
    registry.happen(20)
    checkpoint, lines = registry.checkpoint(), registry.export()
    with tempfile.TemporaryDirectory() as folder:
        log, point = pathlib.Path(folder, "log"), pathlib.Path(folder, "checkpoint")
        point.write_text(checkpoint + "\n", encoding="utf-8")

        def call(data, *arguments):
            log.write_bytes(data)
            done = subprocess.run([sys.executable, "-I", str(PROGRAM), *arguments, str(log)], capture_output=True, text=True, encoding="utf-8",
                                  env={**os.environ, "PYTHONUTF8": "1"})
            return done.returncode, done.stdout

        whole = "".join(line + "\n" for line in lines).encode()
        run.equal(call(whole, "--checkpoint", str(point))[0], 0, "program: right")
        run.equal(call(whole)[0], 0, "program: right without a checkpoint")
        run.equal(call(whole[:-1], "--checkpoint", str(point))[0], 0, "program: no newline at the end")
        run.equal(call(whole.replace(b"\n", b"\r\n"))[0], 1, "program: other line ends")
        run.equal(call(whole + b"\n")[0], 1, "program: an empty line")
        run.equal(call(b"")[0], 1, "program: nothing")
        run.equal(call(whole.replace(b'"create"', b'"cre\xffate"'))[0], 1, "program: not UTF-8")
        run.equal(call(whole, "--checkpoint", str(log))[0], 2, "program: not a checkpoint")
        short = "".join(line + "\n" for line in lines[:-1]).encode()
        proof, older = pathlib.Path(folder, "proof"), pathlib.Path(folder, "older")

        def prove(lines, *arguments):
            proof.write_text("".join(line + "\n" for line in lines or [""]), encoding="utf-8")
            return subprocess.run([sys.executable, "-I", str(PROGRAM), "--checkpoint", str(point), *arguments, str(proof)], capture_output=True,
                                  env={**os.environ, "PYTHONUTF8": "1"}).returncode

        entry, size, path = connection.execute("select * from registry.inclusion_proof(%s::bigint)", (len(lines),)).fetchone()
        run.equal(prove([entry] + path, "--inclusion"), 0, "program: inclusion")
        run.equal(prove([lines[0]] + path, "--inclusion"), 1, "program: inclusion of another entry")
        run.equal(prove([entry] + path[1:], "--inclusion"), 1, "program: inclusion without a hash")
        run.equal(prove([], "--inclusion"), 1, "program: inclusion of nothing")
        for first in (1, 2, 3, size):
            older.write_text(connection.execute("select registry.checkpoint_at(%s)", (first,)).fetchone()[0], encoding="utf-8")
            path = connection.execute("select registry.consistency_proof(%s)", (first,)).fetchone()[0]
            run.equal(prove(path, "--older", str(older), "--consistency"), 0, "program: consistency of %d" % first)
            run.equal(prove(path + ["A" * 43 + "="], "--older", str(older), "--consistency"), 1, "program: consistency of %d with a hash more" % first)
        run.equal(prove(path, "--consistency"), 2, "program: consistency without an older checkpoint")
        status, said = call(short, "--checkpoint", str(point))
        run.equal((status, said.splitlines()[0]), (1, "%d truncated: The checkpoint tells of %d entries." % (len(lines), len(lines))), "program: cut")


def isolation(run, connection):
    """Nobody waits, at no level; the own events are not sealed; a rollback leaves no gap."""
    registry = random_registry.Registry(connection, run.random)
    insert = "insert into registry.version (entry, value) values (%s, adapter_from_safetensors(%s, %s::json))"
    for level in ("read committed", "repeatable read", "serializable"):
        with harness.connect(connection.info.dbname) as one, harness.connect(connection.info.dbname) as two:
            for c in (one, two):
                c.execute("begin isolation level " + level)
                c.execute("select count(*) from registry.log")
            one.execute(insert, ("one " + level, *random_registry.small_adapter(run.random)))
            two.execute(insert, ("two " + level, *random_registry.small_adapter(run.random)))
            own = harness.sqlstate_of(two, "select registry.checkpoint()")
            run.equal(own, None, "checkpoint before the own commit")
            one.execute("commit")
            run.equal(harness.sqlstate_of(two, "commit"), None, "second at " + level)
        with harness.connect(connection.info.dbname) as c:
            c.execute("begin")
            c.execute(insert, ("rolled back", *random_registry.small_adapter(run.random)))
            c.execute("set constraints all immediate")
            size = verify_log.parse_checkpoint(c.execute("select registry.checkpoint()").fetchone()[0]).size
            run.equal(size, c.execute("select max(position) from registry.log").fetchone()[0], "a checkpoint is of what is sealed")
            run.equal(c.execute("select unsealed from registry.log_status()").fetchone()[0], 1, "a checkpoint is without the own entries")
            c.execute("rollback")
        run.ok(not registry.faults(registry.checkpoint()), "verify after " + level, registry.faults())
    with harness.connect(connection.info.dbname) as c:
        c.execute("set synchronous_commit = off")
        c.execute("begin")
        c.execute(insert, ("flushed", *random_registry.small_adapter(run.random)))
        c.execute("set constraints all immediate")
        run.equal(c.execute("show synchronous_commit").fetchone()[0], "local", "a commit that is logged is flushed")
        c.execute("commit")


class Crowd(threading.Thread):
    """A session of many that commit, seal and take checkpoints at once."""

    LEVELS = ("read committed", "repeatable read", "serializable")

    def __init__(self, database, seed, number, until):
        super().__init__()
        self.c, self.rng, self.number, self.until = harness.connect(database), random.Random(seed), number, until
        self.checkpoints, self.wrong, self.done = [], [], 0

    def run(self):
        with self.c as c:
            while time.monotonic() < self.until:
                try:
                    self.rng.choice((self.commit,) * 4 + (self.seal, self.checkpoint))(c)
                except psycopg.Error as e:
                    self.wrong.append("%s: %s" % (e.sqlstate, e))
                    return

    def commit(self, c):
        """Nothing that others do to the log makes a commit fail, and the next checkpoint has it."""
        entry, level = "crowd %d" % self.number, self.rng.choice(self.LEVELS)
        c.execute("begin isolation level " + level)
        try:
            number, = c.execute("insert into registry.version (entry, value) values (%s, adapter_from_safetensors(%s, %s::json)) returning number",
                                (entry, *random_registry.small_adapter(self.rng))).fetchone()
            if self.rng.random() < 0.1:
                c.execute("rollback")
                return
            c.execute("commit")
        except psycopg.errors.SerializationFailure:
            # of SERIALIZABLE transactions among each other, over small tables that all of them read
            if level != "serializable":
                raise
            c.execute("rollback")
            return
        self.done += 1
        if self.rng.random() < 0.2:
            checkpoint = self.checkpoint(c)
            place = c.execute("select position from registry.log where kind = 'version' and fields[1:2] = array[%s, %s]",
                              (entry, str(number))).fetchone()
            if place is None or place[0] > checkpoint.size:
                self.wrong.append("%s@%d is not in a checkpoint that began after its commit" % (entry, number))

    def seal(self, c):
        with c.transaction(force_rollback=self.rng.random() < 0.3):
            c.execute("select registry.seal(%s)", (self.rng.choice((None, 1, 5)),))
            time.sleep(self.rng.choice((0, 0.005)))

    def checkpoint(self, c):
        self.checkpoints.append(c.execute("select registry.checkpoint()").fetchone()[0])
        return verify_log.parse_checkpoint(self.checkpoints[-1])


def crowd(run, connection):
    """Writers and sealers at once: no commit fails, no checkpoint that was told ever falls."""
    registry = random_registry.Registry(connection, run.random)
    until = time.monotonic() + float(os.environ.get("PA_CROWD", "6"))
    threads = [Crowd(connection.info.dbname, run.random.getrandbits(64), n, until) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    run.equal([w for t in threads for w in t.wrong], [], "nothing fails in a crowd")
    run.ok(not registry.faults(registry.checkpoint()), "verify after a crowd")
    told = {c for t in threads for c in t.checkpoints}
    for checkpoint in told:
        run.equal(connection.execute("select registry.checkpoint_at(%s)", (verify_log.parse_checkpoint(checkpoint).size,)).fetchone()[0],
                  checkpoint, "a checkpoint that was told stands")
    commits = sum(t.done for t in threads)
    run.equal(connection.execute("select count(*) from registry.log where kind = 'version'").fetchone()[0], commits, "each commit has its entry")
    print("%d commits, %d checkpoints" % (commits, len(told)))


def prepared(run, connection):
    """A prepared transaction is in the first checkpoint after its end, and holds up nobody."""
    if connection.execute("show max_prepared_transactions").fetchone()[0] == "0":
        run.skip("prepared transactions (max_prepared_transactions is 0)")
        return
    registry = random_registry.Registry(connection, run.random)
    insert = "insert into registry.version (entry, value) values (%s, adapter_from_safetensors(%s, %s::json))"
    connection.execute("begin")
    connection.execute(insert, ("prepared", *random_registry.small_adapter(run.random)))
    connection.execute("prepare transaction 'peftarith log'")
    connection.execute(insert, ("other", *random_registry.small_adapter(run.random)))
    run.equal(verify_log.parse_checkpoint(registry.checkpoint()).size, 2, "others' events are sealed meanwhile")
    connection.execute("commit prepared 'peftarith log'")
    checkpoint = registry.checkpoint()
    run.equal(verify_log.parse_checkpoint(checkpoint).size, 3, "and its own afterwards")
    run.equal(registry.faults(checkpoint), [], "verify after a prepared transaction")


def roles(run, connection):
    """Who may verify: readers, with row-level security admins; nobody else. What others did is logged as theirs."""
    tag = "peftarith_log_%d_" % os.getpid()
    names = [tag + r for r in ("reader", "writer", "admin", "none")]
    for name in names:
        connection.execute("create role " + name)
    try:
        for secured in (False, True):
            connection.execute("drop schema if exists registry cascade")
            connection.execute("select registry_create(%s, %s, %s, %s)", names[:3] + [secured])
            connection.execute("set session authorization " + names[1])
            connection.execute("insert into registry.version (entry, value) values ('w', adapter_from_safetensors(%s, %s::json))",
                               random_registry.small_adapter(run.random))
            connection.execute("select registry.set_alias('w', 'production', 1)")
            run.equal(harness.sqlstate_of(connection, "select registry.log_append('revoke', '{}')"), "42501", "log_append is nobody's")
            connection.execute("reset session authorization")
            connection.execute("select registry.seal()")
            run.equal(connection.execute("select distinct fields[8 - case kind when 'alias' then 2 else -1 end] from registry.log where kind <> 'create'")
                      .fetchall(), [(names[1],)], "the actor is the session's user")
            for name, calls in zip(names, ((not secured, True), (not secured, True), (True, True), (False, False))):
                connection.execute("set session authorization " + name)
                for call, may in (("select count(*) from registry.verify(null, true)", calls[0]),
                                  ("select count(*) from registry.verify_export(array(select registry.export_log()))", calls[0]),
                                  ("select length(registry.checkpoint())", calls[1])):
                    run.equal(harness.sqlstate_of(connection, call), None if may else "42501", "%s as %s, %s" % (call, name, secured))
                    if may and "verify" in call:
                        run.equal(connection.execute(call).fetchone()[0], 0, "%s as %s finds nothing" % (call, name))
                connection.execute("reset session authorization")
    finally:
        connection.execute("drop schema if exists registry cascade")
        for name in names:
            connection.execute("drop role " + name)


def body(run):
    encodings(run)
    with harness.scratch("registry_log") as database, harness.connect(database) as connection:
        for part in (hashes, settings, isolation, crowd, prepared, program, roles, claims, clean, forged):
            before = run.passed + run.failed
            part(run, connection)
            print("%s: %d checks" % (part.__name__, run.passed + run.failed - before), flush=True)


harness.main("test_registry_log", body)
