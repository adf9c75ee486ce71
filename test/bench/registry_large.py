#!/usr/bin/env python3
"""What a registry of many versions costs: rows of (what, measured, compared with, aim), wall and processor time.

    registry_large.py [VERSIONS [REPETITIONS]]    a million, 5; on the server that libpq's environment names

Makes databases of its own and drops them; one that is there already, of as many versions, is taken as it is (PA_KEEP=1
leaves it for the next time).  What changes the registry for good is done in copies of the database.

SPDX-License-Identifier: PostgreSQL
"""
import os
import sys
import time
from typing import Callable

import psycopg

import million
from registry import figure, processor

LARGE, EMPTY, COPY = "peftarith_large", "peftarith_large_empty", "peftarith_large_copy"
COMMITS, DEEP, RECENT = 200, 20, 10000
Fact = Callable[..., object]
VALUES = {"an import": "(select a from bench.fresh where i = %(n)s)",
          "of two imports": "(select %(w)s::float8 * x.a + 0.3 * y.a from bench.leaf x, bench.leaf y where x.i = 1 and y.i = 2)",
          "of the end of the chain": "(select %(w)s::float8 * x.a + 0.3 * y.a from bench.leaf x, bench.leaf y where x.i = 0 and y.i = 2)"}
FRESH = """{"config": {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "base_model_name_or_path": "a"}, "tensors": {
    "base_model.model.q.lora_A.weight": {"dtype": "F32", "shape": [1, 16], "data": [%s1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]},
    "base_model.model.q.lora_B.weight": {"dtype": "F32", "shape": [16, 1], "data": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]}}}"""


def connect(database: str) -> psycopg.Connection:
    return psycopg.connect(dbname=database, autocommit=True)


def administer(*commands: str) -> None:
    with connect(os.environ.get("PGDATABASE", "postgres")) as c:
        for command in commands:
            c.execute(command)


def drop(*databases: str) -> None:
    administer(*("drop database if exists %s with (force)" % d for d in databases))


def timed(c: psycopg.Connection, work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor time of the backend, in ms."""
    before, begin = processor(c), time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begin), processor(c) - before


def medians(c: psycopg.Connection, repetitions: int, work: Callable[[], object], each: int = 1) -> str:
    """Of repetitions after a rehearsal, each so many times, for the processor's clock is coarse."""
    def some() -> None:
        for _ in range(each):
            work()
    times = [timed(c, some) for _ in range(repetitions + 1)][1:]
    return "%s; processor %s" % tuple(figure([t[k] / each for t in times], "ms") for k in (0, 1))


def commits(database: str, made: million.Made, repetitions: int, fact: Fact, kinds: list[str]) -> None:
    """Commits above INSERTs of the same columns, in turn."""
    with connect(database) as c:
        c.execute("create schema bench")
        c.execute("create table bench.plain (entry text, number int, value adapter, digest bytea, recipe jsonb, message text, primary key (entry, number))")
        c.execute("create index on bench.plain (digest)")
        c.execute("create table bench.leaf as select i, registry.get(r) as a from unnest(%s::text[]) with ordinality u(r, i)",
                  ([made.end, "entry 1@1", "entry 2@1"],))
        c.execute("update bench.leaf set i = i - 1")
        c.execute("create table bench.fresh as select n as i, adapter_from_json(replace(%s, '%%s1', n::text)::json) as a from generate_series(0, %s) n",
                  (FRESH, (repetitions + 1) * COMMITS))
        c.execute("vacuum analyze")
        for kind in kinds:
            n = DEEP if "chain" in kind else COMMITS
            plain = "insert into bench.plain select %(entry)s, %(n)s, v, adapter_digest(v), adapter_recipe(v), 'm' from (select " + VALUES[kind] + " as v offset 0) s"
            commit = "insert into registry.version (entry, value, message) select %(entry)s, " + VALUES[kind] + ", 'm'"

            def times(text: str, repetition: int) -> tuple[float, float]:
                def work() -> None:
                    for i in range(n):
                        c.execute(text, {"entry": "bench " + kind, "n": repetition * n + i, "w": 0.25 + (repetition * n + i) / 65536})
                return timed(c, work)
            pairs = [(times(plain, r), times(commit, r)) for r in range(repetitions + 1)][1:]
            above = [figure([(b[k] - a[k]) / n for a, b in pairs], "ms") for k in (0, 1)]
            fact("a commit %s, above the INSERT, %s registry" % (kind, "in an empty" if database == EMPTY else "in the large"),
                 "%s; processor %s" % tuple(above), "the INSERT: " + figure([a[0] / n for a, _ in pairs], "ms"),
                 "processor 1.5 ms" if n == DEEP else "processor 1.0 ms")
        c.execute("drop schema bench cascade")


def reading(made: million.Made, repetitions: int, fact: Fact) -> None:
    with connect(LARGE) as c:
        def query(text: str, *parameters: object) -> Callable[[], object]:
            return lambda: c.execute(text, parameters, prepare=True).fetchall()
        for what, work, each, aim in (
                ("lineage at depth %d" % made.depth, query("select * from registry.lineage(%s::text)", made.end), 3, "50 ms"),
                ("the newest 20 versions", query("select entry, number, message, created_at from registry.version order by created_at desc limit 20"), 100, "2 ms"),
                ("get by alias", query("select registry.get(%s)", made.aliased), 100, ""),
                ("get by number", query("select registry.get(%s)", "entry 5@7"), 100, ""),
                ("descendants of the hub", query("select count(*) from registry.descendants(%s::text)", made.hub), 1, "")):
            fact(what, medians(c, repetitions, work, each), "", aim)


def verification(made: million.Made, repetitions: int, fact: Fact) -> None:
    with connect(LARGE) as c:
        c.execute("select registry.checkpoint()")
        size = c.execute("select sealed from registry.log_status()").fetchone()[0]
        since = c.execute("select registry.checkpoint_at(%s)", (size - min(RECENT, size - 1),)).fetchone()[0]

        def clean(text: str, *parameters: object) -> Callable[[], object]:
            def work() -> None:
                found = c.execute(text, parameters).fetchall()
                assert found == [], found[:5]
            return work
        fact("verify_since() a checkpoint %d entries back" % RECENT, medians(c, repetitions, clean("select * from registry.verify_since(%s)", since)), "", "2 s")
        fact("verify() of %d versions" % made.versions, medians(c, repetitions, clean("select * from registry.verify()")), "", "60 s for a million")


def copied(work: Callable[[psycopg.Connection], object]) -> None:
    drop(COPY)
    administer("create database %s template %s strategy file_copy" % (COPY, LARGE))
    with connect(COPY) as c:
        work(c)
    drop(COPY)


def settle(c: psycopg.Connection) -> None:
    while c.execute("select registry.settle()").fetchone()[0]:
        pass


def revoke(c: psycopg.Connection, ref: str) -> None:
    c.execute("select count(*) from registry.revoke(%s::text, 'bench')", (ref,))
    settle(c)


def revocation(made: million.Made, repetitions: int, fact: Fact) -> None:
    marks, whole, each = [], [], []

    def hub(c: psycopg.Connection) -> None:
        digest = c.execute("select registry.digest(%s)", (made.hub,)).fetchone()[0]
        # a rehearsal, for a database that was copied is in no cache
        c.execute("begin")
        c.execute("select count(*) from registry.revoke(%s::text, 'bench')", (made.hub,))
        c.execute("rollback")
        c.execute("begin")
        marks.append(timed(c, lambda: c.execute("select registry.revoke_digest(%s, 'bench')", (digest,))))
        c.execute("rollback")
        whole.append(timed(c, lambda: revoke(c, made.hub)))

    def hundred(c: psycopg.Connection) -> None:
        revoke(c, "entry 10@1")             # a rehearsal
        each.extend(timed(c, lambda: revoke(c, "entry %d@1" % n)) for n in range(11, 111))
    for _ in range(repetitions):
        copied(hub)
    copied(hundred)
    fact("revoke_digest() of a hub with %d descendants" % made.children, "%s; processor %s" % tuple(figure([t[k] for t in marks], "ms") for k in (0, 1)), "", "1 s")
    fact("revoke() and settle() until 0 of it", "%s; processor %s" % tuple(figure([t[k] for t in whole], "ms", 0) for k in (0, 1)), "", "10 s")
    fact("the 96th to 100th revocation, with settling", figure([t[0] for t in each[-5:]], "ms"),
         "the first five: " + figure([t[0] for t in each[:5]], "ms"), "1.5 times")


def measure(versions: int, repetitions: int, fact: Fact) -> None:
    """fact(what, measured, compared with, aim) is called for each figure."""
    try:
        with connect(LARGE) as c:
            there = c.execute("select count(*) from registry.version").fetchone()[0] == versions
    except psycopg.Error:
        there = False
    made = million.made(versions) if there else million.make_database(LARGE, versions)
    million.make_database(EMPTY, 0)
    try:
        with connect(EMPTY) as c:
            for n in (1, 2):
                c.execute("select registry.commit(%s, adapter_from_json(%s::json))", ("entry %d" % n, FRESH.replace("%s1", str(-n))))
        commits(EMPTY, made._replace(end="entry 1@1"), repetitions, fact, ["an import", "of two imports"])
        reading(made, repetitions, fact)
        verification(made, repetitions, fact)
        revocation(made, repetitions, fact)
        copied(lambda _: commits(COPY, made, repetitions, fact, list(VALUES)))
    finally:
        drop(EMPTY, COPY, *([] if os.environ.get("PA_KEEP") else [LARGE]))


if __name__ == "__main__":
    print("load %.1f at the start" % os.getloadavg()[0])
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000000, int(sys.argv[2]) if len(sys.argv) > 2 else 5,
            lambda *row: print(*row, sep=" | ", flush=True))
