#!/usr/bin/env python3
"""What the registry costs: rows of (what, ours, compared with, ratio, aim) for bench.py, printed when run alone.

    registry.py [REPETITIONS]    on the server that libpq's environment names, in a database of its own

Small adapters, so that nothing but the registry's own work is measured: (IA)^3 with 32 modules of
1024 numbers.  Commits with and without the registry take turns, repetition by repetition.

SPDX-License-Identifier: PostgreSQL
"""
import json
import os
import statistics
import struct
import sys
import threading
import time

import psycopg

DATABASE = "peftarith_registry_bench"
MODULES, WIDTH, COMMITS, CLIENTS, POINTS, ENTRIES = 32, 1024, 1000, (4, 16, 64), 100, 100000


def adapter_file(seed):
    """(file, configuration) of an (IA)^3 adapter in f32."""
    import random
    rng = random.Random(seed)
    names = ["base_model.model.model.layers.%d.mlp.down_proj.ia3_l" % i for i in range(MODULES)]
    header = {name: {"dtype": "F32", "shape": [1, WIDTH], "data_offsets": [4 * WIDTH * i, 4 * WIDTH * (i + 1)]}
              for i, name in enumerate(names)}
    text = json.dumps(header).encode()
    values = struct.pack("<%df" % (MODULES * WIDTH), *(1 + rng.gauss(0, 0.1) for _ in range(MODULES * WIDTH)))
    config = {"peft_type": "IA3", "base_model_name_or_path": "bench", "target_modules": ["down_proj"], "feedforward_modules": ["down_proj"]}
    return struct.pack("<Q", len(text)) + text + values, json.dumps(config)


def connect():
    return psycopg.connect(dbname=DATABASE, autocommit=True)


def figure(values, unit, digits=2):
    return "%.*f [%.*f, %.*f] %s" % (digits, statistics.median(values), digits, min(values), digits, max(values), unit)


def processor(c):
    """Processor time that the backend has used, in ms."""
    with open("/proc/%d/stat" % c.info.backend_pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def set_up():
    with psycopg.connect(dbname=os.environ.get("PGDATABASE", "postgres"), autocommit=True) as c:
        c.execute("drop database if exists %s with (force)" % DATABASE)
        c.execute("create database " + DATABASE)
    with connect() as c:
        c.execute("create extension peftarith")
        c.execute("select registry_create()")
        c.execute("create table leaf (i int primary key, a adapter)")
        c.execute("create table plain (entry text, number int, value adapter, digest bytea, recipe jsonb, message text, primary key (entry, number))")
        c.execute("create index on plain (digest)")
        for i in range(10):
            c.execute("insert into leaf values (%s, adapter_from_safetensors(%b, %s::json))", (i, *adapter_file(i)))
        c.execute("insert into registry.version (entry, value) select 'leaf ' || i, a from leaf")
        c.execute("vacuum analyze")


COMMIT = "insert into registry.version (entry, value, message) select %s, %s::float8 * x.a + 0.3 * y.a, 'm' from leaf x, leaf y where x.i = %s and y.i = %s"
PLAIN = ("insert into plain select %s, %s, v, adapter_digest(v), adapter_recipe(v), 'm' from"
         " (select %s::float8 * x.a + 0.3 * y.a as v from leaf x, leaf y where x.i = %s and y.i = %s offset 0) s")


def commits(c, entry, n):
    for i in range(n):
        c.execute(COMMIT, (entry, 0.25 + i / 8192, i % 9, 9))


def cost_of_commit(repetitions, fact):
    """Time of a commit with the registry less that of an INSERT of the same columns."""
    with connect() as c:
        wall, used, plain = [], [], []
        for repetition in range(repetitions + 1):
            times = []
            for work in (lambda n: [c.execute(PLAIN, ("p%d" % repetition, i, 0.25 + i / 8192, i % 9, 9)) for i in range(n)],
                         lambda n: commits(c, "r%d" % repetition, n)):
                before, begin = processor(c), time.perf_counter()
                work(COMMITS // repetitions)
                times.append((1000 * (time.perf_counter() - begin), processor(c) - before))
            if repetition > 0:
                n = COMMITS // repetitions
                plain.append(times[0][0] / n)
                wall.append((times[1][0] - times[0][0]) / n)
                used.append((times[1][1] - times[0][1]) / n)
        fact("a commit's number, lineage, locks and log, above an INSERT of value, digest and recipe (%d commits of 128 kB)" % COMMITS,
             "%s; processor %s" % (figure(wall, "ms"), figure(used, "ms")), "the INSERT: " + figure(plain, "ms"), "2 ms")


def at_once(clients, n, what, repetition):
    def work(k):
        with connect() as c:
            barrier.wait()
            what(c, "c%s %d" % (repetition, k), n)
    barrier = threading.Barrier(clients + 1)
    threads = [threading.Thread(target=work, args=(k,)) for k in range(clients)]
    for thread in threads:
        thread.start()
    barrier.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    return clients * n / (time.perf_counter() - begin)


def throughput(repetitions, fact):
    def plain(c, entry, n):
        for i in range(n):
            c.execute(PLAIN, (entry, i, 0.25 + i / 8192, i % 9, 9))
    for clients in CLIENTS:
        ours, peer, ratio = [], [], []
        for repetition in range(repetitions + 1):
            each = max(5, COMMITS // clients // repetitions)
            rates = [at_once(clients, each, what, "%d %d" % (clients, repetition)) for what in (commits, plain)]
            if repetition > 0:
                ours.append(rates[0])
                peer.append(rates[1])
                ratio.append(rates[0] / rates[1])
        fact("commits of (IA)^3 adapters of 128 kB from %d clients, each to an entry of its own, with fsync" % clients, figure(ours, "a second", 0),
             "%s; ratio %s" % (figure(peer, "INSERTs a second", 0), figure(ratio, "")), "" if clients == CLIENTS[0] else "0.6 of the INSERTs")


def verification(repetitions, fact):
    with connect() as c:
        n = c.execute("select count(*) from registry.version").fetchone()[0]
        times = {False: [], True: []}
        for repetition in range(repetitions):
            for recompute in times:
                begin = time.perf_counter()
                found = c.execute("select * from registry.verify(recompute => %s)", (recompute,)).fetchall()
                times[recompute].append(n / (time.perf_counter() - begin))
                assert found == [], found
        fact("registry.verify(), %d versions of 128 kB" % n, figure(times[False], "versions a second", 0), "", "")
        fact("registry.verify(recompute => true)", figure(times[True], "versions a second", 0), "", "")


def sealing(repetitions, fact):
    """Events of a crowd given their places, and what others can then check."""
    with connect() as c:
        c.execute("select registry.seal()")
        rates, checkpoints, proofs = [], [], []
        for repetition in range(repetitions):
            c.execute("insert into registry.event (kind, fields) select 'alias', array['e', 'a', i::text, '1', null, 'bench', '2026-01-01T00:00:00.000000Z']"
                      " from generate_series(%s::int, %s::int) i", (1 + repetition * ENTRIES // repetitions, (1 + repetition) * ENTRIES // repetitions))
            begin = time.perf_counter()
            n = c.execute("select registry.seal()").fetchone()[0]
            rates.append(n / (time.perf_counter() - begin))
        size = c.execute("select sealed from registry.log_status()").fetchone()[0]
        for i in range(100):
            begin = time.perf_counter()
            c.execute("select registry.checkpoint()").fetchone()
            checkpoints.append(1000 * (time.perf_counter() - begin))
            begin = time.perf_counter()
            c.execute("select * from registry.inclusion_proof(%s::bigint)", (1 + i * (size - 1) // 99,)).fetchall()
            proofs.append(1000 * (time.perf_counter() - begin))
        fact("sealing", figure(rates, "events a second", 0), "", "")
        fact("a checkpoint of a log of %d entries" % size, figure(checkpoints, "ms"), "", "")
        fact("a proof that an entry is in it", figure(proofs, "ms"), "", "")


def sweep(repetitions, fact):
    """POINTS weights of a merge, virtual and stored: time, bytes of table and log, and reading them all."""
    size = "select pg_total_relation_size('registry.version')"
    text = ("insert into registry.version (entry, value, virtual) select %s, s.w * x.a + (1 - s.w) * y.a, %s"
            " from leaf x, leaf y, (select g / 128.0::float8 + %s from generate_series(1, " + str(POINTS) + ") g) s(w) where x.i = 0 and y.i = 9")
    found = {True: ([], [], []), False: ([], [], [])}
    with connect() as c:
        for repetition in range(repetitions):
            for virtual, (made, bytes_, read) in found.items():
                before = c.execute(size).fetchone()[0]
                entry = "sweep %d %s" % (repetition, virtual)
                begin = time.perf_counter()
                c.execute(text, (entry, virtual, repetition / 1048576 + (0.5 / 1048576 if virtual else 0)))
                made.append(1000 * (time.perf_counter() - begin))
                bytes_.append((c.execute(size).fetchone()[0] - before) / 1000)
                begin = time.perf_counter()
                c.execute("select adapter_digest(registry.get(entry || '@' || number)) from registry.version where entry = %s", (entry,)).fetchall()
                read.append(1000 * (time.perf_counter() - begin))
    for what, k, unit in (("committing", 0, "ms"), ("their bytes (table, indexes, TOAST)", 1, "kB"), ("reading each once by registry.get()", 2, "ms")):
        fact("a sweep over %d weights of a merge as virtual versions, against stored ones: %s" % (POINTS, what),
             figure(found[True][k], unit, 0), figure(found[False][k], unit, 0), "")


def measure(repetitions, fact):
    """fact(what, ours, compared with, aim) is called for each figure."""
    set_up()
    try:
        for part in (cost_of_commit, throughput, verification, sweep, sealing):
            part(repetitions, fact)
    finally:
        with psycopg.connect(dbname=os.environ.get("PGDATABASE", "postgres"), autocommit=True) as c:
            c.execute("drop database %s with (force)" % DATABASE)


if __name__ == "__main__":
    print("load %.1f at the start" % os.getloadavg()[0])
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5, lambda *row: print(*row, sep=" | ", flush=True))
