"""A database with adapters moves from each major of PostgreSQL into each later one.

usage: migrate.py [--with MAJOR] PG_CONFIG PG_CONFIG ...

Each pg_config is that of a server that has peftarith.  By pg_upgrade, by dumps in
both formats with the newer server's programs, and by logical replication; what
fill.sql and registry.sql made must be the same afterwards (facts.sql), and go on
(goes_on.py).  A line for each pair and way, and one for the pair, which dev/majors
counts: "from_16_to_18  N passed, N failed, S s"; the last line is the sum.

SPDX-License-Identifier: PostgreSQL
"""
import argparse
import contextlib
import pathlib
import signal
import sys
import time
import traceback
from collections.abc import Iterator

import psycopg

import facts
import goes_on
import ways
from facts import HERE, REGISTRIES
from servers import Failed, Install, Server, install_of, workplace

ROLES = ("reader", "writer", "admin", "alice", "bob", "auditor", "stranger", "keeper")
SHOWN = 20      # failures of a way that are printed


class Tally:
    """What came of the checks."""

    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = self.shown = 0
        self.pair = self.label = ""

    @contextlib.contextmanager
    def part(self, line: str) -> Iterator[None]:
        """Counts what is checked in it; what ends it early is a failure."""
        passed, failed, begin = self.passed, self.failed, time.monotonic()
        try:
            yield
        except Exception as e:
            self.check(False, "stopped", e if isinstance(e, Failed) else traceback.format_exc())
        print("%s %d passed, %d failed, %d s" % (line, self.passed - passed, self.failed - failed,
                                                 time.monotonic() - begin), flush=True)

    @contextlib.contextmanager
    def way(self, name: str) -> Iterator[None]:
        before, self.label, self.shown = self.label, "%s, %s" % (self.pair, name), 0
        with self.part(self.label + ":"):
            yield
        self.label = before

    def check(self, condition: bool, what: str, detail: object = "") -> None:
        if condition:
            self.passed += 1
            return
        self.failed += 1
        self.shown += 1
        if self.shown <= SHOWN:
            print("not ok: %s: %s\n%s" % (self.label, what, detail), flush=True)

    def skip(self, what: str) -> None:
        self.skipped += 1
        print("skipped: " + what, flush=True)


def fill(source: Server) -> dict[str, str]:
    """Makes the database; returns the checkpoints of its registries, which are kept outside it."""
    source.psql("postgres", "".join("create role %s;" % role for role in ROLES) + "grant writer to alice, bob;"
                "create database %s template template0" % ways.DATABASE)
    source.psql(ways.DATABASE, (HERE / "fill.sql").read_text())
    source.psql(ways.DATABASE, "grant create on database %s to keeper" % ways.DATABASE)
    for schema, secured in REGISTRIES.items():
        source.psql(ways.DATABASE, (HERE / "registry.sql").read_text(), "-v", "r=" + schema,
                    "-v", "secured=" + ("on" if secured else "off"))
    with source.connect(ways.DATABASE) as c:
        return dict(c.execute("select * from checkpoint").fetchall())


class Source:
    """A filled server of an older major, stopped, with what was true of it."""

    def __init__(self, install: Install, place: pathlib.Path):
        self.server = Server(install, place, "source")
        self.server.make()
        with self.server.running():
            self.checkpoints = fill(self.server)
            self.facts = facts.ask(self.server, ways.DATABASE, self.checkpoints)
            self.statistics = statistics(self.server)
            ways.publish(self.server)
        for name, rows in self.facts.items():
            if bool(rows) == name.startswith("verify") or rows and str(rows[0][0]).startswith("error in"):
                raise Failed("%s: %s" % (name, rows[:3] or "nothing to compare"))


def statistics(server: Server) -> facts.Rows:
    """Of columns of adapters too, whose most common values and bounds are adapters."""
    with server.connect(ways.DATABASE) as c:
        return c.execute("select tablename, attname, null_frac, md5(histogram_bounds::text), md5(most_common_vals::text)"
                         " from pg_stats where schemaname = 'public' order by 1, 2").fetchall()


def compare(source: Source, target: Server, database: str, tally: Tally) -> None:
    after = facts.ask(target, database, source.checkpoints)
    for fact in facts.load():
        was, now = source.facts[fact.name], after[fact.name]
        tally.check(facts.same(was, now, fact.near), fact.name, facts.difference(was, now))
    goes_on.goes_on(target, database, source.checkpoints, tally.check)


def unknown_option(source: Server, target: Server) -> str | None:
    """What the source writes into the catalog of every table and the target refuses, if there is such a thing."""
    source.psql("postgres", "create table if not exists probe (a int)")
    target.psql("postgres", "create table if not exists probe (a int)")
    with source.connect() as c, target.connect() as d:
        options = c.execute("select unnest(attoptions) from pg_attribute where attrelid = 'probe'::regclass").fetchall()
        for option, in options:
            name, _, value = option.partition("=")
            try:
                d.execute("alter table probe alter a set (%s = '%s')" % (name, value))
            except psycopg.errors.InvalidParameterValue:
                return name
    return None


def upgrade(source: Source, newer: Install, tally: Tally) -> None:
    with ways.upgraded(source.server, newer) as target:
        if newer.major >= 18:       # (which brings them along)
            tally.check(statistics(target) == source.statistics != [], "statistics",
                        facts.difference(source.statistics, statistics(target)))
        compare(source, target, ways.DATABASE, tally)


def dump_and_replicate(source: Source, newer: Install, tally: Tally) -> bool:
    """With both servers running; returns whether pg_upgrade can work too."""
    target = Server(newer, source.server.place, "target")
    target.make()
    with source.server.running(), target.running():
        option = unknown_option(source.server, target)
        if option:
            tally.skip("from_%d_to_%d: %s: no pg_upgrade, no dumps: %s does not know the attribute option %s that %s "
                       "has for every table (target's minor is older)"
                       % (source.server.install.major, newer.major, tally.pair, newer.version, option,
                          source.server.install.version))
        else:
            ways.roles_to(source.server, target)
            for form, name in (("c", "pg_dump -Fc"), ("p", "pg_dump -Fp")):
                with tally.way(name):
                    compare(source, target, ways.restored(source.server, target, form), tally)
        replicate(source.server, target, tally)
    target.remove()
    return not option


def replicate(source: Server, target: Server, tally: Tally) -> None:
    source.psql("published", "truncate item, whole; insert into item select * from filled; insert into whole select * from filled")
    both = (("replicated", False), ("replicated_binary", True))
    for database, binary in both:
        with tally.way("replication, " + ("binary" if binary else "text") + ": copy"):
            ways.subscribe(source, target, database, binary)
            ways.wait_for_copies(target, database)
            rows_are_the_same(source, target, database, "copied", tally)
    source.psql("published", ways.CHANGES)
    for database, binary in both:
        with tally.way("replication, " + ("binary" if binary else "text") + ": changes"):
            ways.wait_for_changes(source, target, database)
            rows_are_the_same(source, target, database, "changed", tally)
            with target.connect(database) as c:
                c.execute("drop subscription " + database)
                tally.check(goes_on.refused(c, "insert into item (n, a) values (99, leaf(50))") == "23505",
                            "the index by digest has what came")


def rows_are_the_same(source: Server, target: Server, database: str, label: str, tally: Tally) -> None:
    with source.connect("published") as c, target.connect(database) as d:
        was, now = c.execute(ways.ROWS).fetchall(), d.execute(ways.ROWS).fetchall()
    tally.check(len(was) > 10, label + ": there are rows")
    keys = {row[:2] for row in was} | {row[:2] for row in now}
    for key in sorted(keys):
        before, after = [r for r in was if r[:2] == key], [r for r in now if r[:2] == key]
        tally.check(before == after, "%s: row %s %s" % (label, *key), facts.difference(before, after))


def move(older: Install, newer: list[Install], tally: Tally) -> None:
    with workplace() as place:
        source = None
        for install in newer:
            tally.pair = tally.label = "%s -> %s" % (older.version, install.version)
            with tally.part("from_%d_to_%d" % (older.major, install.major)):
                source = source or Source(older, place)
                if dump_and_replicate(source, install, tally):
                    with tally.way("pg_upgrade"):
                        upgrade(source, install, tally)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser()
    parser.add_argument("--with", type=int, dest="only", help="only pairs with this major")
    parser.add_argument("pg_config", nargs="+")
    arguments = parser.parse_args()
    installs = sorted(map(install_of, arguments.pg_config), key=lambda i: i.major)
    tally = Tally()
    for older in installs:
        newer = [i for i in installs if i.major > older.major and arguments.only in (None, older.major, i.major)]
        if newer:
            move(older, newer, tally)
    print("%d passed, %d failed%s" % (tally.passed, tally.failed, ", %d skipped" % tally.skipped if tally.skipped else ""))
    sys.exit(1 if tally.failed or not tally.passed else 0)


if __name__ == "__main__":
    main()
