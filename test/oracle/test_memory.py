"""Memory: no leak in a session, no allocation out of proportion.

Looks at the backend's own figures in /proc, so it needs a server on the same
machine; elsewhere it says so and is skipped.  PA_CALLS sets the number of calls
of each function (10000).

SPDX-License-Identifier: PostgreSQL
"""
import os
import random
import struct
import sys

import harness
import random_adapters

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data"))
import bad_files    # noqa: E402

MB = 1024           # the figures are in kB

CALLS = ["1 * a", "0.5 * a", "- a", "adapter_lerp(a, a, 0.5)", "adapter_scale(a, 0.5)", "adapter_cast(a, 'F64')",
         "adapter_select(a, '.*')", "adapter_set_base_model(a, 'b')", "a::text::adapter", "adapter_from_json(adapter_to_json(a))",
         "adapter_from_safetensors(adapter_to_safetensors(a), adapter_config(a))"]
LOOKS = ["adapter_digest(%s) IS NULL", "adapter_kind(%s) IS NULL", "adapter_rank(%s) = -1", "adapter_check(%s)",
         "adapter_recipe(%s) IS NULL", "(%s) = a", "adapter_send(%s) IS NULL"]
FAILURES = ["SELECT adapter_from_safetensors('\\x0102'::bytea)", "SELECT 'AAAA'::adapter", "SELECT '!!!!'::adapter", "SELECT adapter_from_json('{}')",
            "SELECT adapter_select(a, '(') FROM t", "SELECT adapter_select(a, 'nothing') FROM t", "SELECT adapter_cast(a, 'F33') FROM t",
            "SELECT adapter_digest(a / 0) FROM t", "SELECT adapter_tensor(a, 'x') FROM t", "SELECT adapter_scale(a, 'NaN') FROM t",
            "SELECT adapter_digest(a + adapter_set_base_model(a, 'other')) FROM t", "SELECT adapter_union(x.a) FROM t x, t y, generate_series(1, 2)",
            "SELECT adapter_from_safetensors(adapter_to_safetensors(a), '{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 1, \"alpha_pattern\": {\"(\": 1}}') FROM t"]


def growth(connection, query, times=2):
    """Growth of the session by running a query again after it was run."""
    connection.execute(query)
    before = harness.memory(connection)
    for _ in range(times):
        connection.execute(query)
    return (harness.memory(connection) - before) / times


def fill(connection):
    rng = random.Random(3)
    connection.execute("CREATE TABLE t (a adapter)")
    family = random_adapters.Family(rng, 1)
    family.dense, family.bias, family.style, family.dtypes = {}, "none", "plain", ("F32",)
    a = family.adapter(all_modules=True)
    connection.execute("INSERT INTO t SELECT adapter_from_safetensors(%b, %s::json)", (a.file, a.config))


def check_calls(run, connection, calls):
    """Within one query, and from query to query."""
    for expression in CALLS:
        for look in LOOKS[:1] if expression != "0.5 * a" else LOOKS:
            sql = "SELECT count(*) FROM t, generate_series(1, %d) g WHERE %s" % (calls, look % expression)
            kb = growth(connection, sql)
            run.ok(kb < 4 * MB, "session grows by %d kB: %s" % (kb, sql))
            fresh = harness.connect(connection.info.dbname)
            with fresh:
                fresh.execute(sql.replace(str(calls), "10"))
                before = harness.peak(fresh)
                fresh.execute(sql)
                kb = harness.peak(fresh) - before
            run.ok(kb < 16 * MB, "query takes %d kB: %s" % (kb, sql))


def check_failures(run, connection, calls):
    for sql in FAILURES:
        run.ok(harness.sqlstate_of(connection, sql) is not None, "must fail: " + sql)
        for _ in range(200):
            harness.sqlstate_of(connection, sql)
        before = harness.memory(connection)
        for _ in range(max(calls // 10, 500)):
            harness.sqlstate_of(connection, sql)
        kb = harness.memory(connection) - before
        run.ok(kb < 1 * MB, "session grows by %d kB: %s" % (kb, sql))


def check_sorting(run, connection):
    """Comparisons run in the sort's memory, which is not given back between them."""
    connection.execute("CREATE TABLE many AS SELECT adapter_set_base_model(a, g::text) AS a FROM t, generate_series(1, 10000) g")
    connection.execute("ANALYZE many")
    for sql in ("SELECT count(*) FROM (SELECT a FROM many ORDER BY a OFFSET 0) s", "SELECT count(DISTINCT a) FROM many",
                "SELECT count(*) FROM (SELECT a FROM many GROUP BY a) s", "SELECT count(*) FROM many x JOIN many y ON x.a = y.a"):
        for join in ("on", "off"):
            with harness.connect(connection.info.dbname) as fresh:
                # what compiling and workers take is not ours
                fresh.execute("SET jit = off; SET max_parallel_workers_per_gather = 0;"
                              " SET enable_hashjoin = %s; SET enable_hashagg = %s" % (join, join))
                fresh.execute("SELECT adapter_digest(a) FROM t")
                before = harness.peak(fresh)
                fresh.execute(sql)
                kb = harness.peak(fresh) - before
            run.ok(kb < 40 * MB, "takes %d kB with hashing %s: %s" % (kb, join, sql))


def near_limit(rng):
    """A recipe of almost 1 MiB that does not compress well."""
    digest = ["%064x" % rng.getrandbits(256) for _ in range(4600)]
    nodes = ",".join('"%s":{"op":"union","of":["%s","%s"]}' % (digest[i - 1], digest[i], digest[0]) for i in range(1, len(digest)))
    return '{"version":1,"root":{"op":"scale","of":"%s","by":"0x1.8p+0"},"nodes":{%s}}' % (digest[0], nodes)


def check_recipes(run, connection, count=100):
    """Recipes are put together one by one, however many there are."""
    rng = random.Random(run.seed)
    connection.execute("CREATE TABLE told (a adapter)")
    for i in range(count):
        tensors = {name: bad_files.st.Tensor("F32", t.shape, struct.pack("<2f", i, 1)) for name, t in bad_files.pair().items()}
        connection.execute("INSERT INTO told SELECT adapter_from_safetensors(%b)",
                           (bad_files.envelope(recipe=near_limit(rng), tensors_=tensors),))
    for sql in ("SELECT adapter_digest(sum(a)) FROM told", "SELECT length(adapter_recipe(sum(a))::text) FROM told"):
        with harness.connect(connection.info.dbname) as fresh:
            # what a session's first call takes is not asked, nor the shared memory that the table lies in
            fresh.execute("SELECT count(*) FROM told WHERE adapter_recipe(a) IS NULL")
            before = harness.peak(fresh)
            fresh.execute(sql)
            kb = harness.peak(fresh) - before
        run.ok(kb < 150 * MB, "takes %d kB for %d adapters: %s" % (kb, count, sql))


def check_bombs(run, database):
    """Bad files take no more memory than a few times their size."""
    for c in bad_files.cases():
        if c.verdict is None or len(c.file) < 100000 and not c.name.startswith(("configuration", "shape", "header length")):
            continue
        with harness.connect(database) as connection:
            harness.sqlstate_of(connection, "SELECT adapter_from_safetensors(%b, %s::json)", (bad_files.good(), bad_files.cfg()))
            before = harness.peak(connection)
            harness.sqlstate_of(connection, "SELECT adapter_from_safetensors(%b, %s::json)", (c.file, c.config))
            kb = harness.peak(connection) - before
        size = (len(c.file) + len(c.config or "")) // 1024
        run.ok(kb < 16 * MB + 8 * size, "%s: %d kB for %d kB" % (c.name, kb, size))


def body(run):
    with harness.scratch("memory") as database, harness.connect(database) as connection:
        try:
            harness.memory(connection)
        except (OSError, StopIteration) as e:
            run.skip("the backend's memory cannot be seen: %s" % e)
            return
        calls = int(os.environ.get("PA_CALLS", "10000"))
        fill(connection)
        check_calls(run, connection, calls)
        check_failures(run, connection, calls)
        check_sorting(run, connection)
        check_recipes(run, connection)
        check_bombs(run, database)


if __name__ == "__main__":
    harness.main("test_memory", body)
