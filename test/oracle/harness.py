"""What the test programs share: counting, the seed, a scratch database.

The server is found by libpq's environment (PGHOST, PGPORT, PGUSER, PGDATABASE);
PGDATABASE is only used to create and drop the scratch database.  The last line
of every program is "N passed, N failed[, N skipped]" and the exit status
follows it.

SPDX-License-Identifier: PostgreSQL
"""
import contextlib
import os
import random
import secrets
import sys
import traceback

import psycopg

SHOWN = 30      # failures that are printed


class Run:
    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0
        text = os.environ.get("PA_SEED", "1")
        self.seed = secrets.randbelow(2**32) if text == "random" else int(text)
        self.random = random.Random(self.seed)
        print("%s: seed %d (PA_SEED sets it)" % (name, self.seed), flush=True)

    def ok(self, condition, label, detail=""):
        if condition:
            self.passed += 1
            return True
        self.failed += 1
        if self.failed <= SHOWN:
            print("not ok: %s%s" % (label, ": " + str(detail) if detail != "" else ""), flush=True)
        return False

    def equal(self, got, wanted, label):
        return self.ok(got == wanted, label, "got %s, wanted %s" % (short(got), short(wanted)))

    def skip(self, label):
        self.skipped += 1
        print("skipped: " + label, flush=True)

    def finish(self):
        line = "%d passed, %d failed" % (self.passed, self.failed)
        if self.skipped:
            line += ", %d skipped" % self.skipped
        print(line)
        sys.exit(1 if self.failed or not self.passed + self.skipped else 0)


def short(value, limit=300):
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "... (%d)" % len(text)


def main(name, body):
    """body(run); an exception is a failure with its traceback."""
    run = Run(name)
    try:
        body(run)
    except Exception:
        traceback.print_exc()
        run.failed += 1
    run.finish()


def connect(database=None):
    return psycopg.connect(dbname=database or os.environ.get("PGDATABASE", "postgres"),
                           autocommit=True)


@contextlib.contextmanager
def scratch(tag, extension=True):
    """A new database, dropped at the end; yields its name."""
    name = "peftarith_%s_%d" % (tag, os.getpid())
    with connect() as admin:
        admin.execute("DROP DATABASE IF EXISTS %s WITH (FORCE)" % name)
        admin.execute("CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8'" % name)
        try:
            # random operands share what they share
            admin.execute("ALTER DATABASE %s SET peftarith.unpaired_modules = off" % name)
            if extension:
                with connect(name) as c:
                    c.execute("CREATE EXTENSION peftarith")
            yield name
        finally:
            admin.execute("DROP DATABASE IF EXISTS %s WITH (FORCE)" % name)


def memory(connection, what="VmRSS"):
    """Of the session's process, in kB."""
    with open("/proc/%d/status" % connection.info.backend_pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(what + ":"))


def peak(connection):
    """The most that the session has had of its own, in kB; shared memory is the server's, and how much of it one
    read brings along depends on what lies beside it there.  Too low by what of it was first seen after the peak."""
    return memory(connection, "VmHWM") - memory(connection, "RssShmem")


def sqlstate_of(connection, query, parameters=None):
    """None if the query succeeds, else its SQLSTATE."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, parameters)
            if cursor.description:
                cursor.fetchall()
        return None
    except psycopg.Error as e:
        return e.sqlstate or "dead"


def processor_time(connection):
    """Seconds that the connection's server process has used: what it needs does not depend on the machine's load."""
    with open("/proc/%d/stat" % connection.info.backend_pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def adapter_dumper(connection):
    """A bytes type that is sent as a binary parameter of type adapter."""
    oid = connection.execute("SELECT 'adapter'::regtype::oid").fetchone()[0]

    class Envelope(bytes):
        pass

    class EnvelopeDumper(psycopg.adapt.Dumper):
        format = psycopg.pq.Format.BINARY

        def dump(self, obj):
            return bytes(obj)

    EnvelopeDumper.oid = oid
    connection.adapters.register_dumper(Envelope, EnvelopeDumper)
    return Envelope
