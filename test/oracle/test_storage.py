"""The same value in every storage and in every corner of SQL gives the same result.

SPDX-License-Identifier: PostgreSQL
"""
import json

import numpy as np

import algebra
import described
import harness
import rounding
import safetensors_lite as st

STORAGES = ("PLAIN", "MAIN", "EXTERNAL", "EXTENDED")
SHAPES = {"tiny": (1, 1, 1), "2 kB": (2, 100, 100), "page": (4, 230, 230), "100 kB": (8, 1700, 1500), "1 MB": (16, 9000, 7000)}


def adapter(seed, dtype, shape, alpha=4):
    r, n, m = shape
    gen = np.random.default_rng(seed)
    named = {"base_model.model.m.lora_A.weight": st.of_array(dtype, rounding.encode(gen.standard_normal((r, n)), dtype)),
             "base_model.model.m.lora_B.weight": st.of_array(dtype, rounding.encode(gen.standard_normal((m, r)), dtype))}
    return described.describe(st.canonical(named), json.dumps({"peft_type": "LORA", "r": r, "lora_alpha": alpha}))


def results(a, b):
    """(SQL over x.a and y.a, value)"""
    x, y = algebra.leaf(a), algebra.leaf(b)
    merged = (0.5 * x + 0.5 * y).evaluate()
    first = rounding.widen(a.tensors["base_model.model.m.lora_A.weight"].array(),
                           a.tensors["base_model.model.m.lora_A.weight"].dtype)
    return [("adapter_digest(x.a)", a.digest()), ("adapter_to_safetensors(x.a)", a.file),
            ("adapter_digest(0.5 * x.a + 0.5 * y.a)", merged.digest()),
            ("adapter_to_safetensors(0.5 * x.a + 0.5 * y.a)", st.canonical(merged.tensors)),
            ("adapter_digest(x.a - y.a)", (x - y).evaluate().digest()),
            ("adapter_digest(adapter_scale(x.a, 3))", algebra.scale(a, 3.0).digest()),
            ("(adapter_tensor(x.a, 'base_model.model.m.lora_A.weight'))[1][1]", float(first[0, 0])),
            ("adapter_check(x.a)", True), ("x.a = y.a", False), ("x.a = x.a::text::adapter", True),
            ("adapter_digest(1 * x.a)", a.digest()), ("(0.5 * x.a + 0.5 * y.a) = (0.5 * y.a + 0.5 * x.a)", True)]


def check_storages(run, connection):
    for label, shape in SHAPES.items():
        dtype = run.random.choice(("F32", "BF16", "F16"))
        a, b = adapter(run.seed, dtype, shape), adapter(run.seed + 1, dtype, shape)
        wanted = results(a, b)
        for storage in STORAGES:
            for compression in ("pglz", "lz4"):
                where = "%s %s %s %s" % (label, dtype, storage, compression)
                connection.execute("DROP TABLE IF EXISTS s")
                connection.execute("CREATE TABLE s (id int, a adapter)")
                connection.execute("ALTER TABLE s ALTER a SET STORAGE " + storage)
                if harness.sqlstate_of(connection, "ALTER TABLE s ALTER a SET COMPRESSION " + compression):
                    continue        # a server without lz4
                states = [harness.sqlstate_of(connection, "INSERT INTO s VALUES (%s, adapter_from_safetensors(%b, %s::json))", (n, v.file, v.config))
                          for n, v in enumerate((a, b))]
                if storage == "PLAIN" and max(shape) > 200:
                    run.ok(set(states) <= {None, "54000"}, where + ": plain rows are small", states)
                    if states != [None, None]:
                        continue
                run.equal(states, [None, None], where + ": stored")
                # values that were stored compressed must stay readable under another setting
                connection.execute("ALTER TABLE s ALTER a SET STORAGE " + run.random.choice(STORAGES))
                got = connection.execute("SELECT %s FROM s x, s y WHERE x.id = 0 AND y.id = 1" % ", ".join(q for q, _ in wanted)).fetchone()
                for value, (query, want) in zip(got, wanted):
                    run.ok(value == want, where + ": " + query)


CONTEXTS = {
    "plain": "SELECT {e} AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1",
    "scalar subqueries": "SELECT 0.5 * (SELECT a FROM t WHERE id = 0) + 0.5 * (SELECT a FROM t WHERE id = 1) AS v",
    "stored": "SELECT v FROM stored",
    "materialized": "WITH m AS MATERIALIZED (SELECT {e} AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1) SELECT v FROM m",
    "inlined": "WITH m AS NOT MATERIALIZED (SELECT {e} AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1) SELECT v FROM m",
    "sort": "SELECT v FROM (SELECT {e} AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1 ORDER BY 1) s",
    "distinct": "SELECT DISTINCT {e} AS v FROM t x, t y, generate_series(1, 3) WHERE x.id = 0 AND y.id = 1",
    "union": "SELECT {e} AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1 UNION SELECT {e} FROM t x, t y WHERE x.id = 0 AND y.id = 1",
    "case": "SELECT CASE WHEN x.id = 0 THEN {e} ELSE x.a END AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1",
    "coalesce": "SELECT coalesce(NULL, {e}) AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1",
    "array": "SELECT (array_agg({e}))[1] AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1",
    "row": "SELECT (r).f2 AS v FROM (SELECT ROW(1, {e})::pair AS r FROM t x, t y WHERE x.id = 0 AND y.id = 1 OFFSET 0) s",
    "lateral": "SELECT l.v FROM t x, t y, LATERAL (SELECT {e} AS v OFFSET 0) l WHERE x.id = 0 AND y.id = 1",
    "window": "SELECT v FROM (SELECT first_value({e}) OVER (ORDER BY x.id) AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1) s",
    "lag": "SELECT v FROM (SELECT lag({e}, 0) OVER () AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1) s",
    "sql function": "SELECT merge_sql(x.a, y.a) AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1",
    "plpgsql function": "SELECT merge_plpgsql(x.a, y.a) AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1",
    "plpgsql loop": "SELECT merge_loop(x.a, y.a) AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1",
    "plpgsql with an error caught": "SELECT merge_caught(x.a, y.a) AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1",
    "set-returning function": "SELECT v FROM merge_set() v",
    "trigger": "SELECT v FROM triggered",
    "values": "SELECT column1 AS v FROM (VALUES (0.5 * (SELECT a FROM t WHERE id = 0) + 0.5 * (SELECT a FROM t WHERE id = 1))) s",
    "max of one": "SELECT v FROM (SELECT {e} AS v, count(*) FROM t x, t y WHERE x.id = 0 AND y.id = 1 GROUP BY 1) s",
}
SETUP = """
CREATE TYPE pair AS (f1 int, f2 adapter);
CREATE TABLE stored AS SELECT {e} AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1;
CREATE FUNCTION merge_sql(x adapter, y adapter) RETURNS adapter LANGUAGE sql AS 'SELECT 0.5 * x + 0.5 * y';
CREATE FUNCTION merge_plpgsql(x adapter, y adapter) RETURNS adapter LANGUAGE plpgsql AS $$
DECLARE v adapter; w adapter; BEGIN v := 0.5 * x; w := v; v := 0.25 * y; v := 0.5 * x + 0.5 * y; w := v; PERFORM adapter_digest(w); RETURN w; END $$;
CREATE FUNCTION merge_loop(x adapter, y adapter) RETURNS adapter LANGUAGE plpgsql AS $$
DECLARE v adapter; list adapter[]; BEGIN FOR i IN 1..50 LOOP v := 0.5 * x + 0.5 * y; list[i] := v; END LOOP; RETURN list[37]; END $$;
CREATE FUNCTION merge_caught(x adapter, y adapter) RETURNS adapter LANGUAGE plpgsql AS $$
DECLARE v adapter; BEGIN v := 0.5 * x + 0.5 * y; BEGIN v := v / 0; EXCEPTION WHEN division_by_zero THEN NULL; END;
 BEGIN PERFORM adapter_digest(v + adapter_set_base_model(v, 'other')); EXCEPTION WHEN data_exception THEN NULL; END; RETURN v; END $$;
CREATE FUNCTION merge_set() RETURNS SETOF adapter LANGUAGE plpgsql AS $$
BEGIN RETURN NEXT 0.5 * (SELECT a FROM t WHERE id = 0) + 0.5 * (SELECT a FROM t WHERE id = 1); END $$;
CREATE TABLE triggered (v adapter);
CREATE FUNCTION on_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.v := 0.5 * NEW.v + 0.5 * (SELECT a FROM t WHERE id = 1); RETURN NEW; END $$;
CREATE TRIGGER g BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION on_insert();
INSERT INTO triggered SELECT a FROM t WHERE id = 0;
"""


def check_contexts(run, connection, shape):
    e = "0.5 * x.a + 0.5 * y.a"
    a, b = adapter(5, "F32", shape), adapter(6, "F32", shape)
    merged = (0.5 * algebra.leaf(a) + 0.5 * algebra.leaf(b)).evaluate()
    connection.execute("CREATE SCHEMA c; SET search_path = c, public; CREATE TABLE t (id int, a adapter)")
    for n, v in enumerate((a, b)):
        connection.execute("INSERT INTO t VALUES (%s, adapter_from_safetensors(%b, %s::json))", (n, v.file, v.config))
    connection.execute(SETUP.replace("{e}", e))
    for label, sql in CONTEXTS.items():
        query = ("SELECT adapter_digest(v), adapter_to_safetensors(v), adapter_recipe(v)->'root'->>'op', adapter_check(v),"
                 " adapter_digest(2 * v), adapter_digest(v - v) FROM (%s) q" % sql.replace("{e}", e))
        try:
            rows = connection.execute(query).fetchall()
        except harness.psycopg.Error as error:
            run.ok(False, "%s, %s" % (label, shape), "%s %s" % (error.sqlstate, error))
            continue
        run.equal(len(rows), 1, label + ": one row")
        ok = rows and rows[0][:4] == (merged.digest(), st.canonical(merged.tensors), "combine", True)
        run.ok(ok, "%s, %s" % (label, shape), rows and harness.short(rows[0], 100))
    check_changing(run, connection, merged)
    connection.execute("DROP SCHEMA c CASCADE; SET search_path = public")


def check_changing(run, connection, merged):
    """A deferred expression over rows that change or go."""
    for change in ("UPDATE t SET a = adapter_scale(a, 2)", "DELETE FROM t"):
        with connection.transaction(force_rollback=True):
            connection.execute("DECLARE k CURSOR FOR SELECT 0.5 * x.a + 0.5 * y.a AS v FROM t x, t y WHERE x.id = 0 AND y.id = 1")
            connection.execute(change)
            got = connection.execute("FETCH ALL FROM k").fetchone()[0]
            run.ok(connection.execute("SELECT adapter_digest(%s::adapter)", (got,)).fetchone()[0] == merged.digest(),
                   "cursor opened before: " + change)
        with connection.transaction(force_rollback=True):
            row = connection.execute("WITH gone AS (%s RETURNING 1) SELECT adapter_digest(0.5 * x.a + 0.5 * y.a), (SELECT count(*) FROM gone)"
                                     " FROM t x, t y WHERE x.id = 0 AND y.id = 1" % change).fetchone()
            run.equal(row[0].hex(), merged.digest().hex(), "in one statement with: " + change)
    with connection.transaction(force_rollback=True):
        row = connection.execute("UPDATE t SET a = 0.5 * a + 0.5 * (SELECT a FROM t WHERE id = 1) WHERE id = 0 RETURNING adapter_digest(a)").fetchone()
        run.equal(row[0].hex(), merged.digest().hex(), "update in place")
        connection.execute("UPDATE t SET a = 1 * a")
        got = connection.execute("SELECT adapter_digest(a) FROM t WHERE id = 0").fetchone()
        run.equal(got[0].hex(), merged.digest().hex(), "update to itself")


def body(run):
    with harness.scratch("storage") as database, harness.connect(database) as connection:
        check_storages(run, connection)
        for shape in (SHAPES["tiny"], SHAPES["page"], SHAPES["100 kB"]):
            check_contexts(run, connection, shape)


if __name__ == "__main__":
    harness.main("test_storage", body)
