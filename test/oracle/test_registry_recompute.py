"""A large, deep registry is recomputed: as it is, in another cluster, and under other settings.

PA_VERSIONS versions (200; the full form is 1000) in strands of tiny (IA)^3 and LoRA adapters, each
version mostly made from the one before, so that some are more than 100 compositions deep; every
kind of operation, virtual versions, erased values.  registry.verify(recompute => true) finds
nothing, here and after pg_dump -Fc | pg_restore into a new cluster; every version made again from
its registered operands, and the deepest from the imports alone, has the digest that was committed,
whatever the planner was told.

SPDX-License-Identifier: PostgreSQL
"""
import contextlib
import os
import shutil
import subprocess
import tempfile
import time

import harness
import random_lineage as lineage

SETTINGS = (
    ("defaults", {}),
    ("no indexes", {"enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_bitmapscan": "off"}),
    ("no sequential scans", {"enable_seqscan": "off"}),
    ("nested loops", {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_material": "off", "enable_memoize": "off"}),
    ("merge joins", {"enable_hashjoin": "off", "enable_nestloop": "off", "enable_hashagg": "off"}),
    ("sorted groups", {"enable_hashagg": "off", "enable_incremental_sort": "off"}),
    ("parallel", {"max_parallel_workers_per_gather": "4", "parallel_setup_cost": "0", "parallel_tuple_cost": "0",
                  "min_parallel_table_scan_size": "0", "min_parallel_index_scan_size": "0"}),
    ("little memory", {"work_mem": "'64kB'"}),
    ("jit", {"jit": "on", "jit_above_cost": "0", "jit_inline_above_cost": "0", "jit_optimize_above_cost": "0"}),
    ("generic plans", {"plan_cache_mode": "force_generic_plan"}),
    ("custom plans", {"plan_cache_mode": "force_custom_plan"}),
)
# Every composed version from registered operands; the deepest from imports.
NEAR = """select v.entry, v.number, encode(v.digest, 'hex'), encode(adapter_digest(registry.evaluate(p.recipe_used, p.leaves)), 'hex')
from registry.version v cross join lateral registry.plan(coalesce(v.recipe, adapter_recipe(v.value))) p
where coalesce(v.recipe, adapter_recipe(v.value)) #>> '{root,op}' <> 'import' and p.missing = '{}' and p.leaves <> '{}' order by 1, 2"""
FAR = """select v.entry, v.number, encode(v.digest, 'hex'), encode(adapter_digest(adapter_recompute(coalesce(v.recipe, adapter_recipe(v.value)), l.value, null, false)), 'hex')
from registry.version v
    cross join lateral adapter_recompute_needs(coalesce(v.recipe, adapter_recipe(v.value)), '{}') d(digest)
    join registry.version l on l.digest = d.digest and l.value is not null
where (v.entry, v.number) in (select entry, number from deep) group by v.entry, v.number order by 1, 2"""


class Strand(lineage.Graph):
    """Mostly each value is made from the last one."""

    def pick(self):
        n = len(self.digests)
        return n - 1 - min(n - 1, int(self.rng.expovariate(1.2))) if self.rng.random() < 0.85 else self.rng.randrange(n)

    def depth(self):
        depths = []
        for edges in self.edges:
            depths.append(1 + max((depths[i] for i in edges), default=-1))
        return depths


def fill(run, c, versions):
    """The depth of the deepest version."""
    deepest, number = 0, 0
    c.execute("CREATE TEMP TABLE n (id int PRIMARY KEY, a adapter)")
    c.execute("CREATE TABLE deep (entry text, number int)")
    while versions > 0:
        strand = Strand(c, run.random, min(versions, 250), True)
        for i, depth in enumerate(strand.depth()):
            # Only what was made from versions can be virtual, and the first ones are imports.
            virtual = depth > 0 and run.random.random() < 0.1
            c.execute("INSERT INTO registry.version (entry, value, message, virtual) SELECT %s, a, %s, %s FROM n WHERE id = %s",
                      ("strand %d" % number, "version %d" % i, virtual, i))
        c.execute("INSERT INTO deep SELECT entry, number FROM registry.version WHERE entry = %s ORDER BY number DESC LIMIT 5", ("strand %d" % number,))
        deepest = max(deepest, *strand.depth())
        versions -= len(strand.digests)
        number += 1
    erased = c.execute("SELECT entry || '@' || number FROM registry.version WHERE value IS NOT NULL AND number > 20 AND number % 37 = 5").fetchall()
    for ref, in erased:
        harness.sqlstate_of(c, "SELECT registry.erase(%s, 'test')", (ref,))     # one that a virtual version needs is kept
    c.execute("SELECT registry.set_alias('strand 0', 'production', 3)")
    c.execute("SELECT count(*) FROM registry.revoke('strand 0@40', 'test')")
    c.execute("VACUUM ANALYZE")
    return deepest


def recomputed(run, c, label, known):
    """Both queries' rows must have the digests that were committed, and be those of the first time."""
    # The others are thousands of small queries, each of which would be compiled, or start workers.
    for name, query in (("near", NEAR), ("far", FAR))[label in ("jit", "parallel"):]:
        rows = c.execute(query).fetchall()
        run.equal([r[:2] for r in rows if r[2] != r[3]], [], "%s, %s: digests" % (label, name))
        run.equal(rows, known.setdefault(name, rows), "%s, %s: the same rows" % (label, name))
        run.ok(len(rows) > 4, "%s, %s: enough rows" % (label, name), len(rows))
    if label == "jit":
        return
    facts = c.execute("SELECT md5(string_agg(l::text, ' ' ORDER BY entry, d.number, l.digest)) FROM deep d, registry.lineage(entry || '@' || d.number) l").fetchone()
    run.equal(facts, known.setdefault("lineage", facts), label + ": lineage")


def verified(run, c, label):
    begin = time.monotonic()
    run.equal(c.execute("SELECT * FROM registry.verify(recompute => true)").fetchall(), [], label + ": verify")
    print("%s: verified with recomputation in %.1f s" % (label, time.monotonic() - begin), flush=True)


def check_settings(run, database, known):
    for label, settings in SETTINGS:
        with harness.connect(database) as c:
            if label == "parallel":
                name = "debug_parallel_query" if c.info.server_version >= 160000 else "force_parallel_mode"
                settings = dict(settings, **{name: "on"})
            for name, value in {"jit": "off", **settings}.items():
                c.execute("SET %s = %s" % (name, value))
            begin = time.monotonic()
            recomputed(run, c, label, known)
            run.equal(c.execute("SELECT * FROM registry.verify()").fetchall(), [], label + ": verify")
            print("%s: %.1f s" % (label, time.monotonic() - begin), flush=True)


@contextlib.contextmanager
def other_cluster(c):
    """(folder of its programs, settings of libpq) of a new cluster on this machine; None if the server is elsewhere."""
    place, = c.execute("SHOW data_directory").fetchone()
    programs = c.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()[0]
    if not os.path.exists(place) or not os.path.exists(programs + "/initdb"):
        yield None
        return
    owner = os.stat(place)
    who = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    folder = tempfile.mkdtemp(prefix="pa-")
    os.chown(folder, owner.st_uid, owner.st_gid)

    def run_there(*command):
        subprocess.run(command, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **who)
    try:
        run_there(programs + "/initdb", "-D", folder + "/data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        run_there(programs + "/pg_ctl", "-D", folder + "/data", "-w", "-l", folder + "/log", "-o",
                  "-c listen_addresses='' -c unix_socket_directories='%s' -c port=5432 -c fsync=off" % folder, "start")
        try:
            yield programs, {"PGHOST": folder, "PGPORT": "5432", "PGUSER": "postgres"}
        finally:
            run_there(programs + "/pg_ctl", "-D", folder + "/data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def check_restored(run, c, database, known):
    with other_cluster(c) as there:
        if there is None:
            run.skip("another cluster: the server is not on this machine")
            return
        programs, environment = there
        dump = subprocess.Popen([programs + "/pg_dump", "-Fc", database], stdout=subprocess.PIPE)
        restore = subprocess.run([programs + "/pg_restore", "-C", "-d", "postgres", "--exit-on-error"], stdin=dump.stdout,
                                 env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)
        run.equal((dump.wait(), restore.returncode, restore.stderr), (0, 0, ""), "dump and restore")
        with harness.psycopg.connect(dbname=database, host=environment["PGHOST"], port=environment["PGPORT"], user="postgres", autocommit=True) as other:
            recomputed(run, other, "restored", known)
            verified(run, other, "restored")
            run.equal(other.execute("SELECT registry.export_log()").fetchall(), c.execute("SELECT registry.export_log()").fetchall(), "restored: log")
            other.execute("SELECT registry.commit('after', -a) FROM (SELECT value FROM registry.version WHERE number = 1 ORDER BY entry LIMIT 1) v(a)")
            run.equal(other.execute("SELECT * FROM registry.verify()").fetchall(), [], "restored: verify after a commit")


def body(run):
    versions = int(os.environ.get("PA_VERSIONS", "200"))
    with harness.scratch("large") as database, harness.connect(database) as c:
        c.execute("SELECT registry_create()")
        begin = time.monotonic()
        deepest = fill(run, c, versions)
        total, virtual, erased = c.execute("SELECT count(*), count(*) FILTER (WHERE virtual), count(erased_at) FROM registry.version").fetchone()
        print("%d versions (%d virtual, %d erased), the deepest %d deep, made in %.1f s" % (total, virtual, erased, deepest, time.monotonic() - begin), flush=True)
        run.ok(total >= versions and deepest >= min(100, versions // 3) and virtual > 0 and erased > 0, "size and depth", (total, deepest))
        known = {}
        verified(run, c, "as it is")
        check_settings(run, database, known)
        check_restored(run, c, database, known)


if __name__ == "__main__":
    harness.main("registry_recompute", body)
