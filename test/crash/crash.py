"""Crashes of a server under a registry that is being written to: see dev/crash.

Each cycle: four writers, each a process with a connection of its own, until all
processes of the server are killed at a random moment; a restart; then

- every commit, alias move and revocation that a writer was told had succeeded is
  there, with its digest and a value that has this digest;
- what a writer did not hear of is there whole or not at all: the values, the
  lineage, the aliases and the log agree (registry.verify, with recomputation every
  tenth cycle);
- the checkpoint that was taken before the crash still stands, and so does each that
  a writer was told.

The writers' journals are files outside of the server, synced after each line.
Usage: crash.py CYCLES, with libpq's environment naming the server of the cluster
PA_CLUSTER of dev/cluster, which starts it.

SPDX-License-Identifier: PostgreSQL
"""
import ctypes
import json
import multiprocessing
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import psycopg

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "test/oracle"))
import harness              # noqa: E402
import random_registry      # noqa: E402

WRITERS = 4
# What the others do at the same time can refuse a statement; a lost connection is the crash.
REFUSED = ("40001", "40P01", "55000", "23505", "23503", "42704")
COMMIT = ("insert into registry.version as v (entry, value, message, allow_duplicate) {} returning"
          " v.entry, v.number, encode(v.digest, 'hex')")


class Writer:
    """One connection; what it was told goes to its journal before the next statement."""

    def __init__(self, seed, number, journal):
        self.rng, self.number = random.Random(seed), number
        self.journal = open(journal, "a")
        self.c = psycopg.connect(autocommit=True)
        self.names = ["w%d %s" % (n, t) for n in range(WRITERS) for t in "ab"]

    def told(self, *fact):
        self.journal.write(json.dumps(fact) + "\n")
        self.journal.flush()
        os.fsync(self.journal.fileno())

    def work(self):
        while True:
            action = self.rng.choice((self.leaf, self.composed, self.composed, self.composed, self.alias, self.alias, self.several, self.revoke,
                                      self.checkpoint))
            try:
                action()
            except psycopg.OperationalError:
                if self.c.broken:
                    return      # the crash
                # what was refused (a deadlock is an OperationalError too)
            except psycopg.Error as e:
                if e.sqlstate not in REFUSED:
                    raise

    def leaf(self):
        file, config = random_registry.small_adapter(self.rng)
        self.told("version", *self.c.execute(COMMIT.format("values (%s, adapter_from_safetensors(%s, %s::json), 'leaf', true)"),
                                             ("w%d %s" % (self.number, self.rng.choice("ab")), file, config)).fetchone())

    def compose(self):
        query = COMMIT.format("select %s, %s::float8 * x.value + %s::float8 * y.value, 'composed', true"
                              " from (select value from registry.version where value is not null and registry.is_live(digest) order by random() limit 1) x,"
                              " (select value from registry.version where value is not null and registry.is_live(digest) order by random() limit 1) y")
        return self.c.execute(query, (self.rng.choice(self.names), self.rng.choice((0.25, 0.5)), self.rng.choice((0.5, -0.125)))).fetchone()

    def composed(self):
        row = self.compose()
        if row:
            self.told("version", *row)

    def several(self):
        """A transaction of some statements: all of it is there, or nothing."""
        given_up = self.rng.random() < 0.2
        with self.c.transaction(force_rollback=given_up):
            rows = [row for row in (self.compose() for _ in range(3)) if row]
            for row in rows:
                self.c.execute("select registry.set_alias(%s, 'newest', %s)", row[:2])
        if not given_up:
            for row in rows:
                self.told("version", *row)

    def alias(self):
        row = self.c.execute("select entry, number from registry.version where registry.is_live(digest) order by random() limit 1").fetchone()
        if row:
            alias = "alias %d" % self.number
            # nobody else moves this alias, but a revocation takes it off
            self.c.execute("select registry.set_alias(%s, %s, %s)", (row[0], alias, row[1]))
            self.told("alias", row[0], alias, row[1])

    def checkpoint(self):
        """Told once its transaction has committed: it must stand from then on."""
        self.told("checkpoint", self.c.execute("select registry.checkpoint()").fetchone()[0])

    def revoke(self):
        if self.rng.random() < 0.1:
            digest = self.c.execute("select digest from registry.version where registry.is_live(digest) order by random() limit 1").fetchone()
            if digest:
                self.c.execute("select count(*) from registry.revoke(%s::bytea, 'crash')", digest)
                self.told("revoke", digest[0].hex())


def write(seed, number, journal):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Writer(seed, number, journal).work()


def postmaster_of_cluster():
    """Pid of the parent of a backend, which is the one that the cluster's files tell."""
    with psycopg.connect(autocommit=True) as c:
        backend = c.info.backend_pid
        postmaster = int(pathlib.Path("/proc/%d/stat" % backend).read_text().rpartition(")")[2].split()[1])
        started = c.execute("select pg_read_file('postmaster.pid')").fetchone()[0].split("\n")[0]
    if int(started) != postmaster:
        raise RuntimeError("backend %d is not a child of postmaster %s" % (backend, started))
    return postmaster


def children(parent):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def kill(postmaster):
    """SIGKILL to all of them; stopped first, so that none is missed."""
    os.kill(postmaster, signal.SIGSTOP)
    victims = [postmaster] + children(postmaster)
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    limit = time.monotonic() + 30
    while not all([gone(pid) for pid in victims]):
        if time.monotonic() > limit:
            raise RuntimeError("processes of the server do not die")
        time.sleep(0.01)
    return len(victims)


def gone(pid):
    """The server's processes come to this one when their parents die (adopt)."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    return not os.path.exists("/proc/%d" % pid)


def adopt():
    """Without an init that reaps, a dead postmaster would still be one for pg_ctl."""
    PR_SET_CHILD_SUBREAPER = 36
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def restart():
    """dev/cluster starts the server, which recovers by itself."""
    limit = time.monotonic() + 60
    while True:
        done = subprocess.run([str(ROOT / "dev/cluster"), "start"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            return
        if time.monotonic() > limit:
            raise RuntimeError("no restart: " + done.stderr)
        time.sleep(0.2)


def judge(run, label, journals, checkpoint, recompute):
    facts = [tuple(json.loads(line)) for journal in journals for line in open(journal) if line.endswith("\n")]
    with psycopg.connect(autocommit=True) as c:
        versions = {(entry, number): rest for entry, number, *rest in c.execute(
            "select entry, number, encode(digest, 'hex'), encode(adapter_digest(value), 'hex'), adapter_check(value) from registry.version").fetchall()}
        moves = set(c.execute("select entry, alias, number from registry.alias_history").fetchall())
        revoked = {d for d, in c.execute("select encode(digest, 'hex') from registry.revocation").fetchall()}
        for kind, *fact in facts:
            if kind == "version":
                run.equal(versions.get((fact[0], fact[1])), [fact[2], fact[2], True], "%s: %s@%d" % (label, fact[0], fact[1]))
            elif kind == "checkpoint":
                run.equal(c.execute("select registry.checkpoint_at(split_part(%s, chr(10), 2)::bigint)", fact).fetchone(), tuple(fact),
                          "%s: a checkpoint that was told" % label)
            elif kind == "alias":
                run.ok(tuple(fact) in moves, "%s: alias %s" % (label, fact))
            else:
                run.ok(fact[0] in revoked, "%s: revocation of %s" % (label, fact[0]))
        sealed, unsealed = c.execute("select (select count(*) from registry.log where kind = 'version'),"
                                     " (select count(*) from registry.event where kind = 'version')").fetchone()
        run.equal(sealed + unsealed, len(versions), "%s: versions in the log or not sealed yet" % label)
        run.equal(c.execute("select * from registry.verify(%s, %s)", (checkpoint, recompute)).fetchall(), [], "%s: verify" % label)
        run.equal(c.execute("select * from registry.verify_since(%s)", (checkpoint,)).fetchall(), [], "%s: verify_since" % label)
        c.execute("select registry.seal()")
        run.equal(c.execute("select * from registry.verify(%s)", (checkpoint,)).fetchall(), [], "%s: verify after sealing" % label)
        return len(facts), len(versions)


def body(run):
    cycles = int(sys.argv[1])
    adopt()
    restart()
    with psycopg.connect(autocommit=True) as c:
        c.execute("create extension peftarith")
        c.execute("select registry_create()")
    facts = versions = 0
    with tempfile.TemporaryDirectory(prefix="peftarith-crash-") as folder:
        journals = [os.path.join(folder, "journal.%d" % n) for n in range(WRITERS)]
        for journal in journals:
            open(journal, "w").close()
        for cycle in range(cycles):
            label = "cycle %d" % cycle
            if cycle and cycle % 20 == 0:
                # a registry of its own for each twenty, so that checks stay short
                with psycopg.connect(autocommit=True) as c:
                    c.execute("select registry_drop(true)")
                    c.execute("select registry_create()")
                facts, versions = 0, 0
                for journal in journals:
                    open(journal, "w").close()
            with psycopg.connect(autocommit=True) as c:
                checkpoint = c.execute("select registry.checkpoint()").fetchone()[0]
            postmaster = postmaster_of_cluster()
            writers = [multiprocessing.Process(target=write, args=(run.random.getrandbits(64), n, journal)) for n, journal in enumerate(journals)]
            for writer in writers:
                writer.start()
            time.sleep(run.random.uniform(0.1, 1.5))
            # the latest that was handed out counts
            with psycopg.connect(autocommit=True) as c:
                checkpoint = c.execute("select registry.checkpoint()").fetchone()[0]
                if run.random.random() < 0.3:
                    c.execute("checkpoint")
            time.sleep(run.random.uniform(0, 0.3))
            killed = kill(postmaster)
            for writer in writers:
                writer.join(30)
                run.equal(writer.exitcode, 0, "%s: end of a writer" % label)
                if writer.exitcode is None:
                    writer.kill()
            restart()
            before = facts
            facts, versions = judge(run, label, journals, checkpoint, cycle % 10 == 9 or cycle == cycles - 1)
            print("%s: %d processes killed, %d facts acknowledged in it, %d versions in all" % (label, killed, facts - before, versions), flush=True)


if __name__ == "__main__":
    harness.main("crash", body)
